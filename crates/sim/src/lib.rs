//! The simulated world, for tests and benches: a model server that speaks a real wire format and plays scripts.

pub mod server;
