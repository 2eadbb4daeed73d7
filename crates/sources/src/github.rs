//! GitHub's issues. Pull requests, which GitHub lists with them, are left out.

use async_trait::async_trait;
use overnight_core::goal::{Items, Order};
use overnight_core::item::{Dossier, Item, Verb};
use overnight_ports::source::{Act, ActReceipt, Source, SourceError};
use reqwest::{Method, Url};
use serde_json::{Map, Value, json};

use crate::command::cannot;
use crate::hand::{Hand, rank};
use crate::http::{Api, Credential, Failure, Pages, next_link};
use crate::query::{Query, Term};
use crate::sentry::{made, word};
use crate::spec::{Spec, pair};
use crate::{clean, dossier};

/// The variable that holds the token.
pub(crate) const TOKEN: &str = "GITHUB_TOKEN";
/// How many pages of a list are read.
const PAGES_MAX: usize = 5_000;
/// How many pages of an issue's comments are looked through.
const COMMENT_PAGES_MAX: usize = 100;
/// How many comments the model is shown: the first ones.
const COMMENTS_SHOWN_MAX: usize = 20;
/// Length of a comment that the model is shown, bytes.
const COMMENT_BYTES_MAX: usize = 2 * 1024;
/// How many of a page are asked for.
const PAGE: &str = "100";
/// Keys that a query may have.
const KEYS: [&str; 8] = [
    "is",
    "state",
    "label",
    "assignee",
    "author",
    "milestone",
    "type",
    "no",
];

/// Issues of a repository.
pub(crate) struct GitHub {
    api: Api,
    items: Items,
    owner: String,
    repo: String,
    query: Query,
    assign: Option<String>,
}

impl GitHub {
    pub(crate) fn open(spec: &Spec<'_>) -> Result<Self, String> {
        let project = spec.needed("project", "owner/repository")?;
        let (owner, repo) = pair("project", &project, "owner/repository")?;
        let query = Query::parse(&spec.text("query")?.unwrap_or_default())?;
        for term in &query.terms {
            let Some(key) = term.key.as_deref() else {
                continue;
            };
            let value = |known: &[&str]| term.values.iter().all(|v| known.contains(&v.as_str()));
            let known = match key {
                "is" => value(&["open", "closed", "issue"]),
                "state" => value(&["open", "closed"]),
                "type" => value(&["issue"]),
                "no" => value(&["assignee", "label", "milestone"]),
                key => KEYS.contains(&key),
            };
            if !known {
                return Err(format!(
                    "`items.query` has `{key}:{}`, which is not understood here; known are: {}, and plain words",
                    term.values.join(","),
                    KEYS.join(", ")
                ));
            }
        }
        let token = spec.secret("token", TOKEN)?;
        let url = spec.url(Some("https://api.github.com"))?;
        let headers = &[("x-github-api-version", "2022-11-28")];
        Ok(GitHub {
            api: Api::new("GitHub", url, vec![Credential::bearer(token)]).with_headers(headers),
            items: spec.items.clone(),
            owner: owner.to_owned(),
            repo: repo.to_owned(),
            query,
            assign: spec.text("assign")?,
        })
    }

    fn at(&self, parts: &[&str]) -> Url {
        let mut all = vec!["repos", &self.owner, &self.repo, "issues"];
        all.extend(parts);
        self.api.at(&all)
    }

    fn unlike(&self, why: &str) -> SourceError {
        SourceError::Malformed(format!(
            "GitHub did not answer as it should: {why}; check `items.url`"
        ))
    }

    /// Where the list is. GitHub narrows what it can; all of the query is held against every issue here.
    fn list_address(&self) -> Url {
        let (sort, direction) = match self.items.order {
            Order::Oldest | Order::Priority => ("created", "asc"),
            Order::Newest | Order::Source => ("created", "desc"),
        };
        let stated = |key: &'static str| {
            self.query
                .of(key)
                .filter(|t| !t.not)
                .flat_map(|t| &t.values)
        };
        let states: Vec<&String> = stated("is")
            .chain(stated("state"))
            .filter(|v| *v != "issue")
            .collect();
        let told = self
            .query
            .of("is")
            .chain(self.query.of("state"))
            .any(|t| t.not);
        let state = match states.as_slice() {
            _ if told => "all",
            [] => "open",
            [one] => one.as_str(),
            _ => "all",
        };
        // `label:a label:b` is both; one with several values or a pattern is not GitHub's.
        let labels: Vec<&str> = self
            .query
            .of("label")
            .filter(|t| !t.not && t.values.len() == 1)
            .map(|t| t.values[0].as_str())
            .filter(|label| !label.contains(['*', ',']))
            .collect();
        let mut url = self.at(&[]);
        let mut pairs = url.query_pairs_mut();
        pairs
            .append_pair("state", state)
            .append_pair("sort", sort)
            .append_pair("direction", direction)
            .append_pair("per_page", PAGE);
        if !labels.is_empty() {
            pairs.append_pair("labels", &labels.join(","));
        }
        drop(pairs);
        url
    }

    fn item(&self, issue: &Value) -> Result<Item, SourceError> {
        let id = word(issue, "number").ok_or_else(|| self.unlike("an issue has no number"))?;
        let labels = labels(issue);
        let mut rest = Map::new();
        for (key, pointer) in [
            ("author", "/user/login"),
            ("state", "/state"),
            ("comments", "/comments"),
            ("milestone", "/milestone/title"),
        ] {
            if let Some(value) = issue.pointer(pointer).filter(|v| !v.is_null()) {
                rest.insert(key.to_owned(), value.clone());
            }
        }
        Ok(Item {
            title: word(issue, "title").unwrap_or_default(),
            body: word(issue, "body"),
            url: word(issue, "html_url"),
            created: word(issue, "created_at"),
            // A label that says how urgent it is; a label that is a number or a kind of issue is none.
            priority: labels
                .iter()
                .filter(|label| label.parse::<u64>().is_err())
                .find(|label| rank(label).is_some())
                .cloned(),
            tags: labels,
            rest,
            id: id.into(),
        })
    }

    async fn issue(&self, item: &Item) -> Result<Value, Failure> {
        Ok(self.api.get(self.at(&[item.id.as_str()])).await?.value)
    }

    /// Goes through the comments of an issue, page by page, until enough is known.
    async fn comments(
        &self,
        item: &Item,
        mut see: impl FnMut(&Value) -> bool,
    ) -> Result<(), SourceError> {
        let mut first = self.at(&[item.id.as_str(), "comments"]);
        first.query_pairs_mut().append_pair("per_page", PAGE);
        let mut pages = Pages::new(&self.api, &first, COMMENT_PAGES_MAX);
        let mut url = first;
        loop {
            let answer = self.api.get(url).await?;
            let comments = answer.value.as_array();
            let comments = comments.ok_or_else(|| self.unlike("its comments are no list"))?;
            if !comments.iter().all(&mut see) {
                return Ok(());
            }
            match pages.next(next_link(&answer.headers).as_deref())? {
                Some(next) => url = next,
                None => return Ok(()),
            }
        }
    }

    /// What the act comes to if it was performed.
    async fn done(&self, act: &Act) -> Result<Option<String>, SourceError> {
        match act.verb {
            Verb::Comment => {
                let mut found = None;
                self.comments(&act.item, |comment| {
                    let body = comment.get("body").and_then(Value::as_str);
                    if body.is_some_and(|body| body.contains(&act.key)) {
                        found = Some(made("comment", word(comment, "id")));
                    }
                    found.is_none()
                })
                .await?;
                Ok(found)
            }
            Verb::Resolve => {
                let issue = self.issue(&act.item).await?;
                Ok((issue["state"] == "closed").then(|| "closed".to_owned()))
            }
            Verb::Assign => {
                let to = self.assign.as_deref().unwrap_or_default();
                let issue = self.issue(&act.item).await?;
                Ok(is_assigned(&issue, to).then(|| format!("assigned to {to}")))
            }
            verb @ (Verb::Tick | Verb::Command) => Err(cannot("GitHub", verb)),
        }
    }
}

fn labels(issue: &Value) -> Vec<String> {
    let labels = issue.get("labels").and_then(Value::as_array);
    labels
        .into_iter()
        .flatten()
        // Old ones are plain texts.
        .filter_map(|label| match label {
            Value::String(name) => Some(name.clone()),
            label => word(label, "name"),
        })
        .collect()
}

fn logins(issue: &Value) -> Vec<&str> {
    let people = issue.get("assignees").and_then(Value::as_array);
    let people = people.into_iter().flatten();
    people.filter_map(|p| p.get("login")?.as_str()).collect()
}

fn is_assigned(issue: &Value, to: &str) -> bool {
    logins(issue)
        .iter()
        .any(|login| login.eq_ignore_ascii_case(to))
}

/// Whether a term of the query holds.
fn holds(term: &Term, issue: &Value) -> bool {
    let text = |pointer: &str| issue.pointer(pointer).and_then(Value::as_str);
    let labels = labels(issue);
    match term.key.as_deref() {
        None => {
            let (title, body) = (text("/title"), text("/body"));
            term.is_in(&format!(
                "{}\n{}",
                title.unwrap_or_default(),
                body.unwrap_or_default()
            ))
        }
        Some("is" | "state" | "type") => term.holds(text("/state").into_iter().chain(["issue"])),
        Some("label") => term.holds(labels.iter().map(String::as_str)),
        Some("assignee") => term.holds(logins(issue)),
        Some("author") => term.holds(text("/user/login")),
        Some("milestone") => term.holds(text("/milestone/title")),
        Some("no") => {
            let mut lacks = Vec::new();
            if logins(issue).is_empty() {
                lacks.push("assignee");
            }
            if labels.is_empty() {
                lacks.push("label");
            }
            if text("/milestone/title").is_none() {
                lacks.push("milestone");
            }
            term.holds(lacks)
        }
        // Refused when the source was opened.
        Some(_) => false,
    }
}

#[async_trait]
impl Source for GitHub {
    fn describe(&self) -> String {
        format!(
            "GitHub at {}, issues of {}/{}",
            self.api.place(),
            self.owner,
            self.repo
        )
    }

    async fn list(
        &self,
        found: &mut (dyn FnMut(Item) -> bool + Send),
    ) -> Result<Vec<String>, SourceError> {
        let sorted = self.items.order != Order::Priority;
        let mut hand = Hand::new(&self.items, sorted, found);
        let first = self.list_address();
        let mut pages = Pages::new(&self.api, &first, PAGES_MAX);
        let mut url = first;
        loop {
            let answer = self.api.get(url).await;
            let answer = answer.map_err(|f| f.of_list("`items.project`"))?;
            let issues = answer.value.as_array();
            let issues = issues.ok_or_else(|| self.unlike("its issues are no list"))?;
            for issue in issues {
                let wanted = issue.get("pull_request").is_none_or(Value::is_null)
                    && self.query.terms.iter().all(|term| holds(term, issue));
                if wanted && !hand.take(self.item(issue)?)? {
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
        let issue = self.issue(item).await?;
        let mut now = self.item(&issue)?;
        now.id = item.id.clone();
        let (mut more, mut count) = (String::new(), 0);
        if issue["comments"] != 0 {
            self.comments(item, |comment| {
                count += 1;
                let by = comment.pointer("/user/login").and_then(Value::as_str);
                let body = comment.get("body").and_then(Value::as_str);
                more.push_str(&format!(
                    "Comment by {}:\n{}\n\n",
                    clean::line(by.unwrap_or("somebody"), 80),
                    clean::block(body.unwrap_or_default(), COMMENT_BYTES_MAX)
                ));
                count < COMMENTS_SHOWN_MAX
            })
            .await?;
        }
        let mut dossier = dossier::of_words(&now, &more);
        dossier.item = item.clone();
        Ok(dossier)
    }

    fn verbs(&self) -> Vec<Verb> {
        let assign = self.assign.as_ref().map(|_| Verb::Assign);
        [Verb::Comment, Verb::Resolve]
            .into_iter()
            .chain(assign)
            .collect()
    }

    async fn probe(&self, act: &Act) -> Result<Option<ActReceipt>, SourceError> {
        if !self.verbs().contains(&act.verb) {
            return Err(cannot("GitHub", act.verb));
        }
        Ok(self.done(act).await?.map(|what| ActReceipt {
            what,
            already: true,
        }))
    }

    async fn act(&self, act: &Act) -> Result<ActReceipt, SourceError> {
        // Looking first costs a request, and makes every attempt safe to be made again.
        if let Some(receipt) = self.probe(act).await? {
            return Ok(receipt);
        }
        let id = act.item.id.as_str();
        let what = match (act.verb, &self.assign) {
            (Verb::Comment, _) => {
                let (url, body) = (self.at(&[id, "comments"]), json!({"body": act.text}));
                let answer = self.api.send(Method::POST, url, Some(&body)).await?;
                made("comment", word(&answer.value, "id"))
            }
            (Verb::Resolve, _) => {
                let body = json!({"state": "closed", "state_reason": "completed"});
                let answer = self
                    .api
                    .send(Method::PATCH, self.at(&[id]), Some(&body))
                    .await?;
                if answer.value["state"] != "closed" {
                    return Err(self.unlike("a closed issue is not closed"));
                }
                "closed".to_owned()
            }
            (Verb::Assign, Some(to)) => {
                let (url, body) = (self.at(&[id, "assignees"]), json!({"assignees": [to]}));
                let answer = self.api.send(Method::POST, url, Some(&body)).await?;
                // GitHub passes over people who cannot be assigned, in silence.
                if !is_assigned(&answer.value, to) {
                    return Err(SourceError::Refused(format!(
                        "GitHub cannot assign issue {id} to {to}: is that somebody who works on the repository?"
                    )));
                }
                format!("assigned to {to}")
            }
            (verb, _) => return Err(cannot("GitHub", verb)),
        };
        Ok(ActReceipt {
            what,
            already: false,
        })
    }
}
