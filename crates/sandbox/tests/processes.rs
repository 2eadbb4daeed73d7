//! The life of processes in a cell: ends, limits, output, and that nothing survives.
#![cfg(target_os = "linux")]

mod common;

use std::time::{Duration, Instant};

use common::{World, command, eventually, is_running, linux, ok, open, sandbox, text};
use overnight_ports::sandbox::{Cell, Exit, OUTPUT_BYTES_MAX, SandboxError, Streams};

#[tokio::test]
async fn ends_are_told_as_they_were() {
    let world = World::new();
    let Some(cell) = open(world.spec()).await else {
        return;
    };
    for (script, exit) in [
        ("true", Exit::Code(0)),
        ("exit 255", Exit::Code(255)),
        ("kill -TERM $$", Exit::Signal(15)),
        ("kill -9 $$", Exit::Signal(9)),
        ("no-such-program", Exit::Code(127)),
    ] {
        assert_eq!(
            cell.run(command(script)).await.unwrap().exit,
            exit,
            "{script}"
        );
    }
}

#[tokio::test]
async fn streams_are_merged_or_apart() {
    let world = World::new();
    let Some(cell) = open(world.spec()).await else {
        return;
    };
    let merged = cell
        .run(command("echo a; echo b >&2; echo c"))
        .await
        .unwrap();
    assert_eq!(
        (text(&merged).as_str(), merged.stderr.len()),
        ("a\nb\nc", 0)
    );
    let mut split = command("echo a; echo b >&2; echo c");
    split.streams = Streams::Split;
    let split = cell.run(split).await.unwrap();
    assert_eq!(
        (text(&split).as_str(), split.stderr.as_slice()),
        ("a\nc", b"b\n".as_slice())
    );
}

#[tokio::test]
async fn standard_input_is_given_or_empty() {
    let world = World::new();
    let Some(cell) = open(world.spec()).await else {
        return;
    };
    assert_eq!(ok(&cell, "cat").await, "");
    let mut given = command("wc -c");
    given.stdin = Some(vec![b'x'; 300_000]);
    assert_eq!(text(&cell.run(given).await.unwrap()), "300000");
}

#[tokio::test]
async fn a_long_script_runs_like_a_short_one() {
    let world = World::new();
    let Some(cell) = open(world.spec()).await else {
        return;
    };
    let script = format!("cat <<'END' | wc -c\n{}\nEND\nexit 3", "y".repeat(500_000));
    let finished = cell.run(command(&script)).await.unwrap();
    assert_eq!(
        (text(&finished).as_str(), finished.exit),
        ("500001", Exit::Code(3))
    );
}

#[tokio::test]
async fn output_is_bounded() {
    let world = World::new();
    let Some(cell) = open(world.spec()).await else {
        return;
    };
    let more = OUTPUT_BYTES_MAX + 1_000_000;
    let finished = cell
        .run(command(&format!(
            "head -c {more} /dev/zero; echo the end >&2"
        )))
        .await
        .unwrap();
    assert_eq!(finished.exit, Exit::Code(0));
    assert_eq!(finished.stdout.len(), OUTPUT_BYTES_MAX);
    assert_eq!(finished.dropped, 1_000_000 + 8);
}

#[tokio::test]
async fn a_daemon_does_not_outlive_its_command() {
    let world = World::new();
    let Some(cell) = open(world.spec()).await else {
        return;
    };
    // A mark of its own for every process, so that tests at the same time do not take them for theirs.
    let mark = format!("86400.{}1", std::process::id());
    let script = format!(
        "(setsid nohup sleep {mark} >/dev/null 2>&1 &) ; setsid sh -c 'sleep {mark} & sleep {mark}' & sleep 0.2; echo up"
    );
    assert_eq!(ok(&cell, &script).await, "up");
    assert!(!is_running(&mark));
}

#[tokio::test]
async fn the_limit_kills_the_whole_tree() {
    let world = World::new();
    let Some(cell) = open(world.spec()).await else {
        return;
    };
    let mark = format!("86400.{}2", std::process::id());
    let mut slow = command(&format!(
        "echo started; trap '' TERM INT; setsid sleep {mark} & sleep {mark}"
    ));
    slow.timeout = Duration::from_millis(500);
    let started = Instant::now();
    let finished = cell.run(slow).await.unwrap();
    assert_eq!(
        (finished.exit, text(&finished).as_str()),
        (Exit::TimedOut, "started")
    );
    assert!(started.elapsed() < Duration::from_secs(5));
    assert!(!is_running(&mark));
    ok(&cell, "true").await;
}

#[tokio::test]
async fn who_stops_waiting_stops_the_command() {
    let world = World::new();
    let Some(cell) = open(world.spec()).await else {
        return;
    };
    let mark = format!("86400.{}3", std::process::id());
    let waiting = cell.run(command(&format!("sleep {mark}")));
    assert!(
        tokio::time::timeout(Duration::from_millis(300), waiting)
            .await
            .is_err()
    );
    eventually("the abandoned command is killed", || !is_running(&mark));
}

#[tokio::test]
async fn a_background_command_lives_until_it_is_killed() {
    let world = World::new();
    let Some(cell) = open(world.spec()).await else {
        return;
    };
    let mark = format!("86400.{}4", std::process::id());
    let background = cell
        .start(command(&format!("echo up; echo err >&2; sleep {mark}")))
        .await
        .unwrap();
    let up = || background.output(0) == b"up\nerr\n";
    for _ in 0..500 {
        if up() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(up() && background.exit().is_none());
    assert_eq!(background.output(3), b"err\n");
    assert_eq!(ok(&cell, "echo beside").await, "beside");
    assert!(is_running(&mark));
    background.kill().await;
    assert_eq!(background.exit(), Some(Exit::Killed));
    assert!(!is_running(&mark));

    let short = cell.start(command("exit 4")).await.unwrap();
    assert_eq!(short.wait().await, Exit::Code(4));
}

#[tokio::test]
async fn dropping_a_background_handle_leaves_the_command_and_closing_the_cell_does_not() {
    let world = World::new();
    let Some(cell) = open(world.spec()).await else {
        return;
    };
    let mark = format!("86400.{}5", std::process::id());
    drop(cell.start(command(&format!("sleep {mark}"))).await.unwrap());
    for _ in 0..500 {
        if is_running(&mark) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(is_running(&mark));
    let pending = cell.run(command(&format!("sleep {mark}")));
    let (finished, ()) = tokio::join!(pending, async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        cell.close().await;
    });
    assert_eq!(finished.unwrap().exit, Exit::Killed);
    assert!(!is_running(&mark));
    assert!(matches!(
        cell.run(command("true")).await,
        Err(SandboxError::Closed)
    ));
}

#[tokio::test]
async fn a_dropped_cell_takes_everything_with_it() {
    let world = World::new();
    let Some(cell) = open(world.spec()).await else {
        return;
    };
    let mark = format!("86400.{}6", std::process::id());
    let _background = cell.start(command(&format!("sleep {mark}"))).await.unwrap();
    eventually("it runs", || is_running(&mark));
    drop(cell);
    eventually("everything is dead", || !is_running(&mark));
}

/// Not a test of its own: the harness that the next test kills.
#[tokio::test]
async fn harness_to_be_killed() {
    let (Ok(mark), Ok(folder)) = (
        std::env::var("OVERNIGHT_TEST_MARK"),
        std::env::var("OVERNIGHT_TEST_FOLDER"),
    ) else {
        return;
    };
    let mut spec = World::new().spec();
    spec.workspace = folder.clone().into();
    spec.private = format!("{folder}/../private").into();
    let cell = linux().open_cell(spec).await.unwrap();
    let _background = cell
        .start(command(&format!("setsid sleep {mark} & sleep {mark}")))
        .await
        .unwrap();
    let _ = cell.run(command(&format!("sleep {mark}"))).await;
}

#[tokio::test]
async fn everything_dies_with_the_harness() {
    if sandbox().await.is_none() {
        return;
    }
    let world = World::new();
    let mark = format!("86400.{}7", std::process::id());
    let mut harness = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "harness_to_be_killed", "--nocapture"])
        .env("OVERNIGHT_TEST_MARK", &mark)
        .env("OVERNIGHT_TEST_FOLDER", world.path("workspace"))
        .spawn()
        .unwrap();
    eventually("the commands run", || is_running(&format!("sleep\0{mark}")));
    // `Child::kill` is SIGKILL: the harness has no chance to clean up.
    harness.kill().unwrap();
    harness.wait().unwrap();
    eventually("everything in the cell is dead", || !is_running(&mark));
}

#[tokio::test]
async fn many_commands_run_at_once() {
    let world = World::new();
    let Some(cell) = open(world.spec()).await else {
        return;
    };
    let runs: Vec<_> = (0..40)
        .map(|n| {
            cell.run(command(match n % 2 {
                0 => "sleep 0.1; echo even",
                _ => "echo odd",
            }))
        })
        .collect();
    let mut even = 0;
    for run in futures(runs).await {
        even += usize::from(text(&run.unwrap()) == "even");
    }
    assert_eq!(even, 20);
}

/// Runs futures together, in order of their results.
async fn futures<T>(all: Vec<impl Future<Output = T>>) -> Vec<T> {
    let mut all: Vec<_> = all.into_iter().map(Box::pin).collect();
    let mut done: Vec<Option<T>> = all.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        for (future, slot) in all.iter_mut().zip(&mut done) {
            if slot.is_none()
                && let std::task::Poll::Ready(value) = future.as_mut().poll(context)
            {
                *slot = Some(value);
            }
        }
        if done.iter().all(Option::is_some) {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    done.into_iter().flatten().collect()
}

#[tokio::test]
async fn a_command_is_talked_to_and_dies_with_its_handle_or_its_cell() {
    let world = World::new();
    let Some(cell) = open(world.spec()).await else {
        return;
    };
    common::conversation(&cell).await;
    let talk = cell
        .talk(command("sleep 4321 & cat"))
        .await
        .expect("it starts");
    talk.command.kill().await;
    assert_eq!(talk.command.exit(), Some(Exit::Killed));
    let left = cell.talk(command("cat")).await.expect("it starts");
    cell.close().await;
    assert_eq!(left.command.wait().await, Exit::Killed);
    assert!(matches!(
        cell.talk(command("cat")).await,
        Err(SandboxError::Closed)
    ));
}
