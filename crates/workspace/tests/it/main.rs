//! The workspace on real repositories, with the real git.

mod candidate;
mod checkout;
mod deliver;
mod items;
mod merge;
mod prepare;
mod pristine;
mod restore;
mod scan;
mod world;
