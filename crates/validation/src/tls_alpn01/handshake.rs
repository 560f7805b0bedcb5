//! A handshake in which the certificate is not trusted, but its key has to be there.
//!
//! The TLS library's own helpers refuse the critical acmeIdentifier extension, so the key is taken out of the
//! certificate here and the handshake's signature is checked with it.

use std::sync::Arc;

use pkix::{
    certificate::{CertificateError, PeerCertificate},
    key::SubjectPublicKey,
};
use rustls::{
    CertificateError as Rejected, ClientConfig, DigitallySignedStruct, Error, OtherError, PeerMisbehaved,
    SignatureScheme,
    client::{
        Resumption,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{WebPkiSupportedAlgorithms, aws_lc_rs, verify_tls13_signature_with_raw_key},
    pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime},
};
use x509_cert::der::{
    Decode, Reader, SliceReader,
    asn1::{AnyRef, BitStringRef},
};

/// The protocol's name (RFC 8737 §6.2).
pub(super) const ACME_TLS: &[u8] = b"acme-tls/1";

/// TLS 1.2 or 1.3 (RFC 8737 §4), `acme-tls/1` and nothing else (§3), no resumption: a resumed session would show no
/// certificate.
pub(super) fn config() -> ClientConfig {
    let provider = aws_lc_rs::default_provider();
    let algorithms = provider.signature_verification_algorithms;
    let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()
        .expect("invariant: the provider has cipher suites for TLS 1.2 and 1.3")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(HoldsItsKey { algorithms }))
        .with_no_client_auth();
    config.alpn_protocols = vec![ACME_TLS.to_vec()];
    config.resumption = Resumption::disabled();
    config
}

#[derive(Debug)]
struct HoldsItsKey {
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for HoldsItsKey {
    /// What the certificate says is judged after the handshake. Dates and issuer never are (RFC 8737 §3).
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let key = key_of(certificate)?;
        let (algorithm, bits) = parts(key.spki_der()).map_err(|_| Rejected::BadEncoding)?;
        let candidates = self
            .algorithms
            .mapping
            .iter()
            .find(|(scheme, _)| *scheme == signed.scheme);
        let (_, candidates) = candidates.ok_or(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme)?;
        candidates
            .iter()
            .filter(|candidate| candidate.public_key_alg_id().as_ref() == algorithm)
            .any(|candidate| candidate.verify_signature(bits, message, signed.signature()).is_ok())
            .then(HandshakeSignatureValid::assertion)
            .ok_or(Error::InvalidCertificate(Rejected::BadSignature))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let key = key_of(certificate)?;
        let spki = SubjectPublicKeyInfoDer::from(key.spki_der());
        verify_tls13_signature_with_raw_key(message, &spki, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

fn key_of(certificate: &CertificateDer<'_>) -> Result<SubjectPublicKey, Error> {
    let key = PeerCertificate::parse(certificate).and_then(|peer| peer.public_key().map_err(CertificateError::from));
    key.map_err(|error| Error::InvalidCertificate(Rejected::Other(OtherError(Arc::new(error)))))
}

/// The content of the AlgorithmIdentifier and the bits of the key, as the verifiers of TLS 1.2 want them.
fn parts(spki: &[u8]) -> x509_cert::der::Result<(&[u8], &[u8])> {
    let mut reader = SliceReader::new(spki)?;
    reader.sequence(|reader| {
        let algorithm = AnyRef::decode(reader)?.value();
        let bits = BitStringRef::decode(reader)?.raw_bytes();
        Ok((algorithm, bits))
    })
}
