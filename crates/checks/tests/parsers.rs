//! Every parser on the real output of the real tool, and on what hostile code could make of it.

use std::collections::BTreeMap;
use std::path::Path;

use overnight_checks::reports::{DEFAULT_ROOT, Format, ReportError, relative_to};
use overnight_checks::values;
use overnight_core::goal::Format as Value;
use overnight_core::tests::{TestResults, TestStatus};
use proptest::prelude::*;

fn fixture(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures")
        .join(name);
    std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn read(format: Format, name: &str) -> TestResults {
    let results = format
        .parse(&fixture(name))
        .unwrap_or_else(|e| panic!("{name}: {e}"));
    relative_to(results, DEFAULT_ROOT)
}

/// One line a test: `+` passed, `-` failed, `~` skipped.
fn table(results: &TestResults) -> Vec<String> {
    let sign = |status| match status {
        TestStatus::Passed => '+',
        TestStatus::Failed => '-',
        TestStatus::Skipped => '~',
    };
    results
        .tests
        .iter()
        .map(|(name, status)| format!("{} {name}", sign(*status)))
        .collect()
}

#[track_caller]
fn expect(format: Format, name: &str, wanted: &[&str]) {
    assert_eq!(table(&read(format, name)), wanted, "{name}");
}

#[test]
fn pytest_names_the_file_in_the_older_family() {
    expect(
        Format::Junit,
        "pytest-9.2.0-xunit1.xml",
        &[
            "+ tests/test_cart.py::TestCart::test_many[items0-0]",
            "+ tests/test_cart.py::TestCart::test_many[items1-5]",
            "+ tests/test_cart.py::TestCart::test_total",
            "~ tests/test_cart.py::test_expected",
            "+ tests/test_cart.py::test_names[\\xfc::\\xe4/b]",
            "+ tests/test_cart.py::test_names[a b]",
            "- tests/test_cart.py::test_needs_broken",
            "~ tests/test_cart.py::test_skipped",
            "- tests/test_cart.py::test_wrong",
            "- tests/test_unit.py::Broken::test_never",
            "~ tests/test_unit.py::CartCase::test_expected",
            "- tests/test_unit.py::CartCase::test_parts",
            "~ tests/test_unit.py::CartCase::test_skipped",
            "+ tests/test_unit.py::CartCase::test_total",
            "- tests/test_unit.py::CartCase::test_unexpected",
            "- tests/test_unit.py::CartCase::test_wrong",
        ],
    );
}

#[test]
fn pytest_names_the_module_in_the_newer_family() {
    expect(
        Format::Junit,
        "pytest-9.2.0-xunit2.xml",
        &[
            "+ tests.test_cart.TestCart::test_many[items0-0]",
            "+ tests.test_cart.TestCart::test_many[items1-5]",
            "+ tests.test_cart.TestCart::test_total",
            "~ tests.test_cart::test_expected",
            "+ tests.test_cart::test_names[\\xfc::\\xe4/b]",
            "+ tests.test_cart::test_names[a b]",
            "- tests.test_cart::test_needs_broken",
            "~ tests.test_cart::test_skipped",
            "- tests.test_cart::test_wrong",
            "- tests.test_unit.Broken::test_never",
            "~ tests.test_unit.CartCase::test_expected",
            "- tests.test_unit.CartCase::test_parts",
            "~ tests.test_unit.CartCase::test_skipped",
            "+ tests.test_unit.CartCase::test_total",
            "- tests.test_unit.CartCase::test_unexpected",
            "- tests.test_unit.CartCase::test_wrong",
        ],
    );
}

#[test]
fn a_module_that_pytest_cannot_collect_is_a_failed_test() {
    expect(
        Format::Junit,
        "pytest-9.2.0-collection-error.xml",
        &["- tests/test_syntax.py::tests.test_syntax"],
    );
}

#[test]
fn unittest_by_our_runner() {
    expect(
        Format::Events,
        "unittest-3.11.7-events.jsonl",
        &[
            "- setUpClass (tests.test_unit.Broken)",
            "- tests.test_cart",
            "- tests.test_syntax",
            "~ tests/test_unit.py::CartCase::test_expected",
            "- tests/test_unit.py::CartCase::test_parts",
            "~ tests/test_unit.py::CartCase::test_skipped",
            "+ tests/test_unit.py::CartCase::test_total",
            "- tests/test_unit.py::CartCase::test_unexpected",
            "- tests/test_unit.py::CartCase::test_wrong",
        ],
    );
}

#[test]
fn jest_json() {
    expect(
        Format::Jest,
        "jest-30.5.2.json",
        &[
            "- src/broken.test.js",
            "+ src/cart.test.js::adds",
            "~ src/cart.test.js::cart::coupons::later",
            "- src/cart.test.js::cart::coupons::rejects an expired coupon",
            "~ src/cart.test.js::cart::coupons::some day",
            "+ src/cart.test.js::cart::of 1 is 1",
            "+ src/cart.test.js::cart::of 2 is 2",
            "+ src/cart.test.js::cart::pays with a valid card",
        ],
    );
}

#[test]
fn jest_junit() {
    expect(
        Format::Junit,
        "jest-junit-with-jest-30.5.2.xml",
        &[
            "+ adds",
            "~ cart coupons later",
            "- cart coupons rejects an expired coupon",
            "+ cart coupons some day",
            "+ cart of 1 is 1",
            "+ cart of 2 is 2",
            "+ cart pays with a valid card",
        ],
    );
}

#[test]
fn vitest_json() {
    expect(
        Format::Jest,
        "vitest-4.1.11.json",
        &[
            "- src/broken.test.mjs",
            "+ src/cart.test.mjs::adds",
            "~ src/cart.test.mjs::cart::coupons::later",
            "- src/cart.test.mjs::cart::coupons::rejects an expired coupon",
            "~ src/cart.test.mjs::cart::coupons::some day",
            "+ src/cart.test.mjs::cart::pays with a valid card",
        ],
    );
}

#[test]
fn vitest_junit() {
    expect(
        Format::Junit,
        "vitest-4.1.11-junit.xml",
        &[
            "- src/broken.test.mjs",
            "+ src/cart.test.mjs::adds",
            "~ src/cart.test.mjs::cart > coupons > later",
            "- src/cart.test.mjs::cart > coupons > rejects an expired coupon",
            "~ src/cart.test.mjs::cart > coupons > some day",
            "+ src/cart.test.mjs::cart > pays with a valid card",
        ],
    );
}

#[test]
fn mocha_json_with_a_failing_hook() {
    expect(
        Format::Mocha,
        "mocha-12.0.3.json",
        &[
            "+ test/cart.js::adds",
            "- test/cart.js::cart coupons::rejects an expired coupon",
            "- test/cart.js::cart hooks::\"before all\" hook for \"never\"",
            "~ test/cart.js::cart::later",
            "+ test/cart.js::cart::pays with a valid card",
            "~ test/cart.js::cart::some day",
        ],
    );
}

#[test]
fn mocha_junit_reporter() {
    expect(
        Format::Junit,
        "mocha-junit-reporter-with-mocha-10.xml",
        &[
            "+ adds",
            "+ test/cart.js::cart::cart pays with a valid card",
            "- test/cart.js::coupons::cart coupons rejects an expired coupon",
            "- test/cart.js::hooks::cart hooks \"before all\" hook for \"never\"",
        ],
    );
}

#[test]
fn node_by_our_reporter() {
    expect(
        Format::Events,
        "node-20.20.2-events.jsonl",
        &[
            "- test/broken.test.js",
            "+ test/cart.test.js::adds",
            "+ test/cart.test.js::cart::coupons::a # b \\ c",
            "- test/cart.test.js::cart::coupons::rejects an expired coupon",
            "+ test/cart.test.js::cart::pays with a valid card",
            "- test/cart.test.js::fails",
            "- test/cart.test.js::parent::bad child",
            "+ test/cart.test.js::parent::child",
            "~ test/cart.test.js::skipped",
            "~ test/cart.test.js::todo",
            "+ test/plain.test.js",
        ],
    );
}

#[test]
fn node_junit() {
    expect(
        Format::Junit,
        "node-20.20.2-junit.xml",
        &[
            "+ adds",
            "+ cart::coupons::a # b \\ c",
            "- cart::coupons::rejects an expired coupon",
            "+ cart::pays with a valid card",
            "- fails",
            "- parent::bad child",
            "+ parent::child",
            "~ skipped",
            "- test/broken.test.js",
            "+ test/plain.test.js",
            "~ todo",
        ],
    );
}

#[test]
fn node_tap() {
    expect(
        Format::Tap,
        "node-20.20.2.tap",
        &[
            "+ adds",
            "+ cart::coupons::a # b \\ c",
            "- cart::coupons::rejects an expired coupon",
            "+ cart::pays with a valid card",
            "- fails",
            "- parent::bad child",
            "+ parent::child",
            "~ skipped",
            "- test/broken.test.js",
            "+ test/plain.test.js",
            "~ todo",
        ],
    );
}

#[test]
fn cargo_test_of_a_workspace() {
    expect(
        Format::Libtest,
        "cargo-test-1.95.0.txt",
        &[
            "+ it (tests/it.rs) #2::works",
            "+ it (tests/it.rs)::works",
            "+ other (doc)::other/src/lib.rs - f",
            "+ other (src/lib.rs)::works",
            "+ shop (doc)::src/lib.rs - add",
            "- shop (doc)::src/lib.rs - add #2",
            "+ shop (src/lib.rs)::tests::adds",
            "+ shop (src/lib.rs)::tests::panics",
            "~ shop (src/lib.rs)::tests::slow",
            "~ shop (src/lib.rs)::tests::slower",
            "- shop (src/lib.rs)::tests::wrong",
            "+ shop (src/main.rs)::t::in_main",
        ],
    );
}

#[test]
fn cargo_test_with_prints_between_name_and_status() {
    expect(
        Format::Libtest,
        "cargo-test-1.95.0-nocapture-one-thread.txt",
        &[
            "+ it (tests/it.rs)::works",
            "+ shop (doc)::src/lib.rs - add",
            "- shop (doc)::src/lib.rs - add #2",
            "+ shop (src/lib.rs)::tests::adds",
            "+ shop (src/lib.rs)::tests::panics",
            "~ shop (src/lib.rs)::tests::slow",
            "~ shop (src/lib.rs)::tests::slower",
            "- shop (src/lib.rs)::tests::wrong",
            "+ shop (src/main.rs)::t::in_main",
        ],
    );
}

#[test]
fn nextest_junit() {
    expect(
        Format::Junit,
        "nextest-0.9.143-junit.xml",
        &[
            "+ shop::bin/shop::t::in_main",
            "+ shop::it::works",
            "+ shop::tests::adds",
            "+ shop::tests::panics",
            "- shop::tests::wrong",
        ],
    );
}

#[test]
fn go_test_json_does_not_believe_a_printed_result() {
    expect(
        Format::GoTest,
        "go-test-1.19.8.json",
        &[
            "- example.com/shop/sub::(package)",
            "+ example.com/shop::TestAdds",
            "+ example.com/shop::TestGroup::a_b",
            "- example.com/shop::TestGroup::bad",
            "~ example.com/shop::TestSkipped",
            "- example.com/shop::TestWrong",
        ],
    );
}

#[test]
fn gotestsum() {
    // The package that does not compile is counted in an attribute only: the exit code says so.
    expect(
        Format::Junit,
        "gotestsum-1.8.2.xml",
        &[
            "+ example.com/shop/sub::TestTwice",
            "+ example.com/shop::TestAdds",
            "- example.com/shop::TestGroup",
            "+ example.com/shop::TestGroup/a_b",
            "- example.com/shop::TestGroup/bad",
            "+ example.com/shop::TestPanics",
            "~ example.com/shop::TestSkipped",
        ],
    );
}

#[test]
fn googletest() {
    expect(
        Format::Junit,
        "gtest-1.12.1.xml",
        &[
            "+ cart_test.cc::CartTest::Adds",
            "~ cart_test.cc::CartTest::DISABLED_Later",
            "~ cart_test.cc::CartTest::Skips",
            "- cart_test.cc::CartTest::Wrong",
            "+ cart_test.cc::Nums/P::Even/0",
            "+ cart_test.cc::Nums/P::Even/1",
        ],
    );
}

#[test]
fn googletest_with_an_environment_that_fails() {
    expect(
        Format::Junit,
        "gtest-1.12.1-environment-fails.xml",
        &[
            "- NonTestSuiteFailure",
            "~ cart_test.cc::Broken::Never",
            "~ cart_test.cc::CartTest::Adds",
            "~ cart_test.cc::Typed/0::Zero",
            "~ cart_test.cc::Typed/1::Zero",
        ],
    );
}

#[test]
fn surefire() {
    expect(
        Format::Junit,
        "surefire-2.22.3-CartTest.xml",
        &[
            "- shop.CartTest$Coupons::rejects",
            "+ shop.CartTest$Coupons::takes",
            "+ shop.CartTest::adds",
            "~ shop.CartTest::assumed",
            "- shop.CartTest::errs",
            "+ shop.CartTest::even{int}[1]",
            "+ shop.CartTest::even{int}[2]",
            "- shop.CartTest::flaky",
            "~ shop.CartTest::later",
            "+ shop.CartTest::named",
            "- shop.CartTest::wrong",
        ],
    );
}

#[test]
fn a_class_that_surefire_cannot_set_up_is_a_failed_test() {
    expect(
        Format::Junit,
        "surefire-2.22.3-BrokenTest.xml",
        &["- shop.BrokenTest"],
    );
}

#[test]
fn phpunit() {
    expect(
        Format::Junit,
        "phpunit-9.6.7-junit.xml",
        &[
            "+ tests/CartTest.php::all::CartTest::CartTest::testEven::CartTest::testEven with data set \"four\"",
            "+ tests/CartTest.php::all::CartTest::CartTest::testEven::CartTest::testEven with data set \"two\"",
            "+ tests/CartTest.php::all::CartTest::testAdds",
            "- tests/CartTest.php::all::CartTest::testErrs",
            "~ tests/CartTest.php::all::CartTest::testLater",
            "- tests/CartTest.php::all::CartTest::testRisky",
            "~ tests/CartTest.php::all::CartTest::testUnfinished",
            "- tests/CartTest.php::all::CartTest::testWrong",
        ],
    );
}

#[test]
fn surefire_shape_with_lying_attributes() {
    expect(
        Format::Junit,
        "surefire-shape.xml",
        &[
            "+ shop.CartTest::adds",
            "- shop.CartTest::errs",
            "+ shop.CartTest::even(int)[1]",
            "+ shop.CartTest::flaky",
            "~ shop.CartTest::later",
            "- shop.CartTest::wrong",
        ],
    );
}

#[test]
fn a_report_that_a_person_names_is_told_by_its_content() {
    for (name, format) in [
        ("pytest-9.2.0-xunit1.xml", Format::Junit),
        ("vitest-4.1.11.json", Format::Jest),
        ("mocha-12.0.3.json", Format::Mocha),
        ("go-test-1.19.8.json", Format::GoTest),
        ("node-20.20.2.tap", Format::Tap),
        ("cargo-test-1.95.0.txt", Format::Libtest),
    ] {
        assert_eq!(Format::detect(&fixture(name)), Ok(format), "{name}");
    }
    for text in ["", "all is well", "{\"a\": 1}", "[1]"] {
        assert!(Format::detect(text.as_bytes()).is_err(), "{text}");
    }
}

/// What a report says about one test after a change to its text.
#[track_caller]
fn changed(format: Format, name: &str, from: &str, to: &str) -> Result<TestResults, ReportError> {
    let text = String::from_utf8(fixture(name)).expect("text");
    assert!(text.contains(from), "{name} has no `{from}`");
    format.parse(text.replacen(from, to, 1).as_bytes())
}

#[test]
fn a_report_that_breaks_off_never_reads_as_whole() {
    // Cut anywhere, a report is an error or names a failed test: never only the passed ones.
    for (format, text) in [
        (
            Format::Junit,
            "<testsuites><testsuite name=\"s\"><testcase name=\"a\"/><testcase name=\"b\"/></testsuite></testsuites>",
        ),
        (
            Format::Jest,
            r#"{"testResults":[{"name":"f","assertionResults":[{"title":"a","status":"passed"}]}]}"#,
        ),
        (
            Format::Mocha,
            r#"{"tests":[{"title":"a","fullTitle":"a","err":{}}],"pending":[],"failures":[]}"#,
        ),
        (
            Format::Events,
            "{\"name\":[\"a\"],\"status\":\"passed\"}\n{\"end\":true}",
        ),
        (Format::Tap, "TAP version 13\nok 1 - a\nok 2 - b\n1..2"),
        (
            Format::Libtest,
            "     Running x (t/x-1)\n\nrunning 2 tests\ntest a ... ok\ntest b ... ok\n\ntest result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out",
        ),
    ] {
        let whole = format
            .parse(text.as_bytes())
            .unwrap_or_else(|e| panic!("{format:?}: {e}"));
        let passed = whole.count(TestStatus::Passed);
        assert!(passed > 0 && whole.tests.len() == passed, "{format:?}");
        // The plan of a TAP stream may be the last thing in it, so that `1..2` cut to `1..` has no plan.
        for end in 0..text.len() {
            match format.parse(&text.as_bytes()[..end]) {
                Err(_) => {}
                Ok(cut) if cut.tests.is_empty() => {}
                Ok(cut) if cut.count(TestStatus::Failed) > 0 => {}
                Ok(cut) => assert_eq!(cut, whole, "{format:?} cut at {end}"),
            }
        }
    }
}

#[test]
fn a_document_that_attacks_its_reader_is_refused() {
    let bomb = r#"<!DOCTYPE a [<!ENTITY x "y"><!ENTITY z "&x;&x;">]><testsuites><testcase name="&z;"/></testsuites>"#;
    assert!(Format::Junit.parse(bomb.as_bytes()).is_err());
    let deep = "<testsuite>".repeat(100_000);
    assert!(Format::Junit.parse(deep.as_bytes()).is_err());
    let deep = "[".repeat(1_000_000);
    assert!(Format::Jest.parse(deep.as_bytes()).is_err());
    assert!(Format::Junit.parse(b"<html></html>").is_err());
    assert!(Format::Junit.parse(b"").is_err());
    let harmless =
        "\u{feff}<?xml version=\"1.0\"?><!DOCTYPE testsuites SYSTEM \"x.dtd\"><testsuites/>";
    assert_eq!(
        Format::Junit
            .parse(harmless.as_bytes())
            .map(|r| r.tests.len()),
        Ok(0)
    );
}

#[test]
fn a_title_cannot_break_a_table() {
    let text = r#"{"testResults":[{"name":"f","assertionResults":[{"title":"a\nb\u001b","status":"passed"}]}]}"#;
    let results = Format::Jest.parse(text.as_bytes()).expect("read");
    assert_eq!(table(&results), ["+ f::a b "]);
}

#[test]
fn cargo_output_that_contradicts_itself_is_unreadable() {
    const NAME: &str = "cargo-test-1.95.0.txt";
    // One result too few, one too many, a count that lies, a status that lies.
    for (from, to) in [
        ("test t::in_main ... ok\n", ""),
        ("running 1 test\ntest works", "running 2 tests\ntest works"),
        ("ok. 1 passed; 0 failed", "ok. 2 passed; 0 failed"),
        ("test works ... ok", "test works ... FAILED"),
        // A result that is printed by what a test starts, and one that tries to end the results early.
        ("from a child", "test wanted ... ok"),
        ("from a child", "failures:"),
    ] {
        assert!(changed(Format::Libtest, NAME, from, to).is_err(), "{from}");
    }
    // The list of failures has the last word on what a test printed over its own status.
    let results = changed(
        Format::Libtest,
        NAME,
        "test tests::wrong ... FAILED",
        "test tests::wrong ... ok",
    );
    assert_eq!(
        results.expect("read").tests["shop (src/lib.rs)::tests::wrong"],
        TestStatus::Failed
    );
}

#[test]
fn a_test_binary_that_leaves_early_is_a_failed_test() {
    // `std::process::exit(0)` in a test: cargo is content, and half of the tests never ran.
    let text = "     Running unittests src/lib.rs (target/debug/deps/a-0f)\n\nrunning 2 tests\ntest x ... ok\n";
    let results = Format::Libtest.parse(text.as_bytes()).expect("read");
    assert_eq!(
        table(&results),
        [
            "- a (src/lib.rs)::(the test binary did not finish)",
            "+ a (src/lib.rs)::x"
        ]
    );
}

#[test]
fn a_runner_that_died_is_a_failed_test() {
    let text = "{\"name\":[\"a\"],\"status\":\"passed\"}\n{\"name\":[\"b\"],\"sta";
    let results = Format::Events.parse(text.as_bytes()).expect("read");
    assert_eq!(
        table(&results),
        ["- (the test runner did not finish)", "+ a"]
    );
    assert!(
        Format::Events
            .parse(b"{\"name\":[\"a\"]}\n{\"end\":true}\n")
            .is_err()
    );
}

#[test]
fn tap_plans_and_directives() {
    let read = |text: &str| Format::Tap.parse(text.as_bytes()).map(|r| table(&r));
    assert_eq!(
        read("1..4\nok 1 - a\nnot ok 2 b\nok 3 c # SKIP no\nnot ok 4 d # TODO\n"),
        Ok(vec!["+ a".into(), "- b".into(), "~ c".into(), "~ d".into()])
    );
    assert!(read("1..2\nok 1 - a\n").is_err());
    assert!(read("ok 1 - a\n").is_err());
    assert_eq!(
        read("1..2\nok 1 a\nBail out! no disk\n"),
        Ok(vec!["- Bail out! no disk".into(), "+ a".into()])
    );
    assert_eq!(read("1..0 # SKIP nothing\n"), Ok(vec![]));
}

#[test]
fn the_tests_of_tape_are_what_its_comments_name() {
    // As tape 5.9 prints it: two tests of one name, and one with a comment of its own.
    let text = "TAP version 13\n# adds\nok 1 should be strictly equal\nok 2 two\n# adds\nok 3 should be strictly equal\n\
                # a # b\nnot ok 4 should be strictly equal\n  ---\n    operator: equal\n    # adds\n  ...\nok 5 should be truthy\n\n\
                1..5\n# tests 5\n# pass  4\n# fail  1\n\n";
    let results = Format::Tap.parse(text.as_bytes()).expect("read");
    assert_eq!(table(&results), ["+ #2::adds", "- a # b", "+ adds"]);
    // The name means all that bear it: none of them can be left out unnoticed.
    assert_eq!(results.named("adds").count(), 2);
    // Others' comments are no tests: they come and go.
    let other = "1..2\nnot ok 1 - a\n# Failed test 'a'\nok 2 - b\n# tests 2\n";
    let results = Format::Tap.parse(other.as_bytes()).expect("read");
    assert_eq!(table(&results), ["- a", "+ b"]);
}

#[track_caller]
fn value(format: Value, name: &str, what: &str) -> f64 {
    values::read(format, what, &fixture(name)).unwrap_or_else(|e| panic!("{name} {what}: {e}"))
}

#[test]
fn coverage_is_what_the_tools_themselves_say() {
    let near = |a: f64, b: f64| (a - b).abs() < 0.005;
    for (format, name, what, wanted) in [
        (
            Value::Istanbul,
            "istanbul-jest-30.5.2-coverage-summary.json",
            "lines",
            100.0,
        ),
        (
            Value::Istanbul,
            "istanbul-jest-30.5.2-coverage-summary.json",
            "statements",
            70.0,
        ),
        (
            Value::Istanbul,
            "istanbul-jest-30.5.2-coverage-summary.json",
            "functions",
            50.0,
        ),
        (
            Value::Istanbul,
            "istanbul-jest-30.5.2-coverage-summary.json",
            "branches",
            75.0,
        ),
        (
            Value::Istanbul,
            "istanbul-jest-30.5.2-coverage-final.json",
            "lines",
            100.0,
        ),
        (
            Value::Istanbul,
            "istanbul-jest-30.5.2-coverage-final.json",
            "statements",
            70.0,
        ),
        (
            Value::Istanbul,
            "istanbul-jest-30.5.2-coverage-final.json",
            "functions",
            50.0,
        ),
        (
            Value::Istanbul,
            "istanbul-jest-30.5.2-coverage-final.json",
            "branches",
            75.0,
        ),
        (
            Value::Lcov,
            "lcov-istanbul-jest-30.5.2.info",
            "lines",
            100.0,
        ),
        (
            Value::Lcov,
            "lcov-istanbul-jest-30.5.2.info",
            "functions",
            50.0,
        ),
        (
            Value::Lcov,
            "lcov-istanbul-jest-30.5.2.info",
            "branches",
            75.0,
        ),
        (Value::Lcov, "lcov-coverage-py-7.17.3.info", "lines", 72.727),
        (
            Value::Lcov,
            "lcov-coverage-py-7.17.3.info",
            "branches",
            66.667,
        ),
        (
            Value::Lcov,
            "lcov-coverage-py-7.17.3.info",
            "functions",
            50.0,
        ),
        (Value::Lcov, "lcov-gcovr-8.8.info", "lines", 83.333),
        (
            Value::Lcov,
            "lcov-gcovr-8.8.info",
            "functions",
            100.0 * 14.0 / 17.0,
        ),
        (
            Value::Lcov,
            "lcov-gcovr-8.8.info",
            "branches",
            100.0 * 25.0 / 65.0,
        ),
        (
            Value::Cobertura,
            "cobertura-coverage-py-7.17.3.xml",
            "lines",
            72.727,
        ),
        (
            Value::Cobertura,
            "cobertura-coverage-py-7.17.3.xml",
            "branches",
            66.667,
        ),
        (
            Value::Cobertura,
            "cobertura-istanbul-jest-30.5.2.xml",
            "lines",
            100.0,
        ),
        (
            Value::Cobertura,
            "cobertura-istanbul-jest-30.5.2.xml",
            "branches",
            75.0,
        ),
        (
            Value::Cobertura,
            "cobertura-istanbul-jest-30.5.2.xml",
            "functions",
            50.0,
        ),
        (Value::Cobertura, "cobertura-gcovr-8.8.xml", "lines", 82.353),
        (
            Value::Cobertura,
            "cobertura-gcovr-8.8.xml",
            "branches",
            36.765,
        ),
        (
            Value::CoveragePy,
            "coverage-py-7.17.3.json",
            "lines",
            72.727,
        ),
        (
            Value::CoveragePy,
            "coverage-py-7.17.3.json",
            "branches",
            66.667,
        ),
        (
            Value::CoveragePy,
            "coverage-py-7.17.3.json",
            "percent_covered",
            70.588,
        ),
        // `cargo llvm-cov report` of the same run: 43 + 4 regions, of which 2 + 4 were missed, and so on.
        (
            Value::LlvmCov,
            "llvm-cov-cargo-llvm-cov-0.9.1-branch.json",
            "regions",
            87.23,
        ),
        (
            Value::LlvmCov,
            "llvm-cov-cargo-llvm-cov-0.9.1-branch.json",
            "functions",
            83.33,
        ),
        (
            Value::LlvmCov,
            "llvm-cov-cargo-llvm-cov-0.9.1-branch.json",
            "lines",
            86.67,
        ),
        (
            Value::LlvmCov,
            "llvm-cov-cargo-llvm-cov-0.9.1-branch.json",
            "branches",
            50.0,
        ),
        (
            Value::LlvmCov,
            "llvm-cov-cargo-llvm-cov-0.9.1-summary-only.json",
            "lines",
            86.67,
        ),
        (Value::LlvmCov, "llvm-cov-export-22.1.2.json", "lines", 40.0),
        (
            Value::LlvmCov,
            "llvm-cov-export-22.1.2.json",
            "functions",
            66.67,
        ),
        (
            Value::LlvmCov,
            "llvm-cov-export-22.1.2.json",
            "regions",
            42.86,
        ),
        (Value::Jacoco, "jacoco-0.8.6.xml", "lines", 75.0),
        (Value::Jacoco, "jacoco-0.8.6.xml", "branches", 50.0),
        (Value::Jacoco, "jacoco-0.8.6.xml", "functions", 66.667),
        (Value::Jacoco, "jacoco-0.8.6.xml", "instructions", 70.732),
        // `go tool cover -func` of the same profile; each block stands there once for each of two packages.
        (
            Value::GoCover,
            "go-cover-1.19.8-set.out",
            "statements",
            80.0,
        ),
        (
            Value::GoCover,
            "go-cover-1.19.8-count.out",
            "statements",
            80.0,
        ),
        // nyc's own table of the same run, but for the statements, where it writes its lines.
        (Value::Clover, "clover-nyc-17.1.0.xml", "statements", 100.0),
        (Value::Clover, "clover-nyc-17.1.0.xml", "lines", 100.0),
        (Value::Clover, "clover-nyc-17.1.0.xml", "branches", 33.333),
        (Value::Clover, "clover-nyc-17.1.0.xml", "functions", 75.0),
        (Value::Clover, "clover-nyc-17.1.0.xml", "elements", 76.19),
        // What PHPUnit prints: methods 0/2, lines 5/7.
        (Value::Clover, "clover-phpunit-9.6.7.xml", "lines", 71.429),
        (
            Value::Clover,
            "clover-phpunit-9.6.7.xml",
            "statements",
            71.429,
        ),
        (Value::Clover, "clover-phpunit-9.6.7.xml", "functions", 0.0),
        (
            Value::Clover,
            "clover-phpunit-9.6.7.xml",
            "elements",
            55.556,
        ),
        (Value::NycText, "nyc-text-17.1.0.txt", "statements", 78.57),
        (Value::NycText, "nyc-text-17.1.0.txt", "branches", 33.33),
        (Value::NycText, "nyc-text-17.1.0.txt", "functions", 75.0),
        (Value::NycText, "nyc-text-17.1.0.txt", "lines", 100.0),
        (
            Value::NycText,
            "nyc-text-17.1.0-colours.txt",
            "branches",
            33.33,
        ),
        (
            Value::NycText,
            "nyc-text-jest-30.5.2.txt",
            "functions",
            75.0,
        ),
        (
            Value::Json,
            "coverage-py-7.17.3.json",
            "/totals/percent_covered_display",
            71.0,
        ),
    ] {
        let found = value(format, name, what);
        assert!(near(found, wanted), "{name} {what}: {found}, not {wanted}");
    }
}

#[test]
fn the_records_of_lcov_2_are_understood() {
    // Lines 3, 5, 6 (in its second section), 7 of 3, 5, 6, 7, 12.
    assert_eq!(value(Value::Lcov, "lcov-2.2-shape.info", "lines"), 80.0);
    // 5/0 and 5/1 (in the second section), 6/e0, the expression, not its negation.
    assert_eq!(value(Value::Lcov, "lcov-2.2-shape.info", "branches"), 80.0);
    // total (once, by two names), overload; not refund, ranged.
    assert_eq!(value(Value::Lcov, "lcov-2.2-shape.info", "functions"), 50.0);
}

/// What a value of a report is after a change to its text.
#[track_caller]
fn changed_value(
    format: Value,
    name: &str,
    what: &str,
    from: &str,
    to: &str,
) -> Result<f64, ReportError> {
    let text = String::from_utf8(fixture(name)).expect("text");
    assert!(text.contains(from), "{name} has no `{from}`");
    values::read(format, what, text.replacen(from, to, 1).as_bytes())
}

#[test]
fn a_report_that_contradicts_itself_is_unreadable() {
    for (format, name, what, from, to) in [
        // More covered than there are.
        (
            Value::LlvmCov,
            "llvm-cov-cargo-llvm-cov-0.9.1-summary-only.json",
            "lines",
            r#""count":27,"covered":26"#,
            r#""count":27,"covered":28"#,
        ),
        (
            Value::Clover,
            "clover-phpunit-9.6.7.xml",
            "elements",
            "<metrics files=\"1\" loc=\"23\" ncloc=\"23\" classes=\"1\" methods=\"2\" coveredmethods=\"0\" \
             conditionals=\"0\" coveredconditionals=\"0\" statements=\"7\" coveredstatements=\"5\" \
             elements=\"9\"",
            "<metrics elements=\"4\"",
        ),
        (
            Value::NycText,
            "nyc-text-17.1.0.txt",
            "functions",
            "      75 |",
            "     175 |",
        ),
        // One block with two numbers of statements, and one without an end.
        (
            Value::GoCover,
            "go-cover-1.19.8-set.out",
            "statements",
            "cart.go:6.39,8.27 2 1",
            "cart.go:6.39,8.27 9 1",
        ),
        (
            Value::GoCover,
            "go-cover-1.19.8-set.out",
            "statements",
            "cart.go:6.39,8.27 2 1",
            "cart.go:6.39 2 1",
        ),
        // Two totals.
        (
            Value::Jacoco,
            "jacoco-0.8.6.xml",
            "lines",
            "<sessioninfo",
            "<counter type=\"LINE\" missed=\"0\" covered=\"9\"/><sessioninfo",
        ),
    ] {
        let found = changed_value(format, name, what, from, to);
        assert!(
            matches!(found, Err(ReportError::Malformed { .. })),
            "{format:?} {what}: {found:?}"
        );
    }
}

#[test]
fn the_code_under_test_cannot_print_a_figure_beside_the_tools_own() {
    let table = "--|--\nFile | % Stmts | % Branch | % Funcs | % Lines | Uncovered Line #s\n\
                 All files | 100 | 100 | 100 | 100 |\n";
    let row = "All files | 100 | 100 | 100 | 100 | \n";
    let real = String::from_utf8(fixture("nyc-text-17.1.0.txt")).expect("text");
    for text in [
        format!("{table}{real}"),
        format!("{real}{table}"),
        format!("{row}{real}"),
        format!("{real}{row}"),
    ] {
        let found = values::read(Value::NycText, "branches", text.as_bytes());
        assert!(
            matches!(found, Err(ReportError::Ambiguous { .. })),
            "{text}: {found:?}"
        );
    }

    let name = "llvm-cov-cargo-llvm-cov-0.9.1-summary-only.json";
    let real = String::from_utf8(fixture(name)).expect("text");
    let fake = real.replace("\"covered\":26", "\"covered\":27");
    let read = |text: String| values::read(Value::LlvmCov, "lines", text.as_bytes());
    // The tests' own output comes first where one command line does both.
    let alone = read(format!("running 2 tests\n{{}}\n\n{real}")).expect("read");
    assert!((alone - 100.0 * 26.0 / 30.0).abs() < 1e-9, "{alone}");
    for text in [format!("{fake}\n{real}"), format!("{real}\n{fake}\n")] {
        let found = read(text);
        assert!(
            matches!(found, Err(ReportError::Ambiguous { .. })),
            "{found:?}"
        );
    }
}

#[test]
fn only_the_counters_of_the_whole_jacoco_report_count() {
    let report = r#"<report name="all">
        <group name="a"><package name="p"><counter type="LINE" missed="9" covered="1"/></package>
          <counter type="LINE" missed="9" covered="1"/><counter type="BRANCH" missed="0" covered="4"/></group>
        <group name="b"><counter type="LINE" missed="0" covered="10"/></group>
        <counter type="LINE" missed="9" covered="11"/>
      </report>"#;
    let read = |what| values::read(Value::Jacoco, what, report.as_bytes());
    assert_eq!(read("lines"), Ok(55.0));
    assert!(matches!(read("branches"), Err(ReportError::Lacks { .. })));
}

#[test]
fn go_profiles_behind_each_other_are_joined() {
    let read = |text: &str| values::read(Value::GoCover, "statements", text.as_bytes());
    let one =
        "mode: atomic\nexample.com/a b:c/x.go:1.1,2.2 3 0\nexample.com/a b:c/x.go:3.1,4.2 1 0\n";
    let other = "mode: atomic\nexample.com/a b:c/x.go:1.1,2.2 3 17\n";
    assert_eq!(read(one), Ok(0.0));
    assert_eq!(read(&format!("{one}{other}")), Ok(75.0));
    assert_eq!(read(&format!("{other}\n{one}")), Ok(75.0));
    assert!(read("example.com/x.go:1.1,2.2 3 1\n").is_err());
    assert!(read("mode: set\nexample.com/x.go:1.1,2.2 3 -1\n").is_err());
    assert!(read("mode: set\nexample.com/x.go:1.1,2.2 3 1 1\n").is_err());
}

#[test]
fn clover_counts_the_project_and_not_its_tests() {
    let report = r#"<coverage clover="4.4"><project name="shop">
        <metrics statements="4" coveredstatements="1" conditionals="2" coveredconditionals="1" methods="1"
          coveredmethods="1" elements="7" coveredelements="3"/>
        <package name="p"><file name="A.java" path="/src/p/A.java">
          <line num="1" type="method" count="1"/><line num="2" type="cond" truecount="0" falsecount="3"/>
          <line num="3" type="stmt" count="0"/><line num="3" type="stmt" count="2"/><line num="4" type="stmt" count="0"/>
        </file></package>
        <package name="q"><file name="A.java"><line num="4" type="cond" truecount="0" falsecount="0"/></file></package>
      </project>
      <testproject><metrics statements="9" coveredstatements="9" elements="9" coveredelements="9"/>
        <file name="T.java"><line num="1" type="stmt" count="1"/></file></testproject>
      </coverage>"#;
    let read = |what| values::read(Value::Clover, what, report.as_bytes());
    assert_eq!(read("statements"), Ok(25.0));
    assert_eq!(read("branches"), Ok(50.0));
    assert_eq!(read("functions"), Ok(100.0));
    assert_eq!(read("elements"), Ok(300.0 / 7.0));
    // 2 and 3 of 2, 3, 4 and, in the other file, 4.
    assert_eq!(read("lines"), Ok(50.0));
}

#[test]
fn the_columns_of_a_coverage_table_are_found_by_their_headings() {
    let read = |what, text: &str| values::read(Value::NycText, what, text.as_bytes());
    // Istanbul 0.4 wrote other widths and `% Branches`.
    let old = "File      |  % Lines |% Branches |   % Stmts |\r\nAll files |       70 |     81.25 |     90 |\r\n";
    assert_eq!(read("lines", old), Ok(70.0));
    assert_eq!(read("branches", old), Ok(81.25));
    assert_eq!(read("statements", old), Ok(90.0));
    assert!(matches!(
        read("functions", old),
        Err(ReportError::Lacks { .. })
    ));
    let cut = old.replace("     90 |", "");
    assert!(matches!(
        read("lines", &cut),
        Err(ReportError::Malformed { .. })
    ));
}

#[test]
fn a_coverage_report_that_breaks_off_never_has_a_higher_value() {
    for (format, name, what) in [
        (
            Value::LlvmCov,
            "llvm-cov-cargo-llvm-cov-0.9.1-branch.json",
            "branches",
        ),
        (Value::Jacoco, "jacoco-0.8.6.xml", "instructions"),
        (Value::Clover, "clover-phpunit-9.6.7.xml", "lines"),
        (Value::Clover, "clover-nyc-17.1.0.xml", "elements"),
        (Value::NycText, "nyc-text-17.1.0.txt", "functions"),
        (Value::NycText, "nyc-text-17.1.0-colours.txt", "lines"),
    ] {
        let whole = fixture(name);
        let wanted = value(format, name, what);
        for end in 0..whole.len() {
            if let Ok(found) = values::read(format, what, &whole[..end]) {
                assert!(
                    (found - wanted).abs() < 1e-9,
                    "{name} cut at {end}: {found}, not {wanted}"
                );
            }
        }
    }
}

#[test]
fn nothing_measured_is_never_everything_covered() {
    for (format, what, text) in [
        (Value::Istanbul, "lines", "{}"),
        (
            Value::Istanbul,
            "lines",
            r#"{"total":{"lines":{"total":0,"covered":0,"pct":"Unknown"}}}"#,
        ),
        (Value::Istanbul, "lines", r#"{"a.js":{}}"#),
        (
            Value::Istanbul,
            "conditions",
            r#"{"a.js":{"lines":{"total":1,"covered":1}}}"#,
        ),
        (Value::Lcov, "lines", ""),
        (Value::Lcov, "branches", "SF:a\nDA:1,1\nend_of_record\n"),
        (Value::Lcov, "statements", "SF:a\nDA:1,1\nend_of_record\n"),
        (
            Value::Lcov,
            "lines",
            "SF:a\nDA:1,1\nDA:x,0\nend_of_record\n",
        ),
        (
            Value::Cobertura,
            "branches",
            r#"<coverage branches-valid="0" branch-rate="1"/>"#,
        ),
        (Value::Cobertura, "lines", "<coverage/>"),
        (Value::Cobertura, "lines", "<testsuites/>"),
        (
            Value::CoveragePy,
            "branches",
            r#"{"files":{"a":{"summary":{"covered_lines":1,"num_statements":1}}}}"#,
        ),
        (
            Value::CoveragePy,
            "lines",
            r#"{"files":{},"totals":{"percent_covered":100}}"#,
        ),
        (
            Value::LlvmCov,
            "lines",
            r#"{"type":"llvm.coverage.json.export","data":[{"files":[],"totals":{"lines":{"count":1,"covered":1}}}]}"#,
        ),
        (
            Value::LlvmCov,
            "branches",
            r#"{"type":"llvm.coverage.json.export","data":[{"files":[{"filename":"a","summary":
               {"lines":{"count":1,"covered":1},"branches":{"count":0,"covered":0,"percent":0}}}]}]}"#,
        ),
        (
            Value::LlvmCov,
            "branches",
            r#"{"type":"llvm.coverage.json.export","data":[{"files":[{"filename":"a","summary":
               {"lines":{"count":1,"covered":1}}}]}]}"#,
        ),
        (
            Value::LlvmCov,
            "lines",
            r#"{"type":"other","data":[{"files":[{"filename":"a","summary":{"lines":{"count":1,"covered":1}}}]}]}"#,
        ),
        (Value::LlvmCov, "statements", "{}"),
        (Value::LlvmCov, "lines", ""),
        (Value::Jacoco, "lines", r#"<report name="shop"/>"#),
        (
            Value::Jacoco,
            "lines",
            r#"<report name="shop"><counter type="LINE" missed="0" covered="0"/></report>"#,
        ),
        (
            Value::Jacoco,
            "lines",
            r#"<report name="shop"><counter type="LINE" covered="5"/></report>"#,
        ),
        (
            Value::Jacoco,
            "statements",
            r#"<report name="shop"><counter type="LINE" missed="0" covered="5"/></report>"#,
        ),
        (Value::GoCover, "statements", ""),
        (Value::GoCover, "statements", "mode: set\n"),
        (
            Value::GoCover,
            "statements",
            "mode: set\nx.go:1.1,2.2 0 1\n",
        ),
        (Value::GoCover, "lines", "mode: set\nx.go:1.1,2.2 1 1\n"),
        (Value::Clover, "elements", "<coverage/>"),
        (Value::Clover, "lines", r#"<coverage line-rate="1"/>"#),
        (
            Value::Clover,
            "branches",
            r#"<coverage><project><metrics conditionals="0" coveredconditionals="0"/></project></coverage>"#,
        ),
        (
            Value::Clover,
            "elements",
            r#"<coverage><project><metrics coveredelements="1"/></project></coverage>"#,
        ),
        (
            Value::Clover,
            "lines",
            r#"<coverage><project><metrics/><file><line num="1" type="stmt" count="-1"/></file></project></coverage>"#,
        ),
        (Value::NycText, "lines", ""),
        (
            Value::NycText,
            "lines",
            "All files | 100 | 100 | 100 | 100 | \n",
        ),
        (
            Value::NycText,
            "lines",
            "File | % Stmts | % Branch | % Funcs | % Lines | Uncovered Line #s\n",
        ),
        (
            Value::NycText,
            "lines",
            "File | % Stmts | % Lines | x\nAll files | Unknown | Unknown | \n",
        ),
        (Value::Json, "/a", r#"{"a":true}"#),
        (Value::Json, "/b", r#"{"a":1}"#),
        (Value::Json, "a", r#"{"a":1}"#),
        (Value::Json, "/a", r#"{"a":"Unknown"}"#),
        (Value::Regex, r"total (\d+)", "nothing"),
        (Value::Regex, r"total \d+", "total 5"),
        (Value::Regex, r"total (\d+", "total 5"),
        (Value::Regex, r"total (\w+)", "total five"),
    ] {
        let found = values::read(format, what, text.as_bytes());
        assert!(found.is_err(), "{format:?} {what} {text}: {found:?}");
    }
}

#[test]
fn numbers_are_found_where_tools_print_them() {
    let read = |format, what: &str, text: &str| values::read(format, what, text.as_bytes());
    // Istanbul rounds down: 2 of 3.
    let two_of_three =
        r#"{"a.js":{"lines":{"total":2,"covered":2}},"b.js":{"lines":{"total":1,"covered":0}}}"#;
    assert_eq!(read(Value::Istanbul, "lines", two_of_three), Ok(66.66));
    assert_eq!(
        read(
            Value::Istanbul,
            "branches",
            r#"{"a.js":{"branches":{"total":0,"covered":0}}}"#
        ),
        Ok(100.0)
    );
    assert_eq!(
        read(Value::Cobertura, "lines", r#"<coverage line-rate="0.5"/>"#),
        Ok(50.0)
    );
    assert_eq!(
        read(Value::Json, "/a~1b/0", r#"{"a/b":["83.5%"]}"#),
        Ok(83.5)
    );
    assert_eq!(
        read(
            Value::Json,
            "/n",
            "\n> shop@1.0.0 size\n> node size.js\n\n{\"n\": 7}\n"
        ),
        Ok(7.0)
    );
    assert_eq!(
        read(
            Value::Regex,
            r"^TOTAL.*?(\d+)%$",
            "TOTAL 5 1 80%\n\u{1b}[1mTOTAL 9 0 90%\u{1b}[0m\n"
        ),
        Ok(90.0)
    );
    assert_eq!(
        read(Value::Regex, r"size: ([\d,.]+) KB", "size: 1,234.5 KB"),
        Ok(1234.5)
    );
}

/// Every fixture with every parser that could be given it.
fn everything() -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let entries = std::fs::read_dir(folder).expect("the folder is there");
    let files: BTreeMap<String, Vec<u8>> = entries
        .map(|entry| entry.expect("readable").path())
        .map(|path| {
            (
                path.display().to_string(),
                std::fs::read(&path).expect("readable"),
            )
        })
        .collect();
    files.into_iter().collect()
}

const FORMATS: [Format; 7] = [
    Format::Junit,
    Format::Jest,
    Format::Mocha,
    Format::GoTest,
    Format::Libtest,
    Format::Tap,
    Format::Events,
];
const VALUES: [(Value, &str); 26] = [
    (Value::Istanbul, "lines"),
    (Value::Istanbul, "branches"),
    (Value::Lcov, "lines"),
    (Value::Lcov, "branches"),
    (Value::Lcov, "functions"),
    (Value::Cobertura, "lines"),
    (Value::Cobertura, "branches"),
    (Value::Cobertura, "functions"),
    (Value::CoveragePy, "lines"),
    (Value::CoveragePy, "percent_covered"),
    (Value::LlvmCov, "lines"),
    (Value::LlvmCov, "functions"),
    (Value::LlvmCov, "regions"),
    (Value::LlvmCov, "branches"),
    (Value::Jacoco, "lines"),
    (Value::Jacoco, "instructions"),
    (Value::GoCover, "statements"),
    (Value::Clover, "lines"),
    (Value::Clover, "statements"),
    (Value::Clover, "branches"),
    (Value::Clover, "functions"),
    (Value::Clover, "elements"),
    (Value::NycText, "statements"),
    (Value::NycText, "branches"),
    (Value::Json, "/totals/percent_covered"),
    (Value::Regex, r"(\d+)"),
];

/// Gives the bytes to every parser; all that counts is that each returns.
fn feed(bytes: &[u8]) {
    let _ = Format::detect(bytes);
    for format in FORMATS {
        let _ = format.parse(bytes);
    }
    for (format, what) in VALUES {
        if let Ok(value) = values::read(format, what, bytes) {
            assert!(value.is_finite());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_a_parser_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2_000)) {
        feed(&bytes);
    }

    #[test]
    fn no_change_to_a_real_report_makes_a_parser_panic(
        which in any::<prop::sample::Index>(),
        cut in any::<prop::sample::Index>(),
        edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..20),
        doubled in any::<bool>(),
    ) {
        let all = everything();
        let mut bytes = which.get(&all).1.clone();
        for (at, byte) in edits {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if doubled {
            bytes.extend(bytes.clone());
        }
        bytes.truncate(cut.index(bytes.len() + 1).max(bytes.len() / 2));
        feed(&bytes);
    }

    #[test]
    fn a_changed_number_never_lets_a_value_leave_its_range(digits in "[0-9]{1,25}") {
        let text = format!("SF:a\nDA:1,{digits}\nBRDA:1,0,0,{digits}\nLF:{digits}\nend_of_record\n");
        for what in ["lines", "branches"] {
            if let Ok(value) = values::read(Value::Lcov, what, text.as_bytes()) {
                prop_assert!((0.0..=100.0).contains(&value));
            }
        }
        let llvm = format!(
            r#"{{"type":"llvm.coverage.json.export","data":[{{"files":[
              {{"filename":"a","summary":{{"lines":{{"count":9,"covered":{digits}}}}}}},
              {{"filename":"b","summary":{{"lines":{{"count":{digits},"covered":1}}}}}}]}}]}}"#
        );
        let jacoco = format!(r#"<report><counter type="LINE" missed="{digits}" covered="{digits}"/></report>"#);
        let go = format!("mode: set\na:1.1,1.{digits} {digits} {digits}\na:2.1,2.{digits} {digits} 0\n");
        let clover = format!(
            r#"<coverage><project><metrics statements="{digits}" coveredstatements="{digits}"/></project>
               <project><metrics statements="{digits}" coveredstatements="1"/></project></coverage>"#
        );
        let table = format!("File | % Stmts | x\nAll files | {digits} | \n");
        for (format, what, text) in [
            (Value::LlvmCov, "lines", llvm),
            (Value::Jacoco, "lines", jacoco),
            (Value::GoCover, "statements", go),
            (Value::Clover, "statements", clover),
            (Value::NycText, "statements", table),
        ] {
            if let Ok(value) = values::read(format, what, text.as_bytes()) {
                prop_assert!((0.0..=100.0).contains(&value), "{format:?}: {value}");
            }
        }
    }
}
