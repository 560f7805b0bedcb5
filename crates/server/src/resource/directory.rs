//! The directory (RFC 8555 §7.1.1).

use acme::Directory;
use http::StatusCode;
use serde_json::Value;

use crate::{Front, Resource, reply::Reply};

pub fn show(front: &Front) -> Reply {
    let url = |resource| front.links.url(resource);
    Reply::json(
        StatusCode::OK,
        &Directory {
            new_nonce: url(Resource::NewNonce),
            new_account: url(Resource::NewAccount),
            new_order: url(Resource::NewOrder),
            new_authz: front.options.pre_authorization.then(|| url(Resource::NewAuthz)),
            revoke_cert: url(Resource::RevokeCert),
            key_change: url(Resource::KeyChange),
            meta: front.options.meta.clone(),
            members: front
                .options
                .open
                .iter()
                .filter_map(|open| {
                    let url = front.links.open_url(open.segment());
                    Some((open.directory_member()?.to_owned(), Value::from(url)))
                })
                .collect(),
        },
    )
}
