//! End to end: the real binary over real HTTP, with real git and the real sandbox. Only the model is a script.

mod cli_output;
mod denied;
mod draft;
mod ends;
mod honest;
mod kill;
mod languages;
mod night;
mod provider;
mod repos;
mod steer;
mod terminal;
mod view;
mod world;
