//! What a cell reaches over the network.
#![cfg(target_os = "linux")]

mod common;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

use common::{World, command, fails, ok, open};
use overnight_ports::sandbox::{Cell, Network};
use overnight_sandbox::Denied;

/// A service of the host that answers everything with the same HTTP response; its port.
fn service() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            thread::spawn(move || {
                let mut request = [0; 4096];
                let _ = client.read(&mut request);
                let _ = client.write_all(
                    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello",
                );
            });
        }
    });
    port
}

const GET: &str =
    "import sys, urllib.request as u; print(u.urlopen(sys.argv[1], timeout=10).read().decode())";

fn get(url: &str) -> String {
    format!("python3 -c '{GET}' {url}")
}

#[tokio::test]
async fn without_a_list_nothing_of_the_host_is_reached() {
    let world = World::new();
    let Some(cell) = open(world.spec()).await else {
        return;
    };
    let port = service();
    let seen = fails(&cell, &get(&format!("http://127.0.0.1:{port}"))).await;
    assert!(seen.contains("refused"), "{seen}");
    fails(&cell, &get("http://93.184.216.34/")).await;
    assert_eq!(ok(&cell, "ls /sys/class/net").await, "lo");
}

#[tokio::test]
async fn a_server_of_one_command_is_seen_by_another() {
    let world = World::new();
    world.write("workspace/file", "from the workspace");
    let Some(cell) = open(world.spec()).await else {
        return;
    };
    let server = cell
        .start(command("python3 -m http.server --bind 127.0.0.1 8123"))
        .await
        .unwrap();
    let script = format!(
        "for i in 1 2 3 4 5 6 7 8 9 10; do {} && exit 0; sleep 0.3; done; exit 1",
        get("http://localhost:8123/file")
    );
    let seen = ok(&cell, &script).await;
    assert!(
        seen.ends_with("from the workspace"),
        "{seen}\n{}",
        String::from_utf8_lossy(&server.output(0))
    );
}

#[tokio::test]
async fn a_named_port_of_the_host_is_seen_at_its_address() {
    let world = World::new();
    let (named, other) = (service(), service());
    let mut spec = world.spec();
    spec.network = Network::Hosts(vec![format!("localhost:{named}")]);
    let Some(cell) = open(spec).await else { return };
    assert_eq!(
        ok(&cell, &get(&format!("http://127.0.0.1:{named}"))).await,
        "hello"
    );
    assert_eq!(
        ok(&cell, &get(&format!("http://localhost:{named}"))).await,
        "hello"
    );
    fails(&cell, &get(&format!("http://127.0.0.1:{other}"))).await;
}

#[tokio::test]
async fn the_proxy_denies_what_is_not_named_and_says_so() {
    let world = World::new();
    let port = service();
    let mut spec = world.spec();
    spec.network = Network::Hosts(vec!["allowed.invalid".to_owned()]);
    let Some(cell) = open(spec).await else { return };
    let denied = fails(&cell, &get("http://denied.invalid/")).await;
    assert!(denied.contains("403"), "{denied}");
    assert!(
        fails(&cell, &get("https://denied.invalid/"))
            .await
            .contains("403")
    );
    // Allowed, but there is no such host: that it was looked up shows that it was let through.
    assert!(
        fails(&cell, &get("http://allowed.invalid/"))
            .await
            .contains("502")
    );
    // The proxy is no way around to the host's loopback.
    let around = format!(
        "http_proxy=$http_proxy no_proxy= NO_PROXY= {}",
        get(&format!("http://127.0.0.1:{port}"))
    );
    assert!(fails(&cell, &around).await.contains("403"));
    let log: Vec<_> = cell
        .denied()
        .into_iter()
        .map(|Denied { host, port, .. }| (host, port))
        .collect();
    let expected = [
        ("127.0.0.1", port),
        ("denied.invalid", 80),
        ("denied.invalid", 443),
    ];
    assert_eq!(log, expected.map(|(host, port)| (host.to_owned(), port)));
}

#[tokio::test]
async fn the_proxy_lets_through_what_is_named() {
    // An address that is the machine's own but not its loopback stands for a host on a network.
    let Some(address) = own_address() else {
        eprintln!("SKIPPED: this machine has no address but its loopback");
        return;
    };
    let listener = TcpListener::bind((address.as_str(), 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            let mut request = [0; 4096];
            let n = client.read(&mut request).unwrap_or(0);
            let body = String::from_utf8_lossy(&request[..n]).replace("\r\n", "|");
            let answer = format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            );
            let _ = client.write_all(answer.as_bytes());
        }
    });
    let world = World::new();
    let mut spec = world.spec();
    spec.network = Network::Hosts(vec![format!("{address}:{port}")]);
    let Some(cell) = open(spec).await else { return };
    let seen = ok(&cell, &get(&format!("http://{address}:{port}/path?query"))).await;
    assert!(seen.starts_with("GET /path?query HTTP/1.1|"), "{seen}");
    assert!(seen.contains(&format!("Host: {address}:{port}|")), "{seen}");
    let tunnel = format!(
        "import os, http.client as h; p = os.environ[\"http_proxy\"].rsplit(\":\", 1)[1]\n\
         c = h.HTTPConnection(\"127.0.0.1\", int(p)); c.set_tunnel(\"{address}\", {port}); c.request(\"GET\", \"/in\")\n\
         print(c.getresponse().read().decode())"
    );
    let seen = ok(&cell, &format!("python3 -c '{tunnel}'")).await;
    assert!(seen.starts_with("GET /in "), "{seen}");
    fails(&cell, &get(&format!("http://{address}:1/"))).await;
}

/// The address that this machine would talk to the world from.
fn own_address() -> Option<String> {
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").ok()?;
    // Connecting a datagram socket sends nothing.
    socket.connect("192.0.2.1:9").ok()?;
    let address = socket.local_addr().ok()?.ip();
    (!address.is_loopback() && !address.is_unspecified()).then(|| address.to_string())
}

#[tokio::test]
async fn a_list_that_is_no_list_of_hosts_is_refused() {
    let world = World::new();
    let mut spec = world.spec();
    spec.network = Network::Hosts(vec!["https://example.org/".to_owned()]);
    let Some(sandbox) = common::sandbox().await else {
        return;
    };
    let error = sandbox
        .open_cell(spec)
        .await
        .err()
        .expect("it is refused")
        .to_string();
    assert!(
        error.contains("use.network") && error.contains("example.org"),
        "{error}"
    );
}

#[tokio::test]
async fn the_host_network_is_the_hosts() {
    let world = World::new();
    let port = service();
    let mut spec = world.spec();
    spec.network = Network::Host;
    let Some(cell) = open(spec).await else { return };
    assert_eq!(
        ok(&cell, &get(&format!("http://127.0.0.1:{port}"))).await,
        "hello"
    );
    fails(&cell, "touch /sys/x; echo 1 > /sys/kernel/mm/ksm/run").await;
}
