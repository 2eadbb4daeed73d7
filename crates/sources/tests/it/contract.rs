//! What every source promises, whatever it is.

use std::path::PathBuf;
use std::sync::Arc;

use overnight_core::goal::{Items, Order};
use overnight_core::item::{Closed, Item, ItemHead, Outcome, Verb};
use overnight_ports::source::{Act, Source, SourceError};
use overnight_sources::{Opening, open};
use secrecy::SecretString;
use serde_json::{Value, json};

/// Stands in every environment variable that a source asks for.
pub const TOKEN: &str = "0123456789abcdef0123456789abcdef01234567";

/// A world in which a source has the same five items: their titles are `first` to `fifth` by the time when they were
/// first seen, and there is a sixth that the query does not mean. Ids are the source's.
pub trait World {
    /// `from` and the keys of the source.
    fn spec(&self) -> Value;
    /// How often the world performed a verb on the item of that title.
    fn performed(&self, title: &str, verb: Verb) -> usize;
    /// Takes the item away.
    fn remove(&mut self, title: &str);
}

pub fn items(spec: &Value, order: Order, limit: Option<u32>) -> Items {
    Items {
        from: spec["from"].as_str().expect("a name").to_owned(),
        spec: spec.clone(),
        outcomes: vec!["fixed".into()],
        order,
        limit,
        each: Vec::new(),
        parallel: 1,
        on: Default::default(),
        replay: None,
        work_on_new: false,
    }
}

pub fn opened(items: &Items) -> Result<Arc<dyn Source>, String> {
    let folder = PathBuf::from(items.spec["folder"].as_str().unwrap_or("/nonexistent"));
    let opening = Opening {
        secret: &|_| Ok(Some(SecretString::from(TOKEN))),
        base: folder.clone(),
        folder,
        home: None,
    };
    open(items, &opening)
}

pub fn source(spec: &Value, order: Order, limit: Option<u32>) -> Arc<dyn Source> {
    opened(&items(spec, order, limit)).expect("it opens")
}

pub async fn listed(source: &dyn Source) -> Result<Vec<Item>, SourceError> {
    let mut all = Vec::new();
    let mut found = |item| {
        all.push(item);
        true
    };
    source.list(&mut found).await?;
    Ok(all)
}

pub fn act(item: &Item, verb: Verb) -> Act {
    let key = format!("overnight-0123-1-{}", verb.word());
    Act {
        verb,
        text: format!("**fixed** by a commit.\n\n{key}"),
        key,
        item: item.clone(),
        closed: Closed {
            head: ItemHead {
                index: 1,
                id: item.id.clone(),
                title: item.title.clone(),
                url: None,
            },
            outcome: Outcome::Fixed,
            evidence: "Fix it.".into(),
            commit: Some("c0ffee".into()),
            same_as: None,
            attempts: 0,
            turns: 3,
            usage: Default::default(),
            paths: Vec::new(),
            at: 0,
        },
        branch: Some("overnight/x".into()),
    }
}

/// The title's own word.
fn words(items: &[Item]) -> Vec<String> {
    let word = |item: &Item| item.title.rsplit(' ').next().unwrap_or_default().to_owned();
    items.iter().map(word).collect()
}

/// Runs the contract. `probes`: whether the source can tell what was done to an item; `alive`: whether it can tell that
/// an item is gone.
pub async fn holds(world: &mut impl World, probes: bool, alive: bool) {
    let spec = world.spec();
    let of = |order, limit| source(&spec, order, limit);

    // All pages, in order, as far as the limit.
    let oldest = of(Order::Oldest, None);
    assert!(!oldest.describe().contains(TOKEN));
    let all = listed(&*oldest).await.expect("it lists");
    assert_eq!(words(&all), ["first", "second", "third", "fourth", "fifth"]);
    let newest = listed(&*of(Order::Newest, Some(2)))
        .await
        .expect("it lists");
    assert_eq!(words(&newest), ["fifth", "fourth"]);
    let own = listed(&*of(Order::Source, None)).await.expect("it lists");
    assert_eq!(own.len(), 5);
    // Whoever has enough gets no more.
    let mut count = 0;
    let mut found = |_| {
        count += 1;
        count < 2
    };
    oldest.list(&mut found).await.expect("it lists");
    assert_eq!(count, 2);
    // The same list again is the same.
    assert_eq!(listed(&*oldest).await.expect("it lists"), all);

    // Reading.
    let dossier = oldest.read(&all[0]).await.expect("it reads");
    assert_eq!(dossier.item, all[0]);
    assert!(dossier.text.contains("first") && dossier.text.len() <= 32 * 1024);
    assert!(!dossier.text.contains('\u{1b}'), "{}", dossier.text);

    // Acting: once, however often it is asked for, also by another process.
    let verbs = oldest.verbs();
    for verb in [
        Verb::Comment,
        Verb::Resolve,
        Verb::Assign,
        Verb::Tick,
        Verb::Command,
    ] {
        let act = act(&all[1], verb);
        if !verbs.contains(&verb) {
            let error = oldest.act(&act).await.expect_err("it cannot");
            assert!(matches!(error, SourceError::Refused(_)), "{error:?}");
            assert_eq!(world.performed("second", verb), 0);
            continue;
        }
        if probes {
            assert_eq!(oldest.probe(&act).await, Ok(None), "{verb:?}");
        }
        let receipt = oldest.act(&act).await.expect("it acts");
        assert!(!receipt.already && !receipt.what.is_empty(), "{receipt:?}");
        assert_eq!(world.performed("second", verb), 1, "{verb:?}");
        if !probes {
            continue;
        }
        let another = of(Order::Oldest, None);
        let probed = another.probe(&act).await.expect("it answers");
        assert!(probed.is_some_and(|p| p.already), "{verb:?}");
        let again = another.act(&act).await.expect("it acts");
        assert!(again.already, "{verb:?}");
        assert_eq!(world.performed("second", verb), 1, "{verb:?}");
    }

    // An item that vanished.
    if alive {
        world.remove("third");
        let gone = |error: SourceError| {
            assert!(matches!(error, SourceError::Gone(_)), "{error:?}");
        };
        gone(oldest.read(&all[2]).await.expect_err("it is gone"));
        for verb in verbs.into_iter().filter(|v| *v != Verb::Command) {
            let act = act(&all[2], verb);
            gone(oldest.act(&act).await.expect_err("it is gone"));
        }
    }
}

/// Something of another source in `items`.
pub fn with(spec: &Value, key: &str, value: Value) -> Value {
    let mut spec = spec.clone();
    spec[key] = value;
    spec
}

/// A spec of a source at a server.
pub fn at(from: &str, url: &str, rest: Value) -> Value {
    let mut spec = json!({"from": from, "url": url});
    for (key, value) in rest.as_object().expect("keys") {
        spec[key] = value.clone();
    }
    spec
}
