//! Our own responders, looked at as a CA looks at them (RFC 8555 §8.3, RFC 8737).

use std::sync::Arc;

use client::{
    Proof, Solver, Token,
    solver::{AlpnResolver, HttpStandalone, TlsAlpnStandalone},
};
use pkix::{certificate::Certificate, name::GeneralName, oid};
use rustls::{
    ClientConfig, DigitallySignedStruct, RootCertStore, ServerConfig, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::aws_lc_rs::default_provider,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime},
    server::{ResolvesServerCert, ResolvesServerCertUsingSni},
    sign::CertifiedKey,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_rustls::{TlsAcceptor, TlsConnector, client::TlsStream};

use crate::fake::World;

fn proof(identifier: &str) -> Proof {
    Proof::new(
        identifier.parse().unwrap(),
        Token::new("tok-1").unwrap(),
        &[7; 32].into(),
    )
}

async fn get(responder: &HttpStandalone, request: &str) -> String {
    let mut stream = TcpStream::connect(responder.address()).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8(answer).unwrap()
}

// 8555-8.3-6
#[tokio::test]
async fn the_http_responder_answers_for_its_tokens_and_404_to_everything_else() {
    let responder = HttpStandalone::listen("127.0.0.1:0").await.unwrap();
    let proof = proof("a.test");
    let presented = responder.present(&proof).await.unwrap();
    let ask = async |line: &str| {
        get(
            &responder,
            &format!("{line} HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n"),
        )
        .await
    };
    let answer = ask("GET /.well-known/acme-challenge/tok-1").await;
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.ends_with(proof.key_authorization.as_str()),
        "{answer}"
    );
    for line in [
        "GET /",
        "GET /.well-known/acme-challenge/",
        "GET /.well-known/acme-challenge/tok-2",
        "GET /.well-known/acme-challenge/%3Cscript%3Ealert(1)%3C/script%3E",
        "GET /.well-known/acme-challenge/../acme-challenge/tok-1x",
        "POST /.well-known/acme-challenge/tok-1",
    ] {
        let answer = ask(line).await;
        assert!(
            answer.starts_with("HTTP/1.1 404") && !answer.contains("script") && !answer.contains("tok-"),
            "{line}: {answer}"
        );
    }
    presented.cleanup().await.unwrap();
    assert!(
        ask("GET /.well-known/acme-challenge/tok-1")
            .await
            .starts_with("HTTP/1.1 404")
    );
}

#[tokio::test]
async fn a_port_that_was_closed_can_be_listened_on_at_once() {
    let responder = HttpStandalone::listen("127.0.0.1:0").await.unwrap();
    let address = responder.address().to_string();
    assert!(HttpStandalone::listen(&address).await.is_err());
    responder.close().await;
    HttpStandalone::listen(&address).await.unwrap();
}

/// Believes every certificate.
#[derive(Debug)]
struct Anything;

impl ServerCertVerifier for Anything {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        default_provider().signature_verification_algorithms.supported_schemes()
    }
}

async fn handshake(address: std::net::SocketAddr, name: &str, alpn: &[&str]) -> std::io::Result<TlsStream<TcpStream>> {
    let mut config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    config.dangerous().set_certificate_verifier(Arc::new(Anything));
    config.alpn_protocols = alpn.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    let stream = TcpStream::connect(address).await?;
    TlsConnector::from(Arc::new(config))
        .connect(ServerName::try_from(name.to_owned()).unwrap(), stream)
        .await
}

fn shown(stream: &TlsStream<TcpStream>) -> Certificate {
    Certificate::parse(&stream.get_ref().1.peer_certificates().unwrap()[0]).unwrap()
}

// 8737-3-3, 8737-4-3, 8738-6-1
#[tokio::test]
async fn the_tls_responder_shows_a_proof_to_a_validation_and_nothing_to_others() {
    let responder = TlsAlpnStandalone::listen("127.0.0.1:0").await.unwrap();
    let _host = responder.present(&proof("a.test")).await.unwrap();
    let _address = responder.present(&proof("192.0.2.1")).await.unwrap();

    let mut stream = handshake(responder.address(), "a.test", &["acme-tls/1"]).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"acme-tls/1"[..]));
    let certificate = shown(&stream);
    assert_eq!(certificate.names(), [GeneralName::Dns("a.test".into())]);
    assert!(certificate.extension(&oid::ACME_IDENTIFIER).unwrap().critical);
    let mut sent = Vec::new();
    stream.read_to_end(&mut sent).await.unwrap();
    assert_eq!(sent, b"");

    let stream = handshake(responder.address(), "1.2.0.192.in-addr.arpa", &["acme-tls/1"])
        .await
        .unwrap();
    assert_eq!(shown(&stream).names(), [GeneralName::Ip("192.0.2.1".parse().unwrap())]);

    assert!(handshake(responder.address(), "b.test", &["acme-tls/1"]).await.is_err());
    assert!(handshake(responder.address(), "a.test", &["http/1.1"]).await.is_err());
    assert!(handshake(responder.address(), "a.test", &[]).await.is_err());
}

// 8737-3-3
#[tokio::test]
async fn ordinary_handshakes_on_the_same_port_keep_the_ordinary_certificate() {
    let key = client::KeyType::Ec256.generate();
    let names = [GeneralName::Dns("a.test".into())];
    let chain = World::for_certificates().issue(key.public_key().clone(), &names, "Test CA");
    let chain = pkix::pem::parse_chain(&chain)
        .unwrap()
        .into_iter()
        .map(CertificateDer::from)
        .collect();
    let private = PrivateKeyDer::Pkcs8(key.to_pkcs8_der().to_vec().into());
    let mut ordinary = ResolvesServerCertUsingSni::new();
    let private = default_provider().key_provider.load_private_key(private).unwrap();
    ordinary.add("a.test", CertifiedKey::new(chain, private)).unwrap();
    let resolver = Arc::new(AlpnResolver::in_front_of(Arc::new(ordinary)));
    let _presented = resolver.present(&proof("a.test")).unwrap();

    let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(resolver as Arc<dyn ResolvesServerCert>);
    config.alpn_protocols = vec![b"http/1.1".to_vec(), b"acme-tls/1".to_vec()];
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let _ = TlsAcceptor::from(Arc::new(config.clone())).accept(stream).await;
        }
    });
    let is_proof = async |alpn: &[&str]| {
        let stream = handshake(address, "a.test", alpn).await.unwrap();
        shown(&stream).extension(&oid::ACME_IDENTIFIER).is_some()
    };
    assert!(!is_proof(&["http/1.1"]).await);
    assert!(!is_proof(&[]).await);
    assert!(is_proof(&["acme-tls/1"]).await);
}
