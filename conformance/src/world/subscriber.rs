//! Accounts, and requests signed by them.

use jose::{Algorithm, SigningKey};
use serde_json::{Value, json};

use super::World;
use crate::{answer::Answer, message::Message, test::Outcome};

pub struct Account {
    pub key: SigningKey,
    /// The key id.
    pub url: String,
}

/// Who signs a request.
#[derive(Clone, Copy)]
pub struct Signer<'a> {
    pub key: &'a SigningKey,
    /// Nothing: the key itself stands in the header.
    pub kid: Option<&'a str>,
}

impl<'a> From<&'a Account> for Signer<'a> {
    fn from(account: &'a Account) -> Self {
        Self {
            key: &account.key,
            kid: Some(&account.url),
        }
    }
}

impl<'a> From<&'a SigningKey> for Signer<'a> {
    fn from(key: &'a SigningKey) -> Self {
        Self { key, kid: None }
    }
}

impl Account {
    /// token "." thumbprint (RFC 8555 §8.1).
    pub fn key_authorization(&self, token: &str) -> String {
        format!("{token}.{}", self.key.jwk().thumbprint())
    }
}

impl World {
    /// A new account.
    pub async fn account(&self) -> Outcome<Account> {
        self.account_of(new_key()?).await
    }

    pub async fn account_of(&self, key: SigningKey) -> Outcome<Account> {
        let answer = self.new_account(&key, json!({ "termsOfServiceAgreed": true })).await?;
        let url = answer.expect(201)?.location()?;
        Ok(Account { key, url })
    }

    /// newAccount, bound to the operator's key where that is demanded.
    pub async fn new_account(&self, key: &SigningKey, request: Value) -> Outcome<Answer> {
        let request = self.bound(key, request)?;
        self.post(key, &self.resource("newAccount")?, &request).await
    }

    /// A right message, to be sent or to be made wrong.
    pub async fn message<'a>(&self, signer: impl Into<Signer<'a>>, url: &str, payload: &[u8]) -> Outcome<Message> {
        let signer = signer.into();
        Ok(Message::new(signer.key, signer.kid, &self.nonce().await?, url, payload))
    }

    /// A signed POST of an object.
    pub async fn post<'a>(&self, signer: impl Into<Signer<'a>>, url: &str, payload: &Value) -> Outcome<Answer> {
        self.post_bytes(signer, url, payload.to_string().as_bytes()).await
    }

    /// POST-as-GET.
    pub async fn read<'a>(&self, signer: impl Into<Signer<'a>>, url: &str) -> Outcome<Answer> {
        self.post_bytes(signer, url, b"").await
    }

    pub async fn read_json<'a>(&self, signer: impl Into<Signer<'a>>, url: &str) -> Outcome<Value> {
        self.read(signer, url).await?.expect(200)?.json()
    }

    /// A signed POST. A rejected nonce is replaced by the one that came with the rejection (RFC 8555 §6.5).
    pub async fn post_bytes<'a>(&self, signer: impl Into<Signer<'a>>, url: &str, payload: &[u8]) -> Outcome<Answer> {
        let signer = signer.into();
        let mut message = self.message(signer, url, payload).await?;
        let mut attempts = 0;
        loop {
            let answer = self.send(url, message.sign(signer.key).body()).await?;
            attempts += 1;
            if attempts == NONCE_ATTEMPTS || answer.kind() != "badNonce" {
                return Ok(answer);
            }
            message = message.with("nonce", self.fresh_nonce().await?);
        }
    }
}

pub fn new_key() -> Outcome<SigningKey> {
    Ok(SigningKey::generate(Algorithm::Es256)?)
}

/// Some servers reject good nonces by chance, to try clients.
const NONCE_ATTEMPTS: u32 = 6;
