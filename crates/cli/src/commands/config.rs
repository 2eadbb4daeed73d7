//! `overnight config`: every value that is configured, with where it comes from and what it won over.

use overnight_core::goal::{HOURS_DEFAULT, NO_PROGRESS_DEFAULT, TURNS_DEFAULT};
use serde_json::{Value as Json, json};

use crate::args::JsonArg;
use crate::config::secrets::Whence;
use crate::config::{
    self, How, Key, Origin, Provider, Setting, Settings, USER_FILE_VARIABLE, Value,
};
use crate::home::home;
use crate::lines::clean;

/// One line of the table.
struct Row {
    key: String,
    value: Option<Json>,
    shown: String,
    origin: String,
    layer: &'static str,
    place: Option<String>,
    instead_of: Vec<(String, Origin)>,
}

/// Prints it.
pub fn config(args: &JsonArg) -> anyhow::Result<u8> {
    let settings = config::load(&std::env::current_dir()?)?;
    let rows = rows(&settings)?;
    if args.json {
        say!(
            "{}",
            serde_json::to_string_pretty(&as_json(&settings, &rows))?
        );
    } else {
        print(&settings, &rows);
    }
    Ok(0)
}

fn rows(settings: &Settings) -> anyhow::Result<Vec<Row>> {
    let mut rows: Vec<Row> = Vec::new();
    let nothing = |key: String, shown: &str| Row {
        key,
        value: None,
        shown: shown.to_owned(),
        origin: String::new(),
        layer: "none",
        place: None,
        instead_of: Vec::new(),
    };
    if settings.model().is_none() {
        rows.push(nothing(
            Key::Model.to_string(),
            "not set: the goal's `use.model`, else the first key found, else a local server",
        ));
    }
    rows.extend(
        settings
            .all()
            .map(|(key, setting)| row(settings, key, setting)),
    );
    for provider in Provider::ALL {
        let missing = |key: &Key| settings.all().all(|(other, _)| other != key);
        let (address, key) = (Key::Address(provider), Key::Variable(provider));
        if missing(&key) {
            let says = if missing(&address) {
                "not set: as providers.openai"
            } else {
                "not set: no key is sent"
            };
            rows.push(nothing(key.to_string(), says));
        }
        if missing(&address) {
            let says = "not set: as providers.openai, or what `--model chat/NAME@ADDRESS` says";
            rows.push(nothing(address.to_string(), says));
        }
    }
    let own = std::env::var_os("OVERNIGHT_HOME").is_some_and(|home| !home.is_empty());
    let origin = if own {
        Origin::Environment("OVERNIGHT_HOME")
    } else {
        Origin::Default
    };
    let place = |key: &str, value: Json, origin: &Origin| Row {
        key: key.to_owned(),
        shown: value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned),
        value: Some(value),
        origin: origin.to_string(),
        layer: origin.layer(),
        place: origin.place().map(str::to_owned),
        instead_of: Vec::new(),
    };
    rows.push(place("home", json!(home()?.display().to_string()), &origin));
    for (key, value) in [
        ("stop.turns", json!(TURNS_DEFAULT)),
        ("stop.hours", json!(HOURS_DEFAULT)),
        ("stop.no_progress", json!(NO_PROGRESS_DEFAULT)),
    ] {
        let mut row = place(key, value, &Origin::Default);
        row.origin = "default; a goal's `stop` wins".to_owned();
        rows.push(row);
    }
    rows.sort_by(|a, b| a.key.cmp(&b.key));
    Ok(rows)
}

fn row(settings: &Settings, key: &Key, setting: &Setting) -> Row {
    let mut shown = setting.value.to_string();
    // What stands behind a webhook's host may be a secret, and so may what a command holds.
    let hidden = |text: &str| match key {
        Key::Notify(How::Webhook) => {
            let mut parts = text.splitn(4, '/');
            let place: Vec<&str> = parts.by_ref().take(3).collect();
            let more = if parts.next().is_some() { "/…" } else { "" };
            format!("{}{more}", place.join("/"))
        }
        _ => text.to_owned(),
    };
    shown = hidden(&shown);
    let value = match &setting.value {
        Value::Price(price) => json!(price),
        Value::Text(_) | Value::Command(_) => json!(shown),
    };
    // Whether a key is there is said; what it is never.
    if let Key::Variable(provider) = key {
        shown.push_str(match settings.key_from(*provider) {
            Whence::Environment => " (set)",
            Whence::Command(_) => " (by a command)",
            Whence::Missing => " (not set)",
        });
    }
    Row {
        key: key.to_string(),
        value: Some(value),
        shown,
        origin: setting.origin.to_string(),
        layer: setting.origin.layer(),
        place: setting.origin.place().map(str::to_owned),
        instead_of: setting
            .instead_of
            .iter()
            .rev()
            .map(|(value, origin)| (hidden(&value.to_string()), origin.clone()))
            .collect(),
    }
}

fn as_json(settings: &Settings, rows: &[Row]) -> Json {
    let values: Vec<Json> = rows
        .iter()
        .map(|row| {
            let instead_of: Vec<Json> = row
                .instead_of
                .iter()
                .map(|(value, origin)| json!({"value": value, "origin": origin.layer(), "place": origin.place()}))
                .collect();
            json!({"key": row.key, "value": row.value, "origin": row.layer, "place": row.place, "instead_of": instead_of})
        })
        .collect();
    let files: Vec<Json> = settings
        .files
        .iter()
        .map(|file| json!({"layer": file.layer, "path": file.path.display().to_string(), "there": file.there}))
        .collect();
    let keys: serde_json::Map<String, Json> = Provider::ALL
        .into_iter()
        .map(|p| {
            (
                p.name().to_owned(),
                json!({
                    "variable": settings.key_variable(p),
                    "set": settings.key_from(p) != Whence::Missing,
                    "from": settings.key_from(p).word(),
                }),
            )
        })
        .collect();
    json!({"files": files, "values": values, "keys": keys})
}

fn print(settings: &Settings, rows: &[Row]) {
    let wide = |text: fn(&Row) -> &str| {
        rows.iter()
            .map(|row| text(row).chars().count())
            .filter(|n| *n <= 48)
            .max()
            .unwrap_or(0)
    };
    let (key, value) = (wide(|row| &row.key), wide(|row| &row.shown));
    for row in rows {
        let line = format!(
            "{:<key$}  {:<value$}  {}",
            clean(&row.key),
            clean(&row.shown),
            clean(&row.origin)
        );
        say!("{}", line.trim_end());
        for (instead, origin) in &row.instead_of {
            say!(
                "{:<key$}    instead of {}, {}",
                "",
                clean(instead),
                clean(&origin.to_string())
            );
        }
    }
    say!("\nfiles, later ones win:");
    for file in &settings.files {
        let there = if file.there { "read" } else { "not there" };
        say!(
            "  {:<10}  {}  {there}",
            file.layer,
            clean(&file.path.display().to_string())
        );
    }
    say!(
        "then the environment (OVERNIGHT_MODEL, OPENAI_BASE_URL, ANTHROPIC_BASE_URL; {USER_FILE_VARIABLE} names another file of yours), the goal's `use.model`, and options."
    );
    say!(
        "A repository's file may set `model` and `prices`; `providers`, `notify` and `secrets` only yours."
    );
}
