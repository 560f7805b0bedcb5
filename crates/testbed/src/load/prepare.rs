//! What a client needs for an order and can have before the clock runs: key, request, payloads.

use aws_lc_rs::{
    encoding::{AsDer, PublicKeyX509Der},
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair},
};
use x509_cert::{
    attr::Attribute,
    der::{
        self, Decode, Encode,
        asn1::{BitString, Ia5String, SetOfVec},
        oid::ObjectIdentifier,
    },
    ext::{
        ToExtension,
        pkix::{SubjectAltName, name::GeneralName},
    },
    name::Name,
    request::{CertReq, CertReqInfo, ExtensionReq, Version},
    spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned},
};

/// The payloads of one order for one name, with a certificate key of its own that is thrown away.
pub(super) struct PreparedOrder {
    new_order: String,
    finalize: String,
}

impl PreparedOrder {
    pub(super) fn new(name: &str) -> Result<Self, der::Error> {
        let csr = jose::base64url::encode(request(name)?);
        Ok(Self {
            new_order: format!(r#"{{"identifiers":[{{"type":"dns","value":"{name}"}}]}}"#),
            finalize: format!(r#"{{"csr":"{csr}"}}"#),
        })
    }

    pub(super) fn new_order(&self) -> &[u8] {
        self.new_order.as_bytes()
    }

    pub(super) fn finalize(&self) -> &[u8] {
        self.finalize.as_bytes()
    }
}

/// A PKCS#10 request for a P-256 key with one name, as most clients send it.
fn request(name: &str) -> Result<Vec<u8>, der::Error> {
    let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).expect("invariant: randomness is at hand");
    let spki: PublicKeyX509Der<'_> = key
        .public_key()
        .as_der()
        .expect("invariant: a generated key can be written");
    let subject = Name::default();
    let names = SubjectAltName(vec![GeneralName::DnsName(Ia5String::new(name)?)]);
    let extensions = ExtensionReq(vec![names.to_extension(&subject, &[])?]);
    let info = CertReqInfo {
        version: Version::V1,
        subject,
        public_key: SubjectPublicKeyInfoOwned::from_der(spki.as_ref())?,
        attributes: SetOfVec::try_from(vec![Attribute::try_from(extensions)?])?,
    };
    let signature = key
        .sign(&SystemRandom::new(), &info.to_der()?)
        .expect("invariant: a generated key signs");
    CertReq {
        info,
        algorithm: AlgorithmIdentifierOwned {
            oid: ECDSA_WITH_SHA256,
            parameters: None,
        },
        signature: BitString::from_bytes(signature.as_ref())?,
    }
    .to_der()
}

/// RFC 5758 §3.2.
const ECDSA_WITH_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};

    use super::*;

    #[test]
    fn a_request_is_signed_with_its_own_key_and_has_its_name() {
        let der = request("l1.example.test").unwrap();
        let csr = CertReq::from_der(&der).unwrap();
        let point = csr.info.public_key.subject_public_key.raw_bytes();
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point)
            .verify(&csr.info.to_der().unwrap(), csr.signature.raw_bytes())
            .unwrap();
        assert!(der.windows(15).any(|window| window == b"l1.example.test"));
    }

    #[test]
    fn the_payload_of_new_order_is_the_order() {
        let prepared = PreparedOrder::new("l1.example.test").unwrap();
        let order: acme::NewOrder = serde_json::from_slice(prepared.new_order()).unwrap();
        assert_eq!(order.identifiers[0].identifier.value, "l1.example.test");
    }
}
