//! The built-in executor: it builds prompts and performs tools. It decides nothing; every answer and every call is an
//! event, and what comes next is `core`'s decision.

mod context;
mod executor;
mod policy;
mod prompt;
mod shown;
mod told;
mod tools;
mod transcript;
mod worksite;

pub use executor::BuiltIn;
pub use worksite::{Ground, Prepared, Worksite};
