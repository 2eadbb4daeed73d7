//! What went wrong, from what a server says about it, and what to do next.

use std::time::{Duration, SystemTime};

use overnight_ports::model::{ModelError, ModelErrorKind, Usage};
use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::Provider;
use super::retry_after::{RETRY_AFTER_MAX, retry_after, wait_in_fields, wait_in_words};

/// When to look again after an account has run dry and nobody said when it will not be.
pub const QUOTA_RETRY: Duration = Duration::from_secs(60 * 60);
/// What a server says about coming back sooner than this says nothing.
const RETRY_AFTER_MIN: Duration = Duration::from_secs(1);
/// How much of a server's own words is quoted, characters.
const QUOTE_CHARS_MAX: usize = 600;
/// A key shorter than this is no secret, and replacing it would garble the messages, bytes.
const SECRET_BYTES_MIN: usize = 8;

/// A failure without anything to wait for.
pub(crate) fn failure(kind: ModelErrorKind, message: impl Into<String>) -> ModelError {
    ModelError {
        kind,
        message: message.into(),
        retry_after_ms: None,
        usage: Usage::default(),
    }
}

/// What a server says about an error, wherever it says it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Said {
    /// `code`, else `type`.
    pub code: String,
    pub message: String,
}

impl Said {
    /// From an error object, or from a body or event that holds one under `error`.
    pub(crate) fn of(value: &Value) -> Self {
        let error = match value.get("error") {
            Some(error @ Value::Object(_)) => error,
            Some(Value::String(message)) => {
                return Said {
                    code: String::new(),
                    message: message.clone(),
                };
            }
            _ => value,
        };
        let field = |name: &str| match error.get(name) {
            Some(Value::String(text)) => Some(text.clone()),
            Some(Value::Number(number)) => Some(number.to_string()),
            _ => None,
        };
        // An `error` event's own `type` says only that it is one, and a number says less than a word.
        let is_number = |code: &String| code.bytes().all(|byte| byte.is_ascii_digit());
        let kind = field("type").filter(|kind| kind != "error");
        let code = field("code");
        let code = code
            .clone()
            .filter(|code| !is_number(code))
            .or(kind)
            .or(code)
            .unwrap_or_default();
        let mut message = field("message").unwrap_or_default();
        // A plan's limit says in a field of its own when it is over; from here on it is a wait like any other.
        let now = SystemTime::now();
        if let Some(wait) = wait_in_fields(error, now)
            && wait_in_words(&message, now).is_none()
        {
            message.push_str(&format!(" (try again in {}s)", wait.as_secs()));
        }
        Said { code, message }
    }

    /// From the body of an HTTP error, which may be anything.
    pub(crate) fn of_body(body: &[u8]) -> Self {
        match serde_json::from_slice::<Value>(body) {
            Ok(value @ Value::Object(_)) => {
                let said = Said::of(&value);
                if said == Said::default() {
                    Said {
                        message: value.to_string(),
                        ..said
                    }
                } else {
                    said
                }
            }
            _ => Said {
                code: String::new(),
                message: String::from_utf8_lossy(body).into_owned(),
            },
        }
    }

    /// Whether code or message holds `part`, which is lower case.
    pub(crate) fn mentions(&self, part: &str) -> bool {
        self.message.to_ascii_lowercase().contains(part)
            || self.code.to_ascii_lowercase().contains(part)
    }
}

/// How servers say that the conversation is too long for the model. Lower case.
const OVERFLOW_WORDS: &[&str] = &[
    // OpenAI, vLLM, OpenRouter, DeepSeek, Mistral.
    "maximum context length",
    "exceeds the context window",
    // A request above the tokens-per-minute limit as a whole: waiting does not help.
    "request too large for",
    // Anthropic.
    "prompt is too long",
    "exceed context limit",
    // llama.cpp, old and new.
    "exceeds the available context size",
    "context size exceeded",
    "context size has been exceeded",
    // vLLM, when it looks at the length of the prompt alone.
    "longer than the maximum model length",
    // Ollama and LM Studio.
    "exceeds the context length",
    "when context the overflows",
    // Gemini, xAI, Groq, behind their compatible addresses.
    "exceeds the maximum number of tokens allowed",
    "maximum prompt length",
    "reduce the length of the messages",
    // Bedrock.
    "input is too long for requested model",
    "exceeds maximum length",
    // SGLang, Text Generation Inference and what is built on it, LM Studio.
    "longer than the model's context length",
    "`inputs` tokens + `max_new_tokens` must be",
    "`inputs` must have less than",
    "greater than the context length",
    // Ollama, Cohere, Z.ai, Moonshot, MiniMax, Alibaba, Copilot.
    "exceeds maximum context length",
    "number of tokens in the prompt cannot exceed",
    "prompt exceeds max length",
    "exceeded model token limit",
    "context window exceeds limit",
    "range of input length should be",
    "prompt token count of",
];

/// The kind of a failure that a code or a message tells by itself, however it reached us.
fn told(said: &Said) -> Option<ModelErrorKind> {
    let code = said.code.as_str();
    if matches!(
        code,
        "context_length_exceeded" | "exceed_context_size_error" | "request_too_large"
    ) || OVERFLOW_WORDS.iter().any(|words| said.mentions(words))
    {
        return Some(ModelErrorKind::ContextOverflow);
    }
    // Words before codes: small servers call everything a `server_error`.
    if without_tools(said).is_some() {
        return Some(ModelErrorKind::Refused);
    }
    // The model's own words could not be read by the server: another answer may do better.
    if said.mentions("failed to parse tool call arguments")
        || said.mentions("error parsing tool call")
    {
        return Some(ModelErrorKind::Malformed);
    }
    match code {
        _ if is_quota(said) => Some(ModelErrorKind::RateLimited),
        "rate_limit_exceeded" | "rate_limit_error" | "tokens" | "requests" | "429" => {
            Some(ModelErrorKind::RateLimited)
        }
        "server_error"
        | "internal_error"
        | "internal_server_error"
        | "api_error"
        | "timeout_error"
        | "unavailable_error"
        | "overloaded"
        | "overloaded_error"
        | "server_is_overloaded"
        | "slow_down"
        | "service_unavailable"
        | "engine_overloaded"
        | "vector_store_timeout" => Some(ModelErrorKind::Unavailable),
        "invalid_prompt"
        | "bio_policy"
        | "cyber_policy"
        | "content_filter"
        | "content_policy_violation"
        | "invalid_api_key"
        | "model_not_found"
        | "unsupported_country_region_territory"
        | "data_residency_mismatch"
        | "authentication_error"
        | "permission_error"
        | "not_found_error" => Some(ModelErrorKind::Refused),
        _ => None,
    }
}

/// What to do about a server or a model that takes no tools, if that is what the error says.
fn without_tools(said: &Said) -> Option<&'static str> {
    if said.mentions("requires --jinja") {
        return Some("; start llama-server with --jinja");
    }
    if said.mentions("--enable-auto-tool-choice") || said.mentions("--tool-call-parser") {
        return Some(
            "; start vLLM with --enable-auto-tool-choice and the --tool-call-parser of this model",
        );
    }
    let words = [
        "does not support tools",
        "does not support tool",
        "support tool use",
        "tool calling is not supported",
        "tools are not supported",
        "does not support function calling",
    ];
    words.iter().any(|words| said.mentions(words)).then_some(
        "; this model cannot call tools, and nothing works without them: choose another model",
    )
}

fn is_quota(said: &Said) -> bool {
    matches!(
        said.code.as_str(),
        "insufficient_quota"
            | "billing_hard_limit_reached"
            | "usage_limit_reached"
            | "billing_error"
            | "402"
    ) || said.mentions("credit balance is too low")
}

/// An HTTP answer that is an error.
pub(crate) fn of_status(
    about: &Provider,
    model: &str,
    status: StatusCode,
    headers: &HeaderMap,
    said: &Said,
) -> ModelError {
    let number = status.as_u16();
    let kind = match (told(said), number) {
        // The status is the better witness of these; a code may say "server_error" about anything.
        (_, 401 | 403 | 404) => ModelErrorKind::Refused,
        (Some(kind), _) => kind,
        (None, 413) => ModelErrorKind::ContextOverflow,
        (None, 402 | 429) => ModelErrorKind::RateLimited,
        (None, 408 | 409 | 425 | 500..=599) => ModelErrorKind::Unavailable,
        (None, _) => ModelErrorKind::Refused,
    };
    let quota = is_quota(said) || number == 402;
    let url = about.url;
    let next = match number {
        300..=399 => match headers.get("location").and_then(|to| to.to_str().ok()) {
            Some(to) => {
                format!("; it points to {to}: set {url} to the address that answers by itself")
            }
            None => format!("; set {url} to the address that answers by itself"),
        },
        401 => format!("; check {}", about.key),
        404 if said.mentions("try pulling it") || is_ollama_s(said) => {
            format!("; fetch it with `ollama pull {}`", clean(model))
        }
        404 if without_tools(said).is_some() => next(kind, said, quota).to_owned(),
        403 => "; this key may not use this model, or not from here".to_owned(),
        404 => format!("; check the model's name and {url} ({})", about.url_hint),
        _ => next(kind, said, quota).to_owned(),
    };
    let mut error = failure(
        kind,
        format!("the model server answered {status}{}{next}", quoted(said)),
    );
    error.retry_after_ms = match kind {
        ModelErrorKind::RateLimited | ModelErrorKind::Unavailable => millis(
            retry_after(headers, SystemTime::now())
                .or_else(|| wait_in_words(&said.message, SystemTime::now()))
                .or(quota.then_some(QUOTA_RETRY)),
        ),
        _ => None,
    };
    error
}

/// Ollama's words for a model that it does not have. Others say `The model … does not exist`.
fn is_ollama_s(said: &Said) -> bool {
    let message = said.message.trim_start();
    message.starts_with("model ") && message.contains("not found")
}

/// An error in the middle of a stream: `response.failed` or `error`.
pub(crate) fn of_event(said: &Said) -> ModelError {
    let kind = told(said).unwrap_or(match said.code.as_str() {
        "400" | "401" | "403" | "404" | "422" => ModelErrorKind::Refused,
        "invalid_request_error" | "BadRequestError" | "NotFoundError" => ModelErrorKind::Refused,
        _ => ModelErrorKind::Unavailable,
    });
    let mut error = failure(
        kind,
        format!(
            "the model server failed while answering{}{}",
            quoted(said),
            next(kind, said, is_quota(said))
        ),
    );
    if matches!(
        kind,
        ModelErrorKind::RateLimited | ModelErrorKind::Unavailable
    ) {
        error.retry_after_ms = millis(
            wait_in_words(&said.message, SystemTime::now())
                .or(is_quota(said).then_some(QUOTA_RETRY)),
        );
    }
    error
}

fn next(kind: ModelErrorKind, said: &Said, quota: bool) -> &'static str {
    match kind {
        ModelErrorKind::RateLimited if quota => {
            "; the account has no quota left: check its plan and billing"
        }
        ModelErrorKind::ContextOverflow => "; the conversation is larger than the model takes",
        ModelErrorKind::Refused => without_tools(said).unwrap_or_default(),
        ModelErrorKind::RateLimited
        | ModelErrorKind::Unavailable
        | ModelErrorKind::Network
        | ModelErrorKind::Cut
        | ModelErrorKind::Malformed
        | ModelErrorKind::ScriptEnded => "",
    }
}

fn quoted(said: &Said) -> String {
    let (code, message) = (clean(&said.code), clean(&said.message));
    match (code.is_empty(), message.is_empty()) {
        (true, true) => String::new(),
        (false, true) => format!(" ({code})"),
        (true, false) => format!(": {message}"),
        (false, false) => format!(" ({code}): {message}"),
    }
}

/// Who says "at once", or a time that has passed, has said nothing: a provider that says so all night is not asked every
/// second.
fn millis(wait: Option<Duration>) -> Option<u64> {
    wait.filter(|wait| *wait >= RETRY_AFTER_MIN)
        .map(|wait| u64::try_from(wait.min(RETRY_AFTER_MAX).as_millis()).unwrap_or(u64::MAX))
}

/// Makes a server's words fit to be shown and journaled: without control characters, and short. They must have been
/// through [`redact`] before: half a key is a leak as well.
pub(crate) fn clean(text: &str) -> String {
    let text = text.trim();
    let mut clean: String = text
        .chars()
        .take(QUOTE_CHARS_MAX)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if text.chars().nth(QUOTE_CHARS_MAX).is_some() {
        clean.push('…');
    }
    clean
}

/// Without the key, should somebody have echoed it.
pub(crate) fn redact<'a>(text: &'a str, key: Option<&SecretString>) -> std::borrow::Cow<'a, str> {
    match key.map(ExposeSecret::expose_secret) {
        Some(key) if key.len() >= SECRET_BYTES_MIN && text.contains(key) => {
            text.replace(key, "[key]").into()
        }
        _ => text.into(),
    }
}

#[cfg(test)]
mod test {
    use super::*;
    use crate::openai::OPENAI;
    use reqwest::header::{HeaderName, HeaderValue};

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(n, v)| (HeaderName::from_static(n), HeaderValue::from_static(v)))
            .collect()
    }

    fn wait_ms(pairs: &[(&'static str, &'static str)]) -> Option<u128> {
        retry_after(&headers(pairs), SystemTime::UNIX_EPOCH).map(|wait| wait.as_millis())
    }

    #[test]
    fn the_time_to_come_back_is_read_in_every_form_that_servers_use() {
        assert_eq!(wait_ms(&[("retry-after", "2")]), Some(2_000));
        assert_eq!(wait_ms(&[("retry-after", "0.5")]), Some(500));
        assert_eq!(
            wait_ms(&[("retry-after-ms", "250"), ("retry-after", "9")]),
            Some(250)
        );
        let date = ("date", "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(
            wait_ms(&[("retry-after", "Sun, 06 Nov 1994 08:50:07 GMT"), date]),
            Some(30_000)
        );
        assert_eq!(
            wait_ms(&[("retry-after", "Sun, 06 Nov 1994 08:00:00 GMT"), date]),
            Some(0)
        );
        let requests = ("x-ratelimit-reset-requests", "120ms");
        let tokens = ("x-ratelimit-reset-tokens", "6m0s");
        assert_eq!(wait_ms(&[requests, tokens]), Some(360_000));
        assert_eq!(
            wait_ms(&[requests, tokens, ("x-ratelimit-remaining-requests", "0")]),
            Some(120)
        );
        assert_eq!(
            wait_ms(&[("x-ratelimit-reset-tokens", "1h2m3.5s")]),
            Some(3_723_500)
        );
        let date = ("date", "Sun, 06 Nov 1994 08:49:37 GMT");
        let requests = ("anthropic-ratelimit-requests-reset", "1994-11-06T08:49:47Z");
        let tokens = (
            "anthropic-ratelimit-input-tokens-reset",
            "1994-11-06T08:50:37Z",
        );
        assert_eq!(wait_ms(&[date, requests, tokens]), Some(60_000));
        let spent = ("anthropic-ratelimit-requests-remaining", "0");
        assert_eq!(wait_ms(&[date, requests, tokens, spent]), Some(10_000));
        // A plan's limit, by the Unix time.
        let plan = ("anthropic-ratelimit-unified-5h-reset", "784115377");
        let rejected = ("anthropic-ratelimit-unified-5h-status", "rejected");
        assert_eq!(
            wait_ms(&[date, requests, spent, plan, rejected]),
            Some(3_600_000)
        );
        let body = br#"{"error":{"type":"usage_limit_reached","message":"The usage limit has been reached","resets_in_seconds":14400}}"#;
        let said = Said::of_body(body);
        assert_eq!(
            wait_in_words(&said.message, SystemTime::UNIX_EPOCH).map(|wait| wait.as_secs()),
            Some(14_400)
        );
    }

    #[test]
    fn nonsense_and_eternity_do_no_harm() {
        for value in ["-5", "NaN", "soon", "", "1h2", "99999999999999999999s x"] {
            assert_eq!(
                wait_ms(&[("retry-after", value), ("x-ratelimit-reset-tokens", value)]),
                None,
                "{value}"
            );
        }
        let most = Some(RETRY_AFTER_MAX.as_millis());
        assert_eq!(wait_ms(&[("retry-after", "1e300")]), most);
        assert_eq!(wait_ms(&[("retry-after", "inf")]), most);
        assert_eq!(
            wait_ms(&[("x-ratelimit-reset-tokens", "99999999999h")]),
            most
        );
        assert_eq!(
            wait_ms(&[("retry-after", "Fri, 31 Dec 9998 23:59:59 GMT")]),
            most
        );
    }

    #[test]
    fn a_wait_is_found_in_words() {
        for (text, ms) in [
            (
                "Rate limit reached. Please try again in 1.898s. Visit x",
                1_898,
            ),
            ("Please try again in 20ms.", 20),
            ("try again in 6m0s.", 360_000),
            ("Please try again in 35 seconds.", 35_000),
        ] {
            assert_eq!(
                wait_in_words(text, SystemTime::UNIX_EPOCH).map(|wait| wait.as_millis()),
                Some(ms),
                "{text}"
            );
        }
        assert_eq!(
            wait_in_words("try again in a while", SystemTime::UNIX_EPOCH),
            None
        );
    }

    #[test]
    fn each_answer_has_its_kind_and_says_what_next() {
        use ModelErrorKind::*;
        let kind = |status: u16, body: &str| {
            let status = StatusCode::from_u16(status).expect("a status");
            let said = Said::of_body(body.as_bytes());
            of_status(&OPENAI, "qwen3:8b", status, &HeaderMap::new(), &said)
        };
        for (status, body, expected, word) in [
            (
                401,
                r#"{"error":{"code":"invalid_api_key","message":"no"}}"#,
                Refused,
                "OPENAI_API_KEY",
            ),
            (
                404,
                r#"{"error":{"code":"model_not_found","message":"no"}}"#,
                Refused,
                "OPENAI_BASE_URL",
            ),
            (404, "<html>nope</html>", Refused, "OPENAI_BASE_URL"),
            (
                400,
                r#"{"error":{"code":"context_length_exceeded","message":"long"}}"#,
                ContextOverflow,
                "larger",
            ),
            (
                400,
                r#"{"error":{"message":"bad","type":"invalid_request_error"}}"#,
                Refused,
                "bad",
            ),
            (413, "", ContextOverflow, "413"),
            (429, "", RateLimited, "429"),
            (
                429,
                r#"{"error":{"code":"rate_limit_exceeded","message":"Request too large for m"}}"#,
                ContextOverflow,
                "too large",
            ),
            (500, "{}", Unavailable, "500"),
            (529, r#"{"error":"overloaded"}"#, Unavailable, "overloaded"),
            (307, "", Refused, "OPENAI_BASE_URL"),
            (
                529,
                r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
                Unavailable,
                "Overloaded",
            ),
            (
                400,
                r#"{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 208310 tokens > 200000 maximum"}}"#,
                ContextOverflow,
                "larger",
            ),
            (
                400,
                r#"{"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low to access the Anthropic API."}}"#,
                RateLimited,
                "billing",
            ),
            (
                402,
                r#"{"error":{"message":"Insufficient Balance","code":"invalid_request_error"}}"#,
                RateLimited,
                "billing",
            ),
            (
                400,
                r#"{"error":{"code":400,"message":"the request exceeds the available context size, try increasing it","type":"exceed_context_size_error","n_ctx":8192}}"#,
                ContextOverflow,
                "exceed_context_size_error",
            ),
            (
                500,
                r#"{"error":{"code":500,"message":"Context size has been exceeded.","type":"server_error"}}"#,
                ContextOverflow,
                "larger",
            ),
            (
                400,
                r#"{"object":"error","message":"This model's maximum context length is 4096 tokens. However, you requested 5000 tokens.","type":"BadRequestError","param":null,"code":400}"#,
                ContextOverflow,
                "BadRequestError",
            ),
            (
                400,
                r#"{"error":{"message":"The decoder prompt (length 5000) is longer than the maximum model length of 4096.","type":"BadRequestError","code":400}}"#,
                ContextOverflow,
                "larger",
            ),
            (
                404,
                r#"{"error":{"message":"model \"qwen3:8b\" not found, try pulling it first","type":"api_error","param":null,"code":null}}"#,
                Refused,
                "`ollama pull qwen3:8b`",
            ),
            (
                404,
                r#"{"error":{"message":"model 'qwen3:8b' not found","type":"not_found_error"}}"#,
                Refused,
                "`ollama pull qwen3:8b`",
            ),
            (
                400,
                r#"{"error":{"message":"library/gemma:latest does not support tools","type":"api_error"}}"#,
                Refused,
                "choose another model",
            ),
            (
                404,
                r#"{"error":{"message":"No endpoints found that support tool use.","code":404}}"#,
                Refused,
                "choose another model",
            ),
            (
                500,
                r#"{"error":{"code":500,"message":"tools param requires --jinja flag","type":"server_error"}}"#,
                Refused,
                "start llama-server with --jinja",
            ),
            (
                400,
                r#"{"message":"\"auto\" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set","type":"BadRequestError","code":400}"#,
                Refused,
                "start vLLM with",
            ),
            (
                503,
                r#"{"error":{"code":503,"message":"Loading model","type":"unavailable_error"}}"#,
                Unavailable,
                "Loading model",
            ),
            (
                500,
                r#"{"error":{"message":"error parsing tool call: raw='{', err=unexpected end of JSON input"}}"#,
                Malformed,
                "parsing tool call",
            ),
        ] {
            let error = kind(status, body);
            assert_eq!(error.kind, expected, "{status} {body}");
            assert!(error.message.contains(word), "{status}: {}", error.message);
        }
        for overflow in [
            "Input is too long for requested model.",
            "The input (40000 tokens) is longer than the model's context length (32768 tokens).",
            "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096.",
            "Prompt exceeds max length",
            "Invalid request: Your request exceeded model token limit: 262144",
            "Range of input length should be [1, 98304]",
            "prompt token count of 200000 exceeds the limit of 128000",
        ] {
            let body = serde_json::json!({"error": {"message": overflow, "type": "invalid_request_error"}});
            assert_eq!(
                kind(400, &body.to_string()).kind,
                ContextOverflow,
                "{overflow}"
            );
        }
        let quota = kind(
            429,
            r#"{"error":{"code":"insufficient_quota","message":"You exceeded your quota"}}"#,
        );
        assert_eq!(quota.kind, RateLimited);
        assert_eq!(quota.retry_after_ms, Some(3_600_000));
        assert!(quota.message.contains("billing"));
    }

    #[test]
    fn a_server_that_says_at_once_has_not_said_when() {
        let said = Said::default();
        for (value, wait) in [
            ("0", None),
            ("0.2", None),
            ("Sun, 06 Nov 1994 08:49:37 GMT", None),
            ("1", Some(1_000)),
        ] {
            let status = StatusCode::TOO_MANY_REQUESTS;
            let error = of_status(
                &OPENAI,
                "m",
                status,
                &headers(&[("retry-after", value)]),
                &said,
            );
            assert_eq!(error.retry_after_ms, wait, "{value}");
        }
    }

    #[test]
    fn a_key_that_is_echoed_is_not_repeated() {
        let key = SecretString::from("sk-very-secret");
        let text = format!("bad key sk-very-secret\u{1b}[31m {}", "x".repeat(2_000));
        let shown = clean(&redact(&text, Some(&key)));
        assert!(
            !shown.contains("very-secret") && shown.contains("[key]") && !shown.contains('\u{1b}')
        );
        assert!(shown.chars().count() <= QUOTE_CHARS_MAX + 1);
    }
}
