//! Mail between this authority and other hosts: a small server that takes replies, and the way out.

pub mod guests;
pub mod listener;
pub mod sender;
mod session;
mod wire;
