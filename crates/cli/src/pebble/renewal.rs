//! Renewal information (RFC 9773) as a test dictates it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use authority::{Authority, Failure, ports::BoxFuture};
use bytes::Bytes;
use jose::base64url;
use pkix::certificate::{Certificate, Serial};
use serde::Deserialize;
use server::{OpenReply, OpenResource};

use super::file::read_folded;

/// Answers by the serial number they are about. They may be anything: a test of a client's patience is one as well.
#[derive(Default)]
pub struct Dictated(Mutex<HashMap<Serial, Bytes>>);

impl Dictated {
    /// Takes a request of the management interface. `Err` is a sentence.
    pub fn set(&self, request: &[u8]) -> Result<(), String> {
        #[derive(Deserialize)]
        struct Request {
            certificate: String,
            #[serde(rename = "ariresponse")]
            response: String,
        }
        let request = serde_json::from_slice(request).and_then(read_folded);
        let Request { certificate, response } =
            request.map_err(|error| format!("not {{\"certificate\": PEM, \"ariResponse\": TEXT}}: {error}"))?;
        let chain = pkix::pem::parse_chain(&certificate).map_err(|error| format!("certificate: {error}"))?;
        let first = chain.first().ok_or("certificate: it is empty")?;
        let certificate = Certificate::parse(first).map_err(|error| format!("certificate: {error}"))?;
        let mut answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        answers.insert(certificate.serial().clone(), response.into());
        Ok(())
    }

    /// The answer for a certificate identifier (RFC 9773 §4.1).
    fn answer(&self, identifier: &str) -> Option<Bytes> {
        let (_, serial) = identifier.split_once('.')?;
        let serial = Serial::from_der_content(&base64url::decode(serial).ok()?).ok()?;
        let answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        answers.get(&serial).cloned()
    }
}

/// What the product serves, unless something else is dictated.
pub struct DictatedRenewals {
    pub renewals: Arc<dyn OpenResource>,
    pub dictated: Arc<Dictated>,
}

impl OpenResource for DictatedRenewals {
    fn segment(&self) -> &'static str {
        self.renewals.segment()
    }

    fn directory_member(&self) -> Option<&'static str> {
        self.renewals.directory_member()
    }

    fn get<'a>(&'a self, authority: &'a Authority, rest: &'a str) -> BoxFuture<'a, Result<OpenReply, Failure>> {
        match self.dictated.answer(rest) {
            Some(body) => Box::pin(std::future::ready(Ok(OpenReply {
                content_type: "application/json",
                body,
                retry_after: Some(RETRY_AFTER),
                max_age: None,
            }))),
            None => self.renewals.get(authority, rest),
        }
    }
}

/// The member of the directory by which renewal information is found.
pub const MEMBER: &str = "renewalInfo";
/// Six hours (RFC 9773 §4.3.2).
const RETRY_AFTER: u32 = 6 * 60 * 60;

#[cfg(test)]
mod tests {
    use pkix::pem::encode_certificate;
    use serde_json::json;

    use super::*;

    #[test]
    fn an_answer_is_found_by_the_serial_number_of_its_certificate() {
        let now = "2026-11-23T12:00:00Z".parse().unwrap();
        let shape = issuance::Shape {
            roots: 1,
            intermediates: 1,
            rsa: false,
        };
        let made = issuance::create_branched(shape, || [0x80; 19], now).unwrap();
        let certificate = Certificate::parse(&made.branches[0].root).unwrap();
        let dictated = Dictated::default();
        let identifier = |serial: &Serial| format!("AAAA.{}", base64url::encode(serial.der_content()));
        assert_eq!(dictated.answer(&identifier(certificate.serial())), None);
        let request = json!({ "Certificate": encode_certificate(certificate.der()), "ARIResponse": "{}" });
        dictated.set(request.to_string().as_bytes()).unwrap();
        assert_eq!(
            dictated.answer(&identifier(certificate.serial())),
            Some(Bytes::from_static(b"{}"))
        );
        assert_eq!(dictated.answer(&identifier(&Serial::from_random([1; 16]))), None);
        assert_eq!(dictated.answer("nonsense"), None);
        for wrong in ["", "{}", r#"{"certificate": "none", "ariResponse": ""}"#] {
            assert!(!dictated.set(wrong.as_bytes()).unwrap_err().is_empty());
        }
    }
}
