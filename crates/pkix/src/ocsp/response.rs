//! OCSPResponse and BasicOCSPResponse (RFC 6960 §4.2).

use std::time::Duration;

use der::asn1::{BitStringRef, GeneralizedTime, Null, OctetStringRef};
use der::{Choice, Enumerated, Sequence};
use jiff::Timestamp;

use super::{CertId, LONGEST_RESPONSE};
use crate::crl::Reason;
use crate::encoding::{self, Raw};
use crate::extension::{EncodedExtension, Extension, ExtensionError, each_once, find};
use crate::key::{SignatureAlgorithm, SignatureError, SubjectPublicKey};
use crate::{DerError, ObjectIdentifier, oid};

/// What is about to be signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResponseData {
    /// Of the key that signs.
    pub responder: [u8; 20],
    pub produced_at: Timestamp,
    pub responses: Vec<SingleResponse>,
    /// As it came with the request.
    pub nonce: Option<Vec<u8>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SingleResponse {
    pub certificate: CertId,
    pub status: Status,
    pub this_update: Timestamp,
    pub next_update: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Good,
    Revoked {
        at: Timestamp,
        /// Nothing where the reason is unspecified.
        reason: Option<Reason>,
    },
    /// Nothing is known of such a certificate.
    Unknown,
}

/// Answers that say nothing about a certificate, and that nobody signs (RFC 6960 §2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enumerated)]
#[repr(u8)]
pub enum Unsuccessful {
    MalformedRequest = 1,
    InternalError = 2,
    TryLater = 3,
    /// This responder cannot speak for that issuer.
    Unauthorized = 6,
}

/// What is wrong with a response that was read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResponseError {
    #[error("the response has {0} octets; {LONGEST_RESPONSE} are read")]
    TooLong(usize),
    #[error("the responder did not answer: {0:?}")]
    Unsuccessful(Unsuccessful),
    #[error("the response is not DER: {0}")]
    Der(#[from] DerError),
    #[error("the response is not a basic one by a key, with nextUpdate and a known algorithm")]
    Form,
    #[error("a date is beyond what can be handled")]
    Date,
    #[error(transparent)]
    Extensions(#[from] ExtensionError),
}

#[derive(Sequence)]
struct EncodedData<'a> {
    #[asn1(context_specific = "0", default = "v1")]
    version: u8,
    responder: ResponderId<'a>,
    produced_at: GeneralizedTime,
    responses: Vec<EncodedSingle<'a>>,
    #[asn1(context_specific = "1", optional = "true")]
    extensions: Option<Vec<EncodedExtension<'a>>>,
}

#[derive(Choice)]
enum ResponderId<'a> {
    #[asn1(context_specific = "2", tag_mode = "EXPLICIT", constructed = "true")]
    ByKey(&'a OctetStringRef),
}

#[derive(Sequence)]
struct EncodedSingle<'a> {
    certificate: Raw<'a>,
    status: EncodedStatus,
    this_update: GeneralizedTime,
    #[asn1(context_specific = "0", optional = "true")]
    next_update: Option<GeneralizedTime>,
}

#[derive(Choice)]
enum EncodedStatus {
    #[asn1(context_specific = "0", tag_mode = "IMPLICIT")]
    Good(Null),
    #[asn1(context_specific = "1", tag_mode = "IMPLICIT", constructed = "true")]
    Revoked(RevokedInfo),
    #[asn1(context_specific = "2", tag_mode = "IMPLICIT")]
    Unknown(Null),
}

#[derive(Sequence)]
struct RevokedInfo {
    at: GeneralizedTime,
    #[asn1(context_specific = "0", optional = "true")]
    reason: Option<Reason>,
}

/// OCSPResponse without responseBytes.
#[derive(Sequence)]
struct WithoutBytes {
    status: Unsuccessful,
}

#[derive(Sequence)]
struct EncodedResponse<'a> {
    status: Successful,
    #[asn1(context_specific = "0")]
    bytes: ResponseBytes<'a>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Enumerated)]
#[repr(u8)]
enum Successful {
    Successful = 0,
}

#[derive(Sequence)]
struct ResponseBytes<'a> {
    kind: ObjectIdentifier,
    response: &'a OctetStringRef,
}

#[derive(Sequence)]
struct BasicResponse<'a> {
    data: Raw<'a>,
    algorithm: Raw<'a>,
    signature: BitStringRef<'a>,
}

fn v1() -> u8 {
    0
}

impl ResponseData {
    pub fn to_der(&self) -> Vec<u8> {
        let nonce = self.nonce.as_deref().map(nonce_extension);
        let responder = OctetStringRef::new(&self.responder).expect("invariant: a hash is 20 octets");
        encoding::encode(&EncodedData {
            version: v1(),
            responder: ResponderId::ByKey(responder),
            produced_at: encoded(self.produced_at),
            responses: self.responses.iter().map(SingleResponse::as_encoded).collect(),
            extensions: nonce.as_ref().map(|extension| vec![extension.as_encoded()]),
        })
    }

    /// Reads what `to_der` writes.
    pub fn from_der(der: &[u8]) -> Result<Self, ResponseError> {
        let data: EncodedData<'_> = encoding::decode(der)?;
        let ResponderId::ByKey(responder) = data.responder;
        let extensions = each_once(data.extensions.as_deref().unwrap_or_default())?;
        let nonce = match find(&extensions, &oid::OCSP_NONCE) {
            None => None,
            Some(extension) => Some(
                encoding::decode::<&OctetStringRef>(&extension.value)?
                    .as_bytes()
                    .to_vec(),
            ),
        };
        let responses: Result<Vec<_>, _> = data.responses.into_iter().map(SingleResponse::read).collect();
        Ok(Self {
            responder: responder.as_bytes().try_into().map_err(|_| ResponseError::Form)?,
            produced_at: timestamp(data.produced_at)?,
            responses: responses?,
            nonce,
        })
    }
}

impl SingleResponse {
    fn as_encoded(&self) -> EncodedSingle<'_> {
        EncodedSingle {
            certificate: self.certificate.as_raw(),
            status: match self.status {
                Status::Good => EncodedStatus::Good(Null),
                Status::Revoked { at, reason } => EncodedStatus::Revoked(RevokedInfo {
                    at: encoded(at),
                    reason,
                }),
                Status::Unknown => EncodedStatus::Unknown(Null),
            },
            this_update: encoded(self.this_update),
            next_update: Some(encoded(self.next_update)),
        }
    }

    fn read(encoded: EncodedSingle<'_>) -> Result<Self, ResponseError> {
        Ok(Self {
            certificate: CertId::from_der(encoded.certificate.0)?,
            status: match encoded.status {
                EncodedStatus::Good(Null) => Status::Good,
                EncodedStatus::Revoked(info) => Status::Revoked {
                    at: timestamp(info.at)?,
                    reason: info.reason,
                },
                EncodedStatus::Unknown(Null) => Status::Unknown,
            },
            this_update: timestamp(encoded.this_update)?,
            next_update: timestamp(encoded.next_update.ok_or(ResponseError::Form)?)?,
        })
    }
}

impl Unsuccessful {
    /// The whole response.
    pub fn to_der(self) -> Vec<u8> {
        encoding::encode(&WithoutBytes { status: self })
    }
}

/// A response that somebody signed, with nothing but what [`assemble`] puts into one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OcspResponse {
    data: ResponseData,
    data_der: Vec<u8>,
    algorithm: SignatureAlgorithm,
    signature: Vec<u8>,
}

impl OcspResponse {
    pub fn parse(der: &[u8]) -> Result<Self, ResponseError> {
        if der.len() > LONGEST_RESPONSE {
            return Err(ResponseError::TooLong(der.len()));
        }
        if let Ok(WithoutBytes { status }) = encoding::decode(der) {
            return Err(ResponseError::Unsuccessful(status));
        }
        let EncodedResponse { status: _, bytes } = encoding::decode(der)?;
        if bytes.kind != oid::OCSP_BASIC {
            return Err(ResponseError::Form);
        }
        let basic: BasicResponse<'_> = encoding::decode(bytes.response.as_bytes())?;
        Ok(Self {
            data: ResponseData::from_der(basic.data.0)?,
            data_der: basic.data.0.to_vec(),
            algorithm: SignatureAlgorithm::from_der(basic.algorithm.0).ok_or(ResponseError::Form)?,
            signature: basic.signature.as_bytes().ok_or(ResponseError::Form)?.to_vec(),
        })
    }

    pub fn data(&self) -> &ResponseData {
        &self.data
    }

    pub fn verify_signed_by(&self, issuer: &SubjectPublicKey) -> Result<(), SignatureError> {
        issuer.verify(&self.algorithm, &self.data_der, &self.signature)
    }
}

/// The whole response to these signed data. The issuing CA's certificate is not added: whoever asks has it.
pub fn assemble(data_der: &[u8], algorithm: SignatureAlgorithm, signature: &[u8]) -> Vec<u8> {
    let signature = BitStringRef::from_bytes(signature).expect("invariant: a signature is a few hundred octets");
    let basic = encoding::encode(&BasicResponse {
        data: Raw(data_der),
        algorithm: Raw(algorithm.der()),
        signature,
    });
    let response = OctetStringRef::new(&basic).expect("invariant: a response is far below 256 MiB");
    encoding::encode(&EncodedResponse {
        status: Successful::Successful,
        bytes: ResponseBytes {
            kind: oid::OCSP_BASIC,
            response,
        },
    })
}

/// Never critical (RFC 6960 §4.4).
fn nonce_extension(nonce: &[u8]) -> Extension {
    let octets = OctetStringRef::new(nonce).expect("invariant: a nonce is at most 128 octets");
    Extension {
        oid: oid::OCSP_NONCE,
        critical: false,
        value: encoding::encode(&octets),
    }
}

/// Whole seconds, in every year a GeneralizedTime (RFC 6960 §4.2.2.1).
fn encoded(timestamp: Timestamp) -> GeneralizedTime {
    let seconds = u64::try_from(timestamp.as_second()).unwrap_or(0);
    GeneralizedTime::from_unix_duration(Duration::from_secs(seconds))
        .expect("invariant: a Timestamp ends within the year 9999, as a GeneralizedTime does")
}

fn timestamp(time: GeneralizedTime) -> Result<Timestamp, ResponseError> {
    let seconds = i64::try_from(time.to_unix_duration().as_secs()).map_err(|_| ResponseError::Date)?;
    Timestamp::from_second(seconds).map_err(|_| ResponseError::Date)
}

#[cfg(test)]
mod tests {
    use super::super::cert_id::tests::{id, known_issuer};
    use super::*;
    use crate::key::KeyPair;

    fn single(status: Status) -> SingleResponse {
        SingleResponse {
            certificate: CertId::from_der(&id(oid::SHA1, true, &known_issuer(), &[0x1f])).unwrap(),
            status,
            this_update: "2026-03-01T12:00:00Z".parse().unwrap(),
            next_update: "2051-03-01T12:00:00Z".parse().unwrap(),
        }
    }

    fn data() -> ResponseData {
        let at = "2026-02-01T12:00:00Z".parse().unwrap();
        ResponseData {
            responder: [9; 20],
            produced_at: "2026-03-01T12:00:01Z".parse().unwrap(),
            responses: vec![
                single(Status::Good),
                single(Status::Revoked { at, reason: None }),
                single(Status::Revoked {
                    at,
                    reason: Some(Reason::KeyCompromise),
                }),
                single(Status::Unknown),
            ],
            nonce: Some(vec![7; 32]),
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let with_nonce = data();
        let without = ResponseData { nonce: None, ..data() };
        for data in [with_nonce, without] {
            assert_eq!(ResponseData::from_der(&data.to_der()).unwrap(), data);
        }
    }

    #[test]
    fn a_signed_answer_is_read_and_verified() {
        let (key, other) = (KeyPair::generate_p256(), KeyPair::generate_p256());
        let der = data().to_der();
        let signed = assemble(&der, key.algorithm(), &key.sign(&der));
        let read = OcspResponse::parse(&signed).unwrap();
        assert_eq!(read.data(), &data());
        assert_eq!(read.verify_signed_by(key.public_key()), Ok(()));
        assert!(read.verify_signed_by(other.public_key()).is_err());
    }

    // 6960-1, 8555-7.6-7
    #[test]
    fn statuses_are_encoded_as_the_document_says() {
        let encoded: Vec<_> = data()
            .responses
            .iter()
            .map(|single| encoding::encode(&single.as_encoded().status))
            .collect();
        assert_eq!(encoded[0], [0x80, 0]);
        assert_eq!(encoded[1], b"\xa1\x11\x18\x0f20260201120000Z");
        assert_eq!(encoded[2], b"\xa1\x16\x18\x0f20260201120000Z\xa0\x03\x0a\x01\x01");
        assert_eq!(encoded[3], [0x82, 0]);
    }

    // RFC 6960 §4.2.1
    #[test]
    fn an_answer_that_says_nothing_is_five_octets() {
        for (unsuccessful, code) in [
            (Unsuccessful::MalformedRequest, 1),
            (Unsuccessful::InternalError, 2),
            (Unsuccessful::TryLater, 3),
            (Unsuccessful::Unauthorized, 6),
        ] {
            assert_eq!(unsuccessful.to_der(), [0x30, 3, 0x0a, 1, code]);
            let read = OcspResponse::parse(&unsuccessful.to_der());
            assert_eq!(read, Err(ResponseError::Unsuccessful(unsuccessful)));
        }
    }
}
