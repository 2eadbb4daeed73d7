//! What the engine asks of the world: one trait a file. Implementations live in their own crates and do not know
//! each other; the binary is the only place that puts them together.

pub mod clock;
pub mod faults;
pub mod forge;
pub mod journal;
pub mod mcp;
pub mod model;
pub mod notifier;
pub mod oracle;
pub mod sandbox;
pub mod site;
pub mod verifier;
pub mod workspace;
