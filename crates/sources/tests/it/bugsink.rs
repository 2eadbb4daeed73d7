//! A real Bugsink with real events of the real SDK. Without the tools this is skipped, loudly.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use overnight_core::goal::Order;
use overnight_core::item::{Item, Verb};
use overnight_ports::source::{Source, SourceError};
use overnight_sources::{Opening, open};
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::contract::{act, items, listed};

/// How long the server may take to answer for the first time.
const START_MAX: Duration = Duration::from_secs(60);

/// Fails in three ways, one of them outside of the api.
const SERVICE: &str = r#"
import sys, sentry_sdk
sentry_sdk.init(dsn=sys.argv[1], release="shop@1.0", environment="prod")
def price(order): return order["price"] * 2
def share(total, people): return total / people
def fail(transaction, priority, call):
    with sentry_sdk.new_scope() as scope:
        scope.set_tag("priority", priority)
        scope.set_transaction_name(transaction)
        try: call()
        except Exception as e: sentry_sdk.capture_exception(e)
    sentry_sdk.flush(10)
fail("api.orders", "P2", lambda: price({"id": 7}))
fail("jobs.nightly", "P2", lambda: share(1, 0))
fail("api.users", "P1", lambda: [].pop())
fail("api.carts", "P2", lambda: share("a", "b"))
sentry_sdk.capture_message("disk is nearly full", level="warning")
sentry_sdk.flush(10)
"#;

struct Bugsink {
    temp: tempfile::TempDir,
    bin: PathBuf,
    url: String,
    token: String,
    server: Option<Child>,
}

impl Drop for Bugsink {
    fn drop(&mut self) {
        if let Some(server) = &mut self.server {
            let _ = server.kill();
            let _ = server.wait();
        }
    }
}

/// Where the tools are; without them a test says so, and fails where nothing may be left out.
fn tools() -> Option<PathBuf> {
    let folder = std::env::var_os("OVERNIGHT_TEST_TOOLS").map(PathBuf::from);
    let bin = folder.map(|folder| folder.join("bugsink/bin"));
    let there = bin.filter(|bin| bin.join("bugsink-manage").is_file());
    if there.is_none() {
        assert!(
            std::env::var_os("CI").is_none(),
            "bugsink is not in OVERNIGHT_TEST_TOOLS"
        );
        eprintln!("SKIPPED: set OVERNIGHT_TEST_TOOLS to a folder with bugsink/bin/bugsink-manage");
    }
    there
}

impl Bugsink {
    fn start(bin: &Path) -> Self {
        let temp = tempfile::tempdir().expect("a folder");
        let port = std::net::TcpListener::bind("127.0.0.1:0")
            .and_then(|l| l.local_addr())
            .expect("a port")
            .port();
        let mut this = Bugsink {
            temp,
            bin: bin.to_owned(),
            url: format!("http://127.0.0.1:{port}"),
            token: String::new(),
            server: None,
        };
        let port = port.to_string();
        this.run(
            "bugsink-create-conf",
            &[
                "--template",
                "local",
                "--port",
                &port,
                "--host",
                "127.0.0.1",
            ],
        );
        this.run("bugsink-manage", &["migrate"]);
        this.run("bugsink-manage", &["migrate", "--database=snappea"]);
        let token = this.run("bugsink-manage", &["create_auth_token"]);
        this.token = token.lines().last().expect("a token").trim().to_owned();
        let bind = format!("127.0.0.1:{port}");
        let server = this
            .command(
                "gunicorn",
                &["--bind", &bind, "--workers", "1", "bugsink.wsgi"],
            )
            .spawn();
        this.server = Some(server.expect("it starts"));
        let begun = Instant::now();
        while std::net::TcpStream::connect(&bind).is_err() {
            assert!(begun.elapsed() < START_MAX, "Bugsink did not start");
            std::thread::sleep(Duration::from_millis(100));
        }
        this
    }

    fn command(&self, program: &str, args: &[&str]) -> Command {
        let mut command = Command::new(self.bin.join(program));
        command
            .args(args)
            .current_dir(self.temp.path())
            .env("HOME", self.temp.path())
            .env("DJANGO_SETTINGS_MODULE", "bugsink_conf")
            .env("PYTHONPATH", self.temp.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    }

    fn run(&self, program: &str, args: &[&str]) -> String {
        let mut child = self
            .command(program, args)
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut said = String::new();
        let mut stdout = child.stdout.take().expect("it is piped");
        stdout.read_to_string(&mut said).expect("it is text");
        assert!(
            child.wait().expect("it ends").success(),
            "{program} {args:?}: {said}"
        );
        said
    }

    async fn api(&self, method: reqwest::Method, path: &str, body: Value) -> Value {
        let url = format!("{}/api/canonical/0/{path}", self.url);
        let client = reqwest::Client::builder()
            .no_proxy()
            .tls_certs_only([])
            .build();
        let answer = client
            .expect("a client")
            .request(method, url)
            .bearer_auth(&self.token)
            .header("content-type", "application/json")
            .body(body.to_string())
            .send()
            .await
            .expect("it answers");
        let text = answer.text().await.expect("a body");
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }

    fn source(&self, query: &str, order: Order) -> std::sync::Arc<dyn Source> {
        let spec = json!({"from": "bugsink", "url": self.url, "project": "shop", "query": query});
        let opening = Opening {
            secret: &|name| {
                Ok((name == "BUGSINK_TOKEN").then(|| SecretString::from(self.token.clone())))
            },
            base: "/".into(),
            folder: "/".into(),
            home: None,
        };
        open(&items(&spec, order, None), &opening).expect("it opens")
    }
}

fn titles(items: &[Item]) -> Vec<&str> {
    let title = |i: &'_ Item| -> usize { i.title.find(':').unwrap_or(i.title.len()) };
    items.iter().map(|i| &i.title[..title(i)]).collect()
}

#[tokio::test]
async fn a_real_bugsink_is_listed_read_and_acted_on() {
    let Some(bin) = tools() else { return };
    // A provider of TLS is wanted even where there is none.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let tracker = Bugsink::start(&bin);
    let post = reqwest::Method::POST;
    let team = tracker
        .api(post.clone(), "teams/", json!({"name": "t"}))
        .await;
    tracker
        .api(
            post,
            "projects/",
            json!({"team": team["id"], "name": "shop"}),
        )
        .await;
    let projects = tracker
        .api(reqwest::Method::GET, "projects/", Value::Null)
        .await;
    let dsn = projects["results"][0]["dsn"]
        .as_str()
        .expect("a DSN")
        .to_owned();
    std::fs::write(tracker.temp.path().join("service.py"), SERVICE).expect("it is written");
    tracker.run("python", &["service.py", &dsn]);

    let all = listed(&*tracker.source("", Order::Oldest))
        .await
        .expect("it lists");
    assert_eq!(
        titles(&all),
        [
            "KeyError",
            "ZeroDivisionError",
            "IndexError",
            "TypeError",
            "Log Message"
        ]
    );
    let of = async |query: &str, order| {
        let found = listed(&*tracker.source(query, order))
            .await
            .expect("it lists");
        found
            .into_iter()
            .map(|i| i.title)
            .collect::<Vec<_>>()
            .join("; ")
    };
    assert_eq!(
        of(
            "is:unresolved level:error priority:P2 transaction:api*",
            Order::Newest
        )
        .await,
        "TypeError: unsupported operand type(s) for /: 'str' and 'str'; KeyError: 'price'"
    );
    assert_eq!(
        of("level:warning", Order::Oldest).await,
        "Log Message: disk is nearly full"
    );
    assert_eq!(
        of("!level:warning !priority:P2", Order::Oldest).await,
        "IndexError: pop from empty list"
    );
    assert_eq!(
        of("release:shop@1.0 error.type:Zero*", Order::Oldest).await,
        "ZeroDivisionError: division by zero"
    );
    assert_eq!(of("price", Order::Oldest).await, "KeyError: 'price'");
    assert_eq!(of("is:resolved", Order::Oldest).await, "");
    assert!(of("", Order::Priority).await.starts_with("IndexError"));

    let source = tracker.source("", Order::Oldest);
    let dossier = source.read(&all[0]).await.expect("it reads");
    for part in [
        "KeyError: 'price'",
        "service.py:4 in price",
        "priority = P2",
        "transaction: api.orders",
        "order = {\"id\":\"7\"}",
    ] {
        assert!(
            dossier.text.contains(part),
            "{part} is not in\n{}",
            dossier.text
        );
    }
    assert_eq!(dossier.fingerprint.as_ref().map(String::len), Some(64));
    assert!(dossier.event.is_some_and(|e| e["exception"].is_object()));

    let comment = act(&all[0], Verb::Comment);
    let receipt = source.act(&comment).await.expect("it comments");
    assert!(
        receipt.what.starts_with("comment ") && !receipt.already,
        "{receipt:?}"
    );
    match source.probe(&comment).await {
        // From 2.6.2 on it can be asked, and a second comment is not made.
        Ok(Some(_)) => assert!(source.act(&comment).await.expect("it answers").already),
        Err(SourceError::Refused(message)) => {
            assert!(message.contains("nobody knows"), "{message}")
        }
        other => panic!("{other:?}"),
    }
    let resolve = act(&all[0], Verb::Resolve);
    assert_eq!(source.probe(&resolve).await, Ok(None));
    assert!(!source.act(&resolve).await.expect("it resolves").already);
    assert!(source.act(&resolve).await.expect("it answers").already);
    assert!(source.probe(&resolve).await.expect("it answers").is_some());
    assert_eq!(of("is:resolved", Order::Oldest).await, "KeyError: 'price'");
    assert_eq!(listed(&*source).await.expect("it lists").len(), 4);

    let path = format!("issues/{}/", all[1].id);
    tracker
        .api(reqwest::Method::DELETE, &path, Value::Null)
        .await;
    let gone = source.read(&all[1]).await.expect_err("it is gone");
    assert!(matches!(gone, SourceError::Gone(_)), "{gone:?}");
    let gone = source
        .act(&act(&all[1], Verb::Comment))
        .await
        .expect_err("it is gone");
    assert!(matches!(gone, SourceError::Gone(_)), "{gone:?}");
}
