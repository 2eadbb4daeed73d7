//! `overnight lint`: judges a goal file without a model.

use crate::args::GoalArgs;
use crate::goalfile;

/// Judges it. Exit code 2 if it is refused.
pub fn lint(args: &GoalArgs) -> anyhow::Result<u8> {
    let judged = goalfile::judge(&args.file)?;
    if args.json {
        say!("{}", serde_json::to_string_pretty(&judged.json())?);
    } else {
        judged.print();
    }
    Ok(if judged.refused() { 2 } else { 0 })
}
