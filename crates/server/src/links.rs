//! The one place that makes URLs and reads them.
//!
//! URLs begin with the configured external URL, whatever host or proxy a request came through (INCIDENTS T41). A path
//! is read only in the very form in which it was made, so that comparing resources is comparing strings.

use std::sync::Arc;

use authority::model::{AccountId, AuthorizationId, CertificateId, ChallengeId, OrderId};

use crate::seal::{Kind, Seal, Sealed};

/// Everything a URL of this server can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    Directory,
    NewNonce,
    NewAccount,
    NewOrder,
    NewAuthz,
    RevokeCert,
    KeyChange,
    Account(AccountId),
    /// The orders list of an account, after an order's number.
    Orders(AccountId, OrderId),
    Order(OrderId),
    Finalize(OrderId),
    Authorization(AuthorizationId),
    Challenge(ChallengeId),
    Certificate(CertificateId),
    /// The n-th chain of a certificate; the preferred one, 0, is the certificate's own URL.
    Alternate(CertificateId, u8),
    /// In a chain, the certificate at a height above the leaf.
    Issuer(CertificateId, u8, u8),
    /// Where a person agrees to terms that have changed.
    Terms(AccountId),
    /// Where a person lets an account go on with names that only failed, and the day on which the address was given.
    Unpause(AccountId, u32),
}

impl Resource {
    /// The name in logs and metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Directory => "directory",
            Self::NewNonce => "new_nonce",
            Self::NewAccount => "new_account",
            Self::NewOrder => "new_order",
            Self::NewAuthz => "new_authz",
            Self::RevokeCert => "revoke_cert",
            Self::KeyChange => "key_change",
            Self::Account(_) => "account",
            Self::Orders(..) => "orders",
            Self::Order(_) => "order",
            Self::Finalize(_) => "finalize",
            Self::Authorization(_) => "authorization",
            Self::Challenge(_) => "challenge",
            Self::Certificate(_) => "certificate",
            Self::Alternate(..) => "alternate",
            Self::Issuer(..) => "issuer",
            Self::Terms(_) => "terms",
            Self::Unpause(..) => "unpause",
        }
    }
}

pub struct Links {
    /// Without a trailing slash, for example `https://ca.example:14000/internal`.
    base: String,
    place: Place,
    seal: Arc<Seal>,
}

/// Where on a server a directory lies.
#[derive(Clone, Debug)]
pub struct Place {
    /// Before every path: empty, or a slash and a segment.
    pub prefix: String,
    /// The directory's own path after that.
    pub directory: String,
}

impl Default for Place {
    fn default() -> Self {
        Self {
            prefix: String::new(),
            directory: "/directory".to_owned(),
        }
    }
}

impl Links {
    pub fn new(external_url: &str, place: Place, seal: Seal) -> Self {
        Self {
            base: format!("{}{}", external_url.trim_end_matches('/'), place.prefix),
            place,
            seal: Arc::new(seal),
        }
    }

    /// The same resources at another URL.
    pub fn at(&self, external_url: &str) -> Self {
        Self {
            base: format!("{}{}", external_url.trim_end_matches('/'), self.place.prefix),
            place: self.place.clone(),
            seal: self.seal.clone(),
        }
    }

    /// The URL of what an extension serves.
    pub fn open_url(&self, segment: &str) -> String {
        format!("{}/acme/{segment}", self.base)
    }

    /// Segment and rest of a path to what an extension may serve.
    pub fn read_open<'a>(&self, path: &'a str) -> Option<(&'a str, &'a str)> {
        path.strip_prefix(self.place.prefix.as_str())?
            .strip_prefix("/acme/")?
            .split_once('/')
    }

    pub fn url(&self, resource: Resource) -> String {
        let base = &self.base;
        match resource {
            Resource::Directory => format!("{base}{}", self.place.directory),
            Resource::NewNonce => format!("{base}/acme/new-nonce"),
            Resource::NewAccount => format!("{base}/acme/new-account"),
            Resource::NewOrder => format!("{base}/acme/new-order"),
            Resource::NewAuthz => format!("{base}/acme/new-authz"),
            Resource::RevokeCert => format!("{base}/acme/revoke-cert"),
            Resource::KeyChange => format!("{base}/acme/key-change"),
            Resource::Account(AccountId(id)) => format!("{base}/acme/account/{}", self.id(Kind::Account, id, 0)),
            Resource::Orders(AccountId(id), OrderId(0)) => {
                format!("{base}/acme/orders/{}", self.id(Kind::Account, id, 0))
            }
            Resource::Orders(AccountId(id), OrderId(after)) => {
                let page = self.id(Kind::OrdersPage, after, 0);
                format!("{base}/acme/orders/{}/after/{page}", self.id(Kind::Account, id, 0))
            }
            Resource::Order(OrderId(id)) => format!("{base}/acme/order/{}", self.id(Kind::Order, id, 0)),
            Resource::Finalize(OrderId(id)) => format!("{base}/acme/order/{}/finalize", self.id(Kind::Order, id, 0)),
            Resource::Authorization(AuthorizationId(id)) => {
                format!("{base}/acme/authorization/{}", self.id(Kind::Authorization, id, 0))
            }
            Resource::Challenge(ChallengeId { authorization, index }) => {
                format!(
                    "{base}/acme/challenge/{}",
                    self.id(Kind::Challenge, authorization.0, u32::from(index))
                )
            }
            Resource::Alternate(id, which) => format!("{}/alternate/{which}", self.url(Resource::Certificate(id))),
            Resource::Issuer(id, which, height) => {
                format!("{}/issuer/{which}/{height}", self.url(Resource::Certificate(id)))
            }
            Resource::Unpause(AccountId(id), day) => {
                format!("{base}/acme/unpause/{}", self.id(Kind::Unpause, id, day))
            }
            Resource::Terms(AccountId(id)) => format!("{base}/acme/terms/{}", self.id(Kind::Account, id, 0)),
            Resource::Certificate(CertificateId { order, n }) => {
                format!("{base}/acme/certificate/{}", self.id(Kind::Certificate, order.0, n))
            }
        }
    }

    /// What a request's path names; a query names nothing here.
    pub fn read_path(&self, path: &str) -> Option<Resource> {
        self.read_below(path.strip_prefix(self.place.prefix.as_str())?)
    }

    fn read_below(&self, path: &str) -> Option<Resource> {
        if path == self.place.directory {
            return Some(Resource::Directory);
        }
        let mut segments = path.strip_prefix("/acme/")?.split('/');
        let (first, second, third, fourth) = (segments.next()?, segments.next(), segments.next(), segments.next());
        let fifth = segments.next();
        if segments.next().is_some() {
            return None;
        }
        if let ("certificate", Some(id), Some("issuer"), Some(which), Some(height)) =
            (first, second, third, fourth, fifth)
        {
            return Some(Resource::Issuer(self.certificate(id)?, digits(which)?, digits(height)?));
        }
        if fifth.is_some() {
            return None;
        }
        Some(match (first, second, third, fourth) {
            ("new-nonce", None, ..) => Resource::NewNonce,
            ("new-account", None, ..) => Resource::NewAccount,
            ("new-order", None, ..) => Resource::NewOrder,
            ("new-authz", None, ..) => Resource::NewAuthz,
            ("revoke-cert", None, ..) => Resource::RevokeCert,
            ("key-change", None, ..) => Resource::KeyChange,
            ("account", Some(id), None, _) => Resource::Account(AccountId(self.number(Kind::Account, id)?)),
            ("orders", Some(id), None, _) => Resource::Orders(AccountId(self.number(Kind::Account, id)?), OrderId(0)),
            ("orders", Some(id), Some("after"), Some(page)) => Resource::Orders(
                AccountId(self.number(Kind::Account, id)?),
                OrderId(self.number(Kind::OrdersPage, page)?),
            ),
            ("order", Some(id), None, _) => Resource::Order(OrderId(self.number(Kind::Order, id)?)),
            ("order", Some(id), Some("finalize"), None) => Resource::Finalize(OrderId(self.number(Kind::Order, id)?)),
            ("authorization", Some(id), None, _) => {
                Resource::Authorization(AuthorizationId(self.number(Kind::Authorization, id)?))
            }
            ("challenge", Some(id), None, _) => {
                let Sealed { number, extra } = self.seal.open(Kind::Challenge, id)?;
                let authorization = AuthorizationId(number);
                Resource::Challenge(ChallengeId {
                    authorization,
                    index: extra.try_into().ok()?,
                })
            }
            ("certificate", Some(id), None, _) => Resource::Certificate(self.certificate(id)?),
            ("certificate", Some(id), Some("alternate"), Some(which)) => {
                let which = digits(which).filter(|which| *which > 0)?;
                Resource::Alternate(self.certificate(id)?, which)
            }
            ("unpause", Some(id), None, _) => {
                let Sealed { number, extra } = self.seal.open(Kind::Unpause, id)?;
                Resource::Unpause(AccountId(number), extra)
            }
            ("terms", Some(id), None, _) => Resource::Terms(AccountId(self.number(Kind::Account, id)?)),
            _ => return None,
        })
    }

    /// What a whole URL names, exactly as it was handed out.
    pub fn read_url(&self, url: &str) -> Option<Resource> {
        self.read_below(url.strip_prefix(&self.base)?)
    }

    fn id(&self, kind: Kind, number: u64, extra: u32) -> String {
        self.seal.seal(kind, Sealed { number, extra })
    }

    fn certificate(&self, text: &str) -> Option<CertificateId> {
        let Sealed { number, extra } = self.seal.open(Kind::Certificate, text)?;
        Some(CertificateId {
            order: OrderId(number),
            n: extra,
        })
    }

    fn number(&self, kind: Kind, text: &str) -> Option<u64> {
        let sealed = self.seal.open(kind, text)?;
        (sealed.extra == 0).then_some(sealed.number)
    }
}

/// A small number as it is written here, and in no other way.
fn digits(text: &str) -> Option<u8> {
    text.parse().ok().filter(|number: &u8| number.to_string() == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every_resource() -> Vec<Resource> {
        let (account, order, authorization) = (AccountId(1), OrderId(2), AuthorizationId(3));
        vec![
            Resource::Directory,
            Resource::NewNonce,
            Resource::NewAccount,
            Resource::NewOrder,
            Resource::RevokeCert,
            Resource::KeyChange,
            Resource::Account(account),
            Resource::Orders(account, OrderId(0)),
            Resource::Orders(account, order),
            Resource::Order(order),
            Resource::Finalize(order),
            Resource::Authorization(authorization),
            Resource::Challenge(ChallengeId {
                authorization,
                index: 2,
            }),
            Resource::Certificate(CertificateId { order, n: 0 }),
            Resource::Alternate(CertificateId { order, n: 0 }, 1),
            Resource::Issuer(CertificateId { order, n: 0 }, 1, 0),
            Resource::NewAuthz,
            Resource::Terms(account),
            Resource::Unpause(account, 20_000),
        ]
    }

    #[test]
    fn what_is_made_is_read_and_nothing_near_it() {
        for place in places() {
            let links = Links::new("https://ca.example/", place.clone(), Seal::new(&[1; 32]));
            for resource in every_resource() {
                let url = links.url(resource);
                assert_eq!(links.read_url(&url), Some(resource), "{url}");
                for near in [
                    format!("{url}/"),
                    format!("{url}?x"),
                    format!("{url}x"),
                    url.replace("https", "http"),
                ] {
                    assert_ne!(links.read_url(&near), Some(resource), "{near}");
                }
            }
            assert_eq!(links.read_url("https://other.example/directory"), None);
        }
    }

    fn places() -> [Place; 2] {
        let elsewhere = Place {
            prefix: "/internal".to_owned(),
            directory: "/dir".to_owned(),
        };
        [Place::default(), elsewhere]
    }

    // 8555-10.5-1
    #[test]
    fn what_belongs_to_one_directory_means_nothing_in_another() {
        let links = |tag| {
            let seal = Seal::new(&[1; 32]).for_directory(tag);
            Links::new("https://ca.example", Place::default(), seal)
        };
        let url = links(1).url(Resource::Order(OrderId(7)));
        assert_eq!(links(1).read_url(&url), Some(Resource::Order(OrderId(7))));
        assert_eq!(links(2).read_url(&url), None);
        assert_eq!(links(0).read_url(&url), None);
    }
}
