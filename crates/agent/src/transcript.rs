//! The conversation as a fold of events: the latest turns whole, older ones as a line each, the oldest as a count.
//! Its size has a limit whatever the length of the run, and the same events give the same text, so that a provider's
//! prompt cache keeps matching.

use std::collections::VecDeque;

use overnight_core::event::{Event, Fact, Notice};
use overnight_core::ids::BlobId;
use overnight_core::judge::clip;
use overnight_ports::journal::BlobSink;
use overnight_ports::model::Answer;
use serde_json::Value;

/// When more than the lane's window of turns is held, this share of it stays (1/n): dropping in batches keeps the
/// prompt's beginning stable for as many turns as possible.
const KEEP_SHARE: usize = 2;
/// How much text the turns that are shown whole may hold, bytes.
const WHOLE_BYTES_MAX: usize = 256 * 1024;
/// How many older turns are told in a line each.
const DIGESTS_MAX: usize = 40;
/// Length of such a line, bytes.
const DIGEST_BYTES_MAX: usize = 160;

/// One turn that is shown whole.
#[derive(Debug, Default)]
pub(crate) struct Turn {
    pub turn: u64,
    pub told: Vec<Notice>,
    pub items: Vec<Value>,
    pub calls: Vec<Called>,
    bytes: usize,
    text: String,
}

/// One call of it.
#[derive(Debug)]
pub(crate) struct Called {
    pub id: String,
    pub line: String,
    pub shown: Option<String>,
    outcome: String,
}

/// What a request shows of the past.
#[derive(Debug)]
pub(crate) struct Transcript {
    pub turns: VecDeque<Turn>,
    pub digests: VecDeque<String>,
    /// Turns that are not even told in a line.
    pub forgotten: u64,
    /// Whole outputs by (turn, index of the call).
    outputs: Vec<((u64, usize), BlobId)>,
    window: usize,
    last: Option<(u64, BlobId)>,
}

impl Transcript {
    pub fn new(window: usize) -> Self {
        Transcript {
            turns: VecDeque::new(),
            digests: VecDeque::new(),
            forgotten: 0,
            outputs: Vec::new(),
            window,
            last: None,
        }
    }

    /// The blob of a whole output.
    pub fn output(&self, turn: u64, index: usize) -> Option<&BlobId> {
        let at = self
            .outputs
            .binary_search_by_key(&(turn, index), |(key, _)| *key)
            .ok()?;
        Some(&self.outputs[at].1)
    }

    /// The blob of the latest answer, if it is this turn's.
    pub fn last_answer(&self, turn: u64) -> Option<BlobId> {
        self.last
            .as_ref()
            .filter(|(t, _)| *t == turn)
            .map(|(_, blob)| blob.clone())
    }

    /// Takes an event in.
    pub fn learn(&mut self, event: &Event, blobs: &dyn BlobSink) {
        match &event.fact {
            Fact::TurnRequested { turn, told, .. } => {
                for notice in told {
                    match notice {
                        Notice::HistoryCut => {
                            self.window = (self.window / 2).max(1);
                            self.shrink(self.window);
                        }
                        Notice::HistoryGrown { turns } => self.window = (*turns).max(1) as usize,
                        // What led nowhere is out of sight; whole outputs can still be read.
                        Notice::FreshStart { .. } => {
                            self.forgotten += (self.turns.len() + self.digests.len()) as u64;
                            self.turns.clear();
                            self.digests.clear();
                        }
                        _ => {}
                    }
                }
                match self.turns.back_mut().filter(|t| t.turn == *turn) {
                    Some(open) => open.told.extend(told.iter().cloned()),
                    None => self.turns.push_back(Turn {
                        turn: *turn,
                        told: told.clone(),
                        ..Turn::default()
                    }),
                }
            }
            Fact::ModelAnswered {
                turn,
                answer,
                calls,
                text,
                ..
            } => {
                // A blob that cannot be read leaves the turn without its items; the calls' lines still tell of it.
                let bytes = blobs.get(answer).unwrap_or_default();
                let whole: Answer = serde_json::from_slice(&bytes).unwrap_or_default();
                self.last = Some((*turn, answer.clone()));
                let Some(open) = self.turns.back_mut().filter(|t| t.turn == *turn) else {
                    return;
                };
                open.bytes = bytes.len();
                open.items = whole.items;
                open.text.clone_from(text);
                open.calls = calls
                    .iter()
                    .map(|c| Called {
                        id: c.id.clone(),
                        line: c.line.clone(),
                        shown: None,
                        outcome: String::new(),
                    })
                    .collect();
                let held: usize = self.turns.iter().map(|t| t.bytes).sum();
                if self.turns.len() > self.window || held > WHOLE_BYTES_MAX {
                    self.shrink(self.window / KEEP_SHARE);
                }
            }
            Fact::CallEnded {
                turn,
                index,
                result,
            } => {
                if let Some(blob) = &result.output {
                    self.outputs.push(((*turn, *index), blob.clone()));
                }
                let Some(open) = self.turns.iter_mut().rev().find(|t| t.turn == *turn) else {
                    return;
                };
                let Some(call) = open.calls.get_mut(*index) else {
                    return;
                };
                open.bytes += result.shown.len();
                call.outcome = match (result.ok, result.exit) {
                    (_, Some(code)) => format!("exit {code}"),
                    (true, None) => "ok".into(),
                    (false, None) => "not done".into(),
                };
                call.shown = Some(result.shown.clone());
            }
            _ => {}
        }
    }

    /// Keeps the latest turns whole, fewer if they are large; the one being answered always stays.
    fn shrink(&mut self, keep: usize) {
        let mut held: usize = self.turns.iter().map(|t| t.bytes).sum();
        while self.turns.len() > 1
            && (self.turns.len() > keep.max(1) || held > WHOLE_BYTES_MAX / KEEP_SHARE)
        {
            let Some(old) = self.turns.pop_front() else {
                return;
            };
            held -= old.bytes.min(held);
            self.digests.push_back(digest(&old));
        }
        while self.digests.len() > DIGESTS_MAX {
            self.digests.pop_front();
            self.forgotten += 1;
        }
    }
}

fn digest(turn: &Turn) -> String {
    let calls: Vec<String> = turn
        .calls
        .iter()
        .map(|c| format!("{} → {}", c.line, c.outcome))
        .collect();
    let what = if calls.is_empty() {
        format!("said: {}", turn.text.replace('\n', " "))
    } else {
        calls.join("; ")
    };
    clip(&format!("{}: {what}", turn.turn), DIGEST_BYTES_MAX)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::io;
    use std::sync::Mutex;

    use overnight_core::state::WINDOW_TURNS_MAX;
    use overnight_core::turn::{CallHead, CallResult, Usage};
    use serde_json::json;

    use super::*;

    /// Turns of the long conversation, and the earlier one of the two that are compared.
    const TURNS: u64 = 2_000;
    const EARLY: u64 = 100;

    #[derive(Default)]
    struct Kept(Mutex<BTreeMap<BlobId, Vec<u8>>>);

    impl BlobSink for Kept {
        fn put(&self, content: &[u8]) -> io::Result<BlobId> {
            let id = BlobId::of(content);
            let mut kept = self.0.lock().unwrap();
            kept.insert(id.clone(), content.to_vec());
            Ok(id)
        }

        fn get(&self, id: &BlobId) -> io::Result<Vec<u8>> {
            let kept = self.0.lock().unwrap();
            kept.get(id).cloned().ok_or(io::ErrorKind::NotFound.into())
        }
    }

    /// One turn with one call, whose output is as long as its number makes it.
    fn turn(past: &mut Transcript, kept: &Kept, turn: u64, told: Vec<Notice>, output: &str) {
        let answer = Answer {
            items: vec![json!({"type": "function_call", "call_id": turn.to_string()})],
            ..Answer::default()
        };
        let facts = [
            Fact::TurnRequested {
                turn,
                attempt: 1,
                told,
            },
            Fact::ModelAnswered {
                turn,
                answer: kept.put(&serde_json::to_vec(&answer).unwrap()).unwrap(),
                text: String::new(),
                calls: vec![CallHead {
                    id: turn.to_string(),
                    name: "shell".into(),
                    line: format!("shell step {turn}"),
                }],
                usage: Usage::default(),
                oddities: vec![],
            },
            Fact::CallEnded {
                turn,
                index: 0,
                result: Box::new(CallResult {
                    ok: true,
                    shown: output.to_owned(),
                    output: Some(kept.put(output.as_bytes()).unwrap()),
                    ..CallResult::default()
                }),
            },
        ];
        for fact in facts {
            past.learn(&Event::run(turn, fact), kept);
        }
    }

    /// How much of the past a request shows, bytes.
    fn bytes(past: &Transcript) -> usize {
        let whole = past.turns.iter().map(|turn| turn.bytes).sum::<usize>();
        whole + past.digests.iter().map(String::len).sum::<usize>()
    }

    #[test]
    fn what_a_request_shows_of_the_past_does_not_grow_and_every_output_stays_readable() {
        let kept = Kept::default();
        let mut past = Transcript::new(WINDOW_TURNS_MAX as usize);
        let mut sizes = Vec::new();
        for number in 1..=TURNS {
            let output = format!("output of {number}\n").repeat(1 + (number % 7) as usize * 30);
            turn(&mut past, &kept, number, vec![], &output);
            sizes.push(bytes(&past));
            assert!(past.turns.len() <= WINDOW_TURNS_MAX as usize);
        }
        // Turns are dropped in batches, so a size is the mean over one window.
        let mean = |end: u64| {
            let from = (end - u64::from(WINDOW_TURNS_MAX)) as usize;
            let window = &sizes[from..end as usize];
            window.iter().sum::<usize>() as f64 / window.len() as f64
        };
        let grown = mean(TURNS) / mean(EARLY);
        assert!((0.8..1.2).contains(&grown), "{grown}");
        for number in [1, 7, EARLY, TURNS] {
            let blob = past.output(number, 0).unwrap();
            let text = String::from_utf8(kept.get(blob).unwrap()).unwrap();
            assert!(text.starts_with(&format!("output of {number}\n")));
        }
    }

    #[test]
    fn a_history_that_was_cut_is_shown_whole_again_when_it_may_grow() {
        let kept = Kept::default();
        let whole = WINDOW_TURNS_MAX as usize;
        let mut past = Transcript::new(whole);
        let most = |past: &mut Transcript, turns: std::ops::Range<u64>| {
            let counts = turns.map(|number| {
                turn(past, &kept, number, vec![], "x");
                past.turns.len()
            });
            counts.max()
        };
        assert_eq!(most(&mut past, 1..100), Some(whole));
        turn(&mut past, &kept, 100, vec![Notice::HistoryCut], "x");
        turn(&mut past, &kept, 101, vec![Notice::HistoryCut], "x");
        assert_eq!(most(&mut past, 102..200), Some(whole / 4));
        let grown = |turns| vec![Notice::HistoryGrown { turns }];
        turn(&mut past, &kept, 200, grown(16), "x");
        assert_eq!(most(&mut past, 201..300), Some(16));
        turn(&mut past, &kept, 300, grown(WINDOW_TURNS_MAX), "x");
        assert_eq!(most(&mut past, 301..400), Some(whole));
    }
}
