//! The live view on a real pseudo terminal: what a person sees, presses, and finds afterwards.

use std::fs;
use std::time::{Duration, Instant};

use crate::terminal::{Terminal, closed_under};
use crate::world::{OVERNIGHT, Running, World, have};

const GOAL: &str = "---\noutcome: The word is there.\ndone:\n  - {id: word, file: todo.txt, contains: done}\n  - {id: shape, run: test -s todo.txt}\nuse: {paths: [todo.txt]}\nstop: {turns: 12, tokens: 100k, hours: 1}\n---\nWrite the word.\n";

/// Claims falsely, is busy for so many seconds, and then does the work.
fn script(seconds: &str) -> String {
    format!(
        "turns:\n  - calls:\n      - plan: {{steps: [{{step: Look, status: done}}, {{step: Write the word, status: doing}}]}}\n  \
         - claim_done: Nothing to do\n  - say: \"\\e[2J\\e]0;owned\\aI shall \\u202ewait.\"\n    calls:\n      - shell: {{command: \"sleep {seconds}\"}}\n  \
         - shell: echo done > todo.txt\n  - claim_done: Write the word\n"
    )
}

fn world(seconds: &str) -> World {
    let world = World::new(&[("todo.txt", "open\n")]);
    world.goal(GOAL);
    fs::write(world.root.join("script.yaml"), script(seconds)).expect("written");
    world
}

fn command(world: &World, options: &str) -> String {
    let root = world.root.display();
    format!("{OVERNIGHT} run {root}/goal.md --yes {options} --model scripted/{root}/script.yaml")
}

/// The same, followed by what only a terminal that was given back can show.
fn with_modes(line: &str) -> String {
    // The shell outlives a Ctrl-C that the terminal turns into a signal for both.
    format!(
        "trap : INT; {line}; echo code $?; stty -a | tr ';' '\\n' | tr ' ' '\\n' | grep -x -e '-*icanon' -e '-*echo' -e '-*isig' | tr '\\n' ' '; echo end"
    )
}

#[track_caller]
fn given_back(terminal: &Terminal) {
    let screen = terminal.screen();
    assert!(screen.contains("isig icanon echo end"), "{screen}");
    assert_eq!(terminal.modes(), (false, false), "{screen}");
}

/// A run that tells plain lines to a file, as another process.
fn elsewhere(world: &World, args: &[&str]) -> Running {
    world.start(world.command(args))
}

fn begin(world: &World) -> Running {
    let script = format!("scripted/{}/script.yaml", world.root.display());
    let goal = world.root.join("goal.md");
    let goal = goal.to_str().expect("plain");
    elsewhere(world, &["run", goal, "--yes", "--model", &script])
}

#[test]
fn a_run_whose_terminal_is_closed_pauses_and_goes_on_elsewhere() {
    for options in ["", "--plain"] {
        let world = world("2");
        let line = command(&world, options);
        let program: Vec<&str> = line.split_whitespace().collect();
        let ended = closed_under(&world, &program, "Nothing to do");
        assert_eq!(ended.code(), Some(6), "{options}: {ended:?}");
        world.overnight(&["show", "last"]).exits(0).says("paused");
        world.overnight(&["resume", "last"]).exits(0);
    }
}

#[test]
fn a_run_is_shown_to_its_end_which_stays_on_the_terminal() {
    let world = world("2");
    let mut terminal = Terminal::sh(&world, &with_modes(&command(&world, "")), (80, 24));
    terminal.until("turn 3: shell sleep 2");
    let screen = terminal.screen();
    for text in [
        "The word is there.",
        "● working",
        "Checks  3 of 4 passed · 1 of 6 checkpoints without progress",
        "✗ failed  word",
        "✓ passed  shape",
        "✓ passed  scope",
        "✓ Look",
        "▸ Write the word",
        "claims to be done: “Nothing to do”",
        "I shall wait.",
        "turns    3 of 12",
        "tokens   ",
        "of 1:00:00",
        "p or Ctrl-C pauses · q plain lines",
    ] {
        assert!(screen.contains(text), "{text} in:\n{screen}");
    }
    assert_eq!(terminal.modes(), (true, true));
    assert!(terminal.end().success());
    let screen = terminal.screen();
    for text in [
        "Complete: all 4 checks pass on the delivered tree.",
        "branch  overnight/the-word-is-there",
        "report  ",
        "code 0",
    ] {
        assert!(screen.contains(text), "{text} in:\n{screen}");
    }
    given_back(&terminal);
    let bytes = String::from_utf8_lossy(&terminal.bytes()).into_owned();
    assert!(!bytes.contains("owned"), "the model sets no title");
    assert!(!bytes.contains('\u{202e}'), "nor the direction of writing");
    assert!(!bytes.contains("\u{1b}[38;5"), "NO_COLOR is set");
}

#[test]
fn it_has_colours_where_they_are_wanted_and_ascii_where_there_is_no_more() {
    let world = world("0");
    let line = format!("unset NO_COLOR; {}", command(&world, ""));
    let mut terminal = Terminal::sh(&world, &line, (80, 24));
    assert!(terminal.end().success());
    let bytes = String::from_utf8_lossy(&terminal.bytes()).into_owned();
    assert!(
        bytes.contains("\u{1b}[38;5;2m") || bytes.contains("38;5;2;"),
        "green"
    );
    let line = format!("LANG=C {}", command(&world, ""));
    let mut terminal = Terminal::sh(&world, &line, (80, 24));
    terminal.until("* ");
    assert!(terminal.end().success());
    let bytes = terminal.bytes();
    let text = String::from_utf8_lossy(&bytes);
    let view = text.split("\u{1b}[?1049l").next().unwrap_or_default();
    let view = view.split("\u{1b}[?1049h").nth(1).unwrap_or_default();
    assert!(view.contains("Checks") && view.is_ascii(), "{view}");
}

#[test]
fn it_follows_the_terminals_size_and_writes_next_to_nothing_while_it_waits() {
    let world = world("6");
    let mut terminal = Terminal::sh(&world, &with_modes(&command(&world, "")), (80, 24));
    terminal.until("turn 3: shell sleep 6");
    for (columns, rows) in [(40, 12), (20, 5), (1, 1), (200, 60), (7, 40), (80, 24)] {
        terminal.resize(columns, rows);
        let (shown, keys) = match (columns, rows) {
            (1, _) => ("●", ""),
            (7, _) => ("● work", ""),
            (20, _) => ("● working", "turns 3"),
            (_, _) => ("● working  turn 3", "q plain lines"),
        };
        terminal.until_it("drawn anew", |screen| {
            let fits = screen.lines().count() <= usize::from(rows);
            fits && screen.contains(shown) && screen.contains(keys)
        });
        // Nothing of another size is left.
        let status = |screen: &str| screen.matches('●').count();
        assert_eq!(status(&terminal.screen()), 1, "{}", terminal.screen());
    }
    let before = terminal.bytes().len();
    std::thread::sleep(Duration::from_secs(2));
    let written = terminal.bytes().len() - before;
    assert!(
        (1..1_500).contains(&written),
        "{written} bytes in two seconds"
    );
    terminal.press("\u{3}");
    terminal.until("code 6");
    terminal.end();
    given_back(&terminal);
}

#[test]
fn a_key_a_signal_and_q_do_what_they_say() {
    // Ctrl-C twice: the second does not wait for what is under way.
    let world = world("30");
    let mut terminal = Terminal::sh(&world, &with_modes(&command(&world, "")), (80, 24));
    terminal.until("turn 3: shell sleep 30");
    terminal.press("\u{3}");
    terminal.until("● pausing");
    let since = Instant::now();
    terminal.press("\u{3}");
    terminal.end();
    assert!(since.elapsed() < Duration::from_secs(8), "it did not wait");
    let screen = terminal.screen();
    assert!(screen.contains("code 6"), "{screen}");
    assert!(screen.contains("goes on"), "{screen}");
    given_back(&terminal);

    // A polite kill does the same; `resume` has the view as well, and knows what was before.
    let line = format!("exec {OVERNIGHT} resume last");
    let mut terminal = Terminal::sh(&world, &line, (80, 24));
    terminal.until("turn 3: shell sleep 30");
    let screen = terminal.screen();
    assert!(screen.contains("✗ failed  word"), "{screen}");
    assert!(screen.contains("turn 3: “I shall wait.”"), "{screen}");
    let pid = terminal.pid().to_string();
    for _ in 0..2 {
        let kill = std::process::Command::new("kill").arg(&pid).status();
        assert!(kill.expect("kill runs").success());
        std::thread::sleep(Duration::from_millis(300));
    }
    assert_eq!(terminal.end().code(), Some(6));
    assert_eq!(terminal.modes(), (false, false));

    // q: plain lines from there on.
    let mut terminal = Terminal::sh(
        &world,
        &with_modes(&format!("{OVERNIGHT} resume last")),
        (80, 24),
    );
    terminal.until("turn 3: shell sleep 30");
    terminal.press("xyq");
    terminal.until("plain lines from here on");
    assert_eq!(terminal.modes(), (false, false));
    terminal.press("\u{3}");
    terminal.until("paused by a person");
    terminal.press("\u{3}");
    terminal.end();
    given_back(&terminal);
}

#[test]
fn where_there_is_no_such_terminal_there_are_lines() {
    let world = world("0");
    let plain = command(&world, "--plain");
    let view = command(&world, "");
    for line in [
        plain,
        format!("TERM=dumb {view}"),
        format!("unset TERM; {view}"),
        format!("CI=true {view}"),
        format!("{view} | cat"),
        format!("{view} < /dev/null"),
    ] {
        let mut terminal = Terminal::sh(&world, &line, (120, 50));
        assert!(terminal.end().success(), "{line}: {}", terminal.screen());
        let bytes = terminal.bytes();
        assert!(!bytes.contains(&0x1b), "{line}: {}", terminal.screen());
        let screen = terminal.screen();
        assert!(screen.contains("0:00:0"), "{line}: {screen}");
        assert!(
            screen.contains("✗ claim rejected: word"),
            "{line}: {screen}"
        );
    }
}

#[test]
fn watch_shows_pause_death_and_going_on_of_a_run_elsewhere() {
    let world = world("0");
    let slow = "turns:\n  - claim_done: Nothing\n  - shell: sleep 3\n  - shell: sleep 3\n  - shell: sleep 1\n  \
                - shell: echo done > todo.txt\n  - claim_done: Write the word\n";
    fs::write(world.root.join("script.yaml"), slow).expect("written");
    let mut run = begin(&world);
    run.until("claim rejected");
    let line = with_modes(&format!("{OVERNIGHT} show last --watch"));
    let mut terminal = Terminal::sh(&world, &line, (80, 24));
    terminal.until("turn 2: shell sleep 3");
    terminal.until("p pauses · q leaves");
    // Its key pauses the other process.
    terminal.press("p");
    assert_eq!(run.end().code(), Some(6));
    terminal.until("● paused");
    terminal.until("goes on");
    // It is taken up again, and killed.
    let mut run = elsewhere(&world, &["resume", "last"]);
    run.until("taken up again");
    terminal.until("● working  turn 3: shell sleep 3");
    run.signal("KILL");
    assert!(run.end().was_killed());
    terminal.until("● stands still  no process works on it");
    // And again, to its end.
    elsewhere(&world, &["resume", "last"]).end().exits(0);
    terminal.end();
    let screen = terminal.screen();
    assert!(screen.contains("Complete: all 4 checks pass"), "{screen}");
    assert!(
        screen.contains("code 0"),
        "with the run's exit code: {screen}"
    );
    given_back(&terminal);
    // One that has ended is told at once, with its code.
    let mut terminal = Terminal::sh(&world, &format!("{OVERNIGHT} show -w"), (80, 24));
    assert!(terminal.end().success());
    assert_eq!(terminal.modes(), (false, false));
    assert!(
        terminal.screen().contains("Complete: all 4"),
        "{}",
        terminal.screen()
    );
    let lines = world.overnight(&["show", "--watch"]).exits(0);
    assert!(lines.out.contains("Complete: all 4"), "{}", lines.out);
    world.overnight(&["show", "--watch", "--json"]).exits(2);
}

#[test]
fn watch_of_a_blocked_run_shows_the_question_and_waits_for_the_answer() {
    let world = world("0");
    let asks = "turns:\n  - ask_for_help: {question: \"Which \\e]0;owned\\aword?\", tried: \"All I know\", unlock: \"The word\"}\n  \
                - shell: echo done > todo.txt\n  - claim_done: Write the word\n";
    fs::write(world.root.join("script.yaml"), asks).expect("written");
    let done = begin(&world).end().exits(3).says("Blocked: Which word?");
    assert!(!done.out.contains('\u{1b}'), "{}", done.out);
    let line = with_modes(&format!("{OVERNIGHT} show --watch"));
    let mut terminal = Terminal::sh(&world, &line, (80, 24));
    terminal.until("asks    Which word?");
    terminal.until("unlock  The word");
    terminal.until("next    overnight answer");
    assert!(
        terminal.screen().contains("● blocked"),
        "{}",
        terminal.screen()
    );
    terminal.press("q");
    terminal.until("code 3");
    terminal.end();
    given_back(&terminal);
    let mut terminal = Terminal::sh(&world, &line, (80, 24));
    terminal.until("Which word?");
    world.overnight(&["answer", "last", "done"]).exits(0);
    elsewhere(&world, &["resume", "last"]).end().exits(0);
    terminal.until("code 0");
    terminal.end();
    assert!(
        terminal.screen().contains("Complete"),
        "{}",
        terminal.screen()
    );
    // Where there is no terminal: lines, and the run's exit code.
    fs::write(world.root.join("script.yaml"), script("1")).expect("written");
    let mut run = begin(&world);
    run.until("claim rejected");
    let mut watching = elsewhere(&world, &["show", "--watch"]);
    watching.until("Complete: all 4");
    let watched = watching.end().exits(0);
    assert!(
        watched.out.contains("turn 5: claims to be done"),
        "{}",
        watched.out
    );
    run.end().exits(0);
}

#[test]
fn a_job_that_is_stopped_and_goes_on_gives_the_terminal_back_meanwhile() {
    if !have("bash -c 'type fg'") {
        return;
    }
    let world = world("8");
    let mut terminal = Terminal::start(&world, &["bash", "--norc", "--noprofile", "-i"], (80, 24));
    terminal.press("PS1='ready> '\n");
    terminal.until_it("a prompt", |screen| screen.ends_with("ready> "));
    terminal.press(&format!("{}\n", command(&world, "")));
    terminal.until("turn 3: shell sleep 8");
    terminal.press("\u{1a}");
    terminal.until_it("stopped", |screen| {
        screen.contains("Stopped") && screen.ends_with("ready> ")
    });
    assert_eq!(terminal.modes(), (false, false), "{}", terminal.screen());
    terminal.press("fg\n");
    terminal.until("● working  turn 3");
    assert_eq!(terminal.modes(), (true, true));
    // A stop that no program can see coming.
    let pid = {
        let all = std::process::Command::new("ps")
            .args(["-o", "pid=,args=", "--ppid", &terminal.pid().to_string()])
            .output()
            .expect("ps runs");
        let all = String::from_utf8_lossy(&all.stdout).into_owned();
        let line = all.lines().find(|line| line.contains("run "));
        let line = line.unwrap_or_else(|| panic!("no run in: {all}"));
        line.split_whitespace().next().expect("a pid").to_owned()
    };
    for signal in ["STOP", "TSTP"] {
        let kill = std::process::Command::new("kill")
            .args(["-s", signal, &pid])
            .status();
        assert!(kill.expect("kill runs").success());
        std::thread::sleep(Duration::from_millis(700));
        terminal.press("stty -a | grep -c -w -e '-icanon'; fg\n");
        terminal.until("● working  turn 3");
        assert_eq!(terminal.modes(), (true, true));
    }
    terminal.press("\u{3}");
    terminal.until_it("paused", |screen| {
        screen.contains("paused; `overnight resume") && screen.ends_with("ready> ")
    });
    assert_eq!(terminal.modes(), (false, false));
    // In the background it tells lines, and nobody stops it.
    fs::write(world.root.join("script.yaml"), script("1")).expect("written");
    terminal.press("printf '\\033[H\\033[2J'\n");
    terminal.press(&format!("{} &\n", command(&world, "")));
    terminal.until("Complete: all 4");
    assert!(
        !terminal.screen().contains("Stopped"),
        "{}",
        terminal.screen()
    );
    terminal.press("exit\n");
    terminal.end();
}

#[test]
fn where_nobody_could_bring_it_back_it_is_not_stopped() {
    let world = world("4");
    let line = format!("exec {}", command(&world, ""));
    let mut terminal = Terminal::sh(&world, &line, (80, 24));
    terminal.until("turn 3: shell sleep 4");
    terminal.press("\u{1a}");
    assert!(terminal.end().success(), "{}", terminal.screen());
    assert_eq!(terminal.modes(), (false, false));
    assert!(
        terminal.screen().contains("Complete"),
        "{}",
        terminal.screen()
    );
}
