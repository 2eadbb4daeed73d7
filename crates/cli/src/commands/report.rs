//! `overnight report`: rendered from the journal, at any time.

use overnight_core::report::{Report, to_markdown};
use overnight_ports::journal::Journal;

use crate::args::OneRun;
use crate::clock::local_time;

/// Prints it.
pub fn report(args: &OneRun) -> anyhow::Result<u8> {
    let (_, store) = super::look(&args.run)?;
    let report = Report::read(|each| -> anyhow::Result<()> {
        Ok(store.read(1, &mut |stored| each(stored.event))?)
    })?;
    if args.json {
        say!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        crate::out::write(format_args!("{}", to_markdown(&report, &local_time)));
    }
    Ok(0)
}
