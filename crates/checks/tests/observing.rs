//! What is observed of commands that need nothing but a shell.

mod common;

use common::{World, have, table};
use overnight_core::check::{Obstacle, Reading};
use overnight_core::goal::{Format, Read};
use overnight_ports::verifier::Ask;

fn exit(command: &str) -> Ask {
    Ask::Exit {
        command: command.to_owned(),
    }
}

fn read(format: Format, file: Option<&str>, value: &str) -> Read {
    Read {
        format,
        file: file.map(str::to_owned),
        value: value.to_owned(),
    }
}

#[test]
fn exit_code_output_and_what_appeared() {
    let world = World::new(&[("a.txt", "a")]);
    let seen = world.observe(exit("cat a.txt; echo oops >&2; touch made; exit 3"));
    assert_eq!((seen.exit, seen.obstacle), (Some(3), None));
    assert_eq!(seen.output, b"a\noops\n");
    assert_eq!(seen.generated, ["made"]);
    assert_eq!(seen.command, "cat a.txt; echo oops >&2; touch made; exit 3");
}

#[test]
fn every_observation_has_a_checkout_of_its_own_which_is_removed() {
    let world = World::new(&[("a.txt", "a")]);
    world.observe(exit("rm a.txt"));
    let seen = world.observe(exit("cat a.txt"));
    assert_eq!(seen.exit, Some(0));
    assert_eq!(world.checkouts().len(), 2);
    assert!(world.checkouts().iter().all(|dir| !dir.exists()));
}

#[test]
fn a_missing_program_is_told_from_a_failure() {
    let world = World::new(&[]);
    let absent = |program: &str| {
        Some(Obstacle::ToolAbsent {
            program: program.to_owned(),
        })
    };
    assert_eq!(
        world.observe(exit("no-such-program --x")).obstacle,
        absent("no-such-program")
    );
    assert_eq!(
        world.observe(exit("true && no-such-program")).obstacle,
        absent("no-such-program")
    );
    assert_eq!(world.observe(exit("exit 127")).obstacle, None);
    assert_eq!(
        world.observe(exit("no-such-program; exit 1")).obstacle,
        None
    );
}

#[test]
fn a_command_that_hangs_is_stopped_at_its_limit() {
    let world = World::new(&[]);
    let seen = world.observe_in("", 1, exit("sleep 60"));
    assert_eq!(
        (seen.exit, seen.obstacle),
        (None, Some(Obstacle::TimedOut { limit_s: 1 }))
    );
    let ask = Ask::Values {
        command: "sleep 60".into(),
        reads: vec![read(Format::Regex, None, "(.)")],
    };
    let seen = world.observe_in("", 1, ask);
    assert_eq!(
        seen.values,
        [Reading::Missing(Obstacle::TimedOut { limit_s: 1 })]
    );
}

#[test]
fn a_directory_that_is_not_there_is_no_pass() {
    let world = World::new(&[]);
    assert!(matches!(
        world.observe_in("nowhere", 5, exit("true")).obstacle,
        Some(Obstacle::Harness { .. })
    ));
}

#[test]
fn values_are_read_in_the_order_in_which_they_are_asked_for() {
    let world = World::new(&[("old.json", r#"{"n": 1}"#)]);
    let command = r#"echo '{"n": 2}' > new.json; echo total 5; echo total 7; echo 'other 9' >&2"#;
    let reads = vec![
        read(Format::Regex, None, r"total (\d+)"),
        read(Format::Json, Some("new.json"), "/n"),
        read(Format::Json, Some("old.json"), "/n"),
        read(Format::Json, Some("../old.json"), "/n"),
        read(Format::Json, Some("new.json"), "/m"),
        read(Format::Regex, None, r"other (\d+)"),
    ];
    let seen = world.observe(Ask::Values {
        command: command.to_owned(),
        reads,
    });
    assert_eq!(seen.obstacle, None);
    assert_eq!(seen.values.len(), 6);
    assert_eq!(seen.values[0], Reading::Value(7.0));
    assert_eq!(seen.values[1], Reading::Value(2.0));
    // It was there before the run and the run did not write it.
    assert_eq!(
        seen.values[2],
        Reading::Missing(Obstacle::ReportMissing {
            path: "old.json".into()
        })
    );
    assert!(matches!(
        seen.values[3],
        Reading::Missing(Obstacle::ReportUnreadable { .. })
    ));
    assert!(matches!(
        seen.values[4],
        Reading::Missing(Obstacle::ReportUnreadable { .. })
    ));
    assert_eq!(seen.values[5], Reading::Value(9.0));
}

#[test]
fn a_file_is_looked_at_and_nothing_is_run() {
    let world = World::new(&[("docs/a.md", "hello")]);
    std::os::unix::fs::symlink("/etc/hostname", world.root().join("out")).expect("linked");
    let look = |dir: &str, path: &str| {
        let seen = world.observe_in(
            dir,
            5,
            Ask::File {
                path: path.to_owned(),
            },
        );
        (
            seen.exit,
            String::from_utf8(seen.output).expect("text"),
            seen.obstacle,
        )
    };
    assert_eq!(look("docs", "a.md"), (Some(0), "hello".into(), None));
    assert_eq!(look("", "docs/b.md"), (Some(1), String::new(), None));
    assert_eq!(look("", "docs"), (Some(0), String::new(), None));
    assert_eq!(look("", "out"), (Some(1), String::new(), None));
    assert_eq!(look("docs", "../../../../../etc/hostname").0, Some(1));
}

const JUNIT: &str = r#"<testsuite name="s"><testcase name="a"/></testsuite>"#;

#[test]
fn a_named_report_must_be_written_by_that_very_run() {
    let world = World::new(&[("old.xml", JUNIT), ("reports/old.xml", JUNIT)]);
    let seen = |command: &str, report: &str| {
        world.observe(Ask::Tests {
            command: command.to_owned(),
            report: Some(report.to_owned()),
        })
    };
    let write = "mkdir -p out; echo '<testsuite name=\"s\"><testcase name=\"b\"/></testsuite>' > out/new.xml";
    assert_eq!(table(&seen(write, "out/new.xml")), ["+ s::b"]);
    assert_eq!(table(&seen(write, "out")), ["+ s::b"]);
    assert_eq!(
        seen("true", "old.xml").obstacle,
        Some(Obstacle::ReportMissing {
            path: "old.xml".into()
        })
    );
    assert!(matches!(
        seen("true", "reports").obstacle,
        Some(Obstacle::ReportMissing { .. })
    ));
    assert!(matches!(
        seen("echo no > new.xml", "new.xml").obstacle,
        Some(Obstacle::ReportUnreadable { .. })
    ));
    assert!(matches!(
        seen("mkfifo new.xml", "new.xml").obstacle,
        Some(Obstacle::ReportMissing { .. })
    ));
    assert!(matches!(
        seen("true", "../x.xml").obstacle,
        Some(Obstacle::ReportUnreadable { .. })
    ));
    assert!(matches!(
        seen("true", ".").obstacle,
        Some(Obstacle::ReportUnreadable { .. })
    ));
}

#[test]
fn a_runner_that_nobody_knows_is_no_pass() {
    let world = World::new(&[("run.sh", "echo 'test a ... ok'; echo 1 passed")]);
    let seen = world.tests("sh run.sh");
    let Some(Obstacle::NoPerTestResults { hint }) = seen.obstacle else {
        panic!("{seen:?}")
    };
    assert!(hint.contains("report: FILE"), "{hint}");
    assert_eq!(seen.tests, None);
    assert_eq!(
        world.tests("no-such-runner").obstacle,
        Some(Obstacle::ToolAbsent {
            program: "no-such-runner".into()
        })
    );
}

#[test]
fn a_runner_that_leaves_no_report_is_no_pass() {
    if !have("python3 -m unittest -h") {
        return;
    }
    // It pretends to be pytest, and writes nothing.
    let world = World::new(&[("bin/pytest", "#!/bin/sh\nexit $CODE\n")]);
    let run = |code: u8| world.tests(&format!("chmod +x bin/pytest; CODE={code} ./bin/pytest"));
    assert!(
        matches!(run(0).obstacle, Some(Obstacle::ReportMissing { .. })),
        "{:?}",
        run(0)
    );
    // It failed before any test: no test ran, which is a fact and no pass.
    let seen = run(4);
    assert_eq!((seen.exit, seen.obstacle.clone()), (Some(4), None));
    assert!(table(&seen).is_empty());
}
