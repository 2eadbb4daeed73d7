//! `overnight man`: the manual pages, made from the same words as `--help`.

use clap::CommandFactory;

use crate::args::{Cli, ManArgs};
use crate::problem::usage;

/// Prints overnight(1), or writes every page into a folder.
pub fn man(args: &ManArgs) -> anyhow::Result<u8> {
    let command = Cli::command();
    let Some(folder) = &args.out else {
        let mut page = Vec::new();
        clap_mangen::Man::new(command).render(&mut page)?;
        crate::out::write(format_args!("{}", String::from_utf8(page)?));
        return Ok(0);
    };
    let shown = folder.display();
    std::fs::create_dir_all(folder)
        .and_then(|()| clap_mangen::generate_to(command, folder))
        .map_err(|e| usage(format!("{shown}: {e}")))?;
    eprintln!("the pages are in {shown}: `man {shown}/overnight.1`");
    Ok(0)
}
