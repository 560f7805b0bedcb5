//! What a node keeps from one run to the next.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use config::Config;
use server::{Nonces, Seal};

use crate::{ca, files, world};

/// What a node has kept since its last run.
pub(super) struct Kept {
    pub nonces: Arc<Nonces>,
    pub nonce_file: Option<PathBuf>,
    pub admin_token: String,
}

pub(super) fn kept(config: &Config, folder: &Path, secret: &[u8; 32]) -> Result<Kept, String> {
    let process = u32::from_be_bytes(world::random_array());
    if config.database.url == IN_MEMORY {
        // Nobody is told the token: what the operator could do would be gone with the process.
        return Ok(Kept {
            nonces: Arc::new(Nonces::new(Seal::new(secret), process)),
            nonce_file: None,
            admin_token: jose::base64url::encode(world::random_array::<32>()),
        });
    }
    // Made now: at the end it would be too late to say that nothing can be kept there.
    let state = folder.join(&config.server.state);
    files::make_folder(&state)?;
    let file = state.join("nonces");
    let nonces = Nonces::resume(Seal::new(secret), process, &file)
        .map_err(|error| format!("{} cannot be read: {error}", file.display()))?;
    Ok(Kept {
        nonces: Arc::new(nonces),
        admin_token: ca::token(&state)?,
        nonce_file: Some(file),
    })
}

/// A database that ends with its process.
pub const IN_MEMORY: &str = "sqlite::memory:";
