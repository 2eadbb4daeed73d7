//! What replaces a module or a function by something else while tests run.

use super::Language;
use super::form::string_content;
use super::parse::Node;
use super::{imports, javascript};

/// Calls that a transformer moves to the top of the file, so that they count for every test in it.
pub(super) fn hoisted(node: Node<'_>) -> Vec<Node<'_>> {
    node.walk()
        .filter(|call| {
            call.kind() == "call_expression"
                && call.field("function").is_some_and(|callee| {
                    callee.kind() == "member_expression"
                        && matches!(callee.field_text("object"), "jest" | "vi" | "vitest")
                        && matches!(
                            callee.field_text("property"),
                            "mock"
                                | "unmock"
                                | "enableAutomock"
                                | "disableAutomock"
                                | "setMock"
                                | "hoisted"
                        )
                })
        })
        .collect()
}

/// The name of what a test file tests: `cart` of `src/__tests__/cart.test.ts`, `tests/test_cart.py`.
pub(super) fn subject(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or(path);
    let stem = name.split('.').next().unwrap_or(name);
    let stem = stem.strip_prefix("test_").unwrap_or(stem);
    let stem = ["_test", "_spec", "-test", "-spec", "Tests", "Test", "IT"]
        .iter()
        .find_map(|end| stem.strip_suffix(end))
        .unwrap_or(stem);
    stem.to_ascii_lowercase()
}

/// A mock of the thing under test.
pub(super) struct Mock<'a> {
    /// Where.
    pub node: Node<'a>,
    /// What is replaced.
    pub of: String,
}

/// The mocks in a file that replace what the file is to test: a module of the same name, or a module that the file
/// imports from the repository and calls itself.
pub(super) fn of_subject<'a>(root: Node<'a>, path: &str) -> Vec<Mock<'a>> {
    let subject = subject(path);
    match root.source().language {
        Language::JavaScript | Language::TypeScript | Language::Tsx => {
            in_javascript(root, &subject)
        }
        Language::Python => in_python(root, &subject),
        Language::Java => in_java(root, &subject),
        Language::Rust | Language::Go => Vec::new(),
    }
}

fn last_part(module: &str, separators: &[char]) -> String {
    let last = module
        .rsplit(separators)
        .find(|part| !part.is_empty())
        .unwrap_or(module);
    last.to_ascii_lowercase()
}

/// `./cart.js` is `cart`; `./cart/index` is `cart`.
fn module_name(module: &str) -> String {
    let module = module.strip_suffix("/index").unwrap_or(module);
    let name = last_part(module, &['/']);
    name.split('.').next().unwrap_or(&name).to_string()
}

fn in_javascript<'a>(root: Node<'a>, subject: &str) -> Vec<Mock<'a>> {
    let mut found = Vec::new();
    let spies: Vec<(String, String)> = root
        .walk()
        .filter(|node| {
            node.is(&[
                "import_statement",
                "lexical_declaration",
                "variable_declaration",
            ])
        })
        .flat_map(imports::bindings)
        .map(|binding| (binding.local, binding.from))
        .collect();
    for call in root.walk().filter(|node| node.kind() == "call_expression") {
        let Some((object, members, _)) = javascript::callee(call) else {
            continue;
        };
        let first = call.field("arguments").and_then(|list| list.parts().next());
        match (object.text(), members.as_slice(), first) {
            (
                "jest" | "vi" | "vitest",
                ["mock" | "doMock" | "setMock" | "unstable_mockModule"],
                Some(module),
            ) if module.kind() == "string" && module_name(string_content(module)) == subject => {
                // A factory that keeps the rest (`requireActual`) still replaces what the test is about.
                found.push(Mock {
                    node: call,
                    of: string_content(module).to_string(),
                });
            }
            (
                "jest" | "vi" | "vitest" | "sinon" | "mock" | "t",
                ["spyOn" | "stub" | "method" | "replace"] | ["mock", "method"],
                Some(target),
            ) => {
                let replaced = call.ancestors().take(8).any(|outer| {
                    outer.kind() == "member_expression"
                        && (outer.field_text("property").starts_with("mock")
                            || matches!(
                                outer.field_text("property"),
                                "returns" | "resolves" | "callsFake"
                            ))
                }) || call
                    .field("arguments")
                    .is_some_and(|list| list.parts().count() > 2);
                let of = spies.iter().find(|(local, _)| local == target.text());
                if let Some((_, from)) = of
                    && replaced
                    && module_name(from.split(' ').next().unwrap_or(from)) == subject
                {
                    found.push(Mock {
                        node: call,
                        of: target.text().to_string(),
                    });
                }
            }
            _ => {}
        }
    }
    found
}

fn in_python<'a>(root: Node<'a>, subject: &str) -> Vec<Mock<'a>> {
    // What the file imports: local name to module.
    let imported: Vec<(String, String)> = root
        .walk()
        .filter(|node| node.is(&["import_statement", "import_from_statement"]))
        .flat_map(imports::bindings)
        .map(|binding| {
            let from = binding
                .from
                .trim_start_matches("module as ")
                .trim_start_matches("module ")
                .trim_start_matches("from ")
                .replace(' ', ".");
            (binding.local, from)
        })
        .collect();
    let about = |target: &str| -> bool {
        let target = target.trim_matches(['"', '\'']);
        // `shop.cart.total`: the module is all but the last part, or all of it.
        let parts: Vec<&str> = target.split('.').filter(|part| !part.is_empty()).collect();
        let of_subject = parts
            .iter()
            .rev()
            .take(3)
            .any(|part| part.eq_ignore_ascii_case(subject));
        // The very function that the file imports to test.
        let by_name = imported
            .iter()
            .any(|(_, from)| parts.len() > 1 && from.trim_start_matches('.') == target);
        // A name that the subject itself imported (`cart.requests`) is a collaborator, not the subject.
        by_name || of_subject && !collaborator(&parts, subject, &imported)
    };
    let mut found = Vec::new();
    for call in root.walk().filter(|node| node.kind() == "call") {
        let callee = call.field_text("function");
        let last = callee.rsplit('.').next().unwrap_or(callee);
        let mut arguments = call.field("arguments").into_iter().flat_map(Node::parts);
        let Some(first) = arguments.next() else {
            continue;
        };
        let second = arguments.next();
        let patches = last == "patch"
            || callee.ends_with("patch.object")
            || callee.ends_with("patch.dict")
            || callee.ends_with("monkeypatch.setattr");
        if !patches {
            continue;
        }
        let target = if first.kind() == "string" {
            first.text().trim_matches(['"', '\'']).to_string()
        } else {
            let member = second
                .filter(|second| second.kind() == "string")
                .map_or(String::new(), |second| {
                    format!(".{}", second.text().trim_matches(['"', '\'']))
                });
            let base = first.text();
            let module = imported
                .iter()
                .find(|(local, _)| local == base)
                .map_or(base, |(_, from)| from.as_str());
            format!("{module}{member}")
        };
        if about(&target) {
            found.push(Mock {
                node: call,
                of: target,
            });
        }
    }
    found
}

/// Whether the last part of a target is a module that everybody knows, reached through the subject: patching
/// `cart.requests` or `cart.time.sleep` replaces no code of the subject.
fn collaborator(parts: &[&str], subject: &str, imported: &[(String, String)]) -> bool {
    const KNOWN: &[&str] = &[
        "requests",
        "httpx",
        "time",
        "datetime",
        "random",
        "os",
        "subprocess",
        "open",
        "input",
        "print",
        "uuid",
        "logging",
        "logger",
        "socket",
        "smtplib",
        "boto3",
        "redis",
        "urllib",
        "sleep",
        "session",
        "environ",
        "sys",
        "shutil",
        "tempfile",
        "urlopen",
    ];
    let Some(at) = parts
        .iter()
        .rposition(|part| part.eq_ignore_ascii_case(subject))
    else {
        return false;
    };
    match parts.get(at + 1) {
        Some(next) => {
            let tested = imported
                .iter()
                .any(|(local, from)| local == next && from.contains(subject));
            !tested
                && (KNOWN.contains(next)
                    || parts.len() > at + 2 && next.chars().next().is_some_and(char::is_lowercase))
        }
        None => false,
    }
}

fn in_java<'a>(root: Node<'a>, subject: &str) -> Vec<Mock<'a>> {
    root.walk()
        .filter(|node| node.kind() == "method_invocation" && node.field_text("name") == "mock")
        .filter_map(|call| {
            let class = call.field("arguments")?.parts().next()?;
            let name = class.text().strip_suffix(".class")?.trim();
            (last_part(name, &['.']) == subject).then(|| Mock {
                node: call,
                of: name.to_string(),
            })
        })
        .collect()
}
