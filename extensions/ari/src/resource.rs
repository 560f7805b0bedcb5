//! What anybody may ask about a certificate (RFC 9773 §4).

use acme::RenewalId;
use authority::{Authority, Failure, Refusal, ports::BoxFuture};
use server::{OpenReply, OpenResource};

use crate::{Settings, find::find, incident, window};

pub struct RenewalInfo {
    settings: Settings,
}

impl RenewalInfo {
    pub fn new(settings: Settings) -> Self {
        Self { settings }
    }

    async fn about(&self, authority: &Authority, rest: &str) -> Result<acme::RenewalInfo, Failure> {
        let malformed = |error| Refusal::Malformed(format!("the path names no certificate: {error} (RFC 9773 §4.1)"));
        let id: RenewalId = rest.parse().map_err(malformed)?;
        let store = authority.store();
        let (record, certificate) = find(store, &id).await?.ok_or(Refusal::NotFound)?;
        // Another directory's certificate is that directory's to speak of.
        let account = store.account(record.account).await?;
        if account.is_none_or(|account| account.directory != authority.policy().directory) {
            return Err(Refusal::NotFound.into());
        }
        let incidents = incident::affecting(store, &record).await?;
        let (suggested_window, because) = window::decide(
            window::suggested(certificate.not_before(), certificate.not_after()),
            record.revoked.as_ref(),
            &incidents,
            self.settings.explanation_url.as_deref(),
        );
        Ok(acme::RenewalInfo {
            suggested_window,
            explanation_url: because.map(str::to_owned),
        })
    }
}

impl OpenResource for RenewalInfo {
    fn segment(&self) -> &'static str {
        "renewal-info"
    }

    fn directory_member(&self) -> Option<&'static str> {
        Some("renewalInfo")
    }

    fn get<'a>(&'a self, authority: &'a Authority, rest: &'a str) -> BoxFuture<'a, Result<OpenReply, Failure>> {
        Box::pin(async move {
            let info = self.about(authority, rest).await?;
            let body = serde_json::to_vec(&info)
                .map_err(|error| Failure::Unavailable(format!("renewal information does not serialise: {error}")))?;
            Ok(OpenReply {
                content_type: "application/json",
                body: body.into(),
                retry_after: Some(self.settings.retry_after.as_secs().try_into().unwrap_or(u32::MAX)),
                max_age: Some(MAX_AGE),
            })
        })
    }
}

/// Long enough to take the load of whoever asks without end, short against the six hours of everybody else (§6).
const MAX_AGE: u32 = 300;
