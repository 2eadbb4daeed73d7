//! End to end: the real binary over real HTTP, with real git and the real sandbox. Only the model is a script.

mod cli_output;
mod coverage;
mod denied;
mod draft;
mod ends;
mod hidden;
mod honest;
mod kill;
mod languages;
mod mcp;
mod mutation;
mod night;
mod packages;
mod provider;
mod repos;
mod steer;
mod terminal;
mod tracker;
mod view;
mod whole;
mod worklist;
mod world;
