//! The HTTP front of an ACME server (RFC 8555 §6, §7).
//!
//! In scope: one gate through which every signed request passes ([`gate`]), one place for links ([`links`]), one for
//! problem documents ([`problem`]), one file for each resource ([`resource`]), nonces that cost no storage ([`nonce`]).
//! Out of scope: what a request leads to (the `authority` decides), rows (`storage`, which this crate never names).

mod admin;
mod front;
mod fronts;
mod gate;
mod links;
mod listener;
mod nonce;
mod open;
mod page;
mod peer;
mod problem;
mod proxies;
mod public;
mod reply;
mod resource;
mod seal;
mod waiting;
mod worker;

pub use admin::{Admin, OperatorApi};
pub use front::{Front, Options};
pub use fronts::Fronts;
pub use links::{Links, Place, Resource};
pub use listener::{AsyncHandler, Listener, TlsIdentity};
pub use nonce::{NonceError, Nonces};
pub use open::{OpenReply, OpenResource};
pub use page::Page;
pub use peer::{PeerBook, PeerDesk, Peers};
pub use proxies::{ConnectedFrom, Proxies};
pub use public::Public;
pub use seal::Seal;
pub use waiting::Waiting;
pub use worker::{publish, work};
