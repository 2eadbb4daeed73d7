//! Small faults for an implementation: where they can be planted, and which of them are tried.
//!
//! Source text in, faults out; nothing is run and nothing is written. The syntax comes from tree-sitter grammars, so that
//! comments, imports, types, tests and text that only looks like code are left alone. A fault replaces one piece of one
//! file, and the file still parses.
//!
//! What a file says of itself decides little: comments that exclude lines are not obeyed, because whoever writes the
//! implementation could write them.

mod files;
mod grammar;
mod literal;
mod pick;
mod returns;
mod swap;
mod walk;

use overnight_ports::faults::{Fault, Faults, Kind, Place};

/// Files larger than this hold no faults, bytes.
pub const SOURCE_BYTES_MAX: usize = 1024 * 1024;
/// Most places for faults that are looked at in one file.
pub const PLACES_MAX: usize = 20_000;
/// Deepest nesting of syntax that is followed.
pub const DEPTH_MAX: u32 = 400;

/// Plants faults in the languages that this crate has grammars for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Planter;

impl Faults for Planter {
    fn kind(&self, path: &str) -> Kind {
        files::kind(path)
    }

    fn plant(
        &self,
        places: &[Place],
        read: &dyn Fn(&str) -> Option<String>,
        most: usize,
    ) -> Vec<Fault> {
        pick::pick(places, read, most)
    }
}

/// Every fault that can be planted in a file, in the order of the text; none where the path is no implementation's.
pub fn all(path: &str, content: &str) -> Vec<Fault> {
    match files::kind(path) {
        Kind::Implementation(language) | Kind::Generated(language) => {
            let found = walk::places(path, language, content);
            found.into_iter().map(|place| place.fault).collect()
        }
        Kind::Other => Vec::new(),
    }
}
