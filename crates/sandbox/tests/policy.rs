//! What a cell holds back and what it lets through: files, privileges, the environment.
#![cfg(target_os = "linux")]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use common::{World, command, exists, fails, ok, open, sandbox, text};
use overnight_ports::sandbox::{Cell, Exit, Layer, Network, SandboxError, WHOLE_WORKSPACE};
use overnight_sandbox::Host;

#[tokio::test]
async fn the_workspace_is_writable_and_nothing_else_of_the_host() {
    let world = World::new();
    let Some(cell) = open(world.spec()).await else {
        return;
    };
    ok(
        &cell,
        "echo made > made && mkdir -p a/b && mv made a/b/ && ln a/b/made linked && chmod +x linked",
    )
    .await;
    assert_eq!(world.read("workspace/a/b/made"), "made\n");
    for place in [
        "/",
        "/etc",
        "/usr",
        "/usr/bin",
        "/var",
        "/opt",
        "/workspace/..",
        "/run",
        "/dev",
        "/proc/sys/kernel",
    ] {
        fails(&cell, &format!("echo x > {place}/overnight-was-here")).await;
        fails(&cell, &format!("mkdir {place}/overnight-was-here")).await;
        assert!(
            !exists(&Path::new(place).join("overnight-was-here")),
            "{place}"
        );
    }
    fails(&cell, "echo x >> /etc/passwd").await;
    fails(&cell, "echo core > /proc/sys/kernel/core_pattern").await;
    fails(&cell, "rm -f /usr/bin/env || chmod 777 /usr/bin/env").await;
    assert_eq!(
        ok(
            &cell,
            "pwd; echo $HOME > ~/f && cat ~/f && echo t > /tmp/t && cat $TMPDIR/t"
        )
        .await
        .lines()
        .count(),
        3
    );
    assert_eq!(world.read("private/tmp/t"), "t\n");
    ok(&cell, "echo x > /dev/null; head -c 8 /dev/urandom | wc -c; : > /dev/shm/x; : < /dev/zero; ls -l /dev/fd/").await;
}

#[tokio::test]
async fn read_only_folders_stay_as_they_are() {
    let world = World::new();
    world.write("workspace/src/lib.rs", "old");
    world.write("workspace/deep/er/file", "old");
    world.write("workspace/single", "old");
    let mut spec = world.spec();
    spec.readonly = ["src", "deep/er", "single", "absent", "single/absent"]
        .map(str::to_owned)
        .to_vec();
    let Some(cell) = open(spec).await else { return };
    for script in [
        "echo new > src/lib.rs",
        "rm src/lib.rs",
        "touch src/other",
        "chmod 777 src/lib.rs",
        "mv src elsewhere",
        "rm -rf deep/er",
        "echo new > deep/er/file",
        "echo new > single",
        "mv single other",
        "mkdir x && ln src/lib.rs x/l && echo new > x/l",
    ] {
        fails(&cell, script).await;
    }
    ok(
        &cell,
        "cat src/lib.rs deep/er/file single; echo new > deep/new; echo new > free",
    )
    .await;
    for file in ["src/lib.rs", "deep/er/file", "single"] {
        assert_eq!(world.read(&format!("workspace/{file}")), "old", "{file}");
    }
}

#[tokio::test]
async fn homes_and_secrets_of_the_host_are_not_there() {
    let world = World::new();
    world.write("home/.ssh/id_rsa", "KEY");
    world.write("home/.aws/credentials", "KEY");
    world.write("home/.cargo/credentials.toml", "KEY");
    world.write("home/.npmrc", "KEY");
    world.write("home/notes", "KEY");
    world.write("hidden/journal", "KEY");
    world.write("workspace/.env", "KEY");
    let home = world.path("home");
    let host = Host::from_variables([
        ("HOME".to_owned(), home.display().to_string()),
        ("PATH".to_owned(), "/usr/bin:/bin".to_owned()),
    ]);
    let Some(sandbox) = sandbox().await else {
        return;
    };
    let mut spec = world.spec();
    spec.hidden.push(world.path("workspace/.env"));
    let cell = sandbox.for_host(host).open_cell(spec).await.unwrap();
    assert_eq!(ok(&cell, "find ~ -mindepth 1").await, "");
    assert_eq!(ok(&cell, "echo $HOME").await, home.display().to_string());
    for file in [
        "hidden/journal",
        "workspace/.env",
        "home/notes",
        "private/home",
    ] {
        fails(
            &cell,
            &format!("cat {0} || ls {0}", world.path(file).display()),
        )
        .await;
    }
    fails(&cell, "cat .env").await;
    fails(&cell, "cat /etc/shadow").await;
    assert_eq!(
        ok(
            &cell,
            "ls /root /home 2>/dev/null | grep -v : | tr -d '\\n'"
        )
        .await,
        ""
    );
    fails(&cell, "grep -r KEY / --include=id_rsa --include=journal -s").await;
}

#[tokio::test]
async fn a_folder_that_a_spec_hides_is_hidden_wherever_it_lies() {
    // Not in /tmp, which every cell has for itself.
    let Ok(dir) = tempfile::tempdir_in("/var/lib") else {
        eprintln!("SKIPPED: /var/lib is not writable for this user");
        return;
    };
    fs::create_dir(dir.path().join("state")).unwrap();
    fs::write(dir.path().join("state/journal"), "KEY").unwrap();
    fs::write(dir.path().join("open"), "open").unwrap();
    fs::set_permissions(
        dir.path(),
        std::os::unix::fs::PermissionsExt::from_mode(0o755),
    )
    .unwrap();
    let world = World::new();
    let mut spec = world.spec();
    spec.hidden.push(dir.path().join("state"));
    let Some(cell) = open(spec).await else { return };
    let dir = dir.path().display();
    assert_eq!(ok(&cell, &format!("cat {dir}/open")).await, "open");
    fails(&cell, &format!("cat {dir}/state/journal || ls {dir}/state")).await;
}

#[tokio::test]
async fn the_environment_is_built_from_nothing() {
    let world = World::new();
    // Cargo sets this one for its tests, so it stands for any variable of the caller's.
    let secret = std::env::var("CARGO_MANIFEST_DIR").unwrap();
    let mut spec = world.spec();
    spec.env = BTreeMap::from([("CI".to_owned(), "true".to_owned())]);
    let Some(cell) = open(spec).await else { return };
    let environment = ok(&cell, "env; cat /proc/self/environ | tr '\\0' '\\n'").await;
    assert!(
        !environment.contains(&secret) && environment.contains("CI=true"),
        "{environment}"
    );
    for name in [
        "PATH=",
        "HOME=",
        "USER=",
        "LANG=",
        "TMPDIR=/tmp",
        "SHELL=/bin/sh",
    ] {
        assert!(environment.contains(name), "{name} in {environment}");
    }
    fails(&cell, &format!("cat /proc/*/environ | grep -a {secret}")).await;
    let mut own = command("echo $CI $MORE");
    own.env = BTreeMap::from([
        ("CI".to_owned(), "no".to_owned()),
        ("MORE".to_owned(), "a b".to_owned()),
    ]);
    assert_eq!(text(&cell.run(own).await.unwrap()), "no a b");
}

#[tokio::test]
async fn links_lead_out_for_reading_only() {
    let world = World::new();
    symlink("/etc/passwd", world.path("workspace/users")).unwrap();
    symlink("/etc", world.path("workspace/config")).unwrap();
    symlink(world.path("hidden"), world.path("workspace/away")).unwrap();
    let Some(cell) = open(world.spec()).await else {
        return;
    };
    ok(&cell, "grep -q root users").await;
    fails(&cell, "echo x >> users").await;
    fails(&cell, "touch config/x").await;
    fails(&cell, "ls away/").await;
    fails(&cell, "touch away/x").await;
}

#[tokio::test]
async fn a_link_in_the_place_of_a_read_only_folder_or_a_layer_is_refused() {
    let world = World::new();
    world.write("layer/x", "x");
    symlink("/etc", world.path("workspace/src")).unwrap();
    let Some(sandbox) = sandbox().await else {
        return;
    };
    let mut spec = world.spec();
    spec.readonly = vec!["src".to_owned()];
    assert!(
        matches!(sandbox.open_cell(spec).await, Err(SandboxError::Open(why)) if why.contains("src"))
    );
    let mut spec = world.spec();
    spec.layers = vec![Layer {
        at: "src".to_owned(),
        from: world.path("layer"),
    }];
    assert!(
        matches!(sandbox.open_cell(spec).await, Err(SandboxError::Open(why)) if why.contains("src"))
    );
    let mut spec = world.spec();
    spec.readonly = vec!["../private".to_owned()];
    assert!(matches!(
        sandbox.open_cell(spec).await,
        Err(SandboxError::Open(_))
    ));
}

#[tokio::test]
async fn mounts_namespaces_and_privileges_are_out_of_reach() {
    let world = World::new();
    let Some(cell) = open(world.spec()).await else {
        return;
    };
    for script in [
        "umount /root || umount -l /home || umount /etc/shadow",
        "mount -o remount,rw /usr",
        "mount -o bind / /tmp",
        "mount -t tmpfs none /tmp",
        "mount -t proc proc /tmp",
        "unshare -Ur true",
        "unshare -Urm ls /root/.ssh",
        "unshare -m true",
        "unshare -p true",
        "nsenter -t 1 -m true",
        "chroot / true",
        "python3 -c 'import socket; socket.socket(40, 1)' || /usr/bin/python3 -c 'import socket; socket.socket(40, 1)'",
        "mknod /tmp/disk b 8 0",
        "dmesg",
        "hostname other",
        "kill -9 1 && sleep 1 && ! kill -0 1",
    ] {
        fails(&cell, script).await;
    }
    let status = ok(&cell, "cat /proc/self/status").await;
    for line in [
        "CapEff:\t0000000000000000",
        "CapBnd:\t0000000000000000",
        "NoNewPrivs:\t1",
        "Seccomp:\t2",
    ] {
        assert!(status.contains(line), "{line} in {status}");
    }
    // The shell, its first process and a pipe of two: no other process of the machine is to be seen.
    let seen: u32 = ok(&cell, "ls -d /proc/[0-9]* | wc -l")
        .await
        .parse()
        .unwrap();
    assert!(seen <= 5, "{seen} processes");
    // The first process keeps its one descriptor to itself, through which it tells how the command ended.
    for script in [
        "readlink /proc/1/fd/3",
        "echo E > /proc/1/fd/3",
        "cat /proc/1/environ",
        "cat /proc/1/mem",
        "ls /proc/1/root",
    ] {
        fails(&cell, script).await;
    }
}

#[tokio::test]
async fn a_command_has_three_descriptors() {
    let world = World::new();
    let Some(cell) = open(world.spec()).await else {
        return;
    };
    // The fourth is the listing's own.
    assert_eq!(ok(&cell, "exec ls -C /proc/self/fd").await, "0  1  2  3");
}

#[tokio::test]
async fn layers_and_caches_are_copied_on_write() {
    let world = World::new();
    world.write("setup/pkg/index.js", "old");
    world.write("home/.cargo/registry/crate", "old");
    world.write("home/.npm/_cacache/x", "old");
    let host = Host::from_variables([
        ("HOME".to_owned(), world.path("home").display().to_string()),
        ("PATH".to_owned(), "/usr/bin:/bin".to_owned()),
    ]);
    let Some(sandbox) = sandbox().await else {
        return;
    };
    let sandbox = sandbox.for_host(host);
    let mut spec = world.spec();
    spec.layers = vec![Layer {
        at: "app/node_modules".to_owned(),
        from: world.path("setup"),
    }];
    let cell = sandbox.open_cell(spec.clone()).await.unwrap();
    let script = "cat app/node_modules/pkg/index.js ~/.cargo/registry/crate ~/.npm/_cacache/x
        echo new > app/node_modules/pkg/index.js; echo new > app/node_modules/added
        echo new > ~/.cargo/registry/crate; rm ~/.npm/_cacache/x; echo kept > ~/.profile";
    assert_eq!(ok(&cell, script).await, "oldoldold");
    cell.close().await;
    assert_eq!(world.read("setup/pkg/index.js"), "old");
    assert!(!exists(&world.path("setup/added")));
    assert_eq!(world.read("home/.cargo/registry/crate"), "old");
    assert_eq!(world.read("home/.npm/_cacache/x"), "old");
    assert!(!exists(&world.path("home/.profile")));

    let again = sandbox.open_cell(spec.clone()).await.unwrap();
    assert_eq!(
        ok(
            &again,
            "cat app/node_modules/added ~/.cargo/registry/crate ~/.profile"
        )
        .await,
        "new\nnew\nkept"
    );
    again.close().await;

    let mut upon = spec;
    upon.base_layer = Some(upon.private);
    upon.private = world.path("private-2");
    upon.layers.clear();
    let upon = sandbox.open_cell(upon).await.unwrap();
    assert_eq!(ok(&upon, "cat ~/.cargo/registry/crate ~/.profile && rm ~/.profile && echo mine > ~/.cargo/registry/crate").await, "new\nkept");
    fails(&upon, "cat ~/.profile || ls ~/.npm/_cacache/x").await;
    upon.close().await;
    assert_eq!(world.read("private/home/.profile"), "kept\n");
}

/// What commands do to a workspace that is seen through another folder: everything that a program may do to its files.
const ALL_CHANGES: &str = "echo new > kept.txt; echo more >> deep/appended.txt; rm gone.txt; mv moved.txt deep/there.txt
    rm -r folder; mkdir folder; echo made > folder/made.txt; chmod +x run.sh; ln -sf kept.txt link; ln deep/appended.txt hard
    printf x > made.txt; rm swapped; mkdir swapped; touch swapped/in";

fn pristine(world: &World) {
    for (path, content) in [
        ("kept.txt", "old"),
        ("deep/appended.txt", "one\n"),
        ("gone.txt", "x"),
        ("moved.txt", "moved"),
        ("folder/old.txt", "x"),
        ("run.sh", "true"),
        ("swapped", "a file"),
    ] {
        world.write(&format!("pristine/{path}"), content);
    }
    symlink("gone.txt", world.path("pristine/link")).unwrap();
}

/// Every entry below a folder with what it holds, and when its inode was changed last.
fn state(at: &Path) -> Vec<(String, String, i64, i64)> {
    use std::os::unix::fs::MetadataExt;
    let mut all = Vec::new();
    for entry in fs::read_dir(at).unwrap().flatten() {
        let (path, meta) = (entry.path(), entry.metadata().unwrap());
        let content = match meta.file_type() {
            kind if kind.is_dir() => {
                all.extend(state(&path));
                String::new()
            }
            kind if kind.is_symlink() => fs::read_link(&path).unwrap().display().to_string(),
            _ => fs::read_to_string(&path).unwrap(),
        };
        let name = path.display().to_string();
        all.push((name, content, meta.ctime(), meta.ctime_nsec()));
    }
    all.sort();
    all
}

#[tokio::test]
async fn a_workspace_over_another_folder_leaves_that_folder_untouched() {
    let world = World::new();
    pristine(&world);
    let before = state(&world.path("pristine"));
    let mut spec = world.spec();
    spec.inside = "/checkout-1".into();
    spec.layers = vec![
        Layer {
            at: WHOLE_WORKSPACE.to_owned(),
            from: world.path("pristine"),
        },
        Layer {
            at: "deep/node_modules".to_owned(),
            from: world.path("hidden"),
        },
    ];
    let Some(cell) = open(spec.clone()).await else {
        return;
    };
    assert_eq!(
        ok(&cell, "cat kept.txt swapped; ls deep").await,
        "olda fileappended.txt\nnode_modules"
    );
    ok(&cell, ALL_CHANGES).await;
    let seen = ok(
        &cell,
        "cat kept.txt hard deep/there.txt folder/made.txt; test -x run.sh; cat link; ls; ls swapped folder; test ! -e gone.txt",
    )
    .await;
    assert_eq!(
        seen,
        "new\none\nmore\nmovedmade\nnew\ndeep\nfolder\nhard\nkept.txt\nlink\nmade.txt\nrun.sh\nswapped\nfolder:\nmade.txt\n\nswapped:\nin"
    );
    // The folder below cannot be reached by any other name either.
    fails(
        &cell,
        &format!("cat {}/kept.txt", world.path("pristine").display()),
    )
    .await;
    fails(&cell, "for p in /proc/[0-9]*; do cat $p/root/tmp/*/pristine/kept.txt 2>/dev/null && exit 0; done; false").await;
    cell.close().await;
    assert_eq!(state(&world.path("pristine")), before);
    assert_eq!(world.read("workspace/made.txt"), "x");

    // The same again upon what the first cell wrote.
    let again = open(spec).await.unwrap();
    assert_eq!(
        ok(&again, "cat kept.txt folder/made.txt").await,
        "new\nmade"
    );
    again.close().await;
    assert_eq!(state(&world.path("pristine")), before);
}

#[tokio::test]
async fn two_cells_over_one_folder_do_not_see_each_other() {
    let (world, other) = (World::new(), World::new());
    pristine(&world);
    let below = vec![Layer {
        at: WHOLE_WORKSPACE.to_owned(),
        from: world.path("pristine"),
    }];
    let (mut one, mut two) = (world.spec(), other.spec());
    one.layers = below.clone();
    two.layers = below;
    let Some(one) = open(one).await else { return };
    let two = open(two).await.unwrap();
    ok(&one, "echo one > kept.txt; rm gone.txt").await;
    assert_eq!(ok(&two, "cat kept.txt gone.txt").await, "oldx");
    one.close().await;
    two.close().await;
}

#[tokio::test]
async fn configuration_of_package_managers_is_for_the_host_network_alone() {
    let world = World::new();
    world.write("home/.npmrc", "registry=KEY");
    world.write("home/.cargo/config.toml", "[net]\nretry = 3\n");
    let host = Host::from_variables([
        ("HOME".to_owned(), world.path("home").display().to_string()),
        ("PATH".to_owned(), "/usr/bin:/bin".to_owned()),
        ("PIP_INDEX_URL".to_owned(), "https://pip.example".to_owned()),
        ("API_KEY".to_owned(), "s3cret".to_owned()),
    ]);
    let Some(sandbox) = sandbox().await else {
        return;
    };
    let sandbox = sandbox.for_host(host);
    let mut spec = world.spec();
    spec.network = Network::Host;
    let setup = sandbox.open_cell(spec.clone()).await.unwrap();
    assert_eq!(
        ok(&setup, "cat ~/.npmrc; echo; echo $PIP_INDEX_URL $API_KEY").await,
        "registry=KEY\nhttps://pip.example"
    );
    fails(&setup, "echo x > ~/.npmrc").await;
    setup.close().await;

    spec.network = Network::Loopback;
    let work = sandbox.open_cell(spec).await.unwrap();
    fails(&work, "cat ~/.npmrc").await;
    assert_eq!(
        ok(&work, "echo $PIP_INDEX_URL; cat ~/.cargo/config.toml").await,
        "\n[net]\nretry = 3"
    );
}

#[tokio::test]
async fn two_cells_at_once_do_not_see_each_other() {
    let (one, two) = (World::new(), World::new());
    let Some(first) = open(one.spec()).await else {
        return;
    };
    let Some(second) = open(two.spec()).await else {
        return;
    };
    ok(&first, "echo one > f; echo one > /tmp/f; echo one > ~/f").await;
    fails(&second, "cat f || cat /tmp/f || cat ~/f").await;
    let (a, b) = tokio::join!(
        first.run(command("sleep 0.2; cat f")),
        second.run(command("sleep 0.2; ls | wc -l"))
    );
    assert_eq!(
        (text(&a.unwrap()), text(&b.unwrap())),
        ("one".to_owned(), "0".to_owned())
    );
}

#[tokio::test]
async fn tools_of_this_machine_run_inside() {
    let world = World::new();
    let Some(cell) = open(world.spec()).await else {
        return;
    };
    for (tool, script) in [
        (
            "git",
            "git init -q . && git -c user.name=a -c user.email=a@b commit -q --allow-empty -m x && git log --oneline",
        ),
        (
            "python3",
            "python3 -c 'import threading, subprocess, ssl; t = threading.Thread(target=print); t.start(); t.join(); subprocess.run([\"true\"], check=True)'",
        ),
        (
            "node",
            "node -e 'require(\"os\").cpus(); new (require(\"worker_threads\").Worker)(\"0\", {eval: true}); require(\"child_process\").execSync(\"true\")'",
        ),
        ("npm", "npm --version"),
        ("cargo", "cargo --version && rustc --version"),
        (
            "cargo",
            "cargo init -q --vcs none --name hello hello && cd hello && cargo build -q --offline && ./target/debug/hello",
        ),
        (
            "gcc",
            "echo 'int main(){return 0;}' > a.c && gcc -o a a.c && ./a",
        ),
        (
            "tar",
            "mkdir -p d && echo x > d/f && tar --owner=12345 --group=12345 -cf d.tar d && rm -r d && tar xf d.tar && cat d/f",
        ),
    ] {
        let there = std::process::Command::new("sh")
            .args(["-c", &format!("command -v {tool}")])
            .output()
            .unwrap();
        if there.status.success() {
            ok(&cell, script).await;
        } else {
            eprintln!("SKIPPED: no {tool} on this machine");
        }
    }
}

#[tokio::test]
async fn what_cannot_be_opened_says_why() {
    let world = World::new();
    let Some(sandbox) = sandbox().await else {
        return;
    };
    let mut spec = world.spec();
    spec.workspace = world.path("absent");
    assert!(
        matches!(sandbox.open_cell(spec).await, Err(SandboxError::Open(why)) if why.contains("absent"))
    );
    let mut spec = world.spec();
    spec.hidden = vec!["/usr".into()];
    assert!(
        matches!(sandbox.open_cell(spec).await, Err(SandboxError::Open(why)) if why.contains("/usr"))
    );
    let cell = sandbox.open_cell(world.spec()).await.unwrap();
    for dir in ["absent", "../..", "/etc"] {
        let mut elsewhere = command("true");
        elsewhere.dir = dir.to_owned();
        assert!(
            matches!(cell.run(elsewhere).await, Err(SandboxError::NoDirectory(named)) if named == dir)
        );
    }
    assert_eq!(
        cell.run(command("exit 7")).await.unwrap().exit,
        Exit::Code(7)
    );
}

#[tokio::test]
async fn the_probe_opens_a_cell() {
    let Some(sandbox) = sandbox().await else {
        return;
    };
    let described = sandbox.probe().await.unwrap();
    assert!(
        described.starts_with("namespaces+landlock(") && described.ends_with(")+seccomp"),
        "{described}"
    );
}

#[tokio::test]
async fn the_hosts_device_nodes_can_be_written_to_and_not_be_changed() {
    let world = World::new();
    let Some(cell) = open(world.spec()).await else {
        return;
    };
    fails(&cell, "chmod 600 /dev/null").await;
    fails(&cell, "touch -d 2001-01-01 /dev/zero").await;
    ok(
        &cell,
        "echo x > /dev/null && head -c 4 /dev/urandom > /dev/null",
    )
    .await;
}
