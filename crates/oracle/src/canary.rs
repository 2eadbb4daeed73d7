//! Canaries: tests that cannot pass, added to the base's own test files. If one of them passes, or the runner's exit code
//! does not tell of it, then something in the candidate has hold of the runner, whatever it is and however it got there.
//!
//! They stand in the same files as the base's tests, so that they are collected by the same command and run in the same
//! process, after whatever the tests import. Their name is made from the candidate's tree, so that nothing in it can
//! know the name beforehand.

use crate::{Content, PARSED_BYTES_MAX, Patch, Tree};

/// Most files that get canaries: enough to be among those that any one command runs.
const FILES_MAX: usize = 24;
/// Letters of the tree's name in a canary's name.
const MARK_CHARS: usize = 12;

/// The word that is in every canary's name, in lower case; `tree` names the candidate.
pub fn mark(tree: &str) -> String {
    let letters: String = tree
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .take(MARK_CHARS)
        .collect();
    format!("canary{}", letters.to_ascii_lowercase())
}

/// The candidate's files with canaries in them. `files` are the base's test files (and, for Rust, the roots of its
/// crates) as they are in `tree`.
pub fn patches<'a>(
    tree: &dyn Tree,
    files: impl IntoIterator<Item = &'a str>,
    mark: &str,
) -> Vec<Patch> {
    let mut patches = Vec::new();
    for path in files {
        if patches.len() == FILES_MAX {
            break;
        }
        let Some(content) = tree.read(path, PARSED_BYTES_MAX) else {
            continue;
        };
        let Ok(text) = String::from_utf8(content) else {
            continue;
        };
        if let Some(with) = with_canaries(path, &text, mark) {
            patches.push(Patch {
                path: path.to_owned(),
                content: Content::Text(with.into_bytes()),
            });
        }
    }
    patches
}

fn with_canaries(path: &str, text: &str, mark: &str) -> Option<String> {
    let name = path.rsplit('/').next().unwrap_or(path);
    let extension = name.rsplit_once('.')?.1;
    match extension {
        "py" => Some(python(text, mark)),
        "js" | "cjs" | "mjs" | "jsx" | "ts" | "cts" | "mts" | "tsx" => javascript(text, mark),
        "rs" => Some(rust(text, mark)),
        "go" if name.ends_with("_test.go") => Some(go(text, mark)),
        _ => None,
    }
}

/// A class that both unittest and pytest collect, and a function for pytest; before the `if __name__` that may end the
/// process.
fn python(text: &str, mark: &str) -> String {
    let canaries = format!(
        "\n\nimport unittest as _{mark}\n\n\n\
         class Test{mark}(_{mark}.TestCase):\n\
         \x20   def test_{mark}_equal(self):\n        self.assertEqual(1, 2)\n\n\
         \x20   def test_{mark}_true(self):\n        self.assertTrue(False)\n\n\
         \x20   def test_{mark}_raises(self):\n        with self.assertRaises(ZeroDivisionError):\n            pass\n\n\
         \x20   def test_{mark}_error(self):\n        raise ValueError(\"{mark}\")\n\n\n\
         def test_{mark}_assert():\n    assert [1] == [2]\n\n\n"
    );
    let main = text
        .match_indices("\nif __name__")
        .map(|(at, _)| at + 1)
        .last();
    match main {
        Some(at) => format!("{}{canaries}{}", &text[..at], &text[at..]),
        None => format!("{text}{canaries}"),
    }
}

/// With the word that the file itself declares tests with, and the assertions that are in scope there.
fn javascript(text: &str, mark: &str) -> Option<String> {
    let declares = ["test", "it"].into_iter().find(|word| {
        text.match_indices(&format!("{word}(")).any(|(at, _)| {
            let before = text[..at].chars().next_back();
            before.is_none_or(|c| !c.is_alphanumeric() && !matches!(c, '_' | '$' | '.'))
        })
    })?;
    Some(format!(
        "{text}\n;{declares}(\"{mark} error\", () => {{ throw new Error(\"{mark}\"); }});\n\
         ;{declares}(\"{mark} expect\", () => {{ if (typeof expect === \"undefined\") throw new Error(\"{mark}\"); \
         expect(1).toBe(2); }});\n\
         ;{declares}(\"{mark} assert\", () => {{ if (typeof assert === \"undefined\") throw new Error(\"{mark}\"); \
         assert.strictEqual(1, 2); }});\n"
    ))
}

fn rust(text: &str, mark: &str) -> String {
    format!(
        "{text}\n#[cfg(test)]\nmod {mark} {{\n    #[test]\n    fn equal() {{\n        assert_eq!(1, 2);\n    }}\n\
         \x20   #[test]\n    fn holds() {{\n        assert!(1 > 2);\n    }}\n\
         \x20   #[test]\n    fn panics() {{\n        panic!(\"{mark}\");\n    }}\n}}\n"
    )
}

fn go(text: &str, mark: &str) -> String {
    let (first, rest) = mark.split_at(1);
    format!(
        "{text}\nfunc Test{}{rest}(t *testing.T) {{\n\tt.Fatal(\"{mark}\")\n}}\n",
        first.to_ascii_uppercase()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canaries_stand_where_the_base_tests_are_collected() {
        let mark = mark("0123456789abcdef");
        assert_eq!(mark, "canary0123456789ab");
        let python = with_canaries(
            "tests/test_a.py",
            "import a\n\nif __name__ == '__main__':\n    main()\n",
            &mark,
        )
        .unwrap();
        let class = python.find("class Testcanary").unwrap();
        assert!(class < python.find("if __name__").unwrap());
        let it = with_canaries("a.test.js", "it('x', () => {});", &mark).unwrap();
        assert!(it.contains(";it(\"canary0123456789ab error\""), "{it}");
        assert_eq!(
            with_canaries("a.test.js", "submit(1); a.test(2)", &mark),
            None
        );
        let go = with_canaries("a_test.go", "package a\n", &mark).unwrap();
        assert!(
            go.contains("func TestCanary0123456789ab(t *testing.T)"),
            "{go}"
        );
        assert_eq!(with_canaries("a.go", "package a\n", &mark), None);
    }
}
