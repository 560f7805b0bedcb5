//! The composition of the parts into a running node, and the commands that do it. Each command is one file.
//!
//! A library so that what runs a node in a test composes it exactly as `vidimus serve` does.

pub mod ca;
pub mod compose;
pub mod config_command;
pub mod dev;
pub mod extensions;
mod files;
pub mod init;
mod metrics;
pub mod pages;
pub mod pebble;
pub mod perspective;
pub mod serve;
pub mod world;
