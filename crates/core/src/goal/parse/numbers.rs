//! Numbers of a front matter: targets, counts, durations, hours.

use super::super::words::shown;
use super::super::yaml::{Entry, Value};
use super::quantity::{count, duration_s, respelled, whole};
use super::reader::Reader;

impl Reader<'_> {
    /// A finite number.
    pub fn number(&mut self, entry: &Entry) -> Option<f64> {
        match &entry.node.value {
            Value::Number(_, value) if value.is_finite() => Some(*value),
            Value::Text(text) => {
                let bare = text
                    .trim()
                    .trim_start_matches(['$', '€'])
                    .trim_end_matches(['%', '$', '€'])
                    .trim();
                let bare = bare.replace('_', "");
                let help = match bare.parse::<f64>() {
                    Ok(number) if number.is_finite() => format!("{}: {number}", entry.key),
                    _ => format!("{}: {}", entry.key, example(&entry.key)),
                };
                self.wrong(&entry.node, &entry.key, "a number", help);
                None
            }
            _ => {
                let help = format!("{}: {}", entry.key, example(&entry.key));
                self.wrong(&entry.node, &entry.key, "a finite number", help);
                None
            }
        }
    }

    /// A number above zero.
    pub fn positive(&mut self, entry: &Entry) -> Option<f64> {
        let number = self.number(entry)?;
        self.above_zero(number, entry)
    }

    /// A whole number above zero: `80`, `500k`, `2M`, `1_000_000`.
    pub fn count(&mut self, entry: &Entry, max: u64) -> Option<u64> {
        let example = format!("{}: {}", entry.key, example(&entry.key));
        let read = match &entry.node.value {
            Value::Number(_, value) if *value < 0.0 => {
                return self.above_zero(*value, entry).and(None);
            }
            Value::Number(_, value) => whole(*value),
            Value::Text(text) => count(text),
            _ => None,
        };
        let Some(read) = read else {
            self.wrong(
                &entry.node,
                &entry.key,
                "a whole number above zero (`k` or `M` may follow)",
                example,
            );
            return None;
        };
        self.above_zero(read as f64, entry)?;
        if read > max {
            let message = format!(
                "`{}` may be {max} at most, found {}",
                entry.key,
                entry.node.described()
            );
            self.findings
                .error("bad-limit", entry.node.span, message, example);
            return None;
        }
        Some(read)
    }

    /// A duration in seconds: `30s`, `10m`, `2h`, `1h30m`.
    pub fn duration_s(&mut self, entry: &Entry, max_s: u64) -> Option<u64> {
        let Value::Text(text) = &entry.node.value else {
            let help = match &entry.node.value {
                Value::Number(raw, _) => {
                    format!("say the unit: {}s or {}m", shown(raw), shown(raw))
                }
                _ => format!("{}: 10m", entry.key),
            };
            self.wrong(&entry.node, &entry.key, "a duration", help);
            return None;
        };
        let Some(seconds) = duration_s(text) else {
            self.wrong(
                &entry.node,
                &entry.key,
                "a duration",
                spelling(&entry.key, text),
            );
            return None;
        };
        let seconds = self.above_zero(seconds, entry)?.ceil();
        if seconds > max_s as f64 {
            let message = format!("`{}` is longer than {} hours", entry.key, max_s / 3600);
            self.findings.error(
                "bad-limit",
                entry.node.span,
                message,
                format!("{}: 2h", entry.key),
            );
            return None;
        }
        whole(seconds)
    }

    /// Hours, as a number or as a duration.
    pub fn hours(&mut self, entry: &Entry, max: f64) -> Option<f64> {
        let hours = match &entry.node.value {
            Value::Text(text) => match duration_s(text) {
                Some(seconds) => seconds / 3600.0,
                None => {
                    self.wrong(
                        &entry.node,
                        &entry.key,
                        "a number of hours or a duration",
                        spelling(&entry.key, text),
                    );
                    return None;
                }
            },
            _ => self.number(entry)?,
        };
        let hours = self.above_zero(hours, entry)?;
        if hours > max {
            let message = format!("`{}` is more than {max}", entry.key);
            self.findings.error(
                "bad-limit",
                entry.node.span,
                message,
                format!("{}: 8", entry.key),
            );
            return None;
        }
        Some(hours)
    }

    fn above_zero(&mut self, number: f64, entry: &Entry) -> Option<f64> {
        if number > 0.0 && number.is_finite() {
            return Some(number);
        }
        let message = format!(
            "`{}` must be above zero, found {}",
            entry.key,
            entry.node.described()
        );
        self.findings.error(
            "bad-limit",
            entry.node.span,
            message,
            "write a limit above zero, or remove the line for the default",
        );
        None
    }
}

/// A value that a key may have, as examples show it.
fn example(key: &str) -> &'static str {
    match key {
        "turns" => "80",
        "tokens" => "2M",
        "usd" => "20",
        "hours" => "5",
        "no_progress" => "6",
        "attempts" => "3",
        "parallel" => "2",
        "limit" => "15",
        "functions" => "1",
        "lines" => "40",
        "files" => "2",
        _ => "80",
    }
}

fn spelling(key: &str, text: &str) -> String {
    match respelled(text) {
        Some(meant) => format!("{key}: {meant}"),
        None => format!("{key}: 90s, 10m, 2h or 1h30m"),
    }
}
