//! The HTTP front: the gate for JWS, one file per resource, problem documents, links, nonces
