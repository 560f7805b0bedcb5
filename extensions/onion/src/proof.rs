//! What a service's request proves (RFC 9799 §3.2). Pure.

use acme::ProblemType;
use pkix::{
    csr::CertificateRequest,
    name::OnionAddress,
    oid::{APPLICANT_SIGNING_NONCE, CA_SIGNING_NONCE},
};
use validation::attempt::Failure;

/// Whether this request is the service's answer to the nonce. Names and subject in it say nothing and are not looked at.
pub fn judge(der: &[u8], service: &OnionAddress, nonce: &[u8]) -> Result<(), Failure> {
    use ProblemType::{BadCsr, IncorrectResponse, Unauthorized};
    let request = CertificateRequest::parse(der)
        .map_err(|error| Failure::lasting(BadCsr, format!("The request cannot be read: {error}.")))?;
    if request.public_key().spki_der() != service.spki_der() {
        let detail = format!("The request is not for the key of {service}; sign it with the hidden service's own key.");
        return Err(Failure::lasting(Unauthorized, detail));
    }
    request
        .verify_self_signature()
        .map_err(|error| Failure::lasting(Unauthorized, format!("The request: {error}.")))?;
    let attribute = |kind, name: &str| {
        request
            .octets_of_attribute(kind)
            .map_err(|error| Failure::lasting(BadCsr, format!("In the request, {error} ({name}).")))?
            .ok_or_else(|| Failure::lasting(IncorrectResponse, format!("The request has no {name} ({kind}).")))
    };
    if attribute(&CA_SIGNING_NONCE, "caSigningNonce")? != nonce {
        let detail = "The request's caSigningNonce is not the challenge's \"nonce\", decoded from base64.";
        return Err(Failure::lasting(IncorrectResponse, detail));
    }
    let own = attribute(&APPLICANT_SIGNING_NONCE, "applicantSigningNonce")?.len();
    match own >= SHORTEST_NONCE {
        true => Ok(()),
        false => Err(Failure::lasting(
            IncorrectResponse,
            format!(
                "The request's applicantSigningNonce has {own} octets; {SHORTEST_NONCE} random ones are the least."
            ),
        )),
    }
}

/// 64 bits.
const SHORTEST_NONCE: usize = 8;
