//! `overnight doctor`: whether a run could start here, and what to do if not. Names of keys, never keys.

mod probe;

use std::time::{Duration, Instant};

use overnight_ports::model::{Entry, Model, Request};
use serde::Serialize;

use crate::args::DoctorArgs;
use crate::config::choice::{self, Chosen};
use crate::config::secrets::{Secrets, Whence};
use crate::config::{self, Provider, Settings};
use crate::home::home;

/// How long the live call may take.
const ONLINE_TIMEOUT: Duration = Duration::from_secs(60);

/// How it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// As it should be.
    Ok,
    /// To know, neither good nor bad.
    Info,
    /// A run could start, and something will be missed.
    Warning,
    /// No run can start.
    Failure,
}

/// One thing that was looked at.
#[derive(Debug, Clone, Serialize)]
pub struct Finding {
    name: String,
    state: State,
    says: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

impl Finding {
    fn new(name: &str, state: State, says: impl Into<String>) -> Finding {
        Finding {
            name: name.to_owned(),
            state,
            says: says.into(),
            next: None,
        }
    }

    fn next(mut self, next: impl Into<String>) -> Finding {
        self.next = Some(next.into());
        self
    }
}

/// Looks everything over. Exit code 0 if a run could start, 1 if not.
pub async fn doctor(args: &DoctorArgs) -> anyhow::Result<u8> {
    let folder = std::env::current_dir()?;
    let mut found = vec![Finding::new(
        "overnight",
        State::Info,
        env!("CARGO_PKG_VERSION"),
    )];
    found.push(probe::git());
    found.push(probe::kernel());
    found.push(match overnight_sandbox::probe().await {
        Ok(held) => Finding::new("sandbox", State::Ok, held),
        Err(why) => Finding::new("sandbox", State::Failure, why)
            .next("mend that, or run with --unsafe-no-sandbox where nothing can be lost"),
    });
    match home() {
        Ok(home) => {
            found.push(probe::home(&home));
            found.push(probe::caches(&home));
        }
        Err(e) => found.push(
            Finding::new("home", State::Failure, format!("{e:#}"))
                .next("export OVERNIGHT_HOME=/a/folder/of/yours"),
        ),
    }
    found.push(probe::repository(&folder));
    match config::load(&folder) {
        Ok(settings) => configured(args, &settings, &mut found).await,
        Err(e) => found.push(
            Finding::new("configuration", State::Failure, format!("{e:#}"))
                .next("mend the file; `overnight config` shows what is understood"),
        ),
    }
    found.extend(probe::toolchains());
    let ready = found.iter().all(|f| f.state != State::Failure);
    if args.json {
        let all = serde_json::json!({"ready": ready, "findings": found});
        say!("{}", serde_json::to_string_pretty(&all)?);
    } else {
        print(&found, ready);
    }
    Ok(u8::from(!ready))
}

async fn configured(args: &DoctorArgs, settings: &Settings, found: &mut Vec<Finding>) {
    let read: Vec<String> = settings
        .files
        .iter()
        .filter(|file| file.there)
        .map(|file| file.path.display().to_string())
        .collect();
    let says = if read.is_empty() {
        "defaults and the environment only".to_owned()
    } else {
        read.join(", ")
    };
    found.push(Finding::new("configuration", State::Ok, says));
    secrets(settings, found);
    let chosen = match choice::model(args.model.as_deref(), None, settings).await {
        Ok(chosen) => chosen,
        Err(e) => {
            let problem = Finding::new("model", State::Failure, format!("{e:#}"));
            return found.push(problem.next("`overnight demo` needs no model"));
        }
    };
    let Chosen { spec, line } = &chosen;
    let model = match crate::assembly::model(spec) {
        Ok(model) => model,
        Err(e) => {
            let problem = Finding::new("model", State::Failure, format!("{line}: {e:#}"));
            return found.push(problem.next("mend that, or name another model with --model; `overnight config` shows what is configured"));
        }
    };
    let price = match settings.price(spec) {
        Some((price, origin)) => format!("{}, by {origin}", config::Value::Price(price)),
        None => "no price is configured: `stop.usd` needs --price".to_owned(),
    };
    found.push(Finding::new("model", State::Ok, line.clone()));
    found.push(Finding::new("price", State::Info, price));
    if args.online {
        found.push(call(model.as_ref()).await);
    }
}

/// Where each secret comes from: the models' keys, the tokens of sources, and whatever has a command. Commands are tried.
fn secrets(settings: &Settings, found: &mut Vec<Finding>) {
    let secrets = settings.secrets();
    let mut told: Vec<String> = Vec::new();
    for provider in Provider::ALL {
        let name = format!("key {}", provider.name());
        match settings.key_variable(provider) {
            Some(variable) => {
                found.push(secret(&secrets, &name, variable));
                told.push(variable.to_owned());
            }
            None => found.push(Finding::new(&name, State::Info, "none of its own")),
        }
    }
    let tokens = overnight_sources::TOKENS.iter();
    let missing: Vec<&str> = tokens
        .copied()
        .filter(|name| secrets.whence(name) == Whence::Missing)
        .collect();
    let there = overnight_sources::TOKENS.iter().copied();
    let there = there.filter(|name| !missing.contains(name));
    for name in there.chain(secrets.names()) {
        if !told.iter().any(|other| other == name) {
            found.push(secret(&secrets, "secret", name));
            told.push(name.to_owned());
        }
    }
    if !missing.is_empty() {
        let says = format!("not set, for sources that need one: {}", missing.join(", "));
        found.push(Finding::new("tokens", State::Info, says));
    }
}

/// One secret by the name of its variable.
fn secret(secrets: &Secrets, name: &str, variable: &str) -> Finding {
    match secrets.whence(variable) {
        Whence::Environment => Finding::new(
            name,
            State::Info,
            format!("{variable} is set in the environment"),
        ),
        Whence::Command(place) => match secrets.get(variable) {
            Ok(_) => Finding::new(
                name,
                State::Ok,
                format!("{variable} comes from the command at {place}"),
            ),
            Err(e) => Finding::new(name, State::Warning, format!("{e:#}"))
                .next("try the command in your shell; what needs this secret cannot work without"),
        },
        Whence::Missing => Finding::new(name, State::Info, format!("{variable} is not set")),
    }
}

/// One tiny call.
async fn call(model: &dyn Model) -> Finding {
    if model.scripted() {
        return Finding::new(
            "online",
            State::Info,
            "the model is scripted: there is nobody to call",
        );
    }
    let name = model.name();
    let request = Request {
        model: name.split_once('/').map_or(name, |(_, n)| n).to_owned(),
        instructions: "Answer with the single word: ready".to_owned(),
        tools: Vec::new(),
        entries: vec![Entry::User {
            text: "Are you there?".to_owned(),
        }],
        cache_key: "overnight-doctor".to_owned(),
        turn: 1,
        item: None,
    };
    let since = Instant::now();
    match tokio::time::timeout(ONLINE_TIMEOUT, model.answer(&request)).await {
        Ok(Ok(answer)) => Finding::new(
            "online",
            State::Ok,
            format!(
                "answered within {} ms, {} tokens",
                since.elapsed().as_millis(),
                answer.usage.total()
            ),
        ),
        Ok(Err(e)) => Finding::new("online", State::Failure, e.to_string())
            .next("check the key, the address and the model's name: `overnight config`"),
        Err(_) => Finding::new(
            "online",
            State::Failure,
            format!("no answer within {} s", ONLINE_TIMEOUT.as_secs()),
        )
        .next("check the network and the address: `overnight config`"),
    }
}

fn print(found: &[Finding], ready: bool) {
    let wide = found
        .iter()
        .map(|f| f.name.chars().count())
        .max()
        .unwrap_or(0);
    for finding in found {
        let mark = match finding.state {
            State::Ok => '✓',
            State::Info => ' ',
            State::Warning => '!',
            State::Failure => '✗',
        };
        say!("{mark} {:<wide$}  {}", finding.name, whole(&finding.says));
        if let Some(next) = &finding.next {
            say!("  {:<wide$}  → {}", "", whole(next));
        }
    }
    say!();
    if ready {
        say!(
            "a run can start: `overnight run goal.md`; `overnight new coverage -o goal.md` writes a first goal"
        );
    } else {
        say!("a run cannot start here until what is marked ✗ is mended");
    }
}

/// On one line, and harmless, but not cut: what to do may be long.
fn whole(text: &str) -> String {
    let plain = overnight_core::judge::plain(text);
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}
