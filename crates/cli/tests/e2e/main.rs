//! End to end: the real binary over real HTTP, with real git and the real sandbox. Only the model is a script.

mod cli_output;
mod coverage;
mod denied;
mod ends;
mod honest;
mod kill;
mod languages;
mod packages;
mod provider;
mod repos;
mod world;
