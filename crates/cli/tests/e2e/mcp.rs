//! MCP servers as tools: servers that others wrote, over standard streams and over HTTP, and servers that do what none
//! should. Whatever one does, the run goes on, the goal's limits hold, and the beginning of requests stays the same.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use sim::server::Server;

use crate::world::{World, denials, facts, have, model, request, told};

const HOSTILE: &str = include_str!("hostile_mcp.py");
const HOSTILE_HTTP: &str = include_str!("hostile_mcp_http.py");
/// How long a server of these tests may take to listen.
const LISTEN_TIMEOUT: Duration = Duration::from_secs(30);

/// A server that is written with the official Python package.
const PYTHON: &str = r#"
import sys
from mcp.server.mcpserver import MCPServer

mcp = MCPServer("shop")


@mcp.tool()
def change(paid: int, price: int) -> int:
    """What is left of a payment."""
    return paid - price


@mcp.tool()
def put(path: str, text: str) -> str:
    """Writes a file of the workspace."""
    with open(path, "w") as file:
        file.write(text)
    return "written"


if len(sys.argv) > 1:
    mcp.run(transport="streamable-http", port=int(sys.argv[1]))
else:
    mcp.run()
"#;

/// A folder of the tools that `.ci/run` installs, on `PATH` for what these tests start.
fn tool(folder: &str, program: &str) -> Option<PathBuf> {
    let folder =
        std::env::var_os("OVERNIGHT_TEST_TOOLS").map(|tools| Path::new(&tools).join(folder));
    let found = folder.filter(|folder| folder.join(program).exists());
    if found.is_none() {
        assert!(
            std::env::var_os("CI").is_none(),
            "{program} is not in OVERNIGHT_TEST_TOOLS, and CI is set"
        );
        eprintln!("SKIPPED: there is no {program} in OVERNIGHT_TEST_TOOLS");
    }
    found
}

fn with_path(mut world: World, folder: &Path) -> World {
    let path = std::env::var("PATH").unwrap_or_default();
    world
        .env
        .insert("PATH".to_owned(), format!("{}:{path}", folder.display()));
    world.with_home()
}

/// A repository with one thing to do and one thing to keep.
fn world(more: &[(&str, &str)]) -> World {
    let mut files = vec![
        ("tally.txt", "one\n"),
        ("check.sh", "test \"$(cat tally.txt)\" = two\n"),
        ("kept/a.txt", "a\n"),
    ];
    files.extend(more);
    World::new(&files)
}

fn goal(uses: &str) -> String {
    format!(
        "---\noutcome: The tally says two.\ndone:\n  - {{id: tally, run: sh check.sh}}\nkeep: {{paths: [check.sh, \"kept/**\", server.py, \"*.kept\"]}}\nuse:\n{uses}\nstop: {{turns: 40, hours: 1}}\n---\nMend the tally.\n"
    )
}

/// One call a turn, by name and arguments; then the honest work.
fn script(calls: &[(&str, &str)]) -> String {
    let mut text = String::from("turns:\n");
    for (tool, arguments) in calls {
        text.push_str(&format!(
            "  - raw: {{tool: {tool}, arguments: {arguments}}}\n"
        ));
    }
    text.push_str("  - shell: echo two > tally.txt\n  - claim_done: Say two\n");
    text
}

/// The names of the tools of a request.
fn tool_names(body: &Value) -> Vec<String> {
    let tools = body["tools"].as_array().cloned().unwrap_or_default();
    tools
        .iter()
        .filter_map(|tool| tool["name"].as_str().map(str::to_owned))
        .collect()
}

/// The tools of every request, as bytes; there must be one answer.
fn same_tools(server: &Server) -> String {
    let mut all: Vec<String> = server
        .requests()
        .iter()
        .filter(|request| request.turn > 0)
        .map(|request| request.body["tools"].to_string())
        .collect();
    all.dedup();
    assert_eq!(all.len(), 1, "the tools are the same bytes over the run");
    all.remove(0)
}

#[test]
fn a_server_of_the_python_package_works_over_its_streams() {
    let Some(folder) = tool("mcp-py/bin", "python") else {
        return;
    };
    let world = with_path(world(&[("server.py", PYTHON)]), &folder);
    let server = model(
        "turns:\n  - raw: {tool: shop__change, arguments: {paid: 10, price: 4}}\n  - raw: {tool: shop__change, arguments: {paid: x}}\n  - raw: {tool: shop__put, arguments: {path: check.sh, text: 'true'}}\n  - raw: {tool: shop__put, arguments: {path: tally.txt, text: two}}\n  - claim_done: Say two\n",
    );
    let uses = "  mcp: [{name: shop, run: python server.py}]";
    let done = world.run(&server, &goal(uses)).exits(0);
    assert_eq!(world.changes_on(&done.branch()), ["M tally.txt"]);
    assert!(told(&server, 2).contains('6'), "{}", told(&server, 2));
    assert!(
        told(&server, 3).contains("valid integer"),
        "{}",
        told(&server, 3)
    );
    assert!(
        told(&server, 4).contains("denied by `keep.paths`"),
        "{}",
        told(&server, 4)
    );
    assert_eq!(denials(&done.report()), ["keep.paths check.sh"]);
    let tools = same_tools(&server);
    assert!(tools.contains("What is left of a payment."), "{tools}");
    // Nothing is said about servers where there are none; here it is.
    assert!(
        request(&server, 1).body["input"]
            .to_string()
            .contains("SERVER__TOOL")
    );
    let events = done.lines();
    let prepared = facts(&events[..events.len() - 1], "prepared");
    assert_eq!(
        prepared[0]["offer"]["servers"],
        serde_json::json!([{"server": "shop", "tools": 2}])
    );
}

#[test]
fn servers_of_the_reference_package_work_in_the_cell() {
    let Some(folder) = tool("mcp-node/bin", "mcp-server-filesystem") else {
        return;
    };
    let world = with_path(world(&[]), &folder);
    let server = model(
        "turns:\n  - calls:\n      - raw: {tool: files__list_directory, arguments: {path: .}}\n      - raw: {tool: files__read_text_file, arguments: {path: /etc/hostname}}\n      - raw: {tool: all__get-tiny-image, arguments: {}}\n      - raw: {tool: all__get-sum, arguments: {a: 1, b: 2}}\n  - raw: {tool: files__write_file, arguments: {path: tally.txt, content: two}}\n  - claim_done: Say two\n",
    );
    let uses = "  mcp:\n    files: {command: mcp-server-filesystem, args: [.]}\n    all: {run: mcp-server-everything, tools: [get-tiny-image]}";
    let done = world.run(&server, &goal(uses)).exits(0);
    assert_eq!(world.changes_on(&done.branch()), ["M tally.txt"]);
    let heard = told(&server, 2);
    for says in [
        "[FILE] tally.txt",
        "[an image is not shown: image/png",
        "There is no tool `all__get-sum`",
    ] {
        assert!(heard.contains(says), "{says}: {heard}");
    }
    let tools = same_tools(&server);
    // The reference server's fourteen tools are 12 KB as it describes them.
    assert!(tools.len() < 16 * 1024, "{} bytes", tools.len());
    let whole = request(&server, 3).body.to_string().len();
    assert!(whole < 24 * 1024, "the request of turn 3 has {whole} bytes");
}

/// A program of these tests that listens. Killed when it is dropped.
struct Listening {
    child: Child,
    port: u16,
}

impl Drop for Listening {
    fn drop(&mut self) {
        // It fails only if the process has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    listener.local_addr().expect("bound").port()
}

#[test]
fn a_server_of_the_python_package_works_over_http() {
    let Some(folder) = tool("mcp-py/bin", "python") else {
        return;
    };
    let world = world(&[]);
    let file = world.root.join("server.py");
    std::fs::write(&file, PYTHON).expect("written");
    let port = free_port();
    let child = Command::new(folder.join("python"))
        .arg(&file)
        .arg(port.to_string())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    let listening = Listening { child, port };
    let since = Instant::now();
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(since.elapsed() < LISTEN_TIMEOUT, "it listens");
        std::thread::sleep(Duration::from_millis(50));
    }
    let server = model(&script(&[
        ("shop__change", "{paid: 10, price: 4}"),
        ("shop__change", "{paid: 5, price: 4}"),
    ]));
    let uses = format!(
        "  network: ['localhost:{0}']\n  mcp: [{{name: shop, url: 'http://localhost:{0}/mcp', tools: [change]}}]",
        listening.port
    );
    let done = world.run(&server, &goal(&uses)).exits(0);
    assert_eq!(world.changes_on(&done.branch()), ["M tally.txt"]);
    assert!(told(&server, 2).contains('6') && told(&server, 3).contains('1'));
    let names = tool_names(&request(&server, 1).body);
    assert_eq!(
        names.iter().filter(|name| name.contains("__")).count(),
        1,
        "{names:?}"
    );
}

fn hostile_http(world: &World) -> Listening {
    let (file, port_file) = (world.root.join("server.py"), world.root.join("port"));
    std::fs::write(&file, HOSTILE_HTTP).expect("written");
    let log = std::fs::File::create(world.root.join("server.log")).expect("made");
    let child = Command::new("python3")
        .arg(&file)
        .arg(&port_file)
        .stdout(log)
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    let mut listening = Listening { child, port: 0 };
    let since = Instant::now();
    while listening.port == 0 {
        assert!(since.elapsed() < LISTEN_TIMEOUT, "it listens");
        std::thread::sleep(Duration::from_millis(20));
        let text = std::fs::read_to_string(&port_file).unwrap_or_default();
        listening.port = text.parse().unwrap_or(0);
    }
    listening
}

#[test]
fn a_token_goes_to_its_server_and_is_found_nowhere_else() {
    const TOKEN: &str = "tok-e2e-93b1f06c5ad84e27";
    if !have("python3 -c ''") {
        return;
    }
    let mut world = world(&[]);
    let listening = hostile_http(&world);
    let port = listening.port;
    let uses = format!(
        "  network: ['localhost:{port}']\n  mcp: [{{name: web, url: 'http://localhost:{port}/mcp', token: WEB_TOKEN, timeout: 2s}}]"
    );
    let server = model(&script(&[
        ("web__say", "{}"),
        ("web__hang", "{}"),
        ("web__endless", "{}"),
        ("web__big", "{}"),
        ("shell", "{command: 'env; ls -la'}"),
        ("web__say", "{}"),
    ]));
    // Without it there is no run.
    let refused = world.run(&server, &goal(&uses)).exits(2);
    assert!(refused.err.contains("WEB_TOKEN"), "{}", refused.err);
    assert_eq!(server.requests().len(), 0);

    world.env.insert("WEB_TOKEN".to_owned(), TOKEN.to_owned());
    let done = world.run(&server, &goal(&uses)).exits(0);
    assert_eq!(world.changes_on(&done.branch()), ["M tally.txt"]);
    assert!(
        told(&server, 2).contains("you are Bearer [token]"),
        "{}",
        told(&server, 2)
    );
    assert!(
        told(&server, 3).contains("did not answer within 2 s"),
        "{}",
        told(&server, 3)
    );
    assert!(
        told(&server, 4).contains("The server `web` was"),
        "{}",
        told(&server, 4)
    );
    assert!(
        told(&server, 5).contains("The server `web` was"),
        "{}",
        told(&server, 5)
    );
    assert!(
        told(&server, 7).contains("is given up after 3 failures"),
        "{}",
        told(&server, 7)
    );
    let seen = std::fs::read_to_string(world.root.join("server.log")).expect("its log");
    assert!(
        seen.lines()
            .all(|line| line.ends_with(&format!("Bearer {TOKEN}"))),
        "{seen}"
    );
    let mut requests = String::new();
    for request in server.requests() {
        requests.push_str(&request.body.to_string());
    }
    assert!(!requests.contains(TOKEN) && !done.out.contains(TOKEN) && !done.err.contains(TOKEN));
    let found = Command::new("grep")
        .args(["-rlF", TOKEN])
        .arg(&world.state)
        .output()
        .expect("grep runs");
    assert!(
        found.stdout.is_empty(),
        "{}",
        String::from_utf8_lossy(&found.stdout)
    );
}

#[test]
fn a_redirect_is_not_followed() {
    if !have("python3 -c ''") {
        return;
    }
    let mut world = world(&[]);
    world.env.insert("WEB_TOKEN".to_owned(), "tok-1".to_owned());
    let listening = hostile_http(&world);
    let uses = format!(
        "  network: ['localhost:{0}']\n  mcp: [{{name: web, url: 'http://localhost:{0}/elsewhere', token: WEB_TOKEN}}]",
        listening.port
    );
    let server = model(&script(&[]));
    let done = world.run(&server, &goal(&uses)).exits(1);
    assert!(
        done.summary()["stop_reason"].to_string().contains("failed"),
        "{}",
        done.out
    );
    assert!(done.report_text().contains("307"), "{}", done.report_text());
    let seen = std::fs::read_to_string(world.root.join("server.log")).expect("its log");
    assert!(!seen.contains("/mcp "), "{seen}");
}

#[test]
fn what_a_server_does_is_held_by_the_goal_and_does_not_end_the_run() {
    if !have("python3 -c ''") {
        return;
    }
    let world = world(&[("server.py", HOSTILE)]);
    let calls = [
        ("bad__shell", "{command: 'echo two > tally.txt'}"),
        ("bad__put", "{path: kept/a.txt, text: changed}"),
        ("bad__put", "{path: check.sh, text: 'true'}"),
        ("bad__net", "{}"),
        ("bad__garbage", "{}"),
        ("bad__big", "{}"),
        ("bad__ask", "{}"),
        ("bad__odd", "{}"),
        ("bad__error", "{}"),
        ("bad__crash", "{}"),
        ("bad__born", "{}"),
        ("bad__hang", "{}"),
        ("bad__endless", "{}"),
        ("bad__born", "{}"),
        ("bad__flood", "{}"),
        ("bad__late", "{}"),
        ("bad__born", "'[1, 2'"),
        ("bad__born", "{}"),
    ];
    let server = model(&script(&calls));
    let uses = "  mcp: [{name: bad, run: python3 server.py, timeout: 3s}]";
    let done = world.run(&server, &goal(uses)).exits(0);
    assert_eq!(world.changes_on(&done.branch()), ["M tally.txt"]);
    let heard = |call: usize| told(&server, call as u64 + 1);
    for (call, says) in [
        (1, "this is not the shell: {\"command\""),
        (2, "[the tool says that it failed]"),
        (
            3,
            "[denied by `keep.paths`: `check.sh` was changed and has been put back]",
        ),
        (4, "no network"),
        (5, "after the garbage"),
        (
            6,
            "bytes left out of 400002 lines; read {\"path\": \"@out/6.0\"",
        ),
        (8, "The server `bad`"),
        (
            9,
            "refuses the call: error -32050: the moon is in the wrong house",
        ),
        (
            10,
            "lost during the call: it closed the connection; it ended with exit code 7; it wrote: Segmentation what?",
        ),
        (12, "did not answer within 3 s"),
        (13, "cut off"),
        (15, "The server `bad` was"),
        (16, "it goes on"),
        (17, "The arguments of `bad__born` cannot be read"),
    ] {
        let heard = heard(call);
        assert!(heard.contains(says), "call {call}: no `{says}` in: {heard}");
        assert!(
            heard.len() < 16 * 1024,
            "call {call}: {} bytes",
            heard.len()
        );
    }
    assert_eq!(
        heard(7).matches("-32601").count(),
        3,
        "all three are refused: {}",
        heard(7)
    );
    let late = heard(16);
    assert!(
        late.contains("denied by `keep.paths`: `late.kept`"),
        "{late}"
    );
    // It was started again each time, and counts from there.
    let births: std::collections::BTreeSet<String> = [11, 14, 18].map(heard).into();
    assert_eq!(births.len(), 3, "{births:?}");
    let tools = same_tools(&server);
    assert!(tools.len() < 12 * 1024, "{} bytes", tools.len());
    let rules: Vec<String> = denials(&done.report());
    assert!(
        rules.contains(&"keep.paths check.sh".to_owned()),
        "{rules:?}"
    );
}

#[test]
fn servers_are_ended_before_the_checks_and_started_again_behind_them() {
    if !have("python3 -c ''") {
        return;
    }
    let world = world(&[("server.py", HOSTILE)]);
    let server = model(&script(&[
        ("bad__born", "{}"),
        ("bad__born", "{}"),
        ("claim_done", "{summary: Not yet}"),
        ("bad__born", "{}"),
    ]));
    let uses = "  mcp: [{name: bad, run: python3 server.py}]";
    world.run(&server, &goal(uses)).exits(0);
    let born = |turn: u64| {
        told(&server, turn)
            .lines()
            .next()
            .unwrap_or_default()
            .to_owned()
    };
    assert_eq!(born(2), born(3), "one server for two calls");
    assert_ne!(born(3), born(5), "another behind the checks");
}

#[test]
fn a_goal_offers_only_the_tools_that_it_names() {
    if !have("python3 -c ''") {
        return;
    }
    let world = world(&[("server.py", HOSTILE)]);
    let server = model(&script(&[
        ("bad__put", "{path: x, text: y}"),
        ("bad__born", "{}"),
    ]));
    let uses = "  tools: [shell, bad__born, bad__crash]\n  mcp: [{name: bad, run: python3 server.py, tools: [born, put]}]";
    let done = world.run(&server, &goal(uses)).exits(0);
    let names = tool_names(&request(&server, 1).body);
    let outside: Vec<&String> = names.iter().filter(|name| name.contains("__")).collect();
    assert_eq!(outside, ["bad__born"]);
    assert!(denials(&done.report()).contains(&"use.tools bad__put".to_owned()));
    assert_eq!(world.changes_on(&done.branch()), ["M tally.txt"]);
}

#[test]
fn a_server_of_the_newest_protocol_only_is_asked_in_its_way() {
    if !have("python3 -c ''") {
        return;
    }
    let world = world(&[("server.py", HOSTILE)]);
    let server = model(&script(&[("new__shell", "{command: hello}")]));
    let uses = "  mcp: [{name: new, run: python3 server.py modern, tools: [shell]}]";
    world.run(&server, &goal(uses)).exits(0);
    assert!(told(&server, 2).contains("hello"), "{}", told(&server, 2));
}

#[test]
fn what_cannot_be_used_is_said_before_the_first_turn() {
    if !have("python3 -c ''") {
        return;
    }
    for (mode, tools, says) in [
        (
            "dies",
            "",
            "it ended with exit code 1; it wrote: the database is not there",
        ),
        ("many", "", "5000 tools"),
        ("nolist", "", "more than 50 pages"),
        ("", ", tools: [born, teleport]", "no tool `teleport`"),
    ] {
        let world = world(&[("server.py", HOSTILE)]);
        let uses = format!("  mcp: [{{name: bad, run: python3 server.py {mode}{tools}}}]");
        let file = world.goal(&goal(&uses));
        let checked = world
            .overnight(&["check", file.to_str().expect("a plain name")])
            .exits(5)
            .says("MCP server bad: cannot be used")
            .says(says);
        assert!(checked.out.len() < 8 * 1024, "{}", checked.out);
        let server = model(&script(&[]));
        world.run(&server, &goal(&uses)).exits(1).says(says);
        assert_eq!(server.requests().len(), 0, "nothing was asked of the model");
    }
}

#[test]
fn after_a_restart_the_tools_are_those_of_before_and_what_vanished_fails() {
    if !have("python3 -c ''") {
        return;
    }
    let world = world(&[("server.py", HOSTILE)]);
    let server = model(&script(&[
        ("bad__born", "{}"),
        ("shell", "{command: touch changed}"),
        ("bad__hang", "{}"),
        ("bad__born", "{}"),
    ]));
    let uses = "  mcp: [{name: bad, run: python3 server.py, timeout: 2s}]";
    let mut running = world.begin(&server, &goal(uses));
    running.until_call(3);
    running.signal("KILL");
    running.end();
    let done = world.resume(&server).exits(0);
    assert_eq!(done.summary()["stop_reason"], "complete", "{}", done.out);
    let tools = same_tools(&server);
    assert!(
        tools.contains("bad__born") && !tools.contains("something_else"),
        "{tools}"
    );
    // The call had no network, so it was made again, and hung again.
    assert!(
        told(&server, 4).contains("did not answer within 2 s"),
        "{}",
        told(&server, 4)
    );
    let branch = done.branch();
    assert_eq!(world.changes_on(&branch), ["A changed", "M tally.txt"]);
}

#[test]
fn with_network_an_interrupted_call_is_not_made_again() {
    if !have("python3 -c ''") {
        return;
    }
    let world = world(&[]);
    let listening = hostile_http(&world);
    let server = model(&script(&[("web__hang", "{}"), ("web__say", "{}")]));
    let uses = format!(
        "  network: ['localhost:{0}']\n  mcp: [{{name: web, url: 'http://localhost:{0}/mcp'}}]",
        listening.port
    );
    let mut running = world.begin(&server, &goal(&uses));
    running.until_call(1);
    running.signal("KILL");
    running.end();
    world.resume(&server).exits(0);
    assert!(
        told(&server, 2).contains("Its effect is unknown"),
        "{}",
        told(&server, 2)
    );
    assert!(
        told(&server, 3).contains("you are None"),
        "{}",
        told(&server, 3)
    );
}
