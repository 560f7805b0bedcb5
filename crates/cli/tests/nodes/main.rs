//! Several `vidimus serve` on one PostgreSQL: one directory, whichever of them is asked, and whichever dies.
//!
//! Each test has a cluster, a configuration and nodes of its own. A test asks a node of its choice while every URL stays
//! that of the directory ([`subscriber`]), or goes as a client through a pass-through that leads to the first node that
//! lives ([`gate`]).

mod accounts;
mod crashes;
mod gate;
mod nonces;
mod orders;
mod subscriber;
mod world;
