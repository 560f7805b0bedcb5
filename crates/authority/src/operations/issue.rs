//! From PLAN to COMPLETE: sign exactly the stored bytes.

use std::sync::Arc;

use super::Authority;
use crate::{
    model::CertificateRecord,
    ports::{Change, Committed, Subject},
};

impl Authority {
    /// Signs a planned record and publishes the certificate. Whatever fails leaves the record planned; when its lease
    /// ends it is claimed and the same bytes are signed again.
    ///
    /// An issuer that is not ours is asked meanwhile: its answer may take days.
    pub(super) async fn sign_and_complete(&self, record: Arc<CertificateRecord>) {
        let id = record.id;
        if let Some(back_end) = self.issuance.back_end(&record.issuer) {
            let authority = self.clone();
            self.runtime
                .spawn(Box::pin(async move { authority.ask(record, back_end).await }));
            return;
        }
        match self.is_blocked(&record.key_sha256).await {
            Ok(false) => {}
            Ok(true) => {
                tracing::warn!(order = %id.order, serial = %record.serial, "not signed: its key is compromised");
                return;
            }
            Err(failure) => {
                tracing::error!(order = %id.order, serial = %record.serial, %failure, "not signed");
                return;
            }
        }
        let certificate = match self.issuance.sign(&record, self.runtime.now()).await {
            Ok(certificate) => certificate,
            Err(failure) => {
                tracing::error!(order = %id.order, serial = %record.serial, %failure, "not signed");
                return;
            }
        };
        let complete = Change::Complete {
            id,
            version: record.version,
            certificate,
        };
        match self.store.commit(complete).await {
            Ok(Committed::Done) => self.changes.changed(Subject::Order(id.order)),
            // Somebody else resumed the record: same bytes, same serial.
            Ok(Committed::Conflict) => {}
            Err(error) => tracing::error!(order = %id.order, serial = %record.serial, %error, "signed but not stored"),
        }
    }
}
