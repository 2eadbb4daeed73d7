//! The simulated world, for tests and benches: a model server that speaks real wire formats and plays scripts, and
//! whole simulated nights, and runs that do nothing but wait or grow long.

pub mod crowd;
pub mod night;
pub mod server;
