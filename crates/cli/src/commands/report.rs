//! `overnight report`: rendered from the journal, at any time.

use overnight_core::report::to_markdown;

use crate::args::OneRun;
use crate::clock::local_time;

/// Prints it.
pub fn report(args: &OneRun) -> anyhow::Result<u8> {
    let (_, store) = super::look(&args.run)?;
    let report = overnight_engine::fold(&store)?.report()?;
    if args.json {
        say!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        crate::out::write(format_args!("{}", to_markdown(&report, &local_time)));
    }
    Ok(0)
}
