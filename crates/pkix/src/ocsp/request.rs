//! OCSPRequest (RFC 6960 §4.1).

use der::Sequence;
use der::asn1::{AnyRef, OctetStringRef};

use super::{CertId, LONGEST_NONCE, LONGEST_REQUEST, MOST_CERTIFICATES};
use crate::encoding::{self, Raw};
use crate::extension::{EncodedExtension, Extension, ExtensionError, each_once, find};
use crate::{DerError, ObjectIdentifier, oid};

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OcspRequest {
    /// At least one.
    pub certificates: Vec<CertId>,
    /// For the answer, so that it cannot be an old one.
    pub nonce: Option<Vec<u8>>,
}

/// Each of these is answered by malformedRequest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OcspRequestError {
    #[error("the request has {0} octets; {LONGEST_REQUEST} are read")]
    TooLong(usize),
    #[error("the request is not DER: {0}")]
    Der(#[from] DerError),
    #[error("the request is not of version 1")]
    Version,
    #[error("the request is about {0} certificates; from 1 to {MOST_CERTIFICATES} are answered")]
    Certificates(usize),
    #[error(transparent)]
    Extensions(#[from] ExtensionError),
    /// RFC 6960 §4.1.2
    #[error("the critical extension {0} is not understood")]
    Critical(ObjectIdentifier),
    /// RFC 9654 §2.1
    #[error("the nonce has {0} octets; it must have from 1 to {LONGEST_NONCE}")]
    Nonce(usize),
}

/// The signature is carried along unread: everybody is answered alike.
#[derive(Sequence)]
struct EncodedRequest<'a> {
    tbs: EncodedTbs<'a>,
    #[asn1(context_specific = "0", optional = "true")]
    signature: Option<AnyRef<'a>>,
}

#[derive(Sequence)]
struct EncodedTbs<'a> {
    #[asn1(context_specific = "0", default = "v1")]
    version: u8,
    #[asn1(context_specific = "1", optional = "true")]
    requestor: Option<AnyRef<'a>>,
    list: Vec<EncodedSingle<'a>>,
    #[asn1(context_specific = "2", optional = "true")]
    extensions: Option<Vec<EncodedExtension<'a>>>,
}

#[derive(Sequence)]
struct EncodedSingle<'a> {
    certificate: Raw<'a>,
    #[asn1(context_specific = "0", optional = "true")]
    extensions: Option<Vec<EncodedExtension<'a>>>,
}

fn v1() -> u8 {
    0
}

impl OcspRequest {
    pub fn parse(der: &[u8]) -> Result<Self, OcspRequestError> {
        if der.len() > LONGEST_REQUEST {
            return Err(OcspRequestError::TooLong(der.len()));
        }
        let EncodedRequest { tbs, signature: _ } = encoding::decode(der)?;
        if tbs.version != v1() {
            return Err(OcspRequestError::Version);
        }
        if tbs.list.is_empty() || tbs.list.len() > MOST_CERTIFICATES {
            return Err(OcspRequestError::Certificates(tbs.list.len()));
        }
        let extensions = each_once(tbs.extensions.as_deref().unwrap_or_default())?;
        understand(&extensions, &[oid::OCSP_NONCE])?;
        let mut certificates = Vec::with_capacity(tbs.list.len());
        for single in &tbs.list {
            understand(&each_once(single.extensions.as_deref().unwrap_or_default())?, &[])?;
            certificates.push(CertId::from_der(single.certificate.0)?);
        }
        let nonce = find(&extensions, &oid::OCSP_NONCE).map(|extension| read_nonce(&extension.value));
        Ok(Self {
            certificates,
            nonce: nonce.transpose()?,
        })
    }
}

fn understand(extensions: &[Extension], understood: &[ObjectIdentifier]) -> Result<(), OcspRequestError> {
    match extensions
        .iter()
        .find(|extension| extension.critical && !understood.contains(&extension.oid))
    {
        Some(unknown) => Err(OcspRequestError::Critical(unknown.oid)),
        None => Ok(()),
    }
}

/// RFC 9654 §2.1 leaves open what becomes of lengths that are neither usual nor forbidden; they are echoed too.
fn read_nonce(value: &[u8]) -> Result<Vec<u8>, OcspRequestError> {
    let nonce = encoding::decode::<&OctetStringRef>(value)?.as_bytes();
    match nonce.len() {
        1..=LONGEST_NONCE => Ok(nonce.to_vec()),
        length => Err(OcspRequestError::Nonce(length)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::cert_id::tests::{id, known_issuer as issuer};
    use super::*;

    fn extension(oid: ObjectIdentifier, critical: bool, value: &[u8]) -> Extension {
        Extension {
            oid,
            critical,
            value: value.to_vec(),
        }
    }

    fn nonce(length: usize) -> Extension {
        let octets = vec![0xab; length];
        let value = encoding::encode(&OctetStringRef::new(&octets).unwrap());
        extension(oid::OCSP_NONCE, false, &value)
    }

    fn encoded(extensions: &[Extension]) -> Option<Vec<EncodedExtension<'_>>> {
        (!extensions.is_empty()).then(|| extensions.iter().map(Extension::as_encoded).collect())
    }

    fn request(ids: &[Vec<u8>], extensions: &[Extension], of_each: &[Extension], signature: Option<&[u8]>) -> Vec<u8> {
        let single = |id| EncodedSingle {
            certificate: Raw(id),
            extensions: encoded(of_each),
        };
        let tbs = EncodedTbs {
            version: v1(),
            requestor: None,
            list: ids.iter().map(|id| single(id)).collect(),
            extensions: encoded(extensions),
        };
        let signature = signature.map(|der| encoding::decode(der).unwrap());
        encoding::encode(&EncodedRequest { tbs, signature })
    }

    fn one() -> Vec<u8> {
        id(oid::SHA1, true, &issuer(), &[0x1f, 7])
    }

    // 6960-1
    #[test]
    fn a_request_tells_its_certificates_and_its_nonce() {
        let ids = [one(), one()];
        let read = OcspRequest::parse(&request(&ids, &[nonce(32)], &[], None)).unwrap();
        assert_eq!(read.certificates.len(), 2);
        assert_eq!(read.certificates[1].as_raw().0, ids[1]);
        assert_eq!(read.nonce, Some(vec![0xab; 32]));
        let signed = request(&ids, &[], &[], Some(b"\x30\x03\x02\x01\x05"));
        assert_eq!(OcspRequest::parse(&signed).unwrap().nonce, None);
    }

    // 6960-1, RFC 9654 §2.1
    #[test]
    fn a_nonce_has_from_1_to_128_octets() {
        for length in [1, 15, 16, 32, 33, 128] {
            let read = OcspRequest::parse(&request(&[one()], &[nonce(length)], &[], None)).unwrap();
            assert_eq!(read.nonce.unwrap().len(), length);
        }
        for length in [0, 129, 1000] {
            let refusal = OcspRequest::parse(&request(&[one()], &[nonce(length)], &[], None));
            assert_eq!(refusal, Err(OcspRequestError::Nonce(length)));
        }
        let bare = extension(oid::OCSP_NONCE, false, &[0xab; 16]);
        assert!(OcspRequest::parse(&request(&[one()], &[bare], &[], None)).is_err());
        let twice = request(&[one()], &[nonce(16), nonce(16)], &[], None);
        assert!(matches!(
            OcspRequest::parse(&twice),
            Err(OcspRequestError::Extensions(_))
        ));
    }

    // RFC 9654 §2.1, the example
    #[test]
    fn the_nonce_of_the_document_is_read() {
        let value = b"\x04\x20\xdd\x49\xd4\x07\x2c\x44\x9d\xa1\xc3\x17\xbd\x1c\x1b\xdf\xfe\xdb\xe1\x50\x31\x2e\xc4\xcd\x0a\xdd\x18\xe5\xbd\x6f\x84\xbf\x14\xc8";
        assert_eq!(read_nonce(value).unwrap(), value[2..]);
    }

    // RFC 6960 §4.1.2
    #[test]
    fn unknown_extensions_are_ignored_unless_they_are_critical() {
        let oid: ObjectIdentifier = "1.3.6.1.5.5.7.48.1.7".parse().unwrap();
        let other = |critical| [extension(oid, critical, b"\x30\x00")];
        assert!(OcspRequest::parse(&request(&[one()], &other(false), &other(false), None)).is_ok());
        for refused in [
            request(&[one()], &other(true), &[], None),
            request(&[one()], &[], &other(true), None),
        ] {
            assert_eq!(OcspRequest::parse(&refused), Err(OcspRequestError::Critical(oid)));
        }
    }

    #[test]
    fn what_is_asked_about_has_a_limit() {
        let ids = vec![one(); MOST_CERTIFICATES + 1];
        assert!(OcspRequest::parse(&request(&ids[1..], &[], &[], None)).is_ok());
        for (ids, count) in [(&ids[..], ids.len()), (&[], 0)] {
            let refusal = OcspRequest::parse(&request(ids, &[], &[], None));
            assert_eq!(refusal, Err(OcspRequestError::Certificates(count)));
        }
        assert_eq!(
            OcspRequest::parse(&vec![0x30; LONGEST_REQUEST + 1]),
            Err(OcspRequestError::TooLong(LONGEST_REQUEST + 1))
        );
        for nothing in [&b""[..], b"\x30\x00", b"GET / HTTP/1.1"] {
            assert!(matches!(OcspRequest::parse(nothing), Err(OcspRequestError::Der(_))));
        }
    }
}
