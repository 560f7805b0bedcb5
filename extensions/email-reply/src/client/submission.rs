//! A reply on its way out, by the mailbox's own submission service (RFC 6409, RFC 8314).

use std::{net::IpAddr, time::Duration};

use lettre::{
    AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor,
    transport::smtp::{
        authentication::Credentials,
        client::{Certificate, Tls, TlsParameters},
    },
};
use mail::message::address::Mailbox;

use super::server_url::ServerUrl;
use crate::smtp::{chain, envelope};

pub struct Submission {
    pub server: ServerUrl,
    /// Dialled in place of the server's name.
    pub connect: Option<IpAddr>,
    pub user: String,
    pub password: String,
    /// A root beside the system's, PEM.
    pub ca: Option<Vec<u8>>,
}

impl Submission {
    /// `Err` is a sentence.
    pub async fn send(&self, from: &Mailbox, to: &Mailbox, octets: &[u8]) -> Result<(), String> {
        let envelope = envelope(&from.to_string(), &to.to_string())?;
        let dial = self
            .connect
            .map_or_else(|| self.server.host.clone(), |address| address.to_string());
        let transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(dial)
            .port(self.server.port)
            .tls(self.tls()?)
            .timeout(Some(PATIENCE))
            .credentials(Credentials::new(self.user.clone(), self.password.clone()))
            .build();
        let sent = transport.send_raw(&envelope, octets).await;
        sent.map(drop)
            .map_err(|error| format!("the reply was not taken by {}: {}", self.server, chain(&error)))
    }

    fn tls(&self) -> Result<Tls, String> {
        let mut parameters = TlsParameters::builder(self.server.host.clone());
        if let Some(ca) = &self.ca {
            let ca = Certificate::from_pem(ca).map_err(|error| format!("--mail-ca: {error}"))?;
            parameters = parameters.add_root_certificate(ca);
        }
        let parameters = parameters.build_rustls().map_err(|error| error.to_string())?;
        Ok(match self.server.is_implicit {
            true => Tls::Wrapper(parameters),
            false => Tls::Required(parameters),
        })
    }
}

const PATIENCE: Duration = Duration::from_secs(60);
