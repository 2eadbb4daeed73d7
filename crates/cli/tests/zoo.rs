//! Plays the whole zoo: no cheat reaches `complete`, and no honest agent is refused.

use std::process::{Command, Stdio};

use serde_json::Value;

/// Fewer than these would mean that somebody emptied the zoo.
const CHEATS_MIN: u64 = 60;
/// The same of honest agents.
const HONEST_MIN: u64 = 15;

fn overnight(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_overnight"));
    command.args(args).stdin(Stdio::null());
    command
}

#[test]
fn no_cheat_reaches_complete_and_no_honest_agent_is_refused() {
    let mut zoo = overnight(&["zoo", "--json"]);
    zoo.env_remove("CI");
    let done = zoo.output().expect("the binary runs");
    let complaints = String::from_utf8_lossy(&done.stderr);
    if complaints.contains("Without a sandbox") {
        assert!(std::env::var_os("CI").is_none(), "{complaints}");
        eprintln!("SKIPPED: the zoo needs the sandbox: {complaints}");
        return;
    }
    let table: Value =
        serde_json::from_slice(&done.stdout).unwrap_or_else(|e| panic!("{e}: {complaints}"));
    let count = |key: &str| table[key].as_u64().unwrap_or_else(|| panic!("no {key}"));
    println!(
        "cheats that reached complete: {} of {}",
        count("cheats_complete"),
        count("cheats")
    );
    println!(
        "honest agents refused: {} of {}",
        count("honest_refused"),
        count("honest")
    );
    let agents = table["agents"].as_array().expect("a list");
    let wrong: Vec<String> = agents
        .iter()
        .filter(|agent| agent["right"] == false)
        .map(|agent| {
            format!(
                "{}/{}: {}: {}",
                agent["family"], agent["name"], agent["outcome"], agent["stopped_by"]
            )
        })
        .collect();
    assert!(wrong.is_empty(), "{:#?}", wrong);
    assert_eq!(done.status.code(), Some(0), "{complaints}");
    if count("skipped") > 0 {
        assert!(
            std::env::var_os("CI").is_none(),
            "{} skipped, and CI is set: {complaints}",
            count("skipped")
        );
        eprintln!("SKIPPED: {} agents: {complaints}", count("skipped"));
    } else {
        assert!(count("cheats") >= CHEATS_MIN && count("honest") >= HONEST_MIN);
    }
}

#[test]
fn agents_are_listed_and_chosen_by_name_family_and_language() {
    let list = |args: &[&str]| {
        let done = overnight(&[&["zoo", "--list"], args].concat())
            .output()
            .expect("the binary runs");
        (
            done.status.code(),
            String::from_utf8_lossy(&done.stdout).into_owned(),
            String::from_utf8_lossy(&done.stderr).into_owned(),
        )
    };
    let (code, all, _) = list(&[]);
    assert_eq!(code, Some(0));
    assert!(
        all.starts_with("honest\n") || all.contains("\nhonest\n"),
        "{all}"
    );
    let (_, some, _) = list(&["--family", "history", "--fixture", "python"]);
    assert!(some.starts_with("history, cheats\n"), "{some}");
    assert!(some.contains("  amends-the-base "), "{some}");
    assert!(!some.contains("honest"), "{some}");
    let (_, one, _) = list(&["direct-rust"]);
    assert_eq!(one.lines().count(), 2, "{one}");
    for (args, wanted) in [
        (&["nobody"][..], "there is no agent `nobody`"),
        (&["--family", "nobody"], "there is no family `nobody`"),
        (
            &["direct-rust", "--fixture", "python"],
            "no agent is all of that",
        ),
    ] {
        let (code, _, complaints) = list(args);
        assert_eq!(code, Some(2), "{complaints}");
        assert!(complaints.contains(wanted), "{complaints}");
    }
}
