//! Names that belong to the base's tests: an addition may not give them anew.

use std::collections::{BTreeMap, BTreeSet};

use super::Language;
use super::imports::Binding;
use super::items::{Item, Role, Scope};
use super::parse::Node;
use super::{names, python};

/// Which names an addition may not take.
pub(super) struct Taken<'a> {
    scope: Scope,
    language: Language,
    /// Names that the base gives in this scope, with what they stand for where they are imported.
    given: BTreeMap<String, Option<String>>,
    /// Names that the base's code in this scope takes from around it.
    free: BTreeSet<&'a str>,
    /// Whether tests of the base are here or below.
    pub tests: bool,
}

impl<'a> Taken<'a> {
    /// What the items of a body take.
    /// What the items of a body take.
    pub fn new(
        body: Node<'a>,
        scope: Scope,
        imports: &[Item<'a>],
        items: &[Item<'a>],
    ) -> Taken<'a> {
        let language = body.source().language;
        let mut given: BTreeMap<String, Option<String>> = BTreeMap::new();
        for binding in imports.iter().flat_map(|item| &item.bindings) {
            given.insert(binding.local.clone(), Some(binding.meaning().to_string()));
        }
        for name in items.iter().flat_map(|item| &item.names) {
            given.insert(name.clone(), None);
        }
        let free = if language == Language::Python && scope == Scope::Class {
            names::own_members(body)
        } else {
            items
                .iter()
                .flat_map(|item| names::free(&item.nodes))
                .collect()
        };
        Taken {
            scope,
            language,
            given,
            free,
            tests: items
                .iter()
                .any(|item| matches!(item.role, Role::Test | Role::Group))
                || scope == Scope::Group,
        }
    }

    /// Why a name may not be given anew, if it may not.
    pub fn conflict(&self, name: &str, binding: Option<&Binding>) -> Option<String> {
        if names::disguised(name) {
            return Some(format!("`{name}` may read as another name"));
        }
        if self.language == Language::Python
            && python::hook_name(name, self.scope)
            && binding.is_none()
        {
            return Some(format!("`{name}` means something to what runs the tests"));
        }
        match self.given.get(name) {
            Some(Some(meaning)) if binding.is_some_and(|binding| binding.meaning() == meaning) => {
                None
            }
            Some(_) if self.language == Language::Java && binding.is_none() => None,
            Some(_) => Some(format!("`{name}` is defined a second time")),
            None => self
                .free
                .contains(name)
                .then(|| format!("`{name}` takes the place of what the tests of the base use")),
        }
    }
}
