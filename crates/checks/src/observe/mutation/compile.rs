//! Whether a run failed because the code did not compile: such a change is no fault that a test could notice.

use std::sync::LazyLock;

use overnight_core::check::Observation;
use overnight_ports::faults::Language;
use regex::Regex;

use crate::plain::without_escapes;

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("the pattern is a constant")
}

/// cargo's own last word.
static RUST: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?m)^error: could not compile `"));
/// `FAIL example.com/shop [build failed]`; `go vet` is a part of it.
static GO: LazyLock<Regex> = LazyLock::new(|| pattern(r"\[(?:build|setup) failed\]"));
/// tsc, ts-jest, ts-node.
static TYPESCRIPT: LazyLock<Regex> = LazyLock::new(|| pattern(r"\berror TS\d{4,5}\b"));
/// Maven, Gradle, javac.
static JAVA: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"COMPILATION ERROR|Compilation failed|\.java:\d+: error: "));

/// Whether it says so. Only asked when no test is known to have failed: what tests print proves nothing.
pub(super) fn failed(language: Language, seen: &Observation) -> bool {
    let says = match language {
        Language::Rust => &RUST,
        Language::Go => &GO,
        Language::TypeScript => &TYPESCRIPT,
        Language::Java => &JAVA,
        Language::Python | Language::JavaScript => return false,
    };
    let output = String::from_utf8_lossy(&seen.output);
    seen.exit != Some(0) && says.is_match(&without_escapes(&output))
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn what_compilers_say() {
        let seen = |exit, output: &str| Observation {
            exit: Some(exit),
            output: output.as_bytes().to_vec(),
            ..Observation::default()
        };
        for (language, output) in [
            (
                Language::Rust,
                "error[E0308]: mismatched types\n\nerror: could not compile `shop` (lib) due to 1 previous error\n",
            ),
            (Language::Go, "FAIL\texample.com/shop [build failed]\n"),
            (Language::TypeScript, "src/a.ts(3,5): error TS2322: Type\n"),
            (
                Language::TypeScript,
                "src/a.ts:3:5 - \u{1b}[91merror\u{1b}[0m\u{1b}[90m TS2322: \u{1b}[0mType\n",
            ),
            (Language::Java, "[ERROR] COMPILATION ERROR :\n"),
        ] {
            assert!(failed(language, &seen(1, output)), "{output}");
            assert!(!failed(language, &seen(0, output)), "{output}");
            assert!(!failed(Language::Python, &seen(1, output)), "{output}");
        }
        assert!(!failed(Language::Rust, &seen(101, "test a ... FAILED\n")));
    }
}
