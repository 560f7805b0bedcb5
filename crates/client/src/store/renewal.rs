//! What is kept between runs about renewals. Losing it costs a question to the CA.

use std::path::PathBuf;

use pkix::certificate::Certificate;

use super::{CertificateName, Store, StoreError, atomic, read_if_there};
use crate::renewal::RenewalState;

impl Store {
    /// What is known about this certificate; of another one of the same name nothing is.
    pub(super) fn renewal(&self, name: &CertificateName, leaf: &Certificate) -> RenewalState {
        let fresh = RenewalState::of(leaf);
        let path = self.renewal_path(name);
        let read = || -> Result<Option<RenewalState>, StoreError> {
            let content = read_if_there(&path)?;
            content
                .map(|content| serde_json::from_slice(&content).map_err(|error| StoreError::damaged(&path, error)))
                .transpose()
        };
        match read() {
            Ok(Some(state)) if state.serial == fresh.serial => state,
            Ok(_) => fresh,
            Err(error) => {
                tracing::warn!(%error, "what was known about a renewal is not used");
                fresh
            }
        }
    }

    pub(crate) fn save_renewal(&self, name: &CertificateName, state: &RenewalState) -> Result<(), StoreError> {
        let path = self.renewal_path(name);
        atomic::private_folder(&self.root().join("renewal"))?;
        let content = serde_json::to_vec_pretty(state).map_err(|error| StoreError::damaged(&path, error))?;
        atomic::replace(&path, &content, atomic::PRIVATE)
    }

    /// The CA is asked anew at the next look: something has happened that it knows of.
    pub(crate) fn ask_again(&self, name: &CertificateName) -> Result<(), StoreError> {
        let Some(stored) = self.stored(name)? else {
            return Ok(());
        };
        let state = RenewalState {
            next_question: None,
            ..stored.renewal
        };
        self.save_renewal(name, &state)
    }

    fn renewal_path(&self, name: &CertificateName) -> PathBuf {
        self.root().join("renewal").join(format!("{name}.json"))
    }
}
