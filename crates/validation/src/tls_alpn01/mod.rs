//! `tls-alpn-01` (RFC 8737, and RFC 8738 §6 for addresses).

mod certificate;
mod handshake;

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use acme::ProblemType;
use authority::{
    identifier::{Name, Target},
    model::Observation,
    ports::{BoxFuture, Report, ValidationMethod, ValidationRequest},
};
use pkix::name::GeneralName;
use rustls::{CertificateError, ClientConfig, OtherError, pki_types::ServerName};
use tokio::{io::AsyncWriteExt, time::timeout};
use tokio_rustls::{TlsConnector, client::TlsStream};

use self::handshake::ACME_TLS;
use crate::{
    attempt::{Attempt, Failure},
    dial::{Dialled, Network, seconds},
    excerpt,
};

/// Control shown by a certificate that is presented in a handshake for `acme-tls/1`.
pub struct TlsAlpn01 {
    network: Arc<Network>,
    config: Arc<ClientConfig>,
}

impl TlsAlpn01 {
    pub fn new(network: Arc<Network>) -> Self {
        Self {
            network,
            config: Arc::new(handshake::config()),
        }
    }
}

impl ValidationMethod for TlsAlpn01 {
    fn name(&self) -> &'static str {
        NAME
    }

    /// Not for wildcards (RFC 8737 §3: one dNSName, and a handshake has no wildcard).
    fn offered_for(&self, name: &Name) -> bool {
        match name.target() {
            Target::Host(_) => !name.is_wildcard(),
            Target::Address(_) => true,
            Target::Service { .. } | Target::Mailbox { .. } | Target::None => false,
        }
    }

    fn validate(&self, request: ValidationRequest) -> BoxFuture<'static, Report> {
        let network = self.network.clone();
        let tls = TlsConnector::from(self.config.clone());
        Box::pin(async move {
            let mut attempt = network.begin(NAME);
            let outcome = network
                .in_time(ProblemType::Connection, prove(&network, &tls, &request, &mut attempt))
                .await;
            attempt.conclude(outcome)
        })
    }
}

async fn prove(
    network: &Network,
    tls: &TlsConnector,
    request: &ValidationRequest,
    attempt: &mut Attempt,
) -> Result<(), Failure> {
    let target = request.name.target();
    let Some((server_name, subject)) = expected_names(target) else {
        return Err(Failure::lasting(
            ProblemType::RejectedIdentifier,
            "The identifier has no place in a handshake.",
        ));
    };
    let Dialled {
        stream,
        address,
        place: _place,
    } = network.dial(target, network.ports.tls, attempt).await?;
    let sni = ServerName::try_from(server_name.clone())
        .map_err(|_| Failure::lasting(ProblemType::Tls, format!("{server_name} is no name for a handshake.")))?;
    let limit = network.timeouts.connect;
    let mut stream = match timeout(limit, tls.connect(sni, stream)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => {
            let cause = error.get_ref().and_then(|inner| inner.downcast_ref());
            let (kind, told) = match cause {
                // It shook hands.
                Some(rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(fault)))) => (
                    ProblemType::Unauthorized,
                    format!("the certificate cannot be read: {fault}"),
                ),
                _ => (ProblemType::Tls, error.to_string()),
            };
            // Somebody who speaks TLS wrongly will do so again; somebody who went away may come back.
            let transient = cause.is_none();
            return Err(Failure {
                transient,
                ..handshake_failure(kind, &server_name, address, &told, attempt)
            });
        }
        Err(_) => {
            let error = format!("not finished within {}", seconds(limit));
            return Err(Failure {
                transient: true,
                ..handshake_failure(ProblemType::Tls, &server_name, address, &error, attempt)
            });
        }
    };
    // RFC 8737 §3: nothing is exchanged over it. A peer that is gone already has said all that counts.
    stream.shutdown().await.ok();
    attempt.saw(facts(&stream, address, &server_name));
    judge(&stream, &subject, &request.key_authorization.digest()).map_err(|why| {
        let detail = format!("The handshake for {server_name} with {address} does not prove control: {why}.");
        Failure::lasting(ProblemType::Unauthorized, detail)
    })
}

fn judge(stream: &TlsStream<tokio::net::TcpStream>, subject: &GeneralName, digest: &[u8; 32]) -> Result<(), String> {
    let (_, session) = stream.get_ref();
    match session.alpn_protocol() {
        Some(ACME_TLS) => {}
        Some(other) => return Err(format!("the server chose the protocol {}", excerpt::quoted(other, 32))),
        None => return Err("the server did not choose the protocol acme-tls/1".to_owned()),
    }
    match session.peer_certificates().unwrap_or_default() {
        [only] => certificate::judge(only, subject, digest).map_err(|fault| fault.to_string()),
        several => Err(format!("the server sent {} certificates instead of one", several.len())),
    }
}

/// What to send as SNI, and whom the certificate must name (RFC 8737 §3, RFC 8738 §6).
fn expected_names(target: &Target) -> Option<(String, GeneralName)> {
    match target {
        Target::Host(host) => Some((host.clone(), GeneralName::Dns(host.clone()))),
        Target::Address(address) => Some((reverse_name(*address), GeneralName::Ip(*address))),
        Target::Service { .. } | Target::Mailbox { .. } | Target::None => None,
    }
}

/// RFC 1034 §5.2.1 and RFC 3596 §2.5, without the last dot.
fn reverse_name(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => {
            let [a, b, c, d] = address.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa")
        }
        IpAddr::V6(address) => {
            let nibbles = address
                .octets()
                .into_iter()
                .rev()
                .map(|octet| format!("{:x}.{:x}.", octet & 0xf, octet >> 4));
            nibbles.collect::<String>() + "ip6.arpa"
        }
    }
}

fn facts(stream: &TlsStream<tokio::net::TcpStream>, address: SocketAddr, server_name: &str) -> Observation {
    let (_, session) = stream.get_ref();
    Observation::Tls {
        address,
        server_name: server_name.to_owned(),
        version: session
            .protocol_version()
            .map(|version| format!("{version:?}"))
            .unwrap_or_default(),
        alpn: session.alpn_protocol().map(|protocol| excerpt::plain(protocol, 32)),
        certificate: session
            .peer_certificates()
            .and_then(<[_]>::first)
            .map(|first| certificate::fingerprint(first)),
    }
}

fn handshake_failure(
    kind: ProblemType,
    server_name: &str,
    address: SocketAddr,
    error: &str,
    attempt: &mut Attempt,
) -> Failure {
    let detail = format!("The handshake for {server_name} with {address} failed: {error}.");
    attempt.saw(Observation::Failed { what: detail.clone() });
    Failure::lasting(kind, detail)
}

const NAME: &str = "tls-alpn-01";

#[cfg(test)]
mod tests;
