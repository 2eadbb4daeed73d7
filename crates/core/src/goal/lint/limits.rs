//! Limits that limit nothing, and limits that leave a gap.

use super::super::diagnostic::{Findings, Severity};
use super::super::parse::Parsed;
use super::evidence::located;

/// Turns beyond which a limit is hardly one.
pub const TURNS_HUGE: u64 = 10_000;
/// Hours beyond which a limit is hardly one.
pub const HOURS_HUGE: f64 = 72.0;
/// Tokens beyond which a limit is hardly one.
pub const TOKENS_HUGE: u64 = 1_000_000_000;
/// US dollars beyond which a limit is hardly one.
pub const USD_HUGE: f64 = 1_000.0;
/// Checkpoints without progress beyond which a limit is hardly one.
pub const NO_PROGRESS_HUGE: u32 = 50;
/// Seconds beyond which a check's own limit is hardly one.
pub const TIMEOUT_HUGE_S: u64 = 4 * 60 * 60;

const SECONDS_PER_HOUR: f64 = 3_600.0;

pub(super) fn judge(parsed: &Parsed, findings: &mut Findings) {
    let stop = &parsed.goal.stop;
    let mut huge = |key: &str, is: f64, limit: f64, unit: &str| {
        if is > limit {
            findings.warn(
                "huge-limit",
                parsed.positions.span(&format!("stop.{key}")),
                format!("`{key}` is {is}: a run that goes wrong may use all of it before anybody looks"),
                format!("start with less than {limit} {unit}: people can raise it, and the same run goes on"),
            );
        }
    };
    huge("turns", stop.turns as f64, TURNS_HUGE as f64, "turns");
    huge("hours", stop.hours, HOURS_HUGE, "hours");
    huge(
        "tokens",
        stop.tokens.unwrap_or(0) as f64,
        TOKENS_HUGE as f64,
        "tokens",
    );
    huge("usd", stop.usd.unwrap_or(0.0), USD_HUGE, "dollars");
    huge(
        "no_progress",
        f64::from(stop.no_progress),
        f64::from(NO_PROGRESS_HUGE),
        "checkpoints",
    );
    for (path, check) in located(parsed) {
        let at = parsed.positions.span(&format!("{path}.timeout"));
        if check.timeout_s as f64 > stop.hours * SECONDS_PER_HOUR {
            let message = format!(
                "one run of this check may take {} minutes, which is longer than the whole run of {} hours",
                check.timeout_s / 60,
                stop.hours
            );
            findings.warn(
                "huge-limit",
                at,
                message,
                "timeout: 10m, or more `stop.hours`",
            );
        } else if check.timeout_s > TIMEOUT_HUGE_S {
            let message = format!(
                "a command that hangs is noticed after {} minutes only, at every checkpoint",
                check.timeout_s / 60
            );
            findings.warn(
                "huge-limit",
                at,
                message,
                "a limit of twice the usual time is enough: timeout: 30m",
            );
        }
    }
    if !parsed.positions.has("stop") {
        return;
    }
    match (stop.tokens, stop.usd) {
        (None, None) => findings.add(
            Severity::Note,
            "no-budget",
            parsed.positions.span("stop"),
            "neither `tokens` nor `usd` is limited: only turns and hours bound what the run costs",
            "stop: {tokens: 2M}",
        ),
        (None, Some(_)) => findings.add(
            Severity::Note,
            "price-needed",
            parsed.positions.span("stop.usd"),
            "`usd` is counted with the model's price: it limits nothing for a model whose price is not known",
            "set `tokens` as well: tokens: 2M",
        ),
        (Some(_), _) => {}
    }
}
