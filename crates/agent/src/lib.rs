//! The built-in executor: it builds prompts and performs tools. It decides nothing; every answer and every call is an
//! event, and what comes next is `core`'s decision. [`drafting`] is what comes before a run: words become a goal file.

mod context;
pub mod drafting;
mod executor;
mod item;
#[cfg(test)]
mod item_tests;
mod policy;
mod prompt;
mod repeats;
mod servers;
mod shown;
mod told;
mod tools;
mod transcript;
mod trial;
mod worksite;

pub use executor::BuiltIn;
pub use trial::{Tried, try_servers};
pub use worksite::{Ground, Prepared, Worksite};
