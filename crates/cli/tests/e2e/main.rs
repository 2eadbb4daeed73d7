//! End to end: the real binary over real HTTP, with real git and the real sandbox. Only the model is a script.

mod cli_output;
mod denied;
mod ends;
mod hidden;
mod honest;
mod kill;
mod languages;
mod provider;
mod repos;
mod world;
