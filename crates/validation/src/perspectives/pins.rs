//! TLS between those who know each other's certificates: TLS 1.3, both sides show one, and each takes exactly what it has
//! on file for the other.
//!
//! No authority vouches here. A name that a hijack could get a certificate for proves nothing about who looks for hijacks,
//! and a certificate that a remote perspective shares with another would make two of one.

use std::sync::Arc;

use jiff::Timestamp;
use pkix::{
    certificate::{Certificate, Serial, TbsCertificate, assemble},
    extension::{self, KeyUsage},
    key::KeyPair,
    name::DistinguishedName,
    oid,
};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, ServerConfig, SignatureScheme,
    client::{
        Resumption,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{WebPkiSupportedAlgorithms, aws_lc_rs, verify_tls13_signature},
    pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName, UnixTime},
    server::{
        NoServerSessionStorage,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
    version::TLS13,
};
use zeroize::Zeroizing;

/// The certificates by which another is known: one, or two while one replaces the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pins(Vec<CertificateDer<'static>>);

impl Pins {
    /// `Err` is a sentence.
    pub fn read(pem: &str) -> Result<Self, String> {
        let certificates = pkix::pem::parse_chain(pem).map_err(|error| error.to_string())?;
        Ok(Self(certificates.into_iter().map(CertificateDer::from).collect()))
    }

    pub fn share_one_with(&self, other: &Self) -> bool {
        self.0.iter().any(|certificate| other.0.contains(certificate))
    }
}

/// One's own certificate, which the other side has on file, and its key.
pub struct Identity {
    certificate: CertificateDer<'static>,
    /// PKCS#8.
    key: Zeroizing<Vec<u8>>,
}

impl Identity {
    /// `Err` is a sentence that begins with which of the two is wrong.
    pub fn read(certificate_pem: &str, key_pem: &str) -> Result<Self, String> {
        let certificates = pkix::pem::parse_chain(certificate_pem).map_err(|error| format!("certificate: {error}"))?;
        let certificate = certificates
            .into_iter()
            .next()
            .ok_or("certificate: there is none in it")?;
        let key = KeyPair::from_pkcs8_pem(key_pem).map_err(|error| format!("key: {error}"))?;
        let is_its_key = Certificate::parse(&certificate)
            .is_ok_and(|certificate| certificate.spki_der() == key.public_key().spki_der());
        if !is_its_key {
            return Err("key: it is not the certificate's; name two that belong together".to_owned());
        }
        Ok(Self {
            certificate: certificate.into(),
            key: key.to_pkcs8_der(),
        })
    }

    /// A new one, certificate and key in PEM. It ends when it is taken off the file of the other side, and not before.
    pub fn make(name: &str, serial: [u8; 19], now: Timestamp) -> Result<(String, Zeroizing<String>), String> {
        let name = DistinguishedName::with_common_name(name).map_err(|error| error.to_string())?;
        let key = KeyPair::generate_p256();
        let tbs = TbsCertificate {
            serial: Serial::from_random(serial),
            signature_algorithm: key.algorithm(),
            issuer: name.clone(),
            not_before: now,
            not_after: Timestamp::from_second(END_OF_TIME).map_err(|error| error.to_string())?,
            subject: name,
            public_key: key.public_key().clone(),
            extensions: vec![
                extension::key_usage(KeyUsage::DIGITAL_SIGNATURE),
                extension::extended_key_usage(&[oid::SERVER_AUTH, oid::CLIENT_AUTH]),
                extension::basic_constraints(false, None),
            ],
        }
        .to_der();
        let certificate = assemble(&tbs, key.algorithm(), &key.sign(&tbs));
        Ok((pkix::pem::encode_certificate(&certificate), key.to_pkcs8_pem()))
    }

    /// Of a primary, for the perspective that is known by `pins`.
    pub fn asking(&self, pins: Pins) -> Result<ClientConfig, Error> {
        let (provider, only) = only(pins);
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13])?
            .dangerous()
            .with_custom_certificate_verifier(only)
            .with_client_auth_cert(vec![self.certificate.clone()], self.key())?;
        // A resumed session shows no certificate.
        config.resumption = Resumption::disabled();
        Ok(config)
    }

    /// Of a perspective, for the primaries that are known by `pins`.
    pub fn answering(&self, pins: Pins) -> Result<ServerConfig, Error> {
        let (provider, only) = only(pins);
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13])?
            .with_client_cert_verifier(only)
            .with_single_cert(vec![self.certificate.clone()], self.key())?;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(config)
    }

    fn key(&self) -> rustls::pki_types::PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.key.to_vec()).into()
    }
}

fn only(pins: Pins) -> (Arc<rustls::crypto::CryptoProvider>, Arc<Only>) {
    let provider = aws_lc_rs::default_provider();
    let algorithms = provider.signature_verification_algorithms;
    (Arc::new(provider), Arc::new(Only { pins, algorithms }))
}

/// These certificates, whatever they say of themselves, dates included: the file ends them.
#[derive(Debug)]
struct Only {
    pins: Pins,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Only {
    fn knows(&self, certificate: &CertificateDer<'_>) -> Result<(), Error> {
        match self.pins.0.iter().any(|pin| pin == certificate) {
            true => Ok(()),
            false => Err(CertificateError::ApplicationVerificationFailure.into()),
        }
    }

    fn signed(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }
}

fn no_tls12() -> Error {
    Error::General("TLS 1.2 is not spoken here".to_owned())
}

impl ServerCertVerifier for Only {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.knows(end_entity).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(no_tls12())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.signed(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

impl ClientCertVerifier for Only {
    fn root_hint_subjects(&self) -> &[rustls::DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.knows(end_entity).map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(no_tls12())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.signed(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// 9999-01-01T00:00:00Z: no end, as far as our own dates reach.
const END_OF_TIME: i64 = 253_370_764_800;
