//! Makefiles: what the base says stays, word for word and in order; new targets may be added where they change nothing of
//! what the old ones do.

use std::collections::BTreeSet;

use overnight_core::finding::{Finding, FindingKind};

use crate::lines::{finding, line_text};

/// Directives and variables that act on a whole makefile.
const WIDE: &[&str] = &[
    "include", "-include", "sinclude", "export", "unexport", "override", "define", "undefine",
    "vpath", "load", "-load", "ifeq", "ifneq", "ifdef", "ifndef", "else", "endif", "endef",
    "private",
];
/// Starts of names of variables that programs and make itself read.
const READ_BY_OTHERS: &[&str] = &[
    "PATH", "HOME", "SHELL", ".", "MAKE", "GNUMAKE", "MFLAGS", "VPATH", "NODE", "NPM", "npm", "PY",
    "PIP", "CARGO", "RUST", "GO", "CGO", "JAVA", "MAVEN", "GRADLE", "LD_", "DYLD_", "CC", "CXX",
    "CPP", "CFLAGS", "LDFLAGS", "AR", "LANG", "LC_", "TMP", "TERM", "USER", "PWD", "CI", "ENV",
    "BASH", "JEST", "VITEST", "COVERAGE", "TZ", "GIT",
];

/// Compares two versions of a makefile; the findings are empty if only targets were added.
pub(crate) fn compare(path: &str, base: &[u8], candidate: &[u8]) -> Vec<Finding> {
    let (Ok(old), Ok(new)) = (std::str::from_utf8(base), std::str::from_utf8(candidate)) else {
        let line = crate::lines::first_difference(base, candidate);
        return vec![finding(
            path,
            line,
            FindingKind::OracleChanged,
            "it is no text",
        )];
    };
    let changed = |line: usize, detail: String| {
        let line = u32::try_from(line).unwrap_or(u32::MAX);
        vec![finding(
            path,
            Some(line),
            FindingKind::OracleChanged,
            detail,
        )]
    };
    // Empty lines and comments say nothing, and may come and go.
    let lines: Vec<(usize, &str)> = old
        .lines()
        .enumerate()
        .filter(|(_, line)| !is_idle(line))
        .collect();
    let old: Vec<&str> = lines.iter().map(|(_, line)| *line).collect();
    let new: Vec<&str> = new.lines().collect();
    let facts = Facts::of(&old);
    let mut at = 0;
    // The targets whose recipe the next indented line would go on; of the base, or new.
    let mut recipe_of_base = false;
    let mut recipe_is_new = false;
    // Whether something new stands before the next line of the base.
    let mut parted = false;
    let mut continued = false;
    let mut continued_is_base = false;
    let mut base_target_seen = false;
    for (index, line) in new.iter().enumerate() {
        if is_idle(line) && !continued {
            continue;
        }
        let is_base = old.get(at) == Some(line);
        let wanted_phony = old
            .get(at)
            .is_some_and(|old| phony_extended(old, line, &facts));
        if is_base || wanted_phony {
            at += 1;
            if continued && !continued_is_base {
                return changed(index + 1, format!("goes on with a new line: {line}"));
            }
            if line.starts_with('\t') && parted {
                return changed(
                    index + 1,
                    "a recipe of the base would be parted from its target".into(),
                );
            }
            if !line.starts_with('\t') && !continued {
                recipe_of_base = is_rule(line);
                base_target_seen |= recipe_of_base && !line.starts_with('.');
                recipe_is_new = false;
                parted = false;
            }
            continued = line.ends_with('\\');
            continued_is_base = continued;
            continue;
        }
        if continued && continued_is_base {
            return changed(
                index + 1,
                format!("a line of the base would go on differently: {line}"),
            );
        }
        if continued {
            continued = line.ends_with('\\');
            if !line.starts_with('\t') && (line.contains("$(eval") || line.contains("$(shell")) {
                return changed(
                    index + 1,
                    format!("would run when the makefile is read: {line}"),
                );
            }
            continue;
        }
        continued = line.ends_with('\\');
        continued_is_base = false;
        let bare = line.trim();
        if line.starts_with('\t') {
            if recipe_of_base || !recipe_is_new {
                return changed(
                    index + 1,
                    format!("a line was put into a recipe of the base: {bare}"),
                );
            }
            continue;
        }
        parted = true;
        if let Some(why) = facts.forbidden(bare, base_target_seen) {
            return changed(index + 1, format!("{why}: {bare}"));
        }
        if is_rule(bare) {
            recipe_of_base = false;
            recipe_is_new = true;
        }
    }
    match lines.get(at) {
        Some((line, gone)) => changed(
            line + 1,
            format!("is gone or elsewhere: {}", line_text(gone.as_bytes(), 1)),
        ),
        None => Vec::new(),
    }
}

/// Whether a line is empty or a comment of make's own; one of a recipe goes to the shell.
fn is_idle(line: &str) -> bool {
    line.trim().is_empty()
        || (!line.starts_with('\t') && line.trim_start().starts_with('#') && !line.ends_with('\\'))
}

/// What the base's makefile speaks of.
struct Facts<'a> {
    targets: BTreeSet<&'a str>,
    words: BTreeSet<&'a str>,
    has_targets: bool,
}

impl<'a> Facts<'a> {
    fn of(lines: &[&'a str]) -> Self {
        let mut facts = Facts {
            targets: BTreeSet::new(),
            words: BTreeSet::new(),
            has_targets: false,
        };
        for line in lines {
            if !line.starts_with('\t') && is_rule(line) {
                let names = line.split(':').next().unwrap_or_default();
                facts.targets.extend(names.split_whitespace());
                facts.has_targets |= !line.starts_with('.');
            }
            facts.words.extend(
                line.split(|c: char| c.is_whitespace() || "$(){}:=;,@\\\"'`|&<>".contains(c))
                    .filter(|w| !w.is_empty()),
            );
        }
        facts
    }

    /// Why a new line that is no recipe may not be added; `None` if it may.
    fn forbidden(&self, line: &str, base_target_seen: bool) -> Option<&'static str> {
        let first = line.split_whitespace().next().unwrap_or_default();
        if WIDE.contains(&first) {
            return Some("a directive was added");
        }
        if line.contains("$(eval") || line.contains("${eval") {
            return Some("would change the makefile while it is read");
        }
        if let Some((name, _)) = assignment(line) {
            return if READ_BY_OTHERS.iter().any(|s| name.starts_with(s)) {
                Some("a variable was added that programs read")
            } else if self.words.contains(name)
                || name.contains(char::is_whitespace)
                || name.contains('$')
            {
                Some("a variable was added that the base uses")
            } else if line.contains("$(shell") || line.contains("!=") || line.contains("${shell") {
                Some("would run when the makefile is read")
            } else {
                None
            };
        }
        if !is_rule(line) {
            return Some("a line was added that is no target");
        }
        let (names, rest) = line.split_once(':').unwrap_or((line, ""));
        let phony = names.trim() == ".PHONY";
        let mut new_names = if phony { rest } else { names }.split_whitespace();
        if !phony && (names.contains(['%', '$', '&']) || names.trim_start().starts_with('.')) {
            return Some("a rule was added that can apply to what the base builds");
        }
        if new_names.any(|name| {
            self.targets.contains(name) || self.words.contains(name) || name.contains('$')
        }) {
            return Some("a target of the base was given another rule");
        }
        if !phony && self.has_targets && !base_target_seen {
            return Some("would be the default target");
        }
        if !phony && (rest.starts_with(':') || assignment(rest).is_some()) {
            return Some("a rule was added that can apply to what the base builds");
        }
        None
    }
}

/// Whether a line that is no recipe is a rule.
fn is_rule(line: &str) -> bool {
    !line.starts_with(['\t', '#']) && line.contains(':') && assignment(line).is_none()
}

/// The name and value, if the line is an assignment.
fn assignment(line: &str) -> Option<(&str, &str)> {
    let equals = line.find('=')?;
    let (name, value) = line.split_at(equals);
    let name = name.trim_end_matches([':', '?', '+', '!']).trim();
    if name.contains(':') || name.is_empty() {
        return None;
    }
    Some((name, &value[1..]))
}

/// Whether `new` is `.PHONY` as in the base with more names, none of them the base's.
fn phony_extended(old: &str, new: &str, facts: &Facts) -> bool {
    let (Some(old), Some(new)) = (old.strip_prefix(".PHONY:"), new.strip_prefix(".PHONY:")) else {
        return false;
    };
    let old: BTreeSet<&str> = old.split_whitespace().collect();
    let new: BTreeSet<&str> = new.split_whitespace().collect();
    old.is_subset(&new)
        && new.difference(&old).all(|name| {
            !facts.targets.contains(name)
                && !facts.words.contains(name)
                && !name.contains(['$', '\\', ';'])
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &str = "PYTEST = python -m pytest\n.PHONY: test lint\n\ntest: build\n\t$(PYTEST) -q\n\nlint:\n\truff check .\n";

    fn line(candidate: &str) -> Option<u32> {
        compare("Makefile", BASE.as_bytes(), candidate.as_bytes())
            .first()
            .map(|f| f.line.unwrap_or(0))
    }

    #[test]
    fn new_targets_may_be_added() {
        for added in [
            "",
            "\ndocs:\n\tmkdocs build\n",
            "\n# The documentation.\nDOCS_OUT := site\ndocs: lint\n\tmkdocs build \\\n\t  -d $(DOCS_OUT)\n",
            "\n.PHONY: docs\ndocs:\n\tmkdocs build\n",
        ] {
            assert_eq!(line(&format!("{BASE}{added}")), None, "{added}");
        }
        assert_eq!(
            line(&(BASE.replace("test lint", "test lint docs") + "\ndocs:\n\tmkdocs\n")),
            None
        );
        assert_eq!(
            line(&BASE.replace("\nlint:", "\ndocs:\n\tmkdocs\n\nlint:")),
            None
        );
    }

    #[test]
    fn nothing_of_the_base_changes_its_meaning() {
        for (candidate, at) in [
            (BASE.replace("$(PYTEST) -q", "true"), 5),
            (BASE.replace("python -m pytest", "true"), 1),
            (BASE.replace("\t$(PYTEST) -q\n", "\t-$(PYTEST) -q\n"), 5),
            (
                BASE.replace("\t$(PYTEST) -q\n", "\t$(PYTEST) -q\n\ttrue\n"),
                6,
            ),
            (
                BASE.replace("\t$(PYTEST) -q\n", "\t$(PYTEST) -q || \\\n\ttrue\n"),
                5,
            ),
            (format!("all:\n\ttrue\n{BASE}"), 1),
            (format!("{BASE}\ntest:\n\ttrue\n"), 10),
            (format!("{BASE}\nbuild:\n\ttrue\n"), 10),
            (format!("{BASE}\ntest: PYTEST = true\n"), 10),
            (format!("{BASE}\nPYTEST := true\n"), 10),
            (format!("{BASE}\nSHELL := /bin/true\n"), 10),
            (format!("{BASE}\n.SHELLFLAGS := -c true\n"), 10),
            (format!("{BASE}\nMAKEFLAGS += -i\n"), 10),
            (format!("{BASE}\n.IGNORE:\n"), 10),
            (format!("{BASE}\n.DEFAULT_GOAL := x\n"), 10),
            (
                format!("{BASE}\nexport PYTEST_ADDOPTS=--collect-only\n"),
                10,
            ),
            (format!("{BASE}\n-include fast.mk\n"), 10),
            (format!("{BASE}\n%: force\n\ttrue\n"), 10),
            (format!("{BASE}\nX := $(shell touch done)\n"), 10),
            (format!("{BASE}\n$(eval PYTEST=true)\n"), 10),
            (format!("{BASE}\nPATH := fake:$(PATH)\n"), 10),
            (BASE.replace("\nlint:\n\truff check .\n", ""), 7),
        ] {
            assert_eq!(line(&candidate), Some(at), "{candidate}");
        }
    }
}
