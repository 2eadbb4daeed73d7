//! When to come back, in every form in which servers say it: headers, fields of an error, words.

use std::time::{Duration, SystemTime};

use reqwest::header::HeaderMap;
use serde_json::Value;

/// The longest wait that a server may ask for.
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// A number from here on is no wait but a Unix time: as a wait it would be more than three years, seconds.
const UNIX_SECONDS_MIN: f64 = 1e8;
/// From here on it is a Unix time in milliseconds: in seconds it would lie three thousand years ahead.
const UNIX_MILLIS_MIN: f64 = 1e11;
/// Milliseconds of a second.
const MILLIS: f64 = 1000.0;
/// Anthropic's limits, by the names in its headers; the last ones are those of a plan.
const ANTHROPIC_LIMITS: [&str; 7] = [
    "requests",
    "tokens",
    "input-tokens",
    "output-tokens",
    "unified",
    "unified-5h",
    "unified-7d",
];
/// Before what a message names a wait. Lower case.
const WAIT_WORDS: [&str; 4] = ["try again in ", "retry in ", "retry after ", "resets in "];
/// Before what it names a time.
const TIME_WORDS: [&str; 4] = ["try again at ", "retry at ", "resets at ", "reset at "];

/// When the headers say to come back.
pub(crate) fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = |name: &str| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .map(str::trim)
    };
    // The server's own clock, where it tells it: ours may be wrong.
    let now = text("date").and_then(http_date).unwrap_or(now);
    if let Some(wait) = text("retry-after-ms")
        .and_then(|ms| ms.parse().ok())
        .and_then(|ms: f64| positive(ms / MILLIS))
    {
        return Some(wait);
    }
    if let Some(wait) = text("retry-after").and_then(|value| wait_of(value, now)) {
        return Some(wait);
    }
    let reset = |reset: String, remaining: String, status: Option<String>| {
        let wait = wait_of(text(&reset)?, now)?;
        let spent = text(&remaining) == Some("0")
            || status.is_some_and(|status| text(&status) == Some("rejected"));
        Some((spent, wait))
    };
    let of_openai = ["-requests", "-tokens", ""].map(|what| {
        reset(
            format!("x-ratelimit-reset{what}"),
            format!("x-ratelimit-remaining{what}"),
            None,
        )
    });
    let plain = reset("ratelimit-reset".into(), "ratelimit-remaining".into(), None);
    let of_anthropic = ANTHROPIC_LIMITS.map(|what| {
        let name = |part: &str| format!("anthropic-ratelimit-{what}-{part}");
        reset(name("reset"), name("remaining"), Some(name("status")))
    });
    let resets: Vec<(bool, Duration)> = of_openai
        .into_iter()
        .chain([plain])
        .chain(of_anthropic)
        .flatten()
        .collect();
    // The limit that is used up is the one to wait for; if none says so, the later one is safe.
    let spent = resets
        .iter()
        .filter(|(spent, _)| *spent)
        .map(|(_, wait)| *wait)
        .max();
    spent
        .or(resets.iter().map(|(_, wait)| *wait).max())
        .map(|wait| wait.min(RETRY_AFTER_MAX))
}

/// When an error object says to come back in a field of its own: a plan's limit, or Google's details.
pub(crate) fn wait_in_fields(error: &Value, now: SystemTime) -> Option<Duration> {
    if let Some(seconds) = error.get("resets_in_seconds").and_then(Value::as_f64) {
        return positive(seconds);
    }
    let at = match error.get("resets_at") {
        Some(Value::Number(at)) => wait_of(&at.to_string(), now),
        Some(Value::String(at)) => wait_of(at, now),
        _ => None,
    };
    let details = error.get("details").and_then(Value::as_array);
    at.or_else(|| {
        let mut delays = details.into_iter().flatten();
        delays.find_map(|detail| wait_of(detail.get("retryDelay")?.as_str()?, now))
    })
}

/// "Please try again in 1.898s." is all that a failure in mid-stream tells.
pub(crate) fn wait_in_words(message: &str, now: SystemTime) -> Option<Duration> {
    let lower = message.to_ascii_lowercase();
    let behind = |words: &str| lower.split_once(words).map(|(_, rest)| rest);
    WAIT_WORDS
        .into_iter()
        .filter_map(behind)
        .find_map(wait_at_start)
        .or_else(|| {
            let times = TIME_WORDS.into_iter().filter_map(behind);
            times.filter_map(first_word).find_map(|word| {
                let at = word.to_ascii_uppercase();
                wait_until(at.parse::<jiff::Timestamp>().ok()?.into(), now)
            })
        })
}

fn first_word(text: &str) -> Option<&str> {
    let word = text.split_ascii_whitespace().next()?;
    Some(word.trim_matches(|c: char| !c.is_ascii_alphanumeric()))
}

/// `1.898s. Visit …`, `20 minutes`, `7m12.5s`.
fn wait_at_start(rest: &str) -> Option<Duration> {
    let end = rest
        .find(|c: char| !c.is_ascii_alphanumeric() && c != '.')
        .unwrap_or(rest.len());
    let word = rest.get(..end)?.trim_end_matches('.');
    go_duration(word).or_else(|| {
        let number: f64 = word.parse().ok()?;
        let unit = rest.get(end..)?.trim_start();
        let units = [
            ("day", 86_400.0),
            ("hour", 3_600.0),
            ("minute", 60.0),
            ("second", 1.0),
        ];
        let (_, seconds) = units.into_iter().find(|(name, _)| unit.starts_with(name))?;
        positive(number * seconds)
    })
}

/// What a header or a field says, whatever its form: seconds, `6m0s`, a Unix time in seconds or milliseconds, a date as
/// HTTP or as RFC 3339 writes it. What has passed is no wait.
fn wait_of(text: &str, now: SystemTime) -> Option<Duration> {
    if let Ok(number) = text.parse::<f64>() {
        return match number {
            _ if number >= UNIX_MILLIS_MIN => until_unix(number / MILLIS, now),
            _ if number >= UNIX_SECONDS_MIN => until_unix(number, now),
            _ => positive(number),
        };
    }
    let at = || text.parse::<jiff::Timestamp>().ok().map(SystemTime::from);
    go_duration(text).or_else(|| wait_until(http_date(text).or_else(at)?, now))
}

fn until_unix(seconds: f64, now: SystemTime) -> Option<Duration> {
    let since = Duration::try_from_secs_f64(seconds).ok();
    match since.and_then(|since| SystemTime::UNIX_EPOCH.checked_add(since)) {
        Some(at) => wait_until(at, now),
        // Later than any clock goes.
        None => Some(RETRY_AFTER_MAX),
    }
}

fn wait_until(at: SystemTime, now: SystemTime) -> Option<Duration> {
    let wait = at.duration_since(now).unwrap_or(Duration::ZERO);
    Some(wait.min(RETRY_AFTER_MAX))
}

fn http_date(text: &str) -> Option<SystemTime> {
    jiff::fmt::rfc2822::DateTimeParser::new()
        .relaxed_weekday(true)
        .parse_timestamp(text)
        .ok()
        .map(SystemTime::from)
}

fn positive(seconds: f64) -> Option<Duration> {
    // Not a comparison that NaN could pass.
    (seconds >= 0.0).then(|| Duration::from_secs_f64(seconds.min(RETRY_AFTER_MAX.as_secs_f64())))
}

/// `6m0s`, `1h2m3.5s`, `120ms`: how the rate-limit headers say a time.
fn go_duration(text: &str) -> Option<Duration> {
    let (mut rest, mut sum) = (text, 0.0_f64);
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest.get(..end)?.parse().ok()?;
        rest = rest.get(end..)?;
        let units = [
            ("ms", 0.001),
            ("us", 1e-6),
            ("µs", 1e-6),
            ("ns", 1e-9),
            ("d", 86_400.0),
            ("h", 3_600.0),
            ("m", 60.0),
            ("s", 1.0),
        ];
        let (unit, seconds) = units.into_iter().find(|(unit, _)| rest.starts_with(unit))?;
        sum += number * seconds;
        rest = rest.get(unit.len()..)?;
    }
    positive(sum)
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::{HeaderName, HeaderValue};

    /// 6 November 1994, 08:49:37, as the Unix time.
    const NOW: u64 = 784_111_777;

    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(NOW)
    }

    fn wait_ms(pairs: &[(&'static str, &'static str)]) -> Option<u128> {
        let headers = pairs
            .iter()
            .map(|(n, v)| (HeaderName::from_static(n), HeaderValue::from_static(v)))
            .collect();
        retry_after(&headers, now()).map(|wait| wait.as_millis())
    }

    #[test]
    fn every_form_means_the_same_in_every_header() {
        for header in [
            "retry-after",
            "x-ratelimit-reset",
            "x-ratelimit-reset-tokens",
            "ratelimit-reset",
            "anthropic-ratelimit-tokens-reset",
        ] {
            for (form, wait) in [
                ("60", 60_000),
                ("60.0", 60_000),
                ("1m0s", 60_000),
                ("Sun, 06 Nov 1994 08:50:37 GMT", 60_000),
                ("1994-11-06T08:50:37Z", 60_000),
                ("1994-11-06T09:50:37.000+01:00", 60_000),
                ("1994-11-06T08:00:00Z", 0),
                ("9999-12-30T00:00:00Z", RETRY_AFTER_MAX.as_millis()),
                ("99999999999999999999", RETRY_AFTER_MAX.as_millis()),
                ("1e999", RETRY_AFTER_MAX.as_millis()),
                ("inf", RETRY_AFTER_MAX.as_millis()),
            ] {
                assert_eq!(wait_ms(&[(header, form)]), Some(wait), "{header}: {form}");
            }
            for form in ["", "soon", "-5", "NaN", "-inf", "5 or so", "12:00"] {
                assert_eq!(wait_ms(&[(header, form)]), None, "{header}: {form}");
            }
        }
    }

    #[test]
    fn a_large_number_is_a_unix_time_by_the_servers_clock() {
        let date = ("date", "Mon, 23 Nov 2026 01:00:00 GMT");
        for at in ["1795395630", "1795395630000"] {
            assert_eq!(wait_ms(&[date, ("retry-after", at)]), Some(30_000), "{at}");
            let reset = ("x-ratelimit-reset", at);
            assert_eq!(wait_ms(&[date, reset]), Some(30_000), "{at}");
        }
    }

    #[test]
    fn garbage_in_one_header_does_not_hide_another() {
        let pairs = [
            ("retry-after", "soon"),
            ("x-ratelimit-reset-requests", "7s"),
        ];
        assert_eq!(wait_ms(&pairs), Some(7_000));
    }

    #[test]
    fn fields_and_words_say_it_as_well() {
        let fields = |text: &str| {
            let error: Value = serde_json::from_str(text).expect("JSON");
            wait_in_fields(&error, now()).map(|wait| wait.as_millis())
        };
        assert_eq!(fields(r#"{"resets_in_seconds": 40}"#), Some(40_000));
        assert_eq!(fields(r#"{"resets_in_seconds": -40}"#), None);
        assert_eq!(
            fields(r#"{"resets_at": "1994-11-06T08:50:37Z"}"#),
            Some(60_000)
        );
        let google = r#"{"details": [{"@type": "x"}, {"retryDelay": "34.5s"}]}"#;
        assert_eq!(fields(google), Some(34_500));
        assert_eq!(fields(r#"{"details": "none"}"#), None);
        let words = |text: &str| wait_in_words(text, now()).map(|wait| wait.as_millis());
        assert_eq!(words("Please retry in 34.5s."), Some(34_500));
        assert_eq!(words("Please retry after 26 seconds."), Some(26_000));
        assert_eq!(
            words("Limit reached, resets at 1994-11-06T08:50:37Z."),
            Some(60_000)
        );
        assert_eq!(words("You may retry after a while"), None);
        assert_eq!(words("resets at noon"), None);
    }
}
