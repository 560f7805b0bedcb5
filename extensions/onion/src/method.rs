//! The challenge `onion-csr-01` (RFC 9799 §3.2).

use acme::ProblemType;
use authority::{
    identifier::Name,
    model::Observation,
    ports::{BoxFuture, Report, ValidationMethod, ValidationRequest},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Map, Value};
use validation::attempt::{Attempt, Clock, Failure};

use crate::{names::service, proof::judge};

/// Looks at nothing but the response. It has no `authKey`: nothing is fetched that a service would have to open for us.
pub struct OnionCsr {
    pub clock: Clock,
}

impl ValidationMethod for OnionCsr {
    fn name(&self) -> &'static str {
        NAME
    }

    fn offered_for(&self, name: &Name) -> bool {
        matches!(service(name), Some(Ok(_)))
    }

    /// The same 128 bits as a token, in the RFC's own form.
    fn instead_of_token(&self, token: &str) -> Option<(&'static str, Value)> {
        let nonce = jose::base64url::decode(token).unwrap_or_default();
        Some(("nonce", Value::from(STANDARD.encode(nonce))))
    }

    fn take_response(&self, payload: &Map<String, Value>) -> Result<Option<Value>, String> {
        let csr = payload.get("csr").and_then(Value::as_str);
        let csr = csr.ok_or("the member \"csr\" is missing; send the request that the hidden service signed")?;
        if csr.len() > LONGEST {
            return Err(format!("\"csr\" has {} characters; {LONGEST} are the most", csr.len()));
        }
        jose::base64url::decode(csr).map_err(|error| format!("\"csr\" is not base64url without padding: {error}"))?;
        Ok(Some(Value::from(csr)))
    }

    /// The response is the same from everywhere.
    fn is_probe(&self) -> bool {
        false
    }

    fn validate(&self, request: ValidationRequest) -> BoxFuture<'static, Report> {
        let mut attempt = Attempt::begin(NAME, self.clock.clone());
        let outcome = prove(&request, &mut attempt);
        Box::pin(std::future::ready(attempt.conclude(outcome)))
    }
}

fn prove(request: &ValidationRequest, attempt: &mut Attempt) -> Result<(), Failure> {
    let Some(Ok(service)) = service(&request.name) else {
        let detail = "The identifier is not a hidden service's.";
        return Err(Failure::lasting(ProblemType::RejectedIdentifier, detail));
    };
    let csr = request.response.as_ref().and_then(Value::as_str).unwrap_or_default();
    let csr = jose::base64url::decode(csr)
        .map_err(|error| Failure::lasting(ProblemType::Malformed, format!("The response's \"csr\": {error}.")))?;
    let nonce = jose::base64url::decode(&request.token).unwrap_or_default();
    let verdict = judge(&csr, &service, &nonce);
    attempt.saw(Observation::Document {
        what: format!("request signed by {service}"),
        sha256: pkix::hex::encode(&pkix::key::sha256(&csr)),
        says: vec![format!("caSigningNonce asked for: {}", STANDARD.encode(&nonce))],
    });
    verdict
}

const NAME: &str = "onion-csr-01";
/// Of base64url. A request with a key, two nonces and every usual attribute of a subject is far shorter.
const LONGEST: usize = 8 * 1024;
