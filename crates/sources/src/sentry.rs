//! Sentry, and what speaks its API.

use async_trait::async_trait;
use overnight_core::goal::{Items, Order};
use overnight_core::item::{Dossier, Item, Verb};
use overnight_ports::source::{Act, ActReceipt, Source, SourceError};
use reqwest::{Method, Url};
use serde_json::{Map, Value, json};

use crate::clean;
use crate::command::cannot;
use crate::dossier::{self, Broken, NO_EVENT};
use crate::hand::Hand;
use crate::http::{Api, Credential, Failure, Pages, next_link};
use crate::secretive;
use crate::spec::{Spec, pair};

/// How many pages of a list are read.
const PAGES_MAX: usize = 5_000;
/// How many pages of an issue's comments are looked through.
const COMMENT_PAGES_MAX: usize = 50;
/// Where the list looks if the goal does not say: as far back as Sentry keeps events.
const PERIOD_DEFAULT: &str = "90d";
/// What is listed if the goal does not say.
const QUERY_DEFAULT: &str = "is:unresolved";

/// In what trackers that speak Sentry's API differ.
pub(crate) struct Flavour {
    pub name: &'static str,
    /// The variable that holds the token if the goal names none.
    pub token: &'static str,
    /// The address if the goal names none.
    pub url: Option<&'static str>,
    /// The address of issues, of the organisation.
    pub issue: fn(&str) -> Vec<String>,
    /// Whether issues are listed at the project's address instead of the organisation's.
    pub by_project: bool,
    /// The name of an order, and whether that is the order already.
    pub sort: fn(Order) -> (&'static str, bool),
    /// How many issues are asked for at a time, where that can be said.
    pub page: Option<&'static str>,
    /// The body that makes a comment.
    pub comment: fn(&str) -> Value,
    pub verbs: &'static [Verb],
    /// The body that resolves, in the next release or at once.
    pub status: fn(bool) -> Value,
    /// Where a person can look at an issue, if the list does not say.
    pub web: fn(&str, &str, &str) -> Value,
}

/// Sentry itself.
pub(crate) const SENTRY: Flavour = Flavour {
    name: "Sentry",
    token: "SENTRY_AUTH_TOKEN",
    url: Some("https://sentry.io"),
    issue: |org| {
        ["api", "0", "organizations", org, "issues"]
            .map(str::to_owned)
            .to_vec()
    },
    by_project: false,
    sort: |order| match order {
        // First seen, the newest first. It cannot be turned round, so the oldest are sorted here.
        Order::Newest => ("new", true),
        Order::Oldest => ("new", false),
        Order::Priority => ("new", false),
        Order::Source => ("date", true),
    },
    page: Some("100"),
    comment: |text| json!({"text": text}),
    verbs: &[Verb::Comment, Verb::Resolve, Verb::Assign],
    status: |next| match next {
        true => json!({"status": "resolved", "statusDetails": {"inNextRelease": true}}),
        false => json!({"status": "resolved"}),
    },
    web: |base, org, issue| Value::from(format!("{base}/organizations/{org}/issues/{issue}/")),
};

/// A tracker that speaks Sentry's API.
pub(crate) struct Tracker {
    flavour: Flavour,
    api: Api,
    items: Items,
    org: String,
    project: String,
    query: String,
    period: String,
    assign: Option<String>,
    broken: Broken,
}

impl Tracker {
    pub(crate) fn open(spec: &Spec<'_>, flavour: Flavour) -> Result<Self, String> {
        let project = spec.needed("project", "shop/api")?;
        let (org, project) = pair("project", &project, "shop/api")?;
        let mut url = spec.url(flavour.url)?;
        // Some write the address of the API, others that of the tracker.
        if let Some(base) = url.path().strip_suffix("/api/0") {
            let base = base.to_owned();
            url.set_path(&base);
        }
        let token = spec.secret("token", flavour.token)?;
        Ok(Tracker {
            api: Api::new(flavour.name, url, vec![Credential::bearer(token)]),
            items: spec.items.clone(),
            org: org.to_owned(),
            project: project.to_owned(),
            query: spec
                .text("query")?
                .unwrap_or_else(|| QUERY_DEFAULT.to_owned()),
            period: spec
                .text("period")?
                .unwrap_or_else(|| PERIOD_DEFAULT.to_owned()),
            assign: spec.text("assign")?,
            broken: Broken::default(),
            flavour,
        })
    }

    /// An address below an issue's.
    fn at(&self, item: &Item, rest: &[&str]) -> Url {
        let mut parts = (self.flavour.issue)(&self.org);
        parts.push(item.id.0.clone());
        parts.extend(rest.iter().map(|part| (*part).to_owned()));
        parts.push(String::new());
        self.api
            .at(&parts.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// Where the list is.
    async fn list_address(&self) -> Result<Url, SourceError> {
        let project = ["api", "0", "projects", &self.org, &self.project];
        let mut url = if self.flavour.by_project {
            let mut parts = project.to_vec();
            parts.extend(["issues", ""]);
            self.api.at(&parts)
        } else {
            self.api
                .at(&["api", "0", "organizations", &self.org, "issues", ""])
        };
        let (sort, _) = (self.flavour.sort)(self.items.order);
        url.query_pairs_mut()
            .append_pair("query", &self.query)
            .append_pair("sort", sort);
        if let Some(page) = self.flavour.page {
            url.query_pairs_mut().append_pair("limit", page);
        }
        if !self.flavour.by_project {
            // The list knows projects by number only.
            let number = if self.project.bytes().all(|b| b.is_ascii_digit()) {
                self.project.clone()
            } else {
                let mut parts = project.to_vec();
                parts.push("");
                let answer = self.api.get(self.api.at(&parts)).await;
                let answer = answer.map_err(|f| f.of_list("`items.project`"))?;
                word(&answer.value, "id").ok_or_else(|| self.unlike("the project has no id"))?
            };
            url.query_pairs_mut()
                .append_pair("project", &number)
                .append_pair("statsPeriod", &self.period);
        }
        Ok(url)
    }

    fn unlike(&self, why: &str) -> SourceError {
        SourceError::Malformed(format!(
            "{} did not answer as it should: {why}; check `items.url`",
            self.flavour.name
        ))
    }

    fn item(&self, issue: &Value) -> Result<Item, SourceError> {
        let id = word(issue, "id").ok_or_else(|| self.unlike("an issue has no id"))?;
        let mut rest = Map::new();
        for key in [
            "shortId",
            "level",
            "status",
            "substatus",
            "culprit",
            "count",
            "userCount",
            "lastSeen",
            "platform",
        ] {
            if let Some(value) = issue.get(key).filter(|v| !v.is_null()) {
                rest.insert(key.to_owned(), value.clone());
            }
        }
        let url = word(issue, "permalink").or_else(|| {
            let url = (self.flavour.web)(&self.api.place(), &self.org, &id);
            url.as_str().map(str::to_owned)
        });
        Ok(Item {
            title: secretive::words(&word(issue, "title").unwrap_or_default()).into_owned(),
            body: None,
            url,
            created: word(issue, "firstSeen"),
            priority: word(issue, "priority"),
            tags: Vec::new(),
            rest,
            id: id.into(),
        })
    }

    async fn issue(&self, item: &Item) -> Result<Value, Failure> {
        Ok(self.api.get(self.at(item, &[])).await?.value)
    }

    /// The comment that carries the key.
    async fn comment(&self, act: &Act) -> Result<Option<ActReceipt>, SourceError> {
        let first = self.at(&act.item, &["comments"]);
        let mut pages = Pages::new(&self.api, &first, COMMENT_PAGES_MAX);
        let mut url = first;
        loop {
            let answer = self.api.get(url).await?;
            let comments = answer
                .value
                .as_array()
                .ok_or_else(|| self.unlike("its comments are no list"))?;
            let ours = comments.iter().find(|comment| {
                let text = comment.pointer("/data/text").and_then(Value::as_str);
                text.is_some_and(|text| text.contains(&act.key))
            });
            if let Some(ours) = ours {
                return Ok(Some(ActReceipt {
                    what: made("comment", word(ours, "id")),
                    already: true,
                }));
            }
            match pages.next(next_link(&answer.headers).as_deref())? {
                Some(next) => url = next,
                None => return Ok(None),
            }
        }
    }

    /// The issue as it is before something is done to it. One that was merged into another meanwhile is answered for by
    /// that other, which was on nobody's list.
    async fn unmerged(&self, item: &Item) -> Result<Value, SourceError> {
        let issue = self.issue(item).await?;
        match word(&issue, "id") {
            Some(id) if id != item.id.0 => Err(SourceError::Refused(format!(
                "issue {} was merged into issue {} meanwhile, which is left to a person",
                item.id,
                clean::line(&id, 80)
            ))),
            Some(_) | None => Ok(issue),
        }
    }

    fn is_assigned(&self, issue: &Value) -> bool {
        let (Some(to), Some(now)) = (self.assign.as_deref(), issue.get("assignedTo")) else {
            return false;
        };
        let kind = word(now, "type").unwrap_or_else(|| "user".to_owned());
        ["email", "id", "name", "username"]
            .into_iter()
            .filter_map(|key| word(now, key))
            .any(|name| name == to || format!("{kind}:{name}") == to)
    }

    async fn resolve(&self, act: &Act) -> Result<ActReceipt, SourceError> {
        let url = self.at(&act.item, &[]);
        let put = |next: bool| {
            let (url, body) = (url.clone(), (self.flavour.status)(next));
            async move { self.api.send(Method::PUT, url, Some(&body)).await }
        };
        let answer = match put(true).await {
            // A project without releases has no next one.
            Err(Failure {
                status: Some(400), ..
            }) => put(false).await?,
            other => other?,
        };
        match word(&answer.value, "status").as_deref() {
            Some("resolved") => Ok(ActReceipt {
                what: "resolved".to_owned(),
                already: false,
            }),
            other => Err(self.unlike(&format!("a resolved issue is {other:?}"))),
        }
    }
}

/// What was made, by its number.
pub(crate) fn made(what: &str, id: Option<String>) -> String {
    match id {
        Some(id) => clean::line(&format!("{what} {id}"), 100),
        None => what.to_owned(),
    }
}

/// A text or a number of an object.
pub(crate) fn word(value: &Value, key: &str) -> Option<String> {
    match value.get(key)? {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

#[async_trait]
impl Source for Tracker {
    fn describe(&self) -> String {
        format!(
            "{} at {}, project {}/{}",
            self.flavour.name,
            self.api.place(),
            self.org,
            self.project
        )
    }

    async fn list(
        &self,
        found: &mut (dyn FnMut(Item) -> bool + Send),
    ) -> Result<Vec<String>, SourceError> {
        let (_, sorted) = (self.flavour.sort)(self.items.order);
        let mut hand = Hand::new(&self.items, sorted, found);
        let first = self.list_address().await?;
        let mut pages = Pages::new(&self.api, &first, PAGES_MAX);
        let mut url = first;
        loop {
            let answer = self.api.get(url).await;
            let answer = answer.map_err(|f| f.of_list("`items.project`"))?;
            let issues = answer
                .value
                .as_array()
                .ok_or_else(|| self.unlike("its issues are no list"))?;
            for issue in issues {
                if !hand.take(self.item(issue)?)? {
                    return Ok(hand.finish());
                }
            }
            match pages.next(next_link(&answer.headers).as_deref())? {
                Some(next) => url = next,
                None => return Ok(hand.finish()),
            }
        }
    }

    async fn read(&self, item: &Item) -> Result<Dossier, SourceError> {
        match self.api.get(self.at(item, &["events", "latest"])).await {
            Ok(answer) => Ok(dossier::of_event(item, &answer.value)),
            Err(failure) => match failure.error {
                // Its events may have been dropped, or it is gone itself.
                SourceError::Gone(_) => {
                    self.issue(item).await?;
                    Ok(dossier::of_words(item, NO_EVENT))
                }
                error @ (SourceError::Malformed(_) | SourceError::Unavailable(_)) => {
                    // Is it this event, or all of the server?
                    match self.issue(item).await {
                        Ok(_) => self.broken.event(item, error),
                        Err(_) => Err(error),
                    }
                }
                error => Err(error),
            },
        }
    }

    fn verbs(&self) -> Vec<Verb> {
        let can = |verb: &Verb| *verb != Verb::Assign || self.assign.is_some();
        self.flavour.verbs.iter().copied().filter(can).collect()
    }

    async fn probe(&self, act: &Act) -> Result<Option<ActReceipt>, SourceError> {
        if !self.verbs().contains(&act.verb) {
            return Err(cannot(self.flavour.name, act.verb));
        }
        let done = match act.verb {
            Verb::Comment => return self.comment(act).await,
            Verb::Resolve => {
                let issue = self.unmerged(&act.item).await?;
                (issue["status"] == "resolved").then(|| "resolved".to_owned())
            }
            Verb::Assign => {
                let issue = self.unmerged(&act.item).await?;
                let to = self.assign.as_deref().unwrap_or_default();
                self.is_assigned(&issue)
                    .then(|| format!("assigned to {to}"))
            }
            Verb::Tick | Verb::Command => None,
        };
        Ok(done.map(|what| ActReceipt {
            what,
            already: true,
        }))
    }

    async fn act(&self, act: &Act) -> Result<ActReceipt, SourceError> {
        // Looking first costs a request, and makes every attempt safe to be made again.
        if let Some(receipt) = self.probe(act).await? {
            return Ok(receipt);
        }
        match (act.verb, &self.assign) {
            (Verb::Comment, _) => {
                let body = (self.flavour.comment)(&act.text);
                let url = self.at(&act.item, &["comments"]);
                let answer = self.api.send(Method::POST, url, Some(&body)).await;
                let answer = answer.map_err(|failure| match failure.error {
                    // GlitchTip's way to say so.
                    SourceError::Refused(message) if message.contains("does not exist") => {
                        SourceError::Gone(message)
                    }
                    error => error,
                })?;
                Ok(ActReceipt {
                    what: made("comment", word(&answer.value, "id")),
                    already: false,
                })
            }
            (Verb::Resolve, _) => self.resolve(act).await,
            (Verb::Assign, Some(to)) => {
                let url = self.at(&act.item, &[]);
                let body = json!({"assignedTo": to});
                self.api.send(Method::PUT, url, Some(&body)).await?;
                Ok(ActReceipt {
                    what: format!("assigned to {to}"),
                    already: false,
                })
            }
            (verb, _) => Err(cannot(self.flavour.name, verb)),
        }
    }
}
