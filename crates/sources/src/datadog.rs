//! Datadog Error Tracking, as far as its published description goes: issues are searched, resolved and assigned; it
//! publishes neither their stack traces nor a way to comment.

use std::time::{SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use jiff::Timestamp;
use overnight_core::goal::{Items, Order};
use overnight_core::item::{Dossier, Item, Verb};
use overnight_ports::source::{Act, ActReceipt, Source, SourceError};
use reqwest::header::HeaderName;
use reqwest::{Method, Url};
use serde_json::{Map, Value, json};

use crate::command::cannot;
use crate::dossier;
use crate::hand::Hand;
use crate::http::{Api, Credential, Failure};
use crate::secretive::{self, scrubbed};
use crate::sentry::word;
use crate::spec::Spec;

/// The variable that holds the API key.
pub(crate) const TOKEN: &str = "DD_API_KEY";
/// The variable that holds the application key.
pub(crate) const APP_TOKEN: &str = "DD_APP_KEY";
/// The most issues that one search gives. There are no pages: a span of time that holds more is halved.
const SEARCH_MAX: usize = 100;
/// The shortest span of time that is halved, milliseconds.
const SPAN_MIN_MS: u64 = 60_000;
/// How many searches one list may take.
const SEARCHES_MAX: usize = 2_000;
/// How far back the list looks if the goal does not say, days.
const DAYS_DEFAULT: u64 = 30;
/// How far back it may look, days.
const DAYS_MAX: u64 = 730;
/// Milliseconds of a day.
const DAY_MS: u64 = 24 * 60 * 60 * 1_000;
/// What is listed if neither the query nor `states` says.
const STATES_DEFAULT: [&str; 2] = ["OPEN", "ACKNOWLEDGED"];
/// States that Datadog knows.
const STATES: [&str; 5] = ["OPEN", "ACKNOWLEDGED", "RESOLVED", "IGNORED", "EXCLUDED"];
/// Tracks that Datadog knows.
const TRACKS: [&str; 3] = ["trace", "logs", "rum"];

/// Error tracking of an organisation.
pub(crate) struct Datadog {
    api: Api,
    items: Items,
    query: String,
    states: Vec<String>,
    track: Option<String>,
    days: u64,
    assign: Option<String>,
}

impl Datadog {
    pub(crate) fn open(spec: &Spec<'_>) -> Result<Self, String> {
        let mut query = spec.text("query")?.unwrap_or_default();
        if let Some(service) = spec.text("project")? {
            if service.contains(|c: char| c.is_whitespace() || c == '"') {
                return Err("`items.project` must be the name of a service".to_owned());
            }
            query = format!("service:{service} {query}").trim().to_owned();
        }
        let mut states: Vec<String> = spec
            .texts("states")?
            .iter()
            .map(|s| s.to_uppercase())
            .collect();
        if let Some(odd) = states.iter().find(|s| !STATES.contains(&s.as_str())) {
            return Err(format!(
                "`items.states` has {odd}; Datadog knows: {}",
                STATES.join(", ")
            ));
        }
        if states.is_empty() && !query.contains("state:") {
            states = STATES_DEFAULT.map(str::to_owned).to_vec();
        }
        let track = spec.text("track")?;
        if let Some(odd) = track.as_deref().filter(|t| !TRACKS.contains(t)) {
            return Err(format!(
                "`items.track` is {odd}; Datadog knows: {}",
                TRACKS.join(", ")
            ));
        }
        let days = match spec.text("period")? {
            None => DAYS_DEFAULT,
            Some(text) => text
                .strip_suffix('d')
                .and_then(|days| days.parse().ok())
                .filter(|days| (1..=DAYS_MAX).contains(days))
                .ok_or_else(|| {
                    format!("`items.period` must be a number of days up to {DAYS_MAX}, like `30d`")
                })?,
        };
        if query.is_empty() {
            query = "*".to_owned();
        }
        let credential = |header: &'static str, key: &str, default: &str| {
            Ok::<_, String>(Credential {
                header: HeaderName::from_static(header),
                scheme: "",
                secret: spec.secret(key, default)?,
            })
        };
        let credentials = vec![
            credential("dd-api-key", "token", TOKEN)?,
            credential("dd-application-key", "app_token", APP_TOKEN)?,
        ];
        let url = spec.url(Some("https://api.datadoghq.com"))?;
        Ok(Datadog {
            api: Api::new("Datadog", url, credentials),
            items: spec.items.clone(),
            query,
            states,
            track,
            days,
            assign: spec.text("assign")?,
        })
    }

    fn at(&self, parts: &[&str]) -> Url {
        let mut all = vec!["api", "v2", "error-tracking", "issues"];
        all.extend(parts);
        self.api.at(&all)
    }

    fn unlike(&self, why: &str) -> SourceError {
        SourceError::Malformed(format!(
            "Datadog did not answer as it should: {why}; check `items.url`"
        ))
    }

    /// The issues with events in a span of time: how many were told, and those.
    async fn search(&self, from: u64, to: u64) -> Result<(usize, Vec<Value>), SourceError> {
        let order = match self.items.order {
            Order::Source => "TOTAL_COUNT",
            Order::Priority => "PRIORITY",
            Order::Oldest | Order::Newest => "FIRST_SEEN",
        };
        let mut attributes =
            json!({"query": self.query, "from": from, "to": to, "order_by": order});
        match &self.track {
            Some(track) => attributes["track"] = json!(track),
            None => attributes["persona"] = json!("ALL"),
        }
        if !self.states.is_empty() {
            attributes["states"] = json!(self.states);
        }
        let body = json!({"data": {"type": "search_request", "attributes": attributes}});
        let mut url = self.at(&["search"]);
        url.query_pairs_mut().append_pair("include", "issue");
        let answer = self.api.send(Method::POST, url, Some(&body)).await;
        let answer = answer.map_err(|f| f.of_list("`items.url`"))?.value;
        let results = answer.get("data").and_then(Value::as_array);
        let results = results.ok_or_else(|| self.unlike("a search has no data"))?;
        let included = answer.get("included").and_then(Value::as_array);
        let issues = results.iter().map(|result| {
            let id = word(result, "id").ok_or_else(|| self.unlike("a result has no id"))?;
            let mut issue = included
                .into_iter()
                .flatten()
                .find(|other| other["type"] == "issue" && other["id"] == id.as_str())
                .cloned()
                .ok_or_else(|| self.unlike("a result has no issue"))?;
            if let Some(count) = result.pointer("/attributes/total_count")
                && let Some(attributes) = issue.get_mut("attributes").and_then(Value::as_object_mut)
            {
                attributes.insert("total_count".to_owned(), count.clone());
            }
            Ok(issue)
        });
        Ok((results.len(), issues.collect::<Result<_, SourceError>>()?))
    }

    fn item(&self, issue: &Value) -> Result<Item, SourceError> {
        let id = word(issue, "id").ok_or_else(|| self.unlike("an issue has no id"))?;
        let attributes = issue.get("attributes").cloned().unwrap_or_default();
        let text = |key: &str| word(&attributes, key).unwrap_or_default();
        let title = match (text("error_type"), text("error_message")) {
            (kind, message) if message.is_empty() => kind,
            (kind, message) if kind.is_empty() => message,
            (kind, message) => format!("{kind}: {message}"),
        };
        let created = attributes
            .get("first_seen")
            .and_then(Value::as_i64)
            .and_then(|ms| Timestamp::from_millisecond(ms).ok())
            .map(|at| at.to_string());
        let mut rest = Map::new();
        for key in [
            "service",
            "state",
            "file_path",
            "function_name",
            "error_message",
            "platform",
            "languages",
            "is_crash",
            "total_count",
            "first_seen_version",
            "last_seen_version",
        ] {
            if let Some(value) = attributes.get(key).filter(|v| !v.is_null()) {
                rest.insert(key.to_owned(), scrubbed(value));
            }
        }
        Ok(Item {
            title: secretive::words(&title).into_owned(),
            body: None,
            url: self.web(&id),
            created,
            priority: None,
            tags: word(&attributes, "service")
                .map(|s| format!("service:{s}"))
                .into_iter()
                .collect(),
            rest,
            id: id.into(),
        })
    }

    /// Where a person can look at an issue: `api.` is the API's own part of the name.
    fn web(&self, id: &str) -> Option<String> {
        let place = self.api.place();
        let site = place.strip_prefix("https://api.")?;
        let host = match site.matches('.').count() {
            1 => format!("app.{site}"),
            _ => site.to_owned(),
        };
        Some(format!("https://{host}/error-tracking?issueId={id}"))
    }

    async fn issue(&self, item: &Item) -> Result<Value, Failure> {
        let mut url = self.at(&[item.id.as_str()]);
        url.query_pairs_mut().append_pair("include", "assignee");
        let answer = self.api.get(url).await?;
        match answer.value.get("data") {
            Some(issue) if issue.is_object() => Ok(issue.clone()),
            _ => Err(Failure {
                error: self.unlike("an issue has no data"),
                status: None,
                nothing_done: true,
            }),
        }
    }

    /// What the act comes to if it was performed.
    fn done(&self, verb: Verb, issue: &Value) -> Option<String> {
        match verb {
            Verb::Resolve => {
                let state = issue.pointer("/attributes/state");
                (state == Some(&json!("RESOLVED"))).then(|| "resolved".to_owned())
            }
            Verb::Assign => {
                let to = self.assign.as_deref()?;
                let now = issue.pointer("/relationships/assignee/data/id");
                (now.and_then(Value::as_str) == Some(to)).then(|| format!("assigned to {to}"))
            }
            Verb::Comment | Verb::Tick | Verb::Command => None,
        }
    }
}

#[async_trait]
impl Source for Datadog {
    fn describe(&self) -> String {
        format!(
            "Datadog Error Tracking at {}, query {}",
            self.api.place(),
            self.query
        )
    }

    async fn list(
        &self,
        found: &mut (dyn FnMut(Item) -> bool + Send),
    ) -> Result<Vec<String>, SourceError> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.map_or(0, |d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX));
        let span = (now.saturating_sub(self.days * DAY_MS), now);
        let mut spans = vec![span];
        let mut notes = Vec::new();
        // What Datadog ranks by is not told, so its own orders stay as they come; times are sorted here.
        let keep = matches!(self.items.order, Order::Source | Order::Priority);
        let mut held: Vec<Item> = Vec::new();
        let mut searches = 0;
        while let Some((from, to)) = spans.pop() {
            searches += 1;
            if searches > SEARCHES_MAX {
                return Err(SourceError::Refused(format!(
                    "Datadog gives at most {SEARCH_MAX} issues at a time, and {SEARCHES_MAX} searches were not enough: narrow `items.query` or `items.period`"
                )));
            }
            let (told, issues) = self.search(from, to).await?;
            if told >= SEARCH_MAX && to - from > SPAN_MIN_MS {
                let middle = from + (to - from) / 2;
                // The later half is looked at first.
                spans.extend([(from, middle), (middle, to)]);
                if keep && notes.is_empty() {
                    notes.push(
                        "Datadog's own order is kept only within spans of time: there are more issues than it gives at once"
                            .to_owned(),
                    );
                }
                continue;
            }
            if told >= SEARCH_MAX {
                return Err(SourceError::Refused(format!(
                    "more than {SEARCH_MAX} issues have events within one minute, and Datadog gives no more: narrow `items.query`"
                )));
            }
            for issue in &issues {
                held.push(self.item(issue)?);
            }
        }
        let mut hand = Hand::new(&self.items, keep, found);
        for item in held {
            if !hand.take(item)? {
                break;
            }
        }
        notes.extend(hand.finish());
        Ok(notes)
    }

    async fn read(&self, item: &Item) -> Result<Dossier, SourceError> {
        let issue = self.issue(item).await?;
        // What it says now; the list's own word stays what it was.
        let mut now = self.item(&issue)?;
        now.id = item.id.clone();
        let more = "Datadog's API gives no stack trace: the file and the function are where the error was raised.";
        let mut dossier = dossier::of_words(&now, more);
        dossier.item = item.clone();
        dossier.event = Some(scrubbed(&issue));
        Ok(dossier)
    }

    fn verbs(&self) -> Vec<Verb> {
        let assign = self.assign.as_ref().map(|_| Verb::Assign);
        [Verb::Resolve].into_iter().chain(assign).collect()
    }

    async fn probe(&self, act: &Act) -> Result<Option<ActReceipt>, SourceError> {
        if !self.verbs().contains(&act.verb) {
            return Err(cannot("Datadog", act.verb));
        }
        let issue = self.issue(&act.item).await?;
        Ok(self.done(act.verb, &issue).map(|what| ActReceipt {
            what,
            already: true,
        }))
    }

    async fn act(&self, act: &Act) -> Result<ActReceipt, SourceError> {
        if let Some(receipt) = self.probe(act).await? {
            return Ok(receipt);
        }
        let id = act.item.id.as_str();
        let (part, body) = match (act.verb, &self.assign) {
            (Verb::Resolve, _) => (
                "state",
                json!({"data": {"id": id, "type": "error_tracking_issue", "attributes": {"state": "RESOLVED"}}}),
            ),
            (Verb::Assign, Some(to)) => {
                ("assignee", json!({"data": {"id": to, "type": "assignee"}}))
            }
            (verb, _) => return Err(cannot("Datadog", verb)),
        };
        let answer = self
            .api
            .send(Method::PUT, self.at(&[id, part]), Some(&body))
            .await?;
        let issue = answer.value.get("data").cloned().unwrap_or_default();
        let done = self.done(act.verb, &issue);
        Ok(ActReceipt {
            what: done.ok_or_else(|| self.unlike("what was changed is not changed"))?,
            already: false,
        })
    }
}
