//! tls-alpn-01 by a TLS server of our own (RFC 8737, RFC 8738 §6).

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use futures_util::future::{BoxFuture, FutureExt as _};
use jiff::{SignedDuration, Timestamp};
use pkix::{
    certificate::{Serial, TbsCertificate, assemble},
    extension::{acme_identifier, subject_alternative_names},
    key::KeyPair,
    name::DistinguishedName,
};
use rustls::{
    ServerConfig,
    crypto::aws_lc_rs::{default_provider, sign::any_supported_type},
    pki_types::{CertificateDer, PrivateKeyDer},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use tokio::{net::TcpListener, sync::Semaphore};
use tokio_rustls::TlsAcceptor;

use super::{Presented, Solver, SolverError, Task, listen};
use crate::{
    challenge::{Method, Proof},
    clock::{Clock as _, SystemClock, random},
    identifier::Identifier,
};

/// Shows the certificate of a proof to who asks for `acme-tls/1` and its name, and refuses everybody else.
pub struct TlsAlpnStandalone {
    resolver: Arc<AlpnResolver>,
    address: SocketAddr,
    server: Task,
}

impl TlsAlpnStandalone {
    pub async fn listen(address: &str) -> Result<Self, SolverError> {
        let listener = listen(address).await?;
        let local = listener.local_addr().map_err(|source| SolverError::Listen {
            address: address.to_owned(),
            source,
        })?;
        let resolver = Arc::new(AlpnResolver::default());
        let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            // RFC 8737 §4: TLS 1.2 or later.
            .with_safe_default_protocol_versions()
            .map_err(|error| SolverError::Certificate(error.to_string()))?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&resolver) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![ACME_TLS_1.to_vec()];
        Ok(Self {
            resolver,
            address: local,
            server: Task::spawn(serve(listener, TlsAcceptor::from(Arc::new(config)))),
        })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Solver for TlsAlpnStandalone {
    fn method(&self) -> Method {
        Method::TlsAlpn01
    }

    fn present<'a>(&'a self, proof: &'a Proof) -> BoxFuture<'a, Result<Presented, SolverError>> {
        async move { self.resolver.present(proof) }.boxed()
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        self.server.stop().boxed()
    }

    fn hint(&self, identifier: &Identifier) -> String {
        format!(
            "The CA opens a TLS connection to {identifier} on port 443: check that it leads to {} of this machine without a proxy that ends TLS.",
            self.address
        )
    }
}

/// Chooses the certificate of a handshake. A server that has its own certificates puts this in front of them:
/// ordinary handshakes get the ordinary one (RFC 8737 §3). Such a server must then offer `acme-tls/1` in its ALPN list
/// and close those connections without sending anything (§4).
#[derive(Debug, Default)]
pub struct AlpnResolver {
    proofs: Arc<RwLock<HashMap<String, Arc<CertifiedKey>>>>,
    ordinary: Option<Arc<dyn ResolvesServerCert>>,
}

impl AlpnResolver {
    pub fn in_front_of(ordinary: Arc<dyn ResolvesServerCert>) -> Self {
        Self {
            proofs: Arc::default(),
            ordinary: Some(ordinary),
        }
    }

    pub fn present(&self, proof: &Proof) -> Result<Presented, SolverError> {
        let name = proof.identifier.server_name();
        let certificate = Arc::new(certificate(proof, SystemClock.now())?);
        self.proofs
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(name.clone(), certificate);
        let proofs = Arc::clone(&self.proofs);
        Ok(Presented::new(move || {
            proofs.write().unwrap_or_else(PoisonError::into_inner).remove(&name);
            Ok(())
        }))
    }
}

impl ResolvesServerCert for AlpnResolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let is_validation = hello
            .alpn()
            .is_some_and(|mut protocols| protocols.any(|protocol| protocol == ACME_TLS_1));
        if !is_validation {
            return self.ordinary.as_ref()?.resolve(hello);
        }
        let name = hello.server_name()?.to_ascii_lowercase();
        self.proofs
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&name)
            .cloned()
    }
}

async fn serve(listener: TcpListener, acceptor: TlsAcceptor) {
    let connections = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    loop {
        let Ok(permit) = Arc::clone(&connections).acquire_owned().await else {
            return;
        };
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let handshake = acceptor.accept(stream);
        tokio::spawn(async move {
            // The handshake is all there is: nothing is sent (RFC 8737 §4).
            match tokio::time::timeout(SLOWEST_HANDSHAKE, handshake).await {
                Ok(Ok(mut stream)) => {
                    drop(tokio::time::timeout(SLOWEST_HANDSHAKE, tokio::io::AsyncWriteExt::shutdown(&mut stream)).await)
                }
                Ok(Err(error)) => tracing::debug!(%error, "a handshake with the tls-alpn-01 responder failed"),
                Err(_) => {}
            }
            drop(permit);
        });
    }
}

/// Self-signed, for exactly this name, with the digest in a critical extension (RFC 8737 §3).
fn certificate(proof: &Proof, now: Timestamp) -> Result<CertifiedKey, SolverError> {
    let failed = |what: &dyn std::fmt::Display| SolverError::Certificate(what.to_string());
    let key = KeyPair::generate_p256();
    let subject = DistinguishedName::with_common_name("ACME challenge").map_err(|error| failed(&error))?;
    let names =
        subject_alternative_names(&[proof.identifier.to_general_name()], false).map_err(|error| failed(&error))?;
    let tbs = TbsCertificate {
        serial: Serial::from_random(random::<16>()),
        signature_algorithm: key.algorithm(),
        issuer: subject.clone(),
        not_before: now - SignedDuration::from_hours(24),
        not_after: now + SignedDuration::from_hours(24 * 7),
        subject,
        public_key: key.public_key().clone(),
        extensions: vec![names, acme_identifier(&proof.key_authorization.digest())],
    };
    let tbs = tbs.to_der();
    let der = assemble(&tbs, key.algorithm(), &key.sign(&tbs));
    let private = PrivateKeyDer::Pkcs8(key.to_pkcs8_der().to_vec().into());
    // Not `CertifiedKey::from_der`: it parses the certificate and refuses the critical extension.
    let private = any_supported_type(&private).map_err(|error| failed(&error))?;
    Ok(CertifiedKey::new(vec![CertificateDer::from(der)], private))
}

const ACME_TLS_1: &[u8] = b"acme-tls/1";
const MOST_CONNECTIONS: usize = 512;
const SLOWEST_HANDSHAKE: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use pkix::{certificate::Certificate, name::GeneralName, oid};

    use super::*;
    use crate::challenge::Token;

    // 8737-3-2, 8738-6-2: the digest is the vector of REQUIREMENTS 14.
    #[test]
    fn the_certificate_has_one_name_and_the_critical_digest() {
        let thumbprint: [u8; 32] = jose::base64url::decode("NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs")
            .unwrap()
            .try_into()
            .unwrap();
        for (text, name) in [
            ("www.example.org", GeneralName::Dns("www.example.org".into())),
            ("192.0.2.1", GeneralName::Ip("192.0.2.1".parse().unwrap())),
            ("2001:db8::1", GeneralName::Ip("2001:db8::1".parse().unwrap())),
        ] {
            let proof = Proof::new(
                text.parse().unwrap(),
                Token::new("DGyRejmCefe7v4NfDGDKfA").unwrap(),
                &thumbprint.into(),
            );
            let shown = certificate(&proof, "2026-11-23T12:00:00Z".parse().unwrap()).unwrap();
            let read = Certificate::parse(&shown.cert[0]).unwrap();
            assert_eq!(read.names(), [name]);
            let extension = read.extension(&oid::ACME_IDENTIFIER).unwrap();
            assert!(extension.critical);
            let digest = pkix::hex::encode(&extension.value);
            assert_eq!(
                digest,
                "042006cef643b07e052490a38a038c0daa051d3b181eac7378621bdcea6aabc7c7b5"
            );
            read.verify_signed_by(&read.public_key().unwrap()).unwrap();
        }
    }
}
