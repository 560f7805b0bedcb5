//! What validations reach: the subscriber's servers, scripted per test.

pub mod http;
pub mod tls;

pub use self::http::{HttpResponder, Page, Visit};
pub use self::tls::{Hello, Manner, TlsResponder};
