//! The moment "resource": what an extension serves to anybody, by GET.

use authority::{Authority, Failure, ports::BoxFuture};
use bytes::Bytes;

/// A family of URLs below `/acme/SEGMENT/`, readable without a signature.
pub trait OpenResource: Send + Sync {
    fn segment(&self) -> &'static str;

    /// Its member of the directory, with the family's URL as value.
    fn directory_member(&self) -> Option<&'static str> {
        None
    }

    /// `rest` is what follows `SEGMENT/`, as it was sent.
    fn get<'a>(&'a self, authority: &'a Authority, rest: &'a str) -> BoxFuture<'a, Result<OpenReply, Failure>>;
}

/// What is found there.
#[derive(Clone, Debug)]
pub struct OpenReply {
    pub content_type: &'static str,
    pub body: Bytes,
    /// Seconds until it is worth asking again.
    pub retry_after: Option<u32>,
    /// Seconds for which a cache may keep it; `None`: not at all.
    pub max_age: Option<u32>,
}
