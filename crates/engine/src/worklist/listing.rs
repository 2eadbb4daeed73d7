//! The list: read once, all of it, bounded, and frozen as pages by hash; and its items, read one after the other.

use std::collections::BTreeSet;
use std::fmt;

use overnight_core::event::{Fact, Opened, SourceDoing};
use overnight_core::ids::{BlobId, Scope, TreeId};
use overnight_core::item::{
    Dossier, ITEM_BODY_BYTES_MAX, ITEM_ID_BYTES_MAX, ITEM_REST_BYTES_MAX, ITEM_TITLE_BYTES_MAX,
    ITEMS_MAX, Item, ItemHead, Listing, PAGE_ITEMS, Page, Replayed, WHOLE_ID, WHOLE_INDEX,
};
use overnight_core::judge::{clip, plain};
use overnight_core::state::State;
use overnight_core::step::WHOLE_TITLE;
use overnight_ports::crew::WorklistPorts;
use overnight_ports::journal::Journal;
use overnight_ports::source::SourceError;
use serde::Deserializer as _;
use serde::de::{IgnoredAny, SeqAccess, Visitor};

use crate::perform::{Ports, Say};
use crate::worklist::{message, source_failed};

/// How many items that appeared meanwhile are named.
const NEWCOMERS_NAMED_MAX: usize = 50;
/// How much of what one check said of the whole is shown to the model, bytes.
const WHOLE_EVIDENCE_BYTES_MAX: usize = 4 * 1024;
/// How many tags of an item are kept.
const TAGS_MAX: usize = 50;
/// Length of an address, bytes; longer ones are left out.
const URL_BYTES_MAX: usize = 2_000;

/// Pages that grow item by item.
struct Pages<'a> {
    journal: &'a dyn Journal,
    listing: Listing,
    page: Vec<Item>,
    known: BTreeSet<String>,
    error: Option<SourceError>,
}

impl<'a> Pages<'a> {
    fn new(journal: &'a dyn Journal) -> Self {
        Pages {
            journal,
            listing: Listing::default(),
            page: Vec::new(),
            known: BTreeSet::new(),
            error: None,
        }
    }

    /// Takes an item; whether there is room for more.
    fn take(&mut self, item: Item) -> bool {
        if self.listing.total as usize + self.page.len() >= ITEMS_MAX {
            self.error = Some(SourceError::Refused(format!(
                "the source lists more than {ITEMS_MAX} items: set `limit`, or ask a narrower query"
            )));
            return false;
        }
        match admitted(item) {
            Ok(item) if self.known.insert(item.id.to_string()) => self.page.push(item),
            Ok(item) => {
                self.error = Some(SourceError::Malformed(format!(
                    "the source lists the item `{}` twice: nobody could say when it is closed",
                    item.id
                )));
            }
            Err(why) => self.error = Some(SourceError::Malformed(why)),
        }
        if self.page.len() >= PAGE_ITEMS {
            self.turn();
        }
        self.error.is_none()
    }

    /// Writes the page that is full.
    fn turn(&mut self) {
        if self.page.is_empty() {
            return;
        }
        let items = std::mem::take(&mut self.page);
        let bytes = serde_json::to_vec(&items).unwrap_or_default();
        match self.journal.put(&bytes) {
            Ok(blob) => {
                self.listing.total += items.len() as u32;
                self.listing.pages.push(Page {
                    blob,
                    items: items.len() as u32,
                });
            }
            Err(e) => {
                self.error = Some(SourceError::Unavailable(format!(
                    "the list cannot be kept: {e}"
                )));
            }
        }
    }

    fn end(mut self, notes: Vec<String>) -> Result<Listing, SourceError> {
        self.turn();
        if let Some(error) = self.error {
            return Err(error);
        }
        let mut all = String::new();
        for page in &self.listing.pages {
            all.push_str(page.blob.as_str());
            all.push('\n');
        }
        self.listing.hash = BlobId::of(all.as_bytes());
        const NOTES_MAX: usize = 20;
        self.listing.notes = notes
            .iter()
            .take(NOTES_MAX)
            .map(|note| clip(&plain(note), 500))
            .collect();
        Ok(self.listing)
    }
}

/// An item as it may stand in a list: whatever a source says, it is bounded.
fn admitted(mut item: Item) -> Result<Item, String> {
    let id = item.id.as_str();
    if id.is_empty() || id.len() > ITEM_ID_BYTES_MAX || id.chars().any(char::is_control) {
        return Err(format!(
            "an item's id has to be a text of 1 to {ITEM_ID_BYTES_MAX} bytes without control characters; this one is \
             not: {}",
            clip(&plain(id), 80)
        ));
    }
    if id == WHOLE_ID {
        return Err(format!(
            "an item's id is `{WHOLE_ID}`, which is the harness's own name for what is left when all items are closed"
        ));
    }
    item.title = clip(&plain(&item.title).replace('\n', " "), ITEM_TITLE_BYTES_MAX);
    item.body = item
        .body
        .map(|body| clip(&plain(&body), ITEM_BODY_BYTES_MAX));
    item.url = item.url.filter(|url| url.len() <= URL_BYTES_MAX);
    item.tags.truncate(TAGS_MAX);
    let rest = serde_json::to_vec(&item.rest).map_or(0, |bytes| bytes.len());
    if rest > ITEM_REST_BYTES_MAX {
        item.rest.clear();
    }
    Ok(item)
}

pub(super) async fn list(ports: &Ports, list: &WorklistPorts, say: &(dyn Fn(Fact) + Send + Sync)) {
    let mut pages = Pages::new(ports.journal.as_ref());
    let notes = list.source.list(&mut |item| pages.take(item)).await;
    let listing = notes.and_then(|notes| pages.end(notes));
    say(match listing {
        Ok(listing) => Fact::Listed {
            listing,
            source: clip(&plain(&list.source.describe()), 300),
        },
        Err(error) => source_failed(SourceDoing::List, &error),
    });
}

/// The list as it is now, held against the one that was frozen.
pub(super) async fn relist(
    state: &State,
    ports: &Ports,
    list: &WorklistPorts,
    say: &(dyn Fn(Fact) + Send + Sync),
) {
    let Some(frozen) = state.worklist.as_ref().map(|list| &list.listing) else {
        return;
    };
    let known = match ids(ports.journal.as_ref(), frozen) {
        Ok(known) => known,
        Err(why) => {
            return say(source_failed(
                SourceDoing::Relist,
                &SourceError::Malformed(why),
            ));
        }
    };
    let mut pages = Pages::new(ports.journal.as_ref());
    pages.listing = frozen.clone();
    pages.known = known;
    let mut newcomers = Vec::new();
    let mut total = 0u32;
    let notes = list
        .source
        .list(&mut |item| {
            if pages.known.contains(item.id.as_str()) {
                return true;
            }
            if newcomers.len() < NEWCOMERS_NAMED_MAX {
                newcomers.push(head(frozen.total + total, &item));
            }
            total += 1;
            pages.take(item)
        })
        .await;
    let works = state
        .goal
        .items
        .as_ref()
        .is_some_and(|items| items.work_on_new);
    say(match notes.and_then(|_| pages.end(frozen.notes.clone())) {
        Ok(grown) => Fact::Relisted {
            newcomers,
            total,
            listing: (works && total > 0).then_some(grown),
        },
        Err(error) => source_failed(SourceDoing::Relist, &error),
    });
}

fn ids(journal: &dyn Journal, listing: &Listing) -> Result<BTreeSet<String>, String> {
    #[derive(serde::Deserialize)]
    struct Name {
        id: String,
    }
    let mut known = BTreeSet::new();
    for page in &listing.pages {
        let bytes = journal.get(&page.blob).map_err(|e| e.to_string())?;
        let names: Vec<Name> = serde_json::from_slice(&bytes).map_err(|e| e.to_string())?;
        known.extend(names.into_iter().map(|name| name.id));
    }
    Ok(known)
}

fn head(index: u32, item: &Item) -> ItemHead {
    ItemHead {
        index,
        id: item.id.clone(),
        title: clip(&plain(&item.title).replace('\n', " "), ITEM_TITLE_BYTES_MAX),
        url: item.url.clone(),
    }
}

/// The item at a place of the frozen list.
pub(super) fn item(journal: &dyn Journal, listing: &Listing, index: u32) -> Result<Item, String> {
    let (page, place) = listing
        .page_of(index)
        .ok_or_else(|| format!("the list has no item {index}"))?;
    let bytes = journal
        .get(&page.blob)
        .map_err(|e| format!("a page of the list cannot be read: {e}"))?;
    pick(&bytes, place)
        .map_err(|e| format!("a page of the list cannot be read: {e}"))?
        .ok_or_else(|| format!("a page of the list lacks item {index}"))
}

/// The item at a place of a page. A page is read for every item of it, so the others are passed over and not made.
fn pick(page: &[u8], place: u32) -> serde_json::Result<Option<Item>> {
    struct Place(u32);

    impl<'de> Visitor<'de> for Place {
        type Value = Option<Item>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list of items")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut page: A) -> Result<Self::Value, A::Error> {
            for _ in 0..self.0 {
                page.next_element::<IgnoredAny>()?;
            }
            let item = page.next_element()?;
            while page.next_element::<IgnoredAny>()?.is_some() {}
            Ok(item)
        }
    }

    let mut json = serde_json::Deserializer::from_slice(page);
    let item = json.deserialize_seq(Place(place))?;
    json.end()?;
    Ok(item)
}

/// Reads an item, and replays it where the goal says how.
pub(super) async fn open(
    state: &State,
    ports: &Ports,
    list: &WorklistPorts,
    index: u32,
    send: Say<'_>,
) {
    let run = |fact: Fact| send(message(ports, &Scope::Run, fact));
    let Some(worklist) = &state.worklist else {
        return;
    };
    if index == WHOLE_INDEX {
        return open_whole(state, ports, list, send);
    }
    let item = match item(ports.journal.as_ref(), &worklist.listing, index) {
        Ok(item) => item,
        Err(why) => {
            return run(Fact::HarnessFailed {
                message: why,
                fatal: true,
            });
        }
    };
    let head = head(index, &item);
    let (dossier, gone) = match list.source.read(&item).await {
        Ok(dossier) => (dossier, false),
        Err(SourceError::Gone(why)) => {
            let dossier = Dossier {
                item,
                text: why,
                ..Dossier::default()
            };
            (dossier, true)
        }
        Err(error) => return run(source_failed(SourceDoing::Read, &error)),
    };
    let replay = async |tree: &TreeId| match (&list.replayer, &dossier.event) {
        (Some(replayer), Some(_)) if !gone => Some(replayer.replay(state, tree, &dossier).await),
        // A goal that has errors replayed lets none be fixed that cannot be.
        (Some(_), None) if !gone => Some(Replayed::CannotTell),
        _ => None,
    };
    let base = state
        .base
        .as_ref()
        .map(|base| base.tree.clone())
        .unwrap_or_default();
    let on_base = replay(&base).await;
    let on_tip = match &worklist.tip {
        Some(tip) if on_base == Some(Replayed::Fails) => replay(&tip.tree).await,
        _ => None,
    };
    let opened = Opened {
        head,
        dossier: BlobId::default(),
        fingerprint: dossier.fingerprint.clone(),
        gone,
        on_base,
        on_tip,
    };
    if let Err(why) = keep(opened, &dossier, ports, send) {
        // Only the next item waits for it: the others' work goes on.
        run(source_failed(
            SourceDoing::Read,
            &SourceError::Unavailable(why),
        ));
    }
}

/// What is known of an item is kept, and it is open.
fn keep(opened: Opened, dossier: &Dossier, ports: &Ports, send: Say<'_>) -> Result<(), String> {
    let kept = serde_json::to_vec(dossier)
        .map_err(|e| e.to_string())
        .and_then(|bytes| ports.journal.put(&bytes).map_err(|e| e.to_string()));
    let dossier = kept.map_err(|why| format!("an item cannot be kept: {why}"))?;
    let scope = Scope::Item(opened.head.id.clone());
    let opened = Fact::ItemOpened(Box::new(Opened { dossier, ..opened }));
    send(message(ports, &scope, opened));
    Ok(())
}

/// What the whole still lacks: no source is asked, the run's own checks say it.
fn open_whole(state: &State, ports: &Ports, list: &WorklistPorts, send: Say<'_>) {
    let item = Item {
        id: WHOLE_ID.into(),
        title: WHOLE_TITLE.into(),
        ..Item::default()
    };
    let mut text = String::from(
        "Every item of the list is closed, and what was integrated does not pass all of the goal's checks. What they said:\n",
    );
    for (id, check) in state.open_checks() {
        let Some(found) = &check.latest else { continue };
        text.push_str(&format!("\n{id}: {}\n", plain(&found.reason)));
        if !found.evidence.is_empty() {
            text.push_str(&clip(&plain(&found.evidence), WHOLE_EVIDENCE_BYTES_MAX));
            text.push('\n');
        }
    }
    let opened = Opened {
        head: head(WHOLE_INDEX, &item),
        dossier: BlobId::default(),
        fingerprint: None,
        gone: false,
        // Of its own it has none; those of the items must not come back.
        on_base: list.replayer.as_ref().map(|_| Replayed::Fails),
        on_tip: None,
    };
    let dossier = Dossier {
        item,
        text,
        ..Dossier::default()
    };
    if let Err(why) = keep(opened, &dossier, ports, send) {
        let failed = Fact::HarnessFailed {
            message: why,
            fatal: false,
        };
        send(message(ports, &Scope::Run, failed));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_is_picked_out_of_its_page() {
        let page = br#"[{"id": "A", "title": "a", "x": [1, {}]}, {"id": "B", "title": "b", "y": 2}, {"id": "C", "title": "c"}]"#;
        let name = |place| {
            let item = pick(page, place).expect("a page");
            item.map(|item| (item.id.to_string(), item.rest.len()))
        };
        assert_eq!(name(0), Some(("A".into(), 1)));
        assert_eq!(name(1), Some(("B".into(), 1)));
        assert_eq!(name(2), Some(("C".into(), 0)));
        assert_eq!(name(3), None);
        assert_eq!(name(u32::from(u16::MAX)), None);
        assert!(
            pick(b"[{\"id\": \"A\", \"title\": \"a\"}", 0).is_err(),
            "cut off"
        );
        assert!(pick(b"{}", 0).is_err());
    }
}
