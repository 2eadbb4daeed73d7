//! The crew on real repositories: workspaces, cells, merges, replays.

use std::process::Command as Process;

use overnight_core::event::{Created, Event, Fact};
use overnight_core::goal::Goal;
use overnight_core::ids::{BlobId, RunId};
use overnight_core::item::Extent;
use overnight_core::repo::Base;
use overnight_core::step::begin;
use overnight_core::worklist::{ItemWork, Tip};
use overnight_models::scripted::{Script, ScriptedModel};
use overnight_ports::crew::Commit;
use overnight_ports::sandbox::Level;
use overnight_ports::site::Site;
use overnight_sandbox::OpenSandbox;

use super::super::trees::GitTrees;
use super::super::{CheckoutOptions, RunCheckouts, Setup, connector};
use super::*;
use crate::clock::SystemClock;

#[derive(Default)]
struct Blobs(Mutex<BTreeMap<BlobId, Vec<u8>>>);

impl BlobSink for Blobs {
    fn put(&self, content: &[u8]) -> std::io::Result<BlobId> {
        let id = BlobId::of(content);
        self.0.lock().unwrap().insert(id.clone(), content.to_vec());
        Ok(id)
    }
    fn get(&self, id: &BlobId) -> std::io::Result<Vec<u8>> {
        let found = self.0.lock().unwrap().get(id).cloned();
        found.ok_or_else(|| std::io::Error::other("no such blob"))
    }
}

const GOAL: &str = "---
outcome: The list is dealt with.
items: {from: command, run: ./list.sh, outcomes: [fixed, diagnosed], replay: ./replay.sh}
keep: {paths: ['migrations/**']}
use: {network: [example.org], setup: 'mkdir made && echo made > made/f'}
---
Go.
";

/// A repository, a run in it, and all that its items need.
struct World {
    temp: tempfile::TempDir,
    run: State,
    site: Arc<Worksite>,
    crew: GitCrew,
    trees: GitTrees,
    replayer: CellReplayer,
}

fn git(dir: &Path, args: &[&str]) {
    let done = Process::new("git")
        .args(["-c", "user.name=A", "-c", "user.email=a@b.c"])
        .args(args)
        .current_dir(dir)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .status()
        .unwrap();
    assert!(done.success(), "{args:?}");
}

fn state(goal: &Goal) -> State {
    let created = Created {
        version: overnight_core::event::EVENT_VERSION,
        run: RunId::from("0190000000007000800000001a2b3c4d"),
        goal: goal.clone(),
        goal_file: BlobId::default(),
        goal_name: "goal.md".into(),
        model: "scripted/x".into(),
        scripted: true,
        price: None,
        sandbox: String::new(),
        repo: Some("repo".into()),
        notify: Vec::new(),
        hidden: Default::default(),
        overnight: String::new(),
    };
    begin(&Event::run(0, Fact::RunCreated(Box::new(created)))).unwrap()
}

impl World {
    async fn new(files: &[(&str, &str)]) -> World {
        let temp = tempfile::tempdir().unwrap();
        let (repo, home) = (temp.path().join("repo"), temp.path().join("home"));
        let run_dir = home.join("runs/r");
        std::fs::create_dir_all(&repo).unwrap();
        std::fs::create_dir_all(&run_dir).unwrap();
        for (path, content) in files {
            let path = repo.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, content).unwrap();
            if content.starts_with("#!") {
                use std::os::unix::fs::PermissionsExt;
                let mode = std::fs::Permissions::from_mode(0o755);
                std::fs::set_permissions(&path, mode).unwrap();
            }
        }
        git(&repo, &["init", "-q", "-b", "main"]);
        git(&repo, &["add", "-A"]);
        git(&repo, &["commit", "-qm", "Start"]);
        let goal = crate::goalfile::loaded("goal.md", GOAL).unwrap().goal;
        // A cell needs the program itself beside it, which a unit test is not; what a cell may do is asked of its policy.
        let sandbox: Arc<dyn Sandbox> = Arc::new(OpenSandbox::new());
        let unreadable = super::super::hidden(&home, &repo, &goal);
        let setup = Arc::new(Setup::new(&home, &goal, sandbox.clone()));
        let ground = GitGround::new(repo, run_dir.clone(), unreadable.clone(), setup.clone());
        let blobs = Arc::new(Blobs::default());
        let connector = connector(&goal).unwrap();
        let site = Worksite::new(Arc::new(ground.clone()), sandbox.clone(), blobs.clone());
        let site = Arc::new(site.with_servers(connector.clone()));
        let script = Script::parse("turns: [{say: x}]", Path::new("x")).unwrap();
        let model = Arc::new(ScriptedModel::new("scripted/x", script));
        let executor = BuiltIn::new(model, site.clone(), Arc::new(SystemClock), GOAL.into());
        let options = CheckoutOptions {
            unreadable,
            hosts: Vec::new(),
            level: sandbox.level(),
            hidden: Default::default(),
        };
        let checkouts = Arc::new(RunCheckouts::new(&run_dir, setup, options));
        let verifier = Arc::new(CheckoutVerifier::new(sandbox.clone(), checkouts));
        let crew = GitCrew::new(CrewParts {
            run_dir: run_dir.clone(),
            ground,
            sandbox,
            blobs,
            connector,
            executor: Arc::new(executor),
        });
        let mut run = state(&goal);
        run.base = Some(site.prepare(&run).await.unwrap());
        World {
            trees: GitTrees::new(&run_dir),
            replayer: CellReplayer::new("./replay.sh".into(), verifier, &run_dir),
            temp,
            run,
            site,
            crew,
        }
    }

    fn base(&self) -> &Base {
        self.run.base.as_ref().unwrap()
    }

    fn items(&self) -> PathBuf {
        self.temp.path().join("home/runs/r/items")
    }

    /// The small machine of an item, that starts from the base.
    fn child(&self, index: u32) -> State {
        let mut child = state(&self.run.goal);
        child.goal.items = None;
        // As the preflight finds out.
        child.artefacts = vec!["made/".to_owned()];
        let mut work = ItemWork {
            start: Tip {
                commit: self.base().commit.clone(),
                tree: self.base().tree.clone(),
                ..Tip::default()
            },
            ..ItemWork::default()
        };
        work.head.index = index;
        work.head.id = format!("E-{index}").as_str().into();
        child.item = Some(Box::new(work));
        child
    }
}

fn head(child: &State) -> ItemHead {
    child.item.as_ref().unwrap().head.clone()
}

/// A call of the shell on behalf of an item; what it printed.
async fn shell(member: &Member, child: &State, command: &str) -> String {
    let call = overnight_core::turn::Call {
        id: "c".into(),
        name: "shell".into(),
        arguments: serde_json::json!({"command": command, "timeout_s": 60}).to_string(),
    };
    member.executor.call(child, 0, &call, false).await.shown
}

#[tokio::test]
async fn items_are_worked_on_side_by_side_merged_and_removed() {
    let world = World::new(&[
        (
            "a.py",
            "def f():\n    return 1\n\n\ndef g():\n    return 1\n",
        ),
        ("migrations/1.sql", "x\n"),
        ("test_a.py", "def test_a():\n    pass\n"),
    ])
    .await;
    let (one, two) = (world.child(0), world.child(1));
    let members = [
        world.crew.member(&head(&one)),
        world.crew.member(&head(&two)),
    ];
    for (member, child) in members.iter().zip([&one, &two]) {
        let base = member.site.prepare(child).await.unwrap();
        assert_eq!(base.tree, world.base().tree);
        assert_eq!(member.site.offer(child).await.unwrap(), None);
    }
    // The setup's files are there, the kept ones are put back, and no sibling can be seen.
    let printed = shell(
        &members[0],
        &one,
        "cat made/f; sed -i 's/return 1/return 2/;' a.py; echo y >> migrations/1.sql; ls /; cat /proc/net/route | wc -l; true",
    )
    .await;
    assert!(printed.starts_with("made\n"), "{printed}");
    shell(
        &members[1],
        &two,
        "sed -i '6s/1/3/' a.py && echo 'def test_b(): pass' >> test_a.py",
    )
    .await;
    let fixed_one = members[0].site.fix(&one).await.unwrap().candidate;
    let fixed_two = members[1].site.fix(&two).await.unwrap().candidate;
    let paths = |candidate: &overnight_core::repo::Candidate| -> Vec<String> {
        candidate.changes.iter().map(|c| c.path.clone()).collect()
    };
    assert_eq!(paths(&fixed_one), ["a.py"]);
    assert_eq!(paths(&fixed_two), ["a.py", "test_a.py"]);
    let base = world.base().tree.clone();
    let extent = |candidate| world.trees.extent(&base, candidate);
    let size = |functions, lines| Extent {
        functions: Some(functions),
        lines,
        files: 1,
    };
    assert_eq!(
        extent(&fixed_one).await.unwrap(),
        size(2, 4),
        "sed takes every line"
    );
    assert_eq!(extent(&fixed_two).await.unwrap(), size(1, 2));
    // The first is a commit; the second goes onto it, and conflicts in `g`.
    let commit = Commit {
        parent: world.base().commit.clone(),
        tree: fixed_one.tree.clone(),
        message: "One".into(),
        identity: "A <a@b.c>".into(),
        at_s: 1,
    };
    let made = world.trees.commit(&commit).await.unwrap();
    assert_eq!(world.trees.commit(&commit).await.unwrap(), made);
    let moved = world
        .trees
        .rebase(&base, &fixed_two.tree, &fixed_one.tree)
        .await
        .unwrap();
    assert_eq!(moved.conflicts, ["a.py"]);
    assert_eq!(paths(&moved.candidate), ["a.py", "test_a.py"]);
    let compared = world
        .trees
        .compare(&fixed_one.tree, &moved.candidate.tree)
        .await
        .unwrap();
    assert_eq!(compared, moved.candidate);
    // It is sent back: the same member, a workspace made anew.
    let mut again = two.clone();
    if let Some(work) = &mut again.item {
        work.start = Tip {
            commit: made,
            tree: fixed_one.tree.clone(),
            ..Tip::default()
        };
        work.laid = Some(moved.candidate.tree.clone());
        work.round = 1;
    }
    let member = world.crew.member(&head(&again));
    member.site.prepare(&again).await.unwrap();
    let seen = shell(&member, &again, "cat a.py").await;
    assert!(
        seen.contains("<<<<<<< integrated\n    return 2\n"),
        "{seen}"
    );
    shell(
        &member,
        &again,
        "printf 'def f():\\n    return 2\\n\\n\\ndef g():\\n    return 3\\n' > a.py",
    )
    .await;
    let fixed = member.site.fix(&again).await.unwrap().candidate;
    assert_eq!(paths(&fixed), ["a.py", "test_a.py"]);
    assert_eq!(fixed.changes[0].added, 1, "against what was integrated");
    let faults = |text: &'static str| world.trees.citations(&fixed.tree, text);
    assert!(faults("It is a.py:6.").await.unwrap().is_empty());
    assert_eq!(
        faults("It is a.py:7.").await.unwrap(),
        ["`a.py:7`: the file has 6 lines"]
    );
    // Everything of an item is gone when it is dismissed, and the run's own workspace saw nothing.
    world.crew.dismiss(&head(&two).id).await;
    let names = || {
        let entries = std::fs::read_dir(world.items()).unwrap();
        let names = entries.map(|e| e.unwrap().file_name().into_string().unwrap());
        names
            .filter(|name| !name.starts_with('.'))
            .collect::<Vec<_>>()
    };
    assert_eq!(names(), ["0-0"]);
    world.crew.dismiss(&head(&one).id).await;
    assert!(names().is_empty());
    assert!(
        world
            .site
            .fix(&world.run)
            .await
            .unwrap()
            .candidate
            .changes
            .is_empty()
    );
}

#[tokio::test]
async fn an_items_cell_has_no_network_whatever_the_goal_says() {
    use overnight_agent::Ground;
    use overnight_ports::sandbox::Network;

    let world = World::new(&[("a", "1\n")]).await;
    let ground = world.crew.parts.ground.clone();
    let item = ground.item(0, world.crew.remover.clone());
    let (child, run) = (world.child(0), world.run.clone());
    let prepared = move || (item.prepare(&child), ground.reopen(&run));
    let (item, run) = tokio::task::spawn_blocking(prepared).await.unwrap();
    let (item, run) = (item.unwrap().cell, run.unwrap().cell);
    assert_eq!(item.network, Network::Loopback);
    assert_eq!(run.network, Network::Hosts(vec!["example.org".into()]));
    // Two cells that may be open at once share nothing that one of them can write to.
    assert!(item.private.starts_with(world.items().join("0-0")));
    assert!(item.workspace.starts_with(world.items().join("0-0")));
    assert_ne!(item.private, run.private);
    assert_eq!((&item.readonly, &item.hidden), (&run.readonly, &run.hidden));
    assert!(item.hidden.contains(&world.temp.path().join("home")));
}

#[tokio::test]
async fn a_restart_takes_an_item_up_where_its_journal_ends() {
    let world = World::new(&[("a", "1\n")]).await;
    let child = world.child(3);
    let member = world.crew.member(&head(&child));
    member.site.prepare(&child).await.unwrap();
    let call = overnight_core::turn::Call {
        id: "c".into(),
        name: "shell".into(),
        arguments: serde_json::json!({"command": "echo 2 > a"}).to_string(),
    };
    let result = member.executor.call(&child, 0, &call, false).await;
    shell(&member, &child, "echo lost > b").await;
    member.site.close().await;
    // Another process: no member is known, the workspace is there.
    world.crew.members().clear();
    let member = world.crew.member(&head(&child));
    member
        .site
        .reopen(&child, &[result.delta.unwrap()])
        .await
        .unwrap();
    let again = overnight_core::turn::Call {
        arguments: serde_json::json!({"command": "cat a; ls"}).to_string(),
        ..call
    };
    let seen = member.executor.call(&child, 0, &again, true).await.shown;
    assert!(
        seen.starts_with("2\na\n") && !seen.contains("\nb\n"),
        "{seen}"
    );
    assert_eq!(
        member
            .site
            .fix(&child)
            .await
            .unwrap()
            .candidate
            .changes
            .len(),
        1
    );
}

#[tokio::test]
async fn a_replay_gets_the_event_and_says_whether_the_error_is_there() {
    let world = World::new(&[
        ("state", "broken\n"),
        (
            "replay.sh",
            "#!/bin/sh\ngrep -q '\"type\":\"KeyError\"' || exit 126\ngrep -q mended state\n",
        ),
    ])
    .await;
    std::fs::write(world.temp.path().join("repo/state"), "mended\n").unwrap();
    let child = world.child(0);
    let member = world.crew.member(&head(&child));
    member.site.prepare(&child).await.unwrap();
    let broken = member.site.fix(&child).await.unwrap().candidate.tree;
    shell(&member, &child, "echo mended > state").await;
    let mended = member.site.fix(&child).await.unwrap().candidate.tree;
    // Whoever changes what judges the error has mended nothing.
    shell(
        &member,
        &child,
        "echo broken > state; printf '#!/bin/sh\\nexit 0\\n' > replay.sh",
    )
    .await;
    let cheated = member.site.fix(&child).await.unwrap().candidate.tree;
    assert_ne!(cheated, broken);
    let dossier = Dossier {
        event: Some(serde_json::json!({"type": "KeyError"})),
        ..Dossier::default()
    };
    let replay = |tree: TreeId, dossier: Dossier| {
        let world = &world;
        async move { world.replayer.replay(&world.run, &tree, &dossier).await }
    };
    assert_eq!(
        replay(broken.clone(), dossier.clone()).await,
        Replayed::Fails
    );
    assert_eq!(
        replay(mended.clone(), dossier.clone()).await,
        Replayed::Passes
    );
    assert_eq!(replay(cheated, dossier.clone()).await, Replayed::Fails);
    // No event, another event than the command knows, and a command that cannot be run say nothing.
    assert_eq!(
        replay(mended.clone(), Dossier::default()).await,
        Replayed::CannotTell
    );
    let other = Dossier {
        event: Some(serde_json::json!(1)),
        ..Dossier::default()
    };
    assert_eq!(replay(mended, other).await, Replayed::CannotTell);
    assert_eq!(
        replay(world.base().tree.clone(), dossier.clone()).await,
        Replayed::Fails
    );
    assert_eq!(
        replay(TreeId::from("0000"), dossier).await,
        Replayed::CannotTell
    );
    assert_eq!(said(Exit::Signal(11)), Replayed::Fails);
    assert_eq!(said(Exit::TimedOut), Replayed::CannotTell);
}

#[tokio::test]
async fn several_checkouts_are_made_at_once_and_each_is_of_its_tree() {
    let world = World::new(&[("state", "0\n"), ("other", "x\n")]).await;
    let mut trees = Vec::new();
    for index in 0..4 {
        let child = world.child(index);
        let member = world.crew.member(&head(&child));
        member.site.prepare(&child).await.unwrap();
        shell(
            &member,
            &child,
            &format!("echo {index} > state; echo x > new-{index}"),
        )
        .await;
        trees.push(member.site.fix(&child).await.unwrap().candidate.tree);
    }
    // As in a sandbox: views of checkouts that nobody writes to, which are turned from one tree to the next.
    let options = CheckoutOptions {
        unreadable: Vec::new(),
        hosts: Vec::new(),
        level: Level::Full,
        hidden: Default::default(),
    };
    let (home, run_dir) = (world.temp.path().join("home"), &world.crew.parts.run_dir);
    let setup = Setup::new(&home, &world.run.goal, Arc::new(OpenSandbox::new()));
    let views = Arc::new(RunCheckouts::new(run_dir, Arc::new(setup), options));
    let mut making = tokio::task::JoinSet::new();
    for _ in 0..4 {
        for (index, tree) in trees.iter().cloned().enumerate() {
            let views = views.clone();
            making.spawn_blocking(move || {
                use overnight_checks::observe::Checkouts;
                let made = views.make(&tree).unwrap();
                let read = |path: &str| std::fs::read_to_string(made.dir.join(path)).unwrap();
                for _ in 0..20 {
                    assert_eq!(read("state"), format!("{index}\n"));
                    assert_eq!(read(&format!("new-{index}")), "x\n");
                    std::thread::sleep(Duration::from_millis(2));
                }
                views.discard(&made);
            });
        }
    }
    while let Some(done) = making.join_next().await {
        done.unwrap();
    }
    // A run has one maker of checkouts: what this one removes must not be another's.
    drop(views);
    let mut jobs = tokio::task::JoinSet::new();
    for round in 0..3 {
        for (index, tree) in trees.iter().cloned().enumerate() {
            let verifier = world.replayer.verifier.clone();
            jobs.spawn(async move {
                let command = Command {
                    script: format!("cat state; ls new-*; echo {round} >> state; cat"),
                    dir: String::new(),
                    env: BTreeMap::new(),
                    timeout: Duration::from_secs(60),
                    stdin: Some(b"in\n".to_vec()),
                    streams: Streams::Merged,
                };
                let done = verifier.run(&tree, command).await.unwrap();
                assert_eq!(
                    String::from_utf8_lossy(&done.stdout),
                    format!("{index}\nnew-{index}\nin\n")
                );
            });
        }
    }
    while let Some(done) = jobs.join_next().await {
        done.unwrap();
    }
}
