//! Bugsink: `/api/canonical/0/`. Its list cannot be filtered by level, tag or state (older ones ignore what they do not
//! know), so filtering is done here; up to version 2.6.1 nobody can ask it for the comments that an issue has.

use std::sync::OnceLock;

use async_trait::async_trait;
use overnight_core::goal::{Items, Order};
use overnight_core::item::{Dossier, Item, Verb};
use overnight_ports::source::{Act, ActReceipt, Source, SourceError};
use reqwest::{Method, Url};
use serde_json::{Map, Value, json};

use crate::command::cannot;
use crate::dossier::{self, Broken, NO_EVENT};
use crate::hand::Hand;
use crate::http::{Api, Credential, Failure, Pages};
use crate::query::{Query, Term};
use crate::secretive;
use crate::sentry::{made, word};
use crate::spec::Spec;
use crate::stack::Event;

/// The variable that holds the token.
pub(crate) const TOKEN: &str = "BUGSINK_TOKEN";
/// How many pages of a list are read.
const PAGES_MAX: usize = 5_000;
/// What stands in a 404 of an address that this version of Bugsink does not have.
const UNIMPLEMENTED: &str = "Unimplemented API endpoint";
/// States that `is:` knows.
const STATES: [&str; 6] = [
    "unresolved",
    "open",
    "resolved",
    "muted",
    "ignored",
    "unmuted",
];
/// Keys of Sentry's queries that Bugsink has nothing for.
const WITHOUT: [&str; 14] = [
    "issue.priority",
    "issue.category",
    "issue.type",
    "age",
    "assigned",
    "assigned_or_suggested",
    "bookmarks",
    "firstSeen",
    "lastSeen",
    "firstRelease",
    "first_seen",
    "last_seen",
    "times_seen",
    "timesSeen",
];

/// A project of a Bugsink.
pub(crate) struct Bugsink {
    api: Api,
    items: Items,
    project: String,
    query: Query,
    /// The project's number, once it was looked up.
    number: OnceLock<String>,
    broken: Broken,
}

/// Whether the history of an issue holds a comment.
enum Told {
    Made(ActReceipt),
    NotMade,
    /// This Bugsink does not say.
    Untold,
}

impl Bugsink {
    pub(crate) fn open(spec: &Spec<'_>) -> Result<Self, String> {
        let project = spec.needed("project", "shop")?;
        let mut url = spec.url(None)?;
        if let Some(base) = url.path().strip_suffix("/api/canonical/0") {
            let base = base.to_owned();
            url.set_path(&base);
        }
        let query = Query::parse(&spec.text("query")?.unwrap_or_default())?;
        for term in &query.terms {
            let Some(key) = &term.key else { continue };
            if WITHOUT.contains(&key.as_str()) {
                return Err(format!(
                    "`items.query` has `{key}`, for which Bugsink has nothing; what events carry as a tag can be asked for by the tag's name, like `priority:P2`"
                ));
            }
            let states = term.values.iter().all(|v| STATES.contains(&v.as_str()));
            if key == "is" && !states {
                return Err(format!(
                    "`items.query` has `is:{}`; Bugsink knows: {}",
                    term.values.join(","),
                    STATES.join(", ")
                ));
            }
        }
        let token = spec.secret("token", TOKEN)?;
        Ok(Bugsink {
            api: Api::new("Bugsink", url, vec![Credential::bearer(token)]),
            items: spec.items.clone(),
            project,
            query,
            number: OnceLock::new(),
            broken: Broken::default(),
        })
    }

    /// An address of the API.
    fn at(&self, parts: &[&str]) -> Url {
        let mut all = vec!["api", "canonical", "0"];
        all.extend(parts);
        all.push("");
        self.api.at(&all)
    }

    fn unlike(&self, why: &str) -> SourceError {
        SourceError::Malformed(format!(
            "Bugsink did not answer as it should: {why}; check `items.url`"
        ))
    }

    /// A page: what it holds and where it says that the next one is.
    async fn page(&self, url: Url) -> Result<(Vec<Value>, Option<String>), Failure> {
        let answer = self.api.get(url).await?;
        let Some(results) = answer.value.get("results").and_then(Value::as_array) else {
            return Err(Failure {
                error: self.unlike("a page has no results"),
                status: None,
                nothing_done: true,
            });
        };
        let next = answer.value.get("next").and_then(Value::as_str);
        Ok((results.clone(), next.map(str::to_owned)))
    }

    /// The project's number: the list knows no names.
    async fn number(&self) -> Result<&str, SourceError> {
        if let Some(number) = self.number.get() {
            return Ok(number);
        }
        if self.project.bytes().all(|b| b.is_ascii_digit()) {
            return Ok(self.number.get_or_init(|| self.project.clone()));
        }
        let first = self.at(&["projects"]);
        let mut pages = Pages::new(&self.api, &first, PAGES_MAX);
        let (mut url, mut names) = (Some(first), Vec::new());
        while let Some(at) = url.take() {
            let (projects, next) = self.page(at).await.map_err(|f| f.of_list("`items.url`"))?;
            for project in &projects {
                let name = |key: &str| word(project, key).unwrap_or_default();
                if name("name") == self.project || name("slug") == self.project {
                    let number =
                        word(project, "id").ok_or_else(|| self.unlike("a project has no id"))?;
                    return Ok(self.number.get_or_init(|| number));
                }
                names.push(name("name"));
            }
            url = pages.next(next.as_deref())?;
        }
        names.truncate(20);
        Err(SourceError::Refused(format!(
            "Bugsink has no project {} that the token may see; there are: {}",
            self.project,
            crate::clean::line(&names.join(", "), 400)
        )))
    }

    fn item(&self, issue: &Value, event: Option<&Event>) -> Result<Item, SourceError> {
        let id = word(issue, "id").ok_or_else(|| self.unlike("an issue has no id"))?;
        let kind = word(issue, "calculated_type").unwrap_or_default();
        let value = word(issue, "calculated_value").unwrap_or_default();
        let title = match (kind.as_str(), value.as_str()) {
            (kind, "") => kind.to_owned(),
            ("", value) => value.to_owned(),
            (kind, value) => format!("{kind}: {value}"),
        };
        let mut rest = Map::new();
        for key in [
            "friendly_id",
            "transaction",
            "digested_event_count",
            "last_seen",
        ] {
            if let Some(value) = issue.get(key).filter(|v| !v.is_null() && **v != "") {
                rest.insert(key.to_owned(), value.clone());
            }
        }
        let tags = event.map(|e| e.tags.as_slice()).unwrap_or_default();
        Ok(Item {
            title: secretive::words(&title).into_owned(),
            body: None,
            url: Some(format!("{}/issues/issue/{id}/", self.api.place())),
            created: word(issue, "first_seen"),
            priority: tags
                .iter()
                .find(|(key, _)| key == "priority")
                .map(|(_, value)| value.clone())
                .or_else(|| event.map(|e| e.level.clone()).filter(|l| !l.is_empty())),
            tags: tags.iter().map(|(k, v)| format!("{k}:{v}")).collect(),
            rest,
            id: id.into(),
        })
    }

    /// The newest event of an issue, if there is one any more.
    async fn event(&self, id: &str) -> Result<Option<Value>, SourceError> {
        let mut url = self.at(&["events"]);
        url.query_pairs_mut()
            .append_pair("issue", id)
            .append_pair("order", "desc");
        let (events, _) = self.page(url).await?;
        let Some(event) = events.first() else {
            return Ok(None);
        };
        let id = word(event, "id").ok_or_else(|| self.unlike("an event has no id"))?;
        match self.api.get(self.at(&["events", &id])).await {
            Ok(answer) => {
                let data = answer.value.get("data").filter(|data| data.is_object());
                let data = data.ok_or_else(|| self.unlike("an event has no data"))?;
                Ok(Some(data.clone()))
            }
            // Dropped meanwhile.
            Err(Failure {
                error: SourceError::Gone(_),
                ..
            }) => Ok(None),
            Err(failure) => Err(failure.into()),
        }
    }

    async fn issue(&self, item: &Item) -> Result<Value, Failure> {
        Ok(self
            .api
            .get(self.at(&["issues", item.id.as_str()]))
            .await?
            .value)
    }

    /// Looks for a comment with the act's key in the issue's history.
    async fn comment(&self, act: &Act) -> Result<Told, SourceError> {
        let mut first = self.at(&["issue-history"]);
        first
            .query_pairs_mut()
            .append_pair("issue", act.item.id.as_str())
            .append_pair("order", "desc");
        let mut pages = Pages::new(&self.api, &first, PAGES_MAX);
        let mut url = Some(first);
        while let Some(at) = url.take() {
            let (points, next) = match self.page(at).await {
                Ok(page) => page,
                Err(failure) => {
                    return match &failure.error {
                        SourceError::Gone(message) if message.contains(UNIMPLEMENTED) => {
                            Ok(Told::Untold)
                        }
                        // The token may comment and not look.
                        SourceError::Refused(_) if failure.status == Some(403) => Ok(Told::Untold),
                        _ => Err(failure.into()),
                    };
                }
            };
            let ours = points.iter().find(|point| {
                let text = point.get("comment").and_then(Value::as_str);
                text.is_some_and(|text| text.contains(&act.key))
            });
            if let Some(ours) = ours {
                return Ok(Told::Made(ActReceipt {
                    what: made("comment", word(ours, "id")),
                    already: true,
                }));
            }
            url = pages.next(next.as_deref())?;
        }
        Ok(Told::NotMade)
    }

    /// What nobody can find out is not done again.
    fn untold(&self, act: &Act) -> SourceError {
        SourceError::Refused(format!(
            "nobody knows whether the comment on {} was made, and this Bugsink cannot be asked (2.6.2 and later can, by a token with the right to read issues): it is not made again; look at {}",
            act.item.id,
            act.item.url.as_deref().unwrap_or("the issue")
        ))
    }

    async fn make_comment(&self, act: &Act) -> Result<ActReceipt, SourceError> {
        let told = self.comment(act).await?;
        if let Told::Made(receipt) = told {
            return Ok(receipt);
        }
        let body = json!({"issue": act.item.id, "comment": act.text});
        let url = self.at(&["issue-comments"]);
        match self.api.send(Method::POST, url, Some(&body)).await {
            Ok(answer) => Ok(ActReceipt {
                what: made("comment", word(&answer.value, "id")),
                already: false,
            }),
            Err(failure) if failure.nothing_done => Err(match failure.error {
                // An unknown issue is a bad field here.
                SourceError::Refused(message) if message.contains("Issue not found") => {
                    SourceError::Gone(message)
                }
                error => error,
            }),
            // The next attempt looks first, where that can be done.
            Err(failure) => Err(match told {
                Told::Untold => self.untold(act),
                Told::NotMade | Told::Made(_) => failure.error,
            }),
        }
    }

    /// Whether the project has releases, so that "the next" means something.
    async fn has_releases(&self) -> bool {
        let Ok(number) = self.number().await else {
            return false;
        };
        let mut url = self.at(&["releases"]);
        url.query_pairs_mut().append_pair("project", number);
        // A token that may not look resolves at once.
        let page = self.page(url).await;
        page.is_ok_and(|(releases, _)| releases.iter().any(|r| word(r, "version").is_some()))
    }

    async fn resolve(&self, act: &Act) -> Result<ActReceipt, SourceError> {
        let receipt = |already| ActReceipt {
            what: "resolved".to_owned(),
            already,
        };
        if is_resolved(&self.issue(&act.item).await?) {
            return Ok(receipt(true));
        }
        let how = match self.has_releases().await {
            true => "resolve-next",
            false => "resolve",
        };
        let url = self.at(&["issues", act.item.id.as_str(), how]);
        match self.api.send(Method::POST, url, None).await {
            Ok(answer) if is_resolved(&answer.value) => Ok(receipt(false)),
            Ok(_) => Err(self.unlike("a resolved issue is not resolved")),
            Err(failure) => {
                // Somebody else may have been faster.
                if failure.status == Some(400) && is_resolved(&self.issue(&act.item).await?) {
                    return Ok(receipt(true));
                }
                Err(failure.into())
            }
        }
    }
}

fn is_resolved(issue: &Value) -> bool {
    issue["is_resolved"] == true
}

/// What a term says of the issue alone; `None`: the event has to be asked.
fn of_issue(term: &Term, issue: &Value) -> Option<bool> {
    let text = |key: &str| word(issue, key).unwrap_or_default();
    let (kind, value) = (text("calculated_type"), text("calculated_value"));
    let Some(key) = term.key.as_deref() else {
        return Some(term.is_in(&format!("{kind}: {value}")));
    };
    Some(match key {
        "is" => {
            let (resolved, muted) = (is_resolved(issue), issue["is_muted"] == true);
            let mut states = Vec::new();
            match (resolved, muted) {
                (true, _) => states.push("resolved"),
                (false, true) => states.extend(["muted", "ignored"]),
                (false, false) => states.extend(["unresolved", "open"]),
            }
            if !muted {
                states.push("unmuted");
            }
            term.holds(states)
        }
        "error.type" | "type" => term.holds([kind.as_str()]),
        "error.value" | "message" => term.holds([value.as_str()]),
        "title" => term.holds([format!("{kind}: {value}").as_str()]),
        "issue" | "id" => term.holds([text("id").as_str(), text("friendly_id").as_str()]),
        // The issue has the first event's; the newest one may have another.
        "transaction" if !term.not && term.holds([text("transaction").as_str()]) => true,
        _ => return None,
    })
}

/// What a term says of the newest event.
fn of_event(term: &Term, issue: &Value, event: &Event) -> bool {
    let key = term.key.as_deref().unwrap_or_default();
    let tags = |name: &str| -> Vec<&str> {
        let tags = event.tags.iter().filter(|(k, _)| k == name);
        tags.map(|(_, v)| v.as_str()).collect()
    };
    let and = |own: &str| {
        let mut all = tags(key);
        all.push(own);
        all.retain(|v| !v.is_empty());
        term.holds(all.iter().copied())
    };
    match key {
        "transaction" => {
            let first = word(issue, "transaction").unwrap_or_default();
            term.holds(
                [first.as_str(), event.transaction.as_str()]
                    .into_iter()
                    .filter(|t| !t.is_empty()),
            )
        }
        "level" => and(&event.level),
        "environment" => and(&event.environment),
        "release" => and(&event.release),
        "has" => term.holds(event.tags.iter().map(|(k, _)| k.as_str())),
        name => term.holds(tags(name.strip_prefix("tags.").unwrap_or(name))),
    }
}

#[async_trait]
impl Source for Bugsink {
    fn describe(&self) -> String {
        format!("Bugsink at {}, project {}", self.api.place(), self.project)
    }

    async fn list(
        &self,
        found: &mut (dyn FnMut(Item) -> bool + Send),
    ) -> Result<Vec<String>, SourceError> {
        // Issues are numbered as they are first seen.
        let (order, sorted) = match self.items.order {
            Order::Oldest | Order::Source => ("asc", true),
            Order::Newest => ("desc", true),
            Order::Priority => ("asc", false),
        };
        let unresolved = Query::parse("is:unresolved").map_err(SourceError::Refused)?;
        let stated = self.query.of("is").next().is_some();
        let default = if stated {
            &[][..]
        } else {
            &unresolved.terms[..]
        };
        let number = self.number().await?;
        let mut first = self.at(&["issues"]);
        first
            .query_pairs_mut()
            .append_pair("project", number)
            .append_pair("sort", "digest_order")
            .append_pair("order", order);
        let mut hand = Hand::new(&self.items, sorted, found);
        let mut pages = Pages::new(&self.api, &first, PAGES_MAX);
        let (mut url, mut eventless) = (Some(first), 0);
        let note = |mut notes: Vec<String>, eventless: usize| {
            if eventless > 0 {
                notes.push(format!(
                    "{eventless} issues have no event that can be read, so that `items.query` cannot be held against it: they are left out"
                ));
            }
            notes
        };
        while let Some(at) = url.take() {
            let (issues, next) = self
                .page(at)
                .await
                .map_err(|f| f.of_list("`items.project`"))?;
            for issue in &issues {
                let id = word(issue, "id").ok_or_else(|| self.unlike("an issue has no id"))?;
                if hand.knows(&id) {
                    continue;
                }
                let terms = default.iter().chain(&self.query.terms);
                let (mut fits, mut open) = (true, Vec::new());
                for term in terms {
                    match of_issue(term, issue) {
                        Some(holds) => fits &= holds,
                        None => open.push(term),
                    }
                }
                if !fits {
                    continue;
                }
                let mut event = None;
                if !open.is_empty() || self.items.order == Order::Priority {
                    event = match self.event(&id).await {
                        Ok(event) => event.map(|event| Event::read(&event)),
                        // One that cannot be read must not keep the others from being listed.
                        Err(SourceError::Malformed(_)) => None,
                        Err(error) => return Err(error),
                    };
                    match &event {
                        Some(event) => fits = open.iter().all(|term| of_event(term, issue, event)),
                        None => fits = open.is_empty(),
                    }
                    eventless += usize::from(event.is_none() && !open.is_empty());
                }
                if fits && !hand.take(self.item(issue, event.as_ref())?)? {
                    return Ok(note(hand.finish(), eventless));
                }
            }
            url = pages.next(next.as_deref())?;
        }
        Ok(note(hand.finish(), eventless))
    }

    async fn read(&self, item: &Item) -> Result<Dossier, SourceError> {
        self.issue(item).await?;
        Ok(match self.event(item.id.as_str()).await {
            Ok(Some(event)) => dossier::of_event(item, &event),
            Ok(None) => dossier::of_words(item, NO_EVENT),
            // The issue was read a moment ago.
            Err(error) => self.broken.event(item, error)?,
        })
    }

    fn verbs(&self) -> Vec<Verb> {
        vec![Verb::Comment, Verb::Resolve]
    }

    async fn probe(&self, act: &Act) -> Result<Option<ActReceipt>, SourceError> {
        match act.verb {
            Verb::Comment => match self.comment(act).await? {
                Told::Made(receipt) => Ok(Some(receipt)),
                Told::NotMade => Ok(None),
                Told::Untold => Err(self.untold(act)),
            },
            Verb::Resolve => {
                let resolved = is_resolved(&self.issue(&act.item).await?);
                Ok(resolved.then(|| ActReceipt {
                    what: "resolved".to_owned(),
                    already: true,
                }))
            }
            verb => Err(cannot("Bugsink", verb)),
        }
    }

    async fn act(&self, act: &Act) -> Result<ActReceipt, SourceError> {
        match act.verb {
            Verb::Comment => self.make_comment(act).await,
            Verb::Resolve => self.resolve(act).await,
            verb => Err(cannot("Bugsink", verb)),
        }
    }
}
