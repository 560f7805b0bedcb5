//! Every reader of strangers' octets, each with what must hold of it whatever it is given.
//!
//! A target is a function from octets to nothing that panics where something is wrong: [`target`]. Two programs call
//! them: this crate's own, with a corpus and damage that is the same in every run ([`replay`], a step of
//! `cargo xtask test`), and libFuzzer, by way of `cargo-fuzz/`.

pub mod corpus;
pub mod damage;
pub mod replay;
pub mod target;
