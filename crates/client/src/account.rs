//! Accounts (RFC 8555 §7.3).

use std::{collections::HashSet, sync::Arc};

use acme::{AccountStatus, AccountUpdate, OrdersList, ProblemType, RevocationReason, RevokeCert};
use jose::{KeyRef, SigningKey, Thumbprint};
use serde::Serialize;

use crate::{
    binding::ExternalAccount,
    contact::Contact,
    directory::{Directory, Signer},
    error::Error,
    transport::Answer,
    wire,
};

/// An account at one server. Cheap to clone, and nameable by its URL and key alone.
#[derive(Clone)]
pub struct Account {
    shared: Arc<Shared>,
}

struct Shared {
    directory: Directory,
    key: Arc<SigningKey>,
    url: String,
}

/// What a new account says of itself.
#[derive(Clone, Debug, Default)]
pub struct Registration {
    pub contacts: Vec<Contact>,
    /// A person has agreed; never set without asking (RFC 8555 §7.3).
    pub terms_of_service_agreed: bool,
    pub external_account: Option<ExternalAccount>,
}

impl Account {
    /// Registers the key, or finds the account that it already has.
    pub async fn create(
        directory: &Directory,
        key: Arc<SigningKey>,
        registration: &Registration,
    ) -> Result<Self, Error> {
        let resources = directory.resources().await?;
        if let Some(url) = &resources.meta.terms_of_service
            && !registration.terms_of_service_agreed
        {
            return Err(Error::TermsNotAgreed { url: url.clone() });
        }
        let request = NewAccount {
            contact: registration.contacts.iter().map(Contact::as_str).collect(),
            terms_of_service_agreed: registration.terms_of_service_agreed.then_some(true),
            only_return_existing: false,
            external_account_binding: registration
                .external_account
                .as_ref()
                .map(|external| external.bind(key.jwk(), &resources.new_account)),
        };
        Self::register(directory, &resources.new_account, key, &request).await
    }

    /// The account of a key, if there is one (RFC 8555 §7.3.1).
    pub async fn find(directory: &Directory, key: Arc<SigningKey>) -> Result<Option<Self>, Error> {
        let resources = directory.resources().await?;
        let request = NewAccount {
            only_return_existing: true,
            ..NewAccount::default()
        };
        match Self::register(directory, &resources.new_account, key, &request).await {
            Ok(account) => Ok(Some(account)),
            Err(error) if error.is(&ProblemType::AccountDoesNotExist) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn register(
        directory: &Directory,
        new_account: &str,
        key: Arc<SigningKey>,
        request: &NewAccount<'_>,
    ) -> Result<Self, Error> {
        let signer = Signer {
            key: &key,
            account: None,
        };
        let answer = directory
            .post(signer, new_account, &json(request), "the account")
            .await?;
        let url = answer
            .location()
            .ok_or_else(|| Error::protocol(new_account, "the account has no Location"))?;
        Ok(Self::bind(directory, key, url))
    }

    /// An account that is known from before; nothing is asked.
    pub fn bind(directory: &Directory, key: Arc<SigningKey>, url: impl Into<String>) -> Self {
        Self {
            shared: Arc::new(Shared {
                directory: directory.clone(),
                key,
                url: url.into(),
            }),
        }
    }

    pub fn url(&self) -> &str {
        &self.shared.url
    }

    pub fn key(&self) -> &Arc<SigningKey> {
        &self.shared.key
    }

    pub fn directory(&self) -> &Directory {
        &self.shared.directory
    }

    pub fn thumbprint(&self) -> Thumbprint {
        self.shared.key.jwk().thumbprint()
    }

    pub async fn read(&self) -> Result<acme::Account, Error> {
        self.account_object(b"").await
    }

    /// Replaces the contacts (RFC 8555 §7.3.2).
    pub async fn update(&self, contacts: &[Contact]) -> Result<acme::Account, Error> {
        let contact = contacts.iter().map(Contact::to_string).collect();
        self.account_object(&json(&AccountUpdate {
            contact: Some(contact),
            status: None,
        }))
        .await
    }

    /// Ends the account for good (RFC 8555 §7.3.6).
    pub async fn deactivate(&self) -> Result<acme::Account, Error> {
        let update = AccountUpdate {
            contact: None,
            status: Some("deactivated".to_owned()),
        };
        let account = self.account_object(&json(&update)).await?;
        match account.status {
            AccountStatus::Deactivated => Ok(account),
            other => Err(Error::protocol(
                self.url(),
                format!("the account is {other:?} after its deactivation"),
            )),
        }
    }

    async fn account_object(&self, payload: &[u8]) -> Result<acme::Account, Error> {
        let answer = self.post(self.url(), payload, "the account").await?;
        wire::object(&answer.body).map_err(|what| Error::protocol(self.url(), what))
    }

    /// The URLs of the account's orders, from all pages (RFC 8555 §7.1.2.1). Some servers keep no list.
    pub async fn orders(&self) -> Result<Vec<String>, Error> {
        let mut orders = Vec::new();
        let mut seen = HashSet::new();
        let mut next = self.read().await?.orders;
        while let Some(url) = next {
            // A server whose pages lead back, or never end, is not followed (8555-7.1.2.1-3).
            if !seen.insert(url.clone()) || seen.len() > MOST_PAGES {
                break;
            }
            let answer = self.get(&url, "the list of orders").await?;
            let page: OrdersList = wire::object(&answer.body).map_err(|what| Error::protocol(&url, what))?;
            orders.extend(page.orders);
            next = answer.links("next").into_iter().next();
        }
        let mut listed = HashSet::new();
        orders.retain(|order| listed.insert(order.clone()));
        Ok(orders)
    }

    /// Replaces the account's key (RFC 8555 §7.3.5). The new key must be in a safe place before this is called, and
    /// the old one be kept until it has returned.
    pub async fn change_key(&self, new: Arc<SigningKey>) -> Result<Self, Error> {
        let url = self.directory().resources().await?.key_change;
        let change = json(&KeyChange {
            account: self.url(),
            old_key: self.key().jwk(),
        });
        let inner = jose::sign_flattened(&new, KeyRef::Jwk, None, &url, &change);
        self.post(&url, inner.as_bytes(), "the new account key").await?;
        Ok(Self::bind(self.directory(), new, self.url()))
    }

    /// Revokes a certificate that this account may revoke (RFC 8555 §7.6).
    pub async fn revoke(&self, certificate_der: &[u8], reason: Option<RevocationReason>) -> Result<(), Error> {
        revoke(self.directory(), self.signer(), certificate_der, reason).await
    }

    /// A POST-as-GET (RFC 8555 §6.3).
    pub(crate) async fn get(&self, url: &str, asked: &str) -> Result<Answer, Error> {
        self.post(url, b"", asked).await
    }

    pub(crate) async fn post(&self, url: &str, payload: &[u8], asked: &str) -> Result<Answer, Error> {
        self.directory().post(self.signer(), url, payload, asked).await
    }

    pub(crate) fn signer(&self) -> Signer<'_> {
        Signer {
            key: &self.shared.key,
            account: Some(&self.shared.url),
        }
    }
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Account")
            .field("url", &self.shared.url)
            .finish_non_exhaustive()
    }
}

/// Revokes a certificate with its own key (RFC 8555 §7.6).
pub async fn revoke_with_certificate_key(
    directory: &Directory,
    key: &SigningKey,
    certificate_der: &[u8],
    reason: Option<RevocationReason>,
) -> Result<(), Error> {
    revoke(directory, Signer { key, account: None }, certificate_der, reason).await
}

/// A certificate that was revoked before is revoked: the first answer may have been lost.
async fn revoke(
    directory: &Directory,
    signer: Signer<'_>,
    der: &[u8],
    reason: Option<RevocationReason>,
) -> Result<(), Error> {
    let url = directory.resources().await?.revoke_cert;
    let request = RevokeCert {
        certificate: jose::base64url::encode(der),
        reason: reason.map(RevocationReason::code),
    };
    match directory.post(signer, &url, &json(&request), "the revocation").await {
        Err(error) if error.is(&ProblemType::AlreadyRevoked) => Ok(()),
        outcome => outcome.map(drop),
    }
}

#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct NewAccount<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    contact: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    terms_of_service_agreed: Option<bool>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    only_return_existing: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    external_account_binding: Option<serde_json::Value>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct KeyChange<'a> {
    account: &'a str,
    old_key: &'a jose::Jwk,
}

pub(crate) fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("invariant: requests are structs of strings, numbers and keys")
}

const MOST_PAGES: usize = 1000;
