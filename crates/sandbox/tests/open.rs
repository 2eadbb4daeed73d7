//! The sandbox that is none: commands run, end, are bounded and killed, as far as process groups go.

mod common;

use common::{World, command, exists, fails, ok, text};
use overnight_ports::sandbox::{
    Cell, Exit, Layer, Level, Sandbox, SandboxError, Streams, WHOLE_WORKSPACE,
};
use overnight_sandbox::OpenSandbox;

async fn open(world: &World) -> Box<dyn Cell> {
    let sandbox = OpenSandbox::new();
    assert_eq!(sandbox.level(), Level::None);
    let mut spec = world.spec();
    world.write("layer/x", "old");
    spec.layers = vec![Layer {
        at: "deps".to_owned(),
        from: world.path("layer"),
    }];
    spec.env.insert("CI".to_owned(), "true".to_owned());
    sandbox.open(spec).await.unwrap()
}

#[tokio::test]
async fn a_layer_that_is_the_whole_workspace_is_copied_once() {
    let world = World::new();
    world.write("pristine/a/f", "old");
    let mut spec = world.spec();
    spec.layers = vec![Layer {
        at: WHOLE_WORKSPACE.to_owned(),
        from: world.path("pristine"),
    }];
    let sandbox = OpenSandbox::new();
    let cell = sandbox.open(spec.clone()).await.unwrap();
    assert_eq!(ok(&*cell, "cat a/f; echo new > a/f").await, "old");
    cell.close().await;
    assert_eq!(world.read("pristine/a/f"), "old");
    let cell = sandbox.open(spec).await.unwrap();
    assert_eq!(ok(&*cell, "cat a/f").await, "new");
}

#[tokio::test]
async fn commands_run_in_the_workspace_with_their_own_environment() {
    let world = World::new();
    let cell = open(&world).await;
    assert_eq!(cell.root(), world.path("workspace").canonicalize().unwrap());
    assert_eq!(
        ok(&*cell, "echo x > f; echo $CI; echo new > deps/x").await,
        "true"
    );
    assert_eq!(
        (world.read("workspace/f"), world.read("layer/x")),
        ("x\n".to_owned(), "old".to_owned())
    );
    assert!(!ok(&*cell, "env").await.contains("CARGO_MANIFEST_DIR"));
    fails(&*cell, "exit 3").await;
    let mut apart = command("cat; echo e >&2; kill -9 $$");
    apart.streams = Streams::Split;
    apart.stdin = Some(b"in".to_vec());
    let finished = cell.run(apart).await.unwrap();
    assert_eq!(
        (
            text(&finished).as_str(),
            finished.stderr.as_slice(),
            finished.exit
        ),
        ("in", b"e\n".as_slice(), Exit::Signal(9))
    );
    let mut away = command("true");
    away.dir = "..".to_owned();
    assert!(matches!(
        cell.run(away).await,
        Err(SandboxError::NoDirectory(_))
    ));
    assert!(exists(&world.path("private/tmp")));
}

// It looks for survivors in /proc.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_limit_and_the_end_of_the_cell_kill() {
    use std::time::Duration;

    use common::{eventually, is_running};

    let world = World::new();
    let cell = open(&world).await;
    let mark = format!("86401.{}", std::process::id());
    let mut slow = command(&format!("sleep {mark} & sleep {mark}"));
    slow.timeout = Duration::from_millis(200);
    assert_eq!(cell.run(slow).await.unwrap().exit, Exit::TimedOut);
    assert!(!is_running(&mark));
    let background = cell
        .start(command(&format!("echo up; sleep {mark}")))
        .await
        .unwrap();
    let killed = cell.start(command(&format!("sleep {mark}"))).await.unwrap();
    killed.kill().await;
    assert_eq!(killed.exit(), Some(Exit::Signal(9)));
    for _ in 0..1000 {
        if background.output(0) == b"up\n" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(background.exit().is_none());
    cell.close().await;
    assert_eq!(background.wait().await, Exit::Killed);
    assert_eq!(background.output(0), b"up\n");
    eventually("nothing is left", || !is_running(&mark));
    assert!(matches!(
        cell.run(command("true")).await,
        Err(SandboxError::Closed)
    ));
}

#[tokio::test]
async fn a_command_is_talked_to() {
    let world = World::new();
    let cell = open(&world).await;
    common::conversation(&*cell).await;
    let talk = cell.talk(command("cat")).await.expect("it starts");
    cell.close().await;
    assert!(matches!(
        talk.command.wait().await,
        Exit::Killed | Exit::Signal(9)
    ));
}
