//! The shell that package managers and make are given: it knows the lines that it will be asked to run and what each
//! becomes, and hands everything to the real shell.

use std::collections::BTreeMap;

use super::shell::quote;

/// The shim around its table. The line is the last argument; whatever flags stand before it are handed on.
const HEAD: &str = r#"#!/bin/sh
# Runs the line that it is given, with the reporter that names each test.
for overnight_line do :; done
case $overnight_line in
CASESesac
overnight_n=$#
for overnight_word do
  shift
  overnight_n=$((overnight_n - 1))
  [ "$overnight_n" -gt 0 ] || overnight_word=$overnight_line
  set -- "$@" "$overnight_word"
done
exec SHELL "$@"
"#;

/// What a line becomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// As it is.
    alone: String,
    /// With arguments appended: what comes before and behind them.
    extended: Option<(String, String)>,
}

impl Entry {
    /// `extended` is what the line becomes with the word `rest` behind it.
    pub(crate) fn new(alone: &str, extended: &str, rest: &str) -> Entry {
        let parts = extended
            .split_once(rest)
            .map(|(a, b)| (a.to_owned(), b.to_owned()));
        Entry {
            alone: alone.to_owned(),
            extended: parts,
        }
    }
}

/// The shim's text. `shell` is the real one, with its arguments if it has some.
pub(crate) fn script(shell: &str, table: &BTreeMap<String, Entry>) -> String {
    let mut cases = String::new();
    for (line, entry) in table {
        cases.push_str(&format!(
            "  {}) overnight_line={} ;;\n",
            quote(line),
            quote(&entry.alone)
        ));
    }
    // The longer line first: `jest` is the beginning of `jest --ci` too.
    let mut longest_first: Vec<_> = table.iter().collect();
    longest_first.sort_by_key(|(line, _)| std::cmp::Reverse(line.len()));
    for (line, entry) in longest_first {
        if let Some((before, behind)) = &entry.extended {
            let start = quote(&format!("{line} "));
            let (before, behind) = (quote(before), quote(behind));
            let rest = "\"${overnight_line#\"$overnight_start\"}\"";
            cases.push_str(&format!(
                "  {start}*) overnight_start={start}; overnight_line={before}{rest}{behind} ;;\n"
            ));
        }
    }
    let real: Vec<String> = shell.split_whitespace().map(quote).collect();
    HEAD.replace("CASES", &cases)
        .replace("SHELL", &real.join(" "))
}
