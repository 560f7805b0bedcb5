//! OCSPResponse and BasicOCSPResponse (RFC 6960 §4.2).

use std::time::Duration;

use der::asn1::{BitStringRef, GeneralizedTime, Null, OctetStringRef};
use der::{Choice, Enumerated, Sequence};
use jiff::Timestamp;

use super::CertificateId;
use crate::crl::Reason;
use crate::encoding::{self, Raw};
use crate::extension::{EncodedExtension, Extension, ExtensionError, each_once, find};
use crate::key::SignatureAlgorithm;
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
    pub certificate: CertificateId,
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

/// What is wrong with response data that was read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResponseError {
    #[error("the response is not DER: {0}")]
    Der(#[from] DerError),
    #[error("the response is not one of version 1 by a key")]
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
            certificate: CertificateId::from_der(encoded.certificate.0)?,
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
        #[derive(Sequence)]
        struct Response {
            status: Unsuccessful,
        }
        encoding::encode(&Response { status: self })
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
    use super::super::certificate_id::tests::{id, issuer};
    use super::*;

    fn single(status: Status) -> SingleResponse {
        SingleResponse {
            certificate: CertificateId::from_der(&id(oid::SHA1, true, &issuer(), &[0x1f])).unwrap(),
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
        }
    }
}
