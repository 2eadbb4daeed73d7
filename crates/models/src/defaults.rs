//! Which model to take where nobody named one: the first key that is set, else a server on this machine that answers.

use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;

use crate::wire::has_key;
use crate::{ANTHROPIC_API_KEY, Env, OPENAI_API_KEY};

/// The model that a key stands for: one that its provider recommends for long work on code.
const OPENAI: &str = "openai/gpt-5.6-sol";
/// See [`OPENAI`].
const ANTHROPIC: &str = "anthropic/claude-opus-5-5";

/// Servers on this machine, in the order in which they are asked.
const LOCAL: &[Local] = &[
    Local {
        name: "Ollama",
        models: "http://127.0.0.1:11434/api/tags",
        list: "models",
        id: "name",
        base: "http://127.0.0.1:11434/v1",
    },
    Local {
        name: "llama-server",
        models: "http://127.0.0.1:8080/v1/models",
        list: "data",
        id: "id",
        base: "http://127.0.0.1:8080/v1",
    },
];

/// How long a server on this machine has to answer.
const PROBE_TIMEOUT: Duration = Duration::from_millis(300);
/// Largest list of models that is read, bytes.
const PROBE_BYTES_MAX: usize = 1024 * 1024;

/// What to say where there is neither a key nor a server.
pub const NOTHING_FOUND: &str = "no model: there is no OPENAI_API_KEY, no ANTHROPIC_API_KEY, and neither Ollama (127.0.0.1:11434) nor llama-server (127.0.0.1:8080) answers. Export a key, start one of these servers, or name a model with `--model openai/NAME`, `anthropic/NAME`, `chat/NAME` or `scripted/FILE`";

struct Local {
    name: &'static str,
    /// Where it lists its models.
    models: &'static str,
    list: &'static str,
    id: &'static str,
    base: &'static str,
}

/// A model that was chosen, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    /// For [`crate::open`].
    pub spec: String,
    /// One line for people.
    pub reason: String,
}

/// Asks a server on this machine.
#[async_trait]
pub trait Probe: Send + Sync {
    /// The body of a GET, if it is answered soon and well.
    async fn get(&self, url: &str) -> Option<Vec<u8>>;
}

/// Asks over the loopback, and never through a proxy.
#[derive(Debug, Clone, Copy, Default)]
pub struct Loopback;

#[async_trait]
impl Probe for Loopback {
    async fn get(&self, url: &str) -> Option<Vec<u8>> {
        let read = async {
            // Somebody may have installed a provider already; then theirs is used.
            crate::install_tls();
            let client = reqwest::Client::builder()
                .no_proxy()
                .tls_certs_only([])
                .redirect(reqwest::redirect::Policy::none())
                .build()
                .ok()?;
            let mut response = client.get(url).send().await.ok()?;
            if !response.status().is_success() {
                return None;
            }
            let mut body = Vec::new();
            while let Some(piece) = response.chunk().await.ok()? {
                body.extend_from_slice(&piece);
                if body.len() > PROBE_BYTES_MAX {
                    return None;
                }
            }
            Some(body)
        };
        tokio::time::timeout(PROBE_TIMEOUT, read).await.ok()?
    }
}

/// The model to take where nobody named one; `None` if there is none, and then [`NOTHING_FOUND`] says so.
pub async fn default_model(env: &Env, probe: &dyn Probe) -> Option<Chosen> {
    let keys = [
        (OPENAI_API_KEY, env.openai_api_key.as_ref(), OPENAI),
        (ANTHROPIC_API_KEY, env.anthropic_api_key.as_ref(), ANTHROPIC),
    ];
    if let Some((name, _, spec)) = keys.into_iter().find(|(_, key, _)| has_key(*key)) {
        return Some(Chosen {
            spec: spec.to_owned(),
            reason: format!("{spec}, because {name} is set and no model was named"),
        });
    }
    // Both at once: nobody waits twice for a machine on which nothing runs.
    let answers =
        futures_util::future::join_all(LOCAL.iter().map(|local| probe.get(local.models))).await;
    LOCAL.iter().zip(answers).find_map(|(local, body)| {
        let model = first_model(local, &body?)?;
        Some(Chosen {
            spec: format!("chat/{model}@{}", local.base),
            reason: format!(
                "{model} of the {} on this machine, because no key is set and no model was named",
                local.name
            ),
        })
    })
}

/// The first model of a list that can hold a conversation.
fn first_model(local: &Local, body: &[u8]) -> Option<String> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let models = body.get(local.list)?.as_array()?;
    let usable = models.iter().filter(|model| {
        let family = model.pointer("/details/family").and_then(Value::as_str);
        !family.is_some_and(|family| family.contains("bert"))
    });
    let mut names = usable.filter_map(|model| model.get(local.id)?.as_str());
    names
        .find(|name| !name.is_empty() && !name.contains("embed"))
        .map(str::to_owned)
}

#[cfg(test)]
mod test {
    use super::*;
    use std::collections::BTreeMap;

    /// Answers by address.
    struct Answers(BTreeMap<&'static str, &'static str>);

    #[async_trait]
    impl Probe for Answers {
        async fn get(&self, url: &str) -> Option<Vec<u8>> {
            self.0.get(url).map(|body| body.as_bytes().to_vec())
        }
    }

    const TAGS: (&str, &str) = (
        "http://127.0.0.1:11434/api/tags",
        r#"{"models":[{"name":"nomic-embed-text:latest","details":{"family":"nomic-bert"}},{"name":"qwen3:8b","model":"qwen3:8b","details":{"family":"qwen3"}}]}"#,
    );
    const MODELS: (&str, &str) = (
        "http://127.0.0.1:8080/v1/models",
        r#"{"object":"list","models":[],"data":[{"id":"/models/a b.gguf","object":"model"}]}"#,
    );

    async fn chosen(env: &Env, answers: &[(&'static str, &'static str)]) -> Option<Chosen> {
        default_model(env, &Answers(answers.iter().copied().collect())).await
    }

    #[tokio::test]
    async fn the_first_key_wins_and_the_reason_names_it() {
        let mut env = Env {
            anthropic_api_key: Some("sk-ant".into()),
            ..Env::default()
        };
        let found = chosen(&env, &[TAGS]).await.expect("a model");
        assert_eq!(found.spec, ANTHROPIC);
        assert!(found.reason.contains("ANTHROPIC_API_KEY") && !found.reason.contains("sk-ant"));
        env.openai_api_key = Some("sk".into());
        let found = chosen(&env, &[]).await.expect("a model");
        assert_eq!(found.spec, OPENAI);
        assert!(found.reason.contains("OPENAI_API_KEY"), "{}", found.reason);
        // Every default can be opened with the key that it was chosen for.
        for spec in [OPENAI, ANTHROPIC] {
            assert_eq!(crate::open(spec, &env).expect("it opens").name(), spec);
        }
    }

    #[tokio::test]
    async fn without_a_key_a_local_server_is_found() {
        let blank = Env {
            openai_api_key: Some(" ".into()),
            ..Env::default()
        };
        let ollama = chosen(&blank, &[TAGS, MODELS]).await.expect("a model");
        assert_eq!(ollama.spec, "chat/qwen3:8b@http://127.0.0.1:11434/v1");
        assert!(ollama.reason.contains("Ollama"), "{}", ollama.reason);
        let llama = chosen(&blank, &[MODELS]).await.expect("a model");
        assert_eq!(llama.spec, "chat//models/a b.gguf@http://127.0.0.1:8080/v1");
        for found in [ollama, llama] {
            let model = crate::open(&found.spec, &blank).expect("it opens");
            assert_eq!(model.name(), found.spec);
        }
    }

    #[tokio::test]
    async fn what_is_no_list_of_models_is_no_model() {
        for body in [
            "",
            "<html>",
            "{}",
            r#"{"models":[]}"#,
            r#"{"models":[{"name":"all-embed"}]}"#,
        ] {
            assert_eq!(
                chosen(&Env::default(), &[(TAGS.0, body)]).await,
                None,
                "{body}"
            );
        }
        assert_eq!(chosen(&Env::default(), &[]).await, None);
    }

    #[tokio::test]
    async fn a_server_that_does_not_answer_is_not_waited_for() {
        let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!(
            "http://{}/api/tags",
            silent.local_addr().expect("an address")
        );
        let started = std::time::Instant::now();
        assert_eq!(Loopback.get(&url).await, None);
        assert!(started.elapsed() < Duration::from_secs(5));
        assert!(started.elapsed() >= PROBE_TIMEOUT);
    }
}
