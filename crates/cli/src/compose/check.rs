//! Whether a configuration could be served, found out without serving it: every file that it names is read and every
//! directory composed, over a database that is gone afterwards. No port is bound and nothing is written.

use std::{path::Path, sync::Arc};

use config::Config;
use server::{Nonces, Seal, Waiting};

use super::{
    IN_MEMORY, Seamless,
    directory::{Ground, directories},
    identity::tls_identity,
};

/// `Err` is the sentence with which `serve` would refuse. Relative paths are relative to `folder`.
pub async fn check(config: &Config, folder: &Path) -> Result<(), String> {
    let database = storage::open(IN_MEMORY, Box::new(|_| ()))
        .await
        .map_err(|error| error.to_string())?;
    let secret = [0; 32];
    let ground = Ground {
        folder,
        secret,
        instance: String::new(),
        database,
        waiting: Arc::new(Waiting::default()),
        nonces: Arc::new(Nonces::new(Seal::new(&secret), 0)),
        peers: None,
    };
    tls_identity(config, folder)?;
    directories(config, &ground, &Seamless).map(drop)
}
