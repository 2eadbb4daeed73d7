//! The second table of docs/states.md: the events that only a worklist has, at a worklist in every place.

use std::collections::BTreeSet;

use crate::effect::{Effect, due};
use crate::event::{Event, Fact, Opened, SourceDoing};
use crate::ids::{BlobId, CommitId, Scope, TreeId};
use crate::item::{Listing, Outcome, Page, Verb};
use crate::state::{Phase, State};
use crate::step::worklist::tests::{Moves, World, fixed, head, id};
use crate::step::{late, name, step};
use crate::stop::Completion;

/// Whether a run is where a column says.
type There = fn(&World) -> bool;

/// Where a run with one item can be, what its model does, and how it is known that it is there.
const PLACES: [(&str, Moves, There); 10] = [
    ("listing", "f", |w| w.state.phase == Phase::Listing),
    ("opening", "f", |w| {
        matches!(due(&w.state)[..], [Effect::Open { .. }])
    }),
    ("item preparing", "f", |w| item_is(w, "preparing")),
    ("item working", "f", |w| item_is(w, "working")),
    ("item checking", "f", |w| item_is(w, "checking")),
    ("item examining", "d", |w| item_is(w, "examining")),
    ("item integrating", "f", |w| item_is(w, "integrating")),
    ("looking for new ones", "f", |w| {
        due(&w.state) == [Effect::Relist]
    }),
    ("acting", "f", |w| is_meant(w, false)),
    ("acting, meant", "f", |w| is_meant(w, true)),
];

fn item_is(world: &World, place: &str) -> bool {
    world.state.phase == Phase::Working && place_of(&world.state) == format!("item {place}")
}

fn is_meant(world: &World, meant: bool) -> bool {
    matches!(due(&world.state)[..], [Effect::Act { begun, .. }] if begun == meant)
}

/// Where the run or its item is, in the words of the columns.
fn place_of(state: &State) -> String {
    let list = state.worklist.as_deref();
    let open = list.and_then(|list| list.open.values().next());
    let closed = list.is_some_and(|list| !list.just_closed.is_empty());
    match (&state.phase, open) {
        (Phase::Working, _) if closed => "item closed".into(),
        (Phase::Working, Some(child)) => {
            let place = match child.phase {
                Phase::Preparing => "preparing",
                Phase::Checking(_) => "checking",
                Phase::Examining => "examining",
                Phase::Delivering => "integrating",
                _ => "working",
            };
            format!("item {place}")
        }
        (Phase::Working, None) if list.is_some_and(|list| list.finished()) => {
            "looking for new ones".into()
        }
        (Phase::Working, None) => "opening".into(),
        _ => state.status().into(),
    }
}

/// Every event, in several forms where they differ in what they do.
fn facts() -> Vec<(Scope, Fact)> {
    let item = || Scope::Item(id(0));
    let source = |doing, fatal| {
        let message = "the tracker does not answer".to_owned();
        let fact = Fact::SourceFailed {
            doing,
            fatal,
            message,
            retry_after_ms: None,
        };
        (Scope::Run, fact)
    };
    let Fact::CandidateFixed { candidate, .. } = fixed("base", "base+i0") else {
        unreachable!("`fixed` makes one")
    };
    let rebased = |conflicts: Vec<String>| Fact::Rebased {
        candidate: candidate.clone(),
        onto: CommitId::from("c9"),
        onto_tree: TreeId::from("base+i9"),
        conflicts,
        held_by: None,
    };
    let examined = |faults: Vec<String>| Fact::ClosingExamined { faults };
    let opened = |gone| {
        Fact::ItemOpened(Box::new(Opened {
            head: head(0),
            dossier: BlobId::from("dossier"),
            fingerprint: None,
            gone,
            on_base: None,
            on_tip: None,
        }))
    };
    let listed = |total: u32| Fact::Listed {
        listing: Listing {
            pages: vec![Page {
                blob: BlobId::from("page"),
                items: total,
            }],
            total,
            hash: BlobId::from("hash"),
            notes: vec![],
        },
        source: "a list".into(),
    };
    let acted = |receipt: Option<&str>| Fact::Acted {
        number: 1,
        receipt: receipt.map(str::to_owned),
        already: false,
        error: receipt.is_none().then(|| "it is locked".to_owned()),
    };
    vec![
        (Scope::Run, listed(1)),
        (Scope::Run, listed(0)),
        source(SourceDoing::List, false),
        source(SourceDoing::List, true),
        source(SourceDoing::Read, false),
        source(SourceDoing::Read, true),
        source(SourceDoing::Relist, false),
        source(SourceDoing::Relist, true),
        source(SourceDoing::Act, false),
        source(SourceDoing::Act, true),
        (item(), opened(false)),
        (item(), opened(true)),
        (item(), examined(vec![])),
        (item(), examined(vec!["src/gone.rs:1 is not there".into()])),
        (item(), rebased(vec![])),
        (item(), rebased(vec!["src/i0.rs".into()])),
        (
            item(),
            Fact::Integrated {
                commit: CommitId::from("c1"),
                tree: TreeId::from("base+i0"),
            },
        ),
        (
            Scope::Run,
            Fact::Relisted {
                newcomers: vec![],
                total: 0,
                listing: None,
            },
        ),
        (
            Scope::Run,
            Fact::Acting {
                number: 1,
                item: id(0),
                verb: Verb::Comment,
                key: "key-1".into(),
            },
        ),
        (Scope::Run, acted(Some("made"))),
        (Scope::Run, acted(None)),
    ]
}

/// What must be true after each of them.
fn laws(before: &State, event: &Event, after: &State) {
    let told = format!(
        "{} while {}, then {}",
        name(&event.fact),
        place_of(before),
        place_of(after)
    );
    let rests = after.ended() || due(after).is_empty();
    assert!(
        !rests || after.wakes_at().is_some() || after.ended(),
        "{told} and nothing is due"
    );
    if let Some(list) = &after.worklist {
        let known = list.closed() as usize
            + list.open.len()
            + list.held.values().map(Vec::len).sum::<usize>()
            + list.again.len()
            + (list.listing.total - list.next) as usize;
        assert_eq!(known, list.listing.total as usize, "{told} and one is lost");
        assert!(
            before
                .worklist
                .as_ref()
                .is_none_or(|l| l.acted <= list.acted),
            "{told}"
        );
    }
    if Completion::prove(after).is_some() {
        assert!(
            after.worklist.as_ref().is_some_and(|l| l.finished()),
            "{told}"
        );
    }
}

/// The table, played.
pub(in crate::step) fn page() -> String {
    let names: Vec<&str> = PLACES.iter().map(|(name, ..)| *name).collect();
    let mut page = format!("\n| event | {} |\n", names.join(" | "));
    page.push_str(&format!("|---|{}\n", "---|".repeat(names.len())));
    let worlds = PLACES.map(|(_, moves, there)| {
        let mut world = World::new(&[moves], |items| {
            items.on.insert(Outcome::Fixed, vec![Verb::Comment]);
        });
        world.until(there);
        world
    });
    let facts = facts();
    let rows: BTreeSet<&str> = facts.iter().map(|(_, fact)| name(fact)).collect();
    for row in rows {
        let cells = worlds.iter().map(|world| {
            let mut cell = BTreeSet::new();
            for (scope, fact) in facts.iter().filter(|(_, fact)| name(fact) == row) {
                let event = Event {
                    scope: scope.clone(),
                    at: world.now + 10,
                    fact: fact.clone(),
                };
                let before = &world.state;
                let stepped = step(before.clone(), &event);
                if let Ok((after, _)) = &stepped {
                    laws(before, &event, after);
                }
                cell.insert(match (late(before, &event), stepped) {
                    (true, _) => "late".to_owned(),
                    (false, Ok((after, _))) if place_of(&after) == place_of(before) => "=".into(),
                    (false, Ok((after, _))) => place_of(&after),
                    (false, Err(_)) => "✗".into(),
                });
            }
            cell.into_iter().collect::<Vec<_>>().join(", ")
        });
        let cells: Vec<String> = cells.collect();
        page.push_str(&format!("| `{row}` | {} |\n", cells.join(" | ")));
    }
    page
}
