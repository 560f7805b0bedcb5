//! newNonce (RFC 8555 §7.2). The nonce itself is on every answer to it.

use http::{Method, StatusCode};

use crate::reply::Reply;

pub fn read(method: &Method) -> Reply {
    Reply::empty(if method == Method::HEAD {
        StatusCode::OK
    } else {
        StatusCode::NO_CONTENT
    })
}
