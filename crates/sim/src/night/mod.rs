//! Simulated nights: the real `core` and the real `engine` over a world made from a seed, in which models lie and
//! loop, networks drop, clocks jump, disks fill up, people interfere, and the process dies at any moment. After every
//! step the laws are held against what the world really is, not against what the run believes.

pub mod checks;
pub mod goals;
pub mod ledger;
pub mod life;
pub mod model;
pub mod plan;
pub mod ports;
pub mod random;
pub mod site;
pub mod things;
pub mod trees;
pub mod world;
