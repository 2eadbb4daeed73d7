//! The simulated world, for tests and benches: a model server that speaks real wire formats and plays scripts, and
//! whole simulated nights.

pub mod night;
pub mod server;
