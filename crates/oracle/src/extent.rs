//! The size of a change: how many functions, lines and files of the implementation it touches. Tests are not counted,
//! whether they are files of their own or live in files of the implementation.
//!
//! A function is touched if its text is not the same any more, or if it is new or gone; it may have moved. Functions are
//! told apart by their full names, those without a name by their texts.

use std::collections::BTreeMap;

use overnight_core::item::Extent;
use overnight_core::repo::{Changed, How};
use similar::{Algorithm, ChangeTag, capture_diff_slices};

use crate::place::{Place, Places, readable};
use crate::syntax::{Pieces, language, pieces};
use crate::{PARSED_BYTES_MAX, Tree};

/// Texts with more lines that differ are not compared line by line; what git counts in the whole file stands then.
const COMPARED_LINES_MAX: usize = 20_000;

/// Extensions of files that hold no functions, whatever is in them.
const NO_CODE: &[&str] = &[
    "md",
    "markdown",
    "rst",
    "txt",
    "adoc",
    "json",
    "json5",
    "jsonl",
    "toml",
    "yaml",
    "yml",
    "lock",
    "csv",
    "tsv",
    "xml",
    "ini",
    "cfg",
    "conf",
    "properties",
    "env",
    "css",
    "scss",
    "less",
    "svg",
    "png",
    "jpg",
    "jpeg",
    "gif",
    "webp",
    "ico",
    "pdf",
    "woff",
    "woff2",
    "ttf",
    "po",
    "pot",
    "mo",
    "diff",
    "patch",
    "sum",
    "mod",
    "in",
];
/// Names of files without an extension that hold no functions.
const NO_CODE_NAMES: &[&str] = &[
    "LICENSE",
    "LICENCE",
    "NOTICE",
    "README",
    "CHANGELOG",
    "AUTHORS",
    "CODEOWNERS",
    "VERSION",
    "Dockerfile",
];

/// The size of a change between two trees, of which `changes` are the paths that differ.
pub fn extent(changes: &[Changed], base: &dyn Tree, candidate: &dyn Tree) -> Extent {
    let places = Places::new(base, candidate);
    let mut functions = Some(Functions::default());
    let mut extent = Extent::default();
    for change in changes {
        let read = |tree: &dyn Tree, absent: How| {
            (change.how != absent)
                .then(|| tree.read(&change.path, PARSED_BYTES_MAX))
                .flatten()
        };
        let (old, new) = (read(base, How::Added), read(candidate, How::Deleted));
        if places.place(&change.path, old.as_deref(), new.as_deref()) != Place::Implementation {
            continue;
        }
        let Some(file) = look(change, old.as_deref(), new.as_deref()) else {
            // Only tests in it have changed.
            continue;
        };
        extent.files = extent.files.saturating_add(1);
        extent.lines = extent.lines.saturating_add(file.lines);
        match (&mut functions, file.functions) {
            (Some(all), Some((old, new))) => {
                all.add(&change.path, old, |sides| &mut sides.old);
                all.add(&change.path, new, |sides| &mut sides.new);
            }
            _ => functions = None,
        }
    }
    extent.functions = functions.map(Functions::touched);
    extent
}

/// Functions by name, with their texts.
type Named = Vec<(String, String)>;

/// What a changed file of the implementation adds to the extent.
struct File {
    lines: u32,
    /// Those of the base and of the candidate; `None` if nothing can be said of them.
    functions: Option<(Named, Named)>,
}

/// `None` if only tests in it have changed.
fn look(change: &Changed, old: Option<&[u8]>, new: Option<&[u8]>) -> Option<File> {
    let counted = u32::try_from(change.added.saturating_add(change.removed)).unwrap_or(u32::MAX);
    let name = readable(&change.path);
    let plain = |functions| File {
        lines: counted,
        functions,
    };
    if change.link.is_some() {
        return Some(plain(Some(Default::default())));
    }
    let Some(language) = language(&name) else {
        return Some(plain(holds_no_code(&name).then(Default::default)));
    };
    let side = |text: Option<&[u8]>, is_there: bool| match text {
        Some(text) => pieces(language, text),
        // Too large to be read, or no plain file.
        None if is_there => None,
        None => Some(Pieces::default()),
    };
    let (before, after) = (
        side(old, change.how != How::Added),
        side(new, change.how != How::Deleted),
    );
    let (Some(before), Some(after)) = (before, after) else {
        return Some(plain(None));
    };
    let mut lines = counted;
    if before.has_tests || after.has_tests {
        if before.implementation == after.implementation {
            return None;
        }
        lines = lines_between(&before.implementation, &after.implementation).unwrap_or(counted);
    }
    Some(File {
        lines,
        functions: Some((before.functions, after.functions)),
    })
}

fn holds_no_code(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    match name.rsplit_once('.') {
        // `.gitignore`, `.editorconfig`: configuration.
        Some(("", _)) => true,
        Some((_, extension)) => NO_CODE.contains(&extension),
        None => NO_CODE_NAMES.contains(&name),
    }
}

/// How many lines are added and removed; `None` if that would take too long.
fn lines_between(old: &str, new: &str) -> Option<u32> {
    let old: Vec<&str> = old.split_inclusive('\n').collect();
    let new: Vec<&str> = new.split_inclusive('\n').collect();
    let before = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let (old, new) = (&old[before..], &new[before..]);
    let after = old
        .iter()
        .rev()
        .zip(new.iter().rev())
        .take_while(|(a, b)| a == b)
        .count();
    let (old, new) = (&old[..old.len() - after], &new[..new.len() - after]);
    if old.len() + new.len() > COMPARED_LINES_MAX {
        return None;
    }
    let changed = capture_diff_slices(Algorithm::Myers, old, new)
        .iter()
        .flat_map(|op| op.iter_changes(old, new))
        .filter(|line| line.tag() != ChangeTag::Equal)
        .count();
    u32::try_from(changed).ok()
}

/// The texts of the functions of one name, before and after.
#[derive(Default)]
struct Sides {
    old: Vec<String>,
    new: Vec<String>,
}

/// The functions of the changed files, by path and name.
#[derive(Default)]
struct Functions(BTreeMap<(String, String), Sides>);

impl Functions {
    fn add(&mut self, path: &str, functions: Named, side: impl Fn(&mut Sides) -> &mut Vec<String>) {
        for (name, text) in functions {
            side(self.0.entry((path.to_owned(), name)).or_default()).push(text);
        }
    }

    /// How many are touched: of those of one name, as many as are not there as they were.
    fn touched(self) -> u32 {
        let count = self.0.into_values().map(|sides| {
            let mut old: BTreeMap<String, usize> = BTreeMap::new();
            for text in sides.old {
                *old.entry(text).or_default() += 1;
            }
            let mut added = 0;
            for text in sides.new {
                match old.get_mut(&text).filter(|left| **left > 0) {
                    Some(left) => *left -= 1,
                    None => added += 1,
                }
            }
            let removed: usize = old.into_values().sum();
            removed.max(added)
        });
        u32::try_from(count.sum::<usize>()).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Files(BTreeMap<String, Vec<u8>>);

    impl Tree for Files {
        fn read(&self, path: &str, bytes_max: usize) -> Option<Vec<u8>> {
            self.0.get(path).filter(|c| c.len() <= bytes_max).cloned()
        }
        fn exists(&self, path: &str) -> bool {
            self.0.contains_key(path) || self.0.keys().any(|p| p.starts_with(&format!("{path}/")))
        }
        fn paths(&self) -> Vec<String> {
            self.0.keys().cloned().collect()
        }
    }

    fn files(of: &[(&str, &str)]) -> Files {
        Files(
            of.iter()
                .map(|(p, c)| ((*p).to_owned(), c.as_bytes().to_vec()))
                .collect(),
        )
    }

    /// The extent of a change, with git's way of counting lines.
    fn of(before: &[(&str, &str)], after: &[(&str, &str)]) -> (Option<u32>, u32, u32) {
        let (base, candidate) = (files(before), files(after));
        let mut paths: Vec<&String> = base.0.keys().chain(candidate.0.keys()).collect();
        paths.sort();
        paths.dedup();
        let text = |tree: &Files, path: &str| {
            tree.0
                .get(path)
                .map(|c| String::from_utf8_lossy(c).into_owned())
                .unwrap_or_default()
        };
        let changes: Vec<Changed> = paths
            .into_iter()
            .filter(|path| base.0.get(*path) != candidate.0.get(*path))
            .map(|path| Changed {
                path: path.clone(),
                how: match (base.0.contains_key(path), candidate.0.contains_key(path)) {
                    (true, true) => How::Modified,
                    (true, false) => How::Deleted,
                    (false, _) => How::Added,
                },
                added: u64::from(
                    lines_between(&text(&base, path), &text(&candidate, path)).unwrap(),
                ),
                removed: 0,
                link: None,
            })
            .collect();
        let found = extent(&changes, &base, &candidate);
        (found.functions, found.lines, found.files)
    }

    #[test]
    fn a_line_in_a_function_touches_it_and_no_other() {
        let cases = [
            (
                "a.rs",
                "impl A { fn f(&self) -> u8 {\n 1\n}\nfn g() {}\n}\n",
                "impl A { fn f(&self) -> u8 {\n 2\n}\nfn g() {}\n}\n",
            ),
            (
                "a.py",
                "class A:\n    @x\n    def f(self):\n        return 1\n\n    def g(self): pass\n",
                "class A:\n    @x\n    def f(self):\n        return 2\n\n    def g(self): pass\n",
            ),
            (
                "a.js",
                "const f = async () => {\n return 1\n}\nfunction g() {}\n",
                "const f = async () => {\n return 2\n}\nfunction g() {}\n",
            ),
            (
                "a.ts",
                "export class A {\n f(): number {\n return 1\n}\n g() {} }\n",
                "export class A {\n f(): number {\n return 2\n}\n g() {} }\n",
            ),
            (
                "a.tsx",
                "export default function F() {\n return <a b={1}/>\n}\n",
                "export default function F() {\n return <a b={2}/>\n}\n",
            ),
            (
                "a.go",
                "package a\nfunc (a *A) f() int {\n\treturn 1\n}\nfunc g() {}\n",
                "package a\nfunc (a *A) f() int {\n\treturn 2\n}\nfunc g() {}\n",
            ),
            (
                "A.java",
                "class A { int f() {\n return 1;\n}\n int f(int x) { return x; } }\n",
                "class A { int f() {\n return 2;\n}\n int f(int x) { return x; } }\n",
            ),
        ];
        for (path, before, after) in cases {
            assert_eq!(
                of(&[(path, before)], &[(path, after)]),
                (Some(1), 2, 1),
                "{path}"
            );
        }
    }

    #[test]
    fn functions_that_come_and_go_count_and_those_that_move_do_not() {
        let base = [("a.py", "def f():\n    return 1\n\ndef g():\n    return 2\n")];
        let moved = [("a.py", "def g():\n    return 2\n\ndef f():\n    return 1\n")];
        assert_eq!(of(&base, &moved).0, Some(0));
        let added = [(
            "a.py",
            "def f():\n    return h()\n\ndef h():\n    return 1\n\ndef g():\n    return 2\n",
        )];
        assert_eq!(of(&base, &added).0, Some(2), "one changed, one is new");
        let gone = [("a.py", "def g():\n    return 2\n")];
        assert_eq!(of(&base, &gone).0, Some(1));
        assert_eq!(of(&base, &[]).0, Some(2), "the file is gone");
        assert_eq!(of(&[], &base), (Some(2), 5, 1), "the file is new");
    }

    #[test]
    fn a_line_outside_of_all_functions_is_a_line_only() {
        let before = [("a.rs", "const A: u8 = 1;\nfn f() {}\n")];
        let after = [("a.rs", "const A: u8 = 2;\nfn f() {}\n")];
        assert_eq!(of(&before, &after), (Some(0), 2, 1));
    }

    #[test]
    fn what_is_inside_a_function_is_part_of_it() {
        let before = [(
            "a.js",
            "function f() {\n const g = () => 1\n const h = () => 2\n}\n",
        )];
        let after = [(
            "a.js",
            "function f() {\n const g = () => 11\n const h = () => 22\n}\n",
        )];
        assert_eq!(of(&before, &after).0, Some(1));
        // What only gives the file a scope is no function.
        let before = [(
            "a.js",
            "(function () {\n function f() { return 1 }\n function g() { return 1 }\n})();\n",
        )];
        let after = [(
            "a.js",
            "(function () {\n function f() { return 2 }\n function g() { return 2 }\n})();\n",
        )];
        assert_eq!(of(&before, &after).0, Some(2));
    }

    #[test]
    fn what_only_works_like_a_function_counts_too() {
        for (path, text) in [
            (
                "a.rs",
                "macro_rules! m { () => { fn c() -> u8 { 1 } } }\nfn f() {}\n",
            ),
            ("a.rs", "cfg_if! {\n fn a() { 1 }\n}\nfn f() { vec![1]; }\n"),
            (
                "A.java",
                "class A { static { x = 1; } int f() { return 0; } }\n",
            ),
            ("a.js", "class A { static { this.x = 1 } f() {} }\n"),
        ] {
            let changed = text.replacen('1', "2", 1);
            assert_eq!(
                of(&[(path, text)], &[(path, &changed)]).0,
                Some(1),
                "{text}"
            );
        }
        // A macro without functions is a line.
        let table = "table! {\n a = 1,\n}\n";
        let changed = table.replace('1', "2");
        assert_eq!(of(&[("a.rs", table)], &[("a.rs", &changed)]).0, Some(0));
    }

    #[test]
    fn functions_without_a_name_count_too() {
        let before = [(
            "a.js",
            "app.get('/a', (q, s) => {\n s.send(1)\n})\napp.get('/b', (q, s) => {\n s.send(1)\n})\nmodule.exports = { x: function () { return 1 } }\n",
        )];
        let after = [(
            "a.js",
            "app.get('/n', () => 0)\napp.get('/a', (q, s) => {\n s.send(2)\n})\napp.get('/b', (q, s) => {\n s.send(1)\n})\nmodule.exports = { x: function () { return 2 } }\n",
        )];
        assert_eq!(of(&before, &after).0, Some(3));
        let before = [("a.go", "package a\nvar f = func() int { return 1 }\n")];
        let after = [("a.go", "package a\nvar f = func() int { return 2 }\n")];
        assert_eq!(of(&before, &after).0, Some(1));
    }

    #[test]
    fn tests_are_not_counted_wherever_they_are() {
        let tests = [("Cargo.toml", ""), ("tests/it.rs", "#[test]\nfn t() {}\n")];
        let more = [
            ("Cargo.toml", ""),
            (
                "tests/it.rs",
                "#[test]\nfn t() { assert!(true) }\n#[test]\nfn u() {}\n",
            ),
        ];
        assert_eq!(of(&tests, &more), (Some(0), 0, 0));
        let inline =
            "fn f() -> u8 { 1 }\n#[cfg(test)]\nmod tests {\n    #[test]\n    fn t() {}\n}\n";
        let changed = inline.replace(
            "fn t() {}",
            "fn t() {\n        assert_eq!(super::f(), 1);\n    }",
        );
        assert_eq!(
            of(&[("src/a.rs", inline)], &[("src/a.rs", &changed)]),
            (Some(0), 0, 0)
        );
        let both = changed.replace("{ 1 }", "{ 2 }");
        assert_eq!(
            of(&[("src/a.rs", inline)], &[("src/a.rs", &both)]),
            (Some(1), 2, 1)
        );
        let py = [("test_a.py", "def test_a(): pass\n")];
        assert_eq!(of(&[], &py), (Some(0), 0, 0));
        let js = [("a.test.js", "test('a', () => {})\n")];
        assert_eq!(of(&[], &js), (Some(0), 0, 0));
    }

    #[test]
    fn in_a_language_that_is_not_read_nothing_is_said_of_functions() {
        assert_eq!(of(&[], &[("a.rb", "def f; end\n")]), (None, 1, 1));
        assert_eq!(
            of(&[], &[("a.rb", "x\n"), ("b.py", "def f(): pass\n")]),
            (None, 2, 2)
        );
        assert_eq!(
            of(&[], &[("README.md", "x\n"), (".gitignore", "x\n")]),
            (Some(0), 2, 2)
        );
        let no_text = Files(BTreeMap::from([("a.py".to_owned(), vec![0xff, 0xfe])]));
        let change = Changed {
            path: "a.py".into(),
            how: How::Added,
            added: 0,
            removed: 0,
            link: None,
        };
        assert_eq!(extent(&[change], &files(&[]), &no_text).functions, None);
    }

    #[test]
    fn a_file_of_many_different_lines_is_counted_in_bounded_time() {
        let long = |seed: usize| -> String {
            (0..40_000)
                .map(|n| format!("let x{n} = {};\n", n * seed))
                .collect()
        };
        assert_eq!(lines_between(&long(3), &long(7)), None);
        assert_eq!(lines_between("a\nb\nc\n", "a\nc\nd\n"), Some(2));
        assert_eq!(lines_between("", "a"), Some(1));
    }
}
