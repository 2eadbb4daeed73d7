//! A real error tracker: Bugsink, as `.ci/run` installs it, with a port and a database of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::served::Served;
use crate::world::tools;

/// The folder of its programs, among the tools for the tests.
const FOLDER: &str = "bugsink/bin";
/// What an empty database is kept under: by version, for the tables are made by it.
const TEMPLATE: &str = "bugsink-2.6.2";
/// Where its interface begins.
const API: &str = "/api/canonical/0";
/// What a configuration says beside what the program writes itself: nothing leaves the folder, nobody is told of us.
const CONFIGURATION: &str =
    "\nBUGSINK[\"PHONEHOME\"] = False\nBUGSINK[\"INGEST_STORE_BASE_DIR\"] = \"ingestion\"\n";

/// A tracker that runs.
pub struct Bugsink {
    server: Served,
    /// A token that may do everything.
    pub token: String,
}

/// The folder of its programs. Without it the test that asks is skipped, loudly; where `CI` is set, it fails.
pub fn installed() -> Option<PathBuf> {
    let found = tools(FOLDER).filter(|folder| folder.join("bugsink-manage").exists());
    if found.is_none() {
        assert!(
            std::env::var_os("CI").is_none(),
            "there is no {FOLDER} in OVERNIGHT_TEST_TOOLS, and CI is set"
        );
        eprintln!("SKIPPED: there is no {FOLDER} in OVERNIGHT_TEST_TOOLS");
    }
    found
}

impl Bugsink {
    /// Starts one with nothing in it, in a new folder.
    pub fn empty(programs: &Path, folder: &Path) -> Bugsink {
        Bugsink::of(programs, &template(programs), folder)
    }

    /// Starts one with another's data, in a new folder.
    pub fn of(programs: &Path, data: &Path, folder: &Path) -> Bugsink {
        fs::create_dir(folder).expect("a new folder");
        for entry in fs::read_dir(data).expect("readable").flatten() {
            let name = entry.file_name();
            // A configuration names its port, and makes a secret of its own.
            if entry.path().is_file() && name != "bugsink_conf.py" {
                fs::copy(entry.path(), folder.join(name)).expect("copied");
            }
        }
        let token = fs::read_to_string(folder.join("token")).expect("a token was made");
        let make = |port| {
            configure(programs, folder, port);
            let mut command = Command::new(programs.join("gunicorn"));
            command
                .args(["--workers", "1", "--timeout", "120", "--no-control-socket"])
                .args(["--bind", &format!("127.0.0.1:{port}")])
                .arg("--pythonpath")
                .arg(folder)
                .arg("bugsink.wsgi")
                .current_dir(folder);
            command
        };
        let server = Served::start(make, &folder.join("gunicorn.log"));
        Bugsink {
            server,
            token: token.trim().to_owned(),
        }
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.server.port)
    }

    /// What its interface has at a path; it must be there.
    #[track_caller]
    pub fn get(&self, path: &str) -> Value {
        self.ask("GET", path, None)
    }

    /// Posts to its interface; it must take it.
    #[track_caller]
    pub fn post(&self, path: &str, body: &Value) -> Value {
        self.ask("POST", path, Some(body))
    }

    /// Deletes what is at a path of its interface.
    #[track_caller]
    pub fn delete(&self, path: &str) {
        let path = format!("{API}{path}");
        let (status, text) = self.server.ask("DELETE", &path, Some(&self.token), None);
        assert_eq!(status, 204, "{path}: {text}");
    }

    #[track_caller]
    fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Value {
        let path = format!("{API}{path}");
        let (status, text) = self.server.ask(method, &path, Some(&self.token), body);
        assert!(
            matches!(status, 200 | 201),
            "{method} {path}: {status} {text}"
        );
        serde_json::from_str(&text).unwrap_or_else(|e| panic!("{method} {path}: {e}: {text}"))
    }

    /// Makes a project; gives where its events go.
    pub fn project(&self, name: &str) -> String {
        let team = self.post("/teams/", &json!({"name": "shop"}));
        self.post("/projects/", &json!({"name": name, "team": team["id"]}));
        let projects = self.get("/projects/");
        let dsn = projects["results"][0]["dsn"].as_str();
        dsn.expect("a new project has one").to_owned()
    }

    /// All issues, the oldest first.
    #[track_caller]
    pub fn issues(&self) -> Vec<Value> {
        let page = self.get("/issues/?project=1&sort=digest_order&order=asc");
        assert!(page["next"].is_null(), "one page holds them all");
        page["results"].as_array().expect("a list").clone()
    }

    /// The comments on an issue.
    #[track_caller]
    pub fn comments(&self, issue: &str) -> Vec<String> {
        self.history(issue, "manual_annotation")
            .iter()
            .filter_map(|entry| entry["comment"].as_str().map(str::to_owned))
            .collect()
    }

    /// How often an issue was resolved.
    #[track_caller]
    pub fn resolutions(&self, issue: &str) -> usize {
        self.history(issue, "resolved").len()
    }

    #[track_caller]
    fn history(&self, issue: &str, kind: &str) -> Vec<Value> {
        let page = self.get(&format!("/issue-history/?issue={issue}&order=asc"));
        let mut all = page["results"].as_array().expect("a list").clone();
        all.retain(|entry| entry["kind"] == kind);
        all
    }
}

/// Writes the configuration of one that listens on this port.
fn configure(programs: &Path, folder: &Path, port: u16) {
    let file = folder.join("bugsink_conf.py");
    let _ = fs::remove_file(&file);
    let mut command = Command::new(programs.join("bugsink-create-conf"));
    command.args(["--template", "local", "--host", "127.0.0.1"]);
    command.args(["--port", &port.to_string()]);
    tell(command.current_dir(folder));
    let text = fs::read_to_string(&file).expect("it was made");
    fs::write(&file, text + CONFIGURATION).expect("written");
}

/// The data of one with all tables, a token, and nothing else. Made once: it takes seconds.
fn template(programs: &Path) -> PathBuf {
    let place = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let template = place.join(TEMPLATE);
    if template.join("token").exists() {
        return template;
    }
    let made = tempfile::Builder::new().prefix(TEMPLATE).tempdir_in(place);
    let made = made.expect("a folder").keep();
    configure(programs, &made, 1);
    let manage = |args: &[&str]| {
        let mut command = Command::new(programs.join("bugsink-manage"));
        tell(command.args(args).current_dir(&made))
    };
    manage(&["migrate"]);
    manage(&["migrate", "--database=snappea"]);
    let said = manage(&["create_auth_token"]);
    let token = said.split_whitespace().last().expect("it prints the token");
    fs::write(made.join("token"), token).expect("written");
    if fs::rename(&made, &template).is_err() {
        // Another process was faster; its template is as good.
        let _ = fs::remove_dir_all(&made);
    }
    template
}

/// Runs a command that must succeed; gives what it printed.
fn tell(command: &mut Command) -> String {
    let done = command.stdin(Stdio::null()).output().expect("it runs");
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    let complaint = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{command:?}: {said}{complaint}");
    said
}
