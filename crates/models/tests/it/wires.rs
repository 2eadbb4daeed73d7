//! Every wire client against the mock server: the same script has to come out the same over each, and the mock refuses
//! what the providers refuse.

use overnight_ports::model::{Entry, ModelErrorKind};
use sim::server::{Options, Outcome, Server};

use crate::{KEY, WIRES, Wire, ask, request, script};

fn serve(yaml: &str) -> Server {
    let options = Options {
        keep_bodies: true,
        key: Some(KEY.to_owned()),
        ..Options::default()
    };
    Server::start(script(yaml), options).expect("a free port")
}

#[tokio::test]
async fn a_whole_conversation_goes_there_and_back_over_every_wire() {
    for wire in WIRES {
        let server = serve(
            r#"
turns:
  - think: Hmm – ä.
    say: I look.
    calls:
      - shell: {command: ls}
      - raw: {tool: shell, arguments: '{"command": '}
    usage: {input: 50, cached: 20, output: 7}
  - match:
      - when: "a.txt\n.*unreadable\nview 2"
        shell: pwd
  - say: Done.
"#,
        );
        let model = wire.client(&server.address());
        let mut entries = vec![Entry::User {
            text: "contract".into(),
        }];
        let mut turn = 0;
        let mut answers = Vec::new();
        for results in [vec!["a.txt", "it is unreadable"], vec!["/"], vec![]] {
            turn += 1;
            let mut asked = entries.clone();
            asked.push(Entry::User {
                text: format!("view {turn}"),
            });
            let answer = model
                .answer(&request(turn, asked))
                .await
                .unwrap_or_else(|error| panic!("{wire:?} turn {turn}: {error}"));
            entries.push(Entry::Answer {
                items: answer.items.clone(),
            });
            assert_eq!(answer.calls.len(), results.len(), "{wire:?} turn {turn}");
            for (call, text) in answer.calls.iter().zip(results) {
                entries.push(Entry::Result {
                    call: call.id.clone(),
                    text: text.into(),
                });
            }
            assert_eq!(answer.oddities, Vec::<String>::new(), "{wire:?}");
            answers.push(answer);
        }
        let first = &answers[0];
        assert_eq!(first.text, "I look.");
        assert_eq!(
            first
                .calls
                .iter()
                .map(|call| call.arguments.as_str())
                .collect::<Vec<_>>(),
            [r#"{"command":"ls"}"#, r#"{"command": "#],
            "{wire:?}"
        );
        assert_eq!(
            (first.usage.input, first.usage.cached, first.usage.output),
            (50, 20, 7),
            "{wire:?}"
        );
        assert_eq!(answers[2].text, "Done.");
        let requests = server.requests();
        assert_eq!(
            requests.iter().map(|r| r.turn).collect::<Vec<_>>(),
            [1, 2, 3]
        );
        assert_eq!(server.answers_sent(), 3);
        assert_eq!(server.connections(), 1, "{wire:?}");
        // The thinking goes back, but for chat completions, where nobody asked for it.
        let second = requests[1].body.to_string();
        assert_eq!(second.contains("Hmm – ä."), wire != Wire::Chat, "{wire:?}");
    }
}

#[tokio::test]
async fn an_awkward_delivery_changes_nothing_over_every_wire() {
    let plain =
        "turns:\n  - think: Größe\n    say: \"5 µm – 😀\"\n    shell: {command: \"echo ä\"}\n";
    for wire in WIRES {
        let expected = ask(wire.client(&serve(plain).address()).as_ref(), 1)
            .await
            .unwrap_or_else(|error| panic!("{wire:?}: {error}"));
        for how in [
            "{bom: true}",
            "{crlf: true}",
            "{comments: true}",
            "{piece_bytes: 1}",
            "{piece_bytes: 3, crlf: true, bom: true, comments: true}",
        ] {
            let server = serve(&format!("{plain}    wire: {how}\n"));
            let answer = ask(wire.client(&server.address()).as_ref(), 1)
                .await
                .unwrap_or_else(|error| panic!("{wire:?} {how}: {error}"));
            assert_eq!(answer, expected, "{wire:?} {how}");
        }
    }
}

#[tokio::test]
async fn what_is_unknown_is_kept_and_noted_over_every_wire() {
    for wire in WIRES {
        let server = serve("turns:\n  - say: hi\n    wire: {unknown: true}\n");
        let answer = ask(wire.client(&server.address()).as_ref(), 1)
            .await
            .unwrap_or_else(|error| panic!("{wire:?}: {error}"));
        assert_eq!(answer.text, "hi");
        let kept = serde_json::to_string(&answer.items).expect("JSON");
        assert!(kept.contains("thing_from_the_future"), "{wire:?}: {kept}");
        let odd = answer.oddities.join("; ");
        assert!(odd.contains("unknown event type"), "{wire:?}: {odd}");
        let server = serve("turns:\n  - say: half a\n    wire: {incomplete: true}\n");
        let answer = ask(wire.client(&server.address()).as_ref(), 1)
            .await
            .unwrap_or_else(|error| panic!("{wire:?}: {error}"));
        assert_eq!(answer.text, "half a");
        assert!(
            answer.oddities[0].contains("incomplete"),
            "{wire:?}: {:?}",
            answer.oddities
        );
    }
}

#[tokio::test]
async fn every_failure_has_its_kind_over_every_wire_and_then_the_answer_comes() {
    use ModelErrorKind::*;
    for wire in WIRES {
        for (fail, kind, wait_ms) in [
            (
                "{kind: rate_limited, retry_after_s: 2}",
                RateLimited,
                Some(2_000),
            ),
            (
                "{kind: rate_limited, retry_after_s: 2.5}",
                RateLimited,
                Some(2_500),
            ),
            ("{kind: rate_limited}", RateLimited, None),
            (
                "{kind: rate_limited, how: event, message: Please try again in 1.5s.}",
                RateLimited,
                Some(1_500),
            ),
            (
                "{kind: rate_limited, how: quota}",
                RateLimited,
                Some(3_600_000),
            ),
            ("{kind: unavailable}", Unavailable, None),
            (
                "{kind: unavailable, status: 500, retry_after_s: 7}",
                Unavailable,
                Some(7_000),
            ),
            ("{kind: unavailable, how: event}", Unavailable, None),
            ("{kind: network}", Network, None),
            ("{kind: cut}", Cut, None),
            ("{kind: cut, how: abort}", Cut, None),
            ("{kind: malformed}", Malformed, None),
            ("{kind: malformed, how: empty}", Malformed, None),
            ("{kind: context_overflow}", ContextOverflow, None),
            (
                "{kind: context_overflow, how: event}",
                ContextOverflow,
                None,
            ),
            ("{kind: refused}", Refused, None),
            ("{kind: refused, how: event}", Refused, None),
            ("{kind: refused, status: 404}", Refused, None),
        ] {
            let server = serve(&format!("turns:\n  - fail: {fail}\n  - say: here\n"));
            let model = wire.client(&server.address());
            let error = ask(model.as_ref(), 1).await.expect_err(fail);
            assert_eq!(
                (error.kind, error.retry_after_ms),
                (kind, wait_ms),
                "{wire:?} {fail}: {error}"
            );
            assert_eq!(server.answers_sent(), 0, "{wire:?} {fail}");
            let answer = ask(model.as_ref(), 1)
                .await
                .unwrap_or_else(|error| panic!("{wire:?} {fail}: {error}"));
            assert_eq!(answer.text, "here");
            assert_eq!(server.answers_sent(), 1, "{wire:?} {fail}");
        }
    }
}

#[tokio::test]
async fn an_answer_that_stalls_is_cut_over_every_wire() {
    for wire in WIRES {
        let server = serve("turns:\n  - fail: {kind: cut, how: stall}\n  - say: here\n");
        let impatient = wire.client_with(&server.address(), std::time::Duration::from_secs(1));
        let error = ask(impatient.as_ref(), 1).await.expect_err("it stalls");
        assert_eq!(error.kind, ModelErrorKind::Cut, "{wire:?}: {error}");
        assert!(
            error.message.contains("nothing for 1 s"),
            "{wire:?}: {error}"
        );
    }
}

#[tokio::test]
async fn a_wrong_key_is_refused_and_the_log_shows_none() {
    for wire in WIRES {
        let options = Options {
            key: Some("another".to_owned()),
            ..Options::default()
        };
        let server = Server::start(script("turns: [{say: a}]"), options).expect("a free port");
        let error = ask(wire.client(&server.address()).as_ref(), 1)
            .await
            .expect_err("401");
        assert_eq!(error.kind, ModelErrorKind::Refused, "{wire:?}");
        assert!(error.message.contains("_API_KEY"), "{wire:?}: {error}");
        let shown = format!("{:?}", server.requests());
        assert!(!shown.contains(&KEY[..12]), "{wire:?}: {shown}");
        assert_eq!(server.requests()[0].outcome, Outcome::Other);
    }
}

#[tokio::test]
async fn a_script_that_ended_is_refused_and_says_so() {
    for wire in WIRES {
        let server = serve("turns: [{say: a}]");
        let error = ask(wire.client(&server.address()).as_ref(), 2)
            .await
            .expect_err("there is no second turn");
        assert_eq!(error.kind, ModelErrorKind::Refused, "{wire:?}");
        assert!(error.message.contains("script_ended"), "{wire:?}: {error}");
        assert_eq!(server.requests()[0].outcome, Outcome::Ended);
    }
}

#[tokio::test]
async fn a_run_may_change_its_model_in_the_middle() {
    // One answer of each format, then each format is asked to go on from all three.
    let mut entries = vec![Entry::User { text: "go".into() }];
    for (number, wire) in WIRES.into_iter().enumerate() {
        let server = serve(
            "turns:\n  - think: Hmm.\n    say: I look.\n    shell: {command: ls}\nthen: loop\n",
        );
        let answer = ask(wire.client(&server.address()).as_ref(), number as u64 + 1)
            .await
            .expect("an answer");
        entries.push(Entry::Answer {
            items: answer.items,
        });
        entries.push(Entry::Result {
            call: answer.calls[0].id.clone(),
            text: format!("result {number}"),
        });
    }
    entries.push(Entry::User {
        text: "view".into(),
    });
    for wire in WIRES {
        let server = serve("turns: [{say: a}]\nthen: loop\n");
        let answer = wire
            .client(&server.address())
            .answer(&request(4, entries.clone()))
            .await
            .unwrap_or_else(|error| panic!("{wire:?}: {error}"));
        assert_eq!(answer.text, "a");
        let body = server.requests()[0].body.to_string();
        for part in ["result 0", "result 1", "result 2"] {
            assert!(body.contains(part), "{wire:?}: {body}");
        }
        assert_eq!(body.matches("I look.").count(), 3, "{wire:?}: {body}");
    }
}
