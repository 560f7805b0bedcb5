//! The responder of tls-alpn-01 (RFC 8737): handshakes and nothing else.

use std::{fmt, sync::Arc, time::Duration};

use rustls::{
    ServerConfig,
    crypto::aws_lc_rs::default_provider,
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use tokio::{io::AsyncWriteExt, net::TcpListener, time::timeout};
use tokio_rustls::TlsAcceptor;

use super::{
    history::canonical,
    script::{Script, TlsAlpnRequest},
};
use crate::dns::serve::accept;

pub async fn serve(listener: TcpListener, script: Arc<Script>) {
    let acceptor = acceptor(Arc::new(Proofs(script)), vec![ACME_TLS_1.to_vec()]);
    loop {
        let handshake = acceptor.accept(accept(&listener).await);
        tokio::spawn(timeout(PATIENCE, async move {
            // A handshake that fails is the other side's to tell; one that does not is all there is (RFC 8737 §4).
            if let Ok(mut stream) = handshake.await {
                let _ = stream.shutdown().await;
            }
        }));
    }
}

pub(super) fn acceptor(certificates: Arc<dyn ResolvesServerCert>, protocols: Vec<Vec<u8>>) -> TlsAcceptor {
    let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        // RFC 8737 §4: TLS 1.2 or later.
        .with_safe_default_protocol_versions()
        .expect("invariant: the provider has the library's default versions")
        .with_no_client_auth()
        .with_cert_resolver(certificates);
    config.alpn_protocols = protocols;
    TlsAcceptor::from(Arc::new(config))
}

/// The scripted certificates, for those who ask by the protocol's name.
struct Proofs(Arc<Script>);

impl ResolvesServerCert for Proofs {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let server_name = canonical(hello.server_name().unwrap_or_default());
        let offered: Option<Vec<_>> = hello.alpn().map(|protocols| protocols.collect());
        let is_validation = offered
            .as_ref()
            .is_some_and(|protocols| protocols.contains(&ACME_TLS_1));
        let supported_protos = offered.map(|protocols| {
            let text = |protocol: &[u8]| String::from_utf8_lossy(protocol).into_owned();
            protocols.into_iter().map(text).collect()
        });
        let request = TlsAlpnRequest {
            server_name: server_name.clone(),
            supported_protos,
        };
        self.0.tls_alpn_requests.remember(&server_name, request);
        self.0.proof(&server_name).filter(|_| is_validation)
    }
}

impl fmt::Debug for Proofs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Proofs")
    }
}

const ACME_TLS_1: &[u8] = b"acme-tls/1";
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
