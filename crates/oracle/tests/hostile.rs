//! Hostile input: nothing panics, nothing takes for ever, and what cannot be understood is not let through.

mod common;

use std::time::{Duration, Instant};

use common::worlds::{java, npm, python, rust};
use common::{Edit, Entry, Memory, edited, examined};
use overnight_oracle::FINDINGS_MAX;
use proptest::prelude::*;

/// Paths whose content is read as something.
const READ: &[&str] = &[
    "package.json",
    "package-lock.json",
    "pyproject.toml",
    "setup.cfg",
    "requirements.txt",
    "Cargo.toml",
    "Cargo.lock",
    "go.mod",
    "go.sum",
    "pom.xml",
    "Makefile",
    ".gitignore",
    "tests/x.snap",
    "tests/x.ambr",
    "tests/conftest.py",
    "new/conftest.py",
    "src/lib.rs",
    "src/a.py",
    "src/a.js",
    "a_test.go",
    "tests/a.py",
    "jest.config.js",
    "ci/check.sh",
];

fn all() -> Memory {
    let mut all = Memory::default();
    for world in [npm(), python(), rust(), common::worlds::go(), java()] {
        all.0.extend(world.0);
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes_never_panic(
        which in 0..READ.len(),
        base in proptest::collection::vec(any::<u8>(), 0..200),
        candidate in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let path = READ[which].to_owned();
        let mut old = all();
        old.0.insert(path.clone(), Entry::File(base, false));
        let mut new = old.clone();
        new.0.insert(path, Entry::File(candidate, false));
        let _ = examined("done: [./ci/check.sh, make test, npm test]", &old, &new);
        let _ = examined("", &Memory::default(), &new);
        let _ = examined("", &old, &Memory::default());
    }

    #[test]
    fn almost_right_texts_never_panic(
        which in 0..READ.len(),
        text in "[\\[\\]{}()<>\"'=:,.\\\\#@/%$!`\\n\\t a-z0-9ü-]{0,120}",
    ) {
        let path = READ[which].to_owned();
        let old = all();
        let mut new = old.clone();
        new.0.insert(path.clone(), Entry::File(text.clone().into_bytes(), false));
        let _ = examined("", &old, &new);
        let mut odd = old.clone();
        odd.0.insert(text.replace('\n', "/"), Entry::File(b"x".to_vec(), false));
        odd.0.insert(format!("tests/{text}"), Entry::Link(text));
        let _ = examined("", &old, &odd);
    }

    #[test]
    fn a_changed_byte_of_a_configuration_is_an_offence(at in any::<prop::sample::Index>(), which in 0..5usize) {
        let paths = ["jest.config.js", "tests/conftest.py", ".nycrc", "tox.ini", "test/fixtures/orders.json"];
        let old = all();
        let mut new = old.clone();
        let Some(Entry::File(text, _)) = new.0.get_mut(paths[which]) else { unreachable!() };
        let at = at.index(text.len());
        text[at] ^= 1;
        let examined = examined("", &old, &new);
        prop_assert!(examined.offences.iter().any(|f| f.path == paths[which]));
    }
}

#[test]
fn deep_and_large_manifests_are_refused_and_do_not_hang() {
    let deep_json = format!("{}1{}", "{\"a\":".repeat(100_000), "}".repeat(100_000));
    let deep_toml = format!("a = {}{}", "[".repeat(100_000), "]".repeat(100_000));
    let deep_xml = format!("<project>{}", "<a>".repeat(100_000));
    let large = "x".repeat(overnight_oracle::PARSED_BYTES_MAX + 1);
    let base = all();
    for (path, text) in [
        ("package.json", deep_json.as_str()),
        ("pyproject.toml", &deep_toml),
        ("pom.xml", &deep_xml),
        ("package.json", &large),
        ("Cargo.toml", &large),
        ("Makefile", &large),
        ("tests/conftest.py", &large),
        ("tests/test_total.py", &large),
        ("test/__snapshots__/view.test.js.snap", &large),
    ] {
        let mut candidate = base.clone();
        candidate.0.insert(
            path.to_owned(),
            Entry::File(text.as_bytes().to_vec(), false),
        );
        let begun = Instant::now();
        let examined = examined("", &base, &candidate);
        assert!(examined.offences.iter().any(|f| f.path == path), "{path}");
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "{path} took {:?}",
            begun.elapsed()
        );
    }
}

#[test]
fn many_changes_are_looked_at_in_seconds_and_the_findings_are_bounded() {
    let base = all();
    let mut candidate = base.clone();
    for index in 0..10_000 {
        candidate.0.insert(
            format!("src/deep/er/and/deeper/{index}.txt"),
            Entry::File(b"x\n".to_vec(), false),
        );
        candidate.0.insert(
            format!("node_modules/a/{index}.js"),
            Entry::File(b"x\n".to_vec(), false),
        );
    }
    let begun = Instant::now();
    let examined = examined("done: [npm test]", &base, &candidate);
    assert_eq!(examined.offences.len(), FINDINGS_MAX);
    assert_eq!(examined.laid.len(), 10_000);
    assert!(
        begun.elapsed() < Duration::from_secs(60),
        "took {:?}",
        begun.elapsed()
    );
}

#[test]
fn a_goal_whose_commands_are_strange_is_no_problem() {
    let base = all();
    for command in [
        "cd",
        "cd ; cd /",
        "''",
        "./",
        "../../x.sh",
        "$(cat ci/check.sh)",
        "a=b=c ./ci/check.sh",
        "cd ci && ./check.sh",
    ] {
        let candidate = edited(
            &base,
            &[Edit::Sub("ci/check.sh", "set -e", "exit 0".into())],
        );
        let front = format!("done: [{}]", serde_json::Value::from(command));
        let examined = examined(&front, &base, &candidate);
        let names_it = command.contains("check.sh");
        assert_eq!(!examined.offences.is_empty(), names_it, "{command}");
    }
}
