//! Durations (`1h30m`) and counts (`2M`) as people write them.

/// Seconds of `30s`, `10m`, `2h`, `1h30m`, `1d`. `None` if it is not a duration.
pub(super) fn duration_s(text: &str) -> Option<f64> {
    let mut rest = text.trim();
    let mut total = 0.0;
    let mut seen = false;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let unit = rest.chars().next()?;
        total += number
            * match unit {
                's' => 1.0,
                'm' => 60.0,
                'h' => 3_600.0,
                'd' => 86_400.0,
                _ => return None,
            };
        rest = rest[unit.len_utf8()..].trim_start();
        seen = true;
    }
    seen.then_some(total)
}

/// The count that `2M`, `500k`, `1.5M` or `1_000_000` means. `None` if it is not a whole number.
pub(super) fn count(text: &str) -> Option<u64> {
    let text = text.trim();
    let (digits, factor) = match text.chars().last()? {
        'k' | 'K' => (&text[..text.len() - 1], 1e3),
        'm' | 'M' => (&text[..text.len() - 1], 1e6),
        'g' | 'G' | 'b' | 'B' => (&text[..text.len() - 1], 1e9),
        _ => (text, 1.0),
    };
    let digits = digits.trim_end();
    let grouped = digits.starts_with(|c: char| c.is_ascii_digit())
        && !digits.ends_with('_')
        && digits
            .chars()
            .all(|c| c.is_ascii_digit() || matches!(c, '.' | '_'));
    if !grouped {
        return None;
    }
    let number: f64 = digits.replace('_', "").parse().ok()?;
    whole(number * factor)
}

/// The number as a count, if it is one. A number too large for that is the largest count: every limit is below.
pub(super) fn whole(number: f64) -> Option<u64> {
    (number >= 0.0 && number.is_finite() && number.fract() == 0.0).then_some(number as u64)
}

/// How a duration with another spelling would be written here: `5 minutes` is `5m`.
pub(super) fn respelled(text: &str) -> Option<String> {
    let text = text.trim().to_lowercase();
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let unit = match text[digits..].trim() {
        "sec" | "secs" | "second" | "seconds" => "s",
        "min" | "mins" | "minute" | "minutes" => "m",
        "hr" | "hrs" | "hour" | "hours" => "h",
        "day" | "days" => "d",
        _ => return None,
    };
    (digits > 0).then(|| format!("{}{unit}", &text[..digits]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, seconds) in [
            ("30s", 30.0),
            ("10m", 600.0),
            ("1h30m", 5_400.0),
            ("1.5h", 5_400.0),
            ("2h 5m", 7_500.0),
            ("1d", 86_400.0),
        ] {
            assert_eq!(duration_s(text), Some(seconds), "{text}");
        }
        for text in [
            "",
            "10",
            "m",
            "10min",
            "-5m",
            "1h30",
            "5 minutes",
            "..s",
            "1e9s",
            "∞",
        ] {
            assert_eq!(duration_s(text), None, "{text}");
        }
        assert_eq!(respelled("5 Minutes").as_deref(), Some("5m"));
        assert_eq!(respelled("soon"), None);
    }

    #[test]
    fn counts() {
        for (text, n) in [
            ("2M", 2_000_000),
            ("500k", 500_000),
            ("1_000_000", 1_000_000),
            ("1.5M", 1_500_000),
            ("7", 7),
            ("2 M", 2_000_000),
            ("99999999999999999999", u64::MAX),
        ] {
            assert_eq!(count(text), Some(n), "{text}");
        }
        for text in ["", "M", "-2M", "2 million", "1.5", "_1", "1_", "1e6", "NaN"] {
            assert_eq!(count(text), None, "{text}");
        }
    }
}
