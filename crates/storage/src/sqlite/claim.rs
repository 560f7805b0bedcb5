//! Taking work that was left behind, or whose time has come.

use std::sync::Arc;

use authority::{
    model::{AuthorizationState, CertificateState},
    ports::Claimed,
};
use jiff::Timestamp;
use rusqlite::{Connection, params};

use super::{
    cache::Objects,
    job::{Failure, Write},
    read::{self, select},
};
use crate::row::{key, to_milliseconds};

pub(super) struct Claim {
    pub now: Timestamp,
    pub lease: Timestamp,
    pub limit: usize,
}

/// Both indexes hold work that is not done and nothing else, so the cost does not depend on how many rows there are.
impl Write for Claim {
    type Output = Vec<Claimed>;

    fn apply(&self, connection: &Connection) -> Result<Vec<Claimed>, Failure> {
        let (now, lease) = (self.now.as_millisecond(), self.lease.as_millisecond());
        let limit = i64::try_from(self.limit).unwrap_or(i64::MAX);
        let validations = read::legible(
            connection,
            concat!(
                select!(authorization),
                " WHERE due IS NOT NULL AND max(due, lease) <= ? ORDER BY max(due, lease) LIMIT ?"
            ),
            [now, limit],
            read::authorization,
        )?;
        let issuances = read::legible(
            connection,
            concat!(
                select!(certificate),
                " WHERE lease IS NOT NULL AND lease <= ? ORDER BY lease LIMIT ?"
            ),
            [now, limit - validations.len() as i64],
            read::certificate,
        )?;
        let mut claimed = Vec::with_capacity(validations.len() + issuances.len());
        for mut authorization in validations {
            connection
                .prepare_cached("UPDATE authorizations SET lease = ?, version = version + 1 WHERE id = ?")?
                .execute(params![lease, authorization.id.0.cast_signed()])?;
            let moved = Arc::make_mut(&mut authorization);
            moved.version += 1;
            if let AuthorizationState::Processing { lease, .. } = &mut moved.state {
                *lease = to_milliseconds(self.lease);
            }
            claimed.push(Claimed::Validation(authorization));
        }
        for mut certificate in issuances {
            connection
                .prepare_cached("UPDATE certificates SET lease = ?, version = version + 1 WHERE key = ?")?
                .execute(params![lease, key(certificate.id)])?;
            let moved = Arc::make_mut(&mut certificate);
            moved.version += 1;
            moved.state = CertificateState::Planned {
                lease: to_milliseconds(self.lease),
            };
            claimed.push(Claimed::Issuance(certificate));
        }
        Ok(claimed)
    }

    fn publish(self, output: &Vec<Claimed>, objects: &mut Objects) {
        for claimed in output {
            match claimed {
                Claimed::Validation(authorization) => objects.put_authorization(authorization.clone()),
                Claimed::Issuance(certificate) => objects.put_certificate(certificate.clone()),
            }
        }
    }
}
