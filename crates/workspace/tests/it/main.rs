//! The workspace on real repositories, with the real git.

mod candidate;
mod checkout;
mod deliver;
mod prepare;
mod pristine;
mod restore;
mod scan;
mod world;
