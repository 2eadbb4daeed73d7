//! What imports bring in: which name stands for what. Their order and grouping mean nothing.

use super::Language;
use super::form::string_content;
use super::parse::Node;

/// One name that an import brings in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Binding {
    /// The name in this file; empty if there is none (an import for its effects), `*` for all names there are.
    pub local: String,
    /// What it stands for.
    pub from: String,
}

impl Binding {
    fn new(local: &str, from: impl Into<String>) -> Binding {
        Binding {
            local: local.to_string(),
            from: from.into(),
        }
    }

    /// What the name itself stands for: `import a.b` brings in `a`.
    pub fn meaning(&self) -> &str {
        match self.from.strip_prefix("module ") {
            Some(path) if path.split('.').next() == Some(&self.local) => &self.local,
            _ => &self.from,
        }
    }
}

/// What an import brings in.
pub(super) fn bindings(node: Node<'_>) -> Vec<Binding> {
    match node.source().language {
        Language::Rust => rust(node),
        Language::Python => python(node),
        Language::JavaScript | Language::TypeScript | Language::Tsx => javascript(node),
        Language::Go => go(node),
        Language::Java => java(node),
    }
}

fn python(node: Node<'_>) -> Vec<Binding> {
    let module = node.field_text("module_name").to_string();
    let from = node.kind() != "import_statement";
    let module = if node.kind() == "future_import_statement" {
        "__future__".to_string()
    } else {
        module
    };
    let mut found = Vec::new();
    for part in node.parts() {
        if part.kind() == "wildcard_import" {
            found.push(Binding::new("*", format!("from {module}")));
        }
        if part.field_name() != "name" {
            continue;
        }
        let (name, alias) = match part.kind() {
            "aliased_import" => (part.field_text("name"), Some(part.field_text("alias"))),
            _ => (part.text(), None),
        };
        found.push(if from {
            Binding::new(alias.unwrap_or(name), format!("from {module} {name}"))
        } else {
            let first = name.split('.').next().unwrap_or(name);
            match alias {
                Some(alias) => Binding::new(alias, format!("module as {name}")),
                None => Binding::new(first, format!("module {name}")),
            }
        });
    }
    found
}

fn javascript(node: Node<'_>) -> Vec<Binding> {
    if node.kind() != "import_statement" {
        return required(node);
    }
    let module = node.field("source").map_or("", string_content);
    let typed = if node.child("type").is_some() {
        "type "
    } else {
        ""
    };
    let Some(clause) = node.child("import_clause") else {
        return match node.child("import_require_clause") {
            Some(clause) => {
                let module = clause.field("source").map_or("", string_content);
                let name = clause.child("identifier").map_or("", Node::text);
                vec![Binding::new(name, format!("{module} require"))]
            }
            None => vec![Binding::new("", module)],
        };
    };
    let mut found = Vec::new();
    for part in clause.parts() {
        match part.kind() {
            "identifier" => found.push(Binding::new(
                part.text(),
                format!("{typed}{module} default"),
            )),
            "namespace_import" => {
                let name = part.child("identifier").map_or("", Node::text);
                found.push(Binding::new(name, format!("{typed}{module} *")));
            }
            "named_imports" => {
                for specifier in part.parts() {
                    let name = specifier.field_text("name");
                    let local = specifier.field("alias").map_or(name, Node::text);
                    let own = if specifier.child("type").is_some() {
                        "type "
                    } else {
                        typed
                    };
                    found.push(Binding::new(local, format!("{own}{module} .{name}")));
                }
            }
            _ => {}
        }
    }
    found
}

/// `const a = require('m')`, `const { a, b: c } = require('m')`, `const a = require('m').b`.
fn required(node: Node<'_>) -> Vec<Binding> {
    let mut found = Vec::new();
    for declarator in node
        .parts()
        .filter(|part| part.kind() == "variable_declarator")
    {
        let (Some(name), Some(value)) = (declarator.field("name"), declarator.field("value"))
        else {
            return Vec::new();
        };
        let Some((module, member)) = require_call(value) else {
            return Vec::new();
        };
        let from = format!("{module}{member}");
        match name.kind() {
            "identifier" => found.push(Binding::new(name.text(), format!("{from} require"))),
            "object_pattern" => {
                for part in name.parts() {
                    match part.kind() {
                        "shorthand_property_identifier_pattern" => {
                            found.push(Binding::new(
                                part.text(),
                                format!("{from} .{}", part.text()),
                            ));
                        }
                        "pair_pattern"
                            if part
                                .field("value")
                                .is_some_and(|v| v.kind() == "identifier") =>
                        {
                            let key = part.field_text("key");
                            found.push(Binding::new(
                                part.field_text("value"),
                                format!("{from} .{key}"),
                            ));
                        }
                        _ => return Vec::new(),
                    }
                }
            }
            _ => return Vec::new(),
        }
    }
    found
}

fn require_call(value: Node<'_>) -> Option<(String, String)> {
    let mut member = String::new();
    let mut node = value;
    while node.kind() == "member_expression" {
        member = format!(".{}{member}", node.field_text("property"));
        node = node.field("object")?;
    }
    if node.kind() != "call_expression" || node.field_text("function") != "require" {
        return None;
    }
    let only = node.field("arguments")?.parts().next()?;
    (only.kind() == "string").then(|| (string_content(only).to_string(), member))
}

fn rust(node: Node<'_>) -> Vec<Binding> {
    let mut found = Vec::new();
    let visibility = node.child("visibility_modifier").map_or("", Node::text);
    if node.kind() == "extern_crate_declaration" {
        let name = node.field_text("name");
        let local = node.field("alias").map_or(name, Node::text);
        return vec![Binding::new(local, format!("extern {name}"))];
    }
    let Some(argument) = node.field("argument") else {
        return found;
    };
    let mut open = vec![(argument, String::new())];
    while let Some((node, prefix)) = open.pop() {
        let join = |path: &str| {
            if prefix.is_empty() {
                path.to_string()
            } else if path.is_empty() {
                prefix.clone()
            } else {
                format!("{prefix}::{path}")
            }
        };
        match node.kind() {
            "scoped_use_list" => {
                let path = join(&plain(node.field_text("path")));
                if let Some(list) = node.field("list") {
                    open.push((list, path));
                }
            }
            "use_list" => open.extend(node.parts().map(|part| (part, prefix.clone()))),
            "use_wildcard" => {
                let path = node
                    .parts()
                    .next()
                    .map_or(String::new(), |path| plain(path.text()));
                found.push(Binding::new("*", format!("{visibility}{}", join(&path))));
            }
            "use_as_clause" => {
                let path = plain(node.field_text("path"));
                found.push(Binding::new(
                    node.field_text("alias"),
                    format!(
                        "{visibility}{}",
                        join(if path == "self" { "" } else { &path })
                    ),
                ));
            }
            _ => {
                let path = plain(node.text());
                let full = join(if path == "self" && !prefix.is_empty() {
                    ""
                } else {
                    &path
                });
                let local = full.rsplit("::").next().unwrap_or(&full).to_string();
                found.push(Binding::new(&local, format!("{visibility}{full}")));
            }
        }
    }
    found
}

fn plain(path: &str) -> String {
    path.split_whitespace().collect()
}

fn go(node: Node<'_>) -> Vec<Binding> {
    node.below()
        .filter(|spec| spec.kind() == "import_spec")
        .map(|spec| {
            let path = spec.field("path").map_or("", string_content);
            match spec.field("name").map(Node::text) {
                Some("_") => Binding::new("", path),
                Some(".") => Binding::new("*", path),
                Some(name) => Binding::new(name, path),
                None => {
                    let mut parts = path.rsplit('/');
                    let last = parts.next().unwrap_or(path);
                    let version = last
                        .strip_prefix('v')
                        .is_some_and(|v| v.parse::<u32>().is_ok());
                    let name = if version {
                        parts.next().unwrap_or(last)
                    } else {
                        last
                    };
                    Binding::new(name, path)
                }
            }
        })
        .collect()
}

fn java(node: Node<'_>) -> Vec<Binding> {
    let fixed = if node.child("static").is_some() {
        "static "
    } else {
        ""
    };
    let Some(path) = node
        .parts()
        .find(|part| part.is(&["scoped_identifier", "identifier"]))
    else {
        return Vec::new();
    };
    let from = format!("{fixed}{}", plain(path.text()));
    let local = if node.child("asterisk").is_some() {
        "*"
    } else {
        path.field("name").unwrap_or(path).text()
    };
    vec![Binding::new(local, from)]
}
