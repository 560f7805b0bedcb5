//! A change with its rows already written down, which is done on the caller's thread: the writer only binds.

use std::sync::Arc;

use acme::Problem;
use authority::{
    model::{
        Account, AccountId, Authorization, AuthorizationId, AuthorizationState, CertificateId, CertificateRecord,
        CertificateState, Order, OrderId, RecordChange, Revocation,
    },
    ports::Change,
};
use jiff::Timestamp;
use pkix::certificate::Serial;

use crate::row::{AccountRow, AuthorizationRow, CertificateRow, OrderRow, to_milliseconds};

/// A [`Change`]. Objects are as they will be when it is done: a changed one has the next version.
pub(crate) enum Prepared {
    CreateAccount(Row<Account>),
    UpdateAccount(Row<Account>),
    CreateOrder {
        account: (AccountId, u32),
        order: Row<Order>,
        authorizations: Vec<Row<Authorization>>,
    },
    CreateAuthorization(Row<Authorization>),
    UpdateAuthorization(Row<Authorization>),
    Plan {
        account: (AccountId, u32),
        order: (OrderId, u32),
        authorizations: Vec<(AuthorizationId, u32)>,
        certificate: Row<CertificateRecord>,
    },
    Complete {
        id: CertificateId,
        version: u32,
        certificate: Vec<u8>,
    },
    Adopt {
        id: CertificateId,
        version: u32,
        serial: Serial,
        not_after: Timestamp,
        certificate: Vec<u8>,
    },
    Abandon {
        id: CertificateId,
        version: u32,
        problem: Problem,
        failure: String,
    },
    Revoke {
        id: CertificateId,
        version: u32,
        revocation: Revocation,
    },
    Records {
        records: Vec<RecordChange>,
        with: Option<Box<Prepared>>,
    },
}

/// An object and its column `data`.
pub(crate) struct Row<T> {
    pub object: Arc<T>,
    pub data: String,
}

impl From<Change> for Prepared {
    fn from(change: Change) -> Self {
        match change {
            Change::CreateAccount(account) => Self::CreateAccount(account_row(account)),
            Change::UpdateAccount(mut account) => {
                account.version += 1;
                Self::UpdateAccount(account_row(account))
            }
            Change::CreateOrder {
                account,
                mut order,
                authorizations,
            } => {
                order.expires = to_milliseconds(order.expires);
                Self::CreateOrder {
                    account,
                    order: Row {
                        data: OrderRow::data(&order),
                        object: Arc::new(order),
                    },
                    authorizations: authorizations.into_iter().map(authorization_row).collect(),
                }
            }
            Change::CreateAuthorization(authorization) => Self::CreateAuthorization(authorization_row(authorization)),
            Change::UpdateAuthorization(mut authorization) => {
                authorization.version += 1;
                Self::UpdateAuthorization(authorization_row(authorization))
            }
            Change::Plan {
                account,
                order,
                authorizations,
                mut certificate,
            } => {
                certificate.not_after = to_milliseconds(certificate.not_after);
                certificate.planned = to_milliseconds(certificate.planned);
                if let CertificateState::Planned { lease } = &mut certificate.state {
                    *lease = to_milliseconds(*lease);
                }
                let certificate = Row {
                    data: CertificateRow::data(&certificate),
                    object: Arc::new(certificate),
                };
                Self::Plan {
                    account,
                    order,
                    authorizations,
                    certificate,
                }
            }
            Change::Complete {
                id,
                version,
                certificate,
            } => Self::Complete {
                id,
                version,
                certificate,
            },
            Change::Adopt {
                id,
                version,
                serial,
                not_after,
                certificate,
            } => Self::Adopt {
                id,
                version,
                serial,
                not_after: to_milliseconds(not_after),
                certificate,
            },
            Change::Abandon { id, version, problem } => Self::Abandon {
                id,
                version,
                failure: OrderRow::failure(&problem),
                problem,
            },
            Change::Revoke {
                id,
                version,
                mut revocation,
            } => {
                revocation.at = to_milliseconds(revocation.at);
                Self::Revoke {
                    id,
                    version,
                    revocation,
                }
            }
            Change::Records { records, with } => Self::Records {
                records,
                with: with.map(|change| Box::new(Self::from(*change))),
            },
        }
    }
}

fn account_row(account: Account) -> Row<Account> {
    Row {
        data: AccountRow::data(&account),
        object: Arc::new(account),
    }
}

fn authorization_row(mut authorization: Authorization) -> Row<Authorization> {
    authorization.expires = to_milliseconds(authorization.expires);
    if let AuthorizationState::Processing { due, lease, .. } = &mut authorization.state {
        *due = to_milliseconds(*due);
        *lease = to_milliseconds(*lease);
    }
    Row {
        data: AuthorizationRow::data(&authorization),
        object: Arc::new(authorization),
    }
}
