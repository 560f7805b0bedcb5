//! Certificates (RFC 8555 §7.4.2, §9.1).

use std::sync::Arc;

use authority::{
    Failure,
    model::{Account, CertificateId},
};
use http::StatusCode;

use crate::{Front, Resource, gate::Signed, problem::Rejection, reply::Reply};

/// A chain, the preferred one or an alternate, in the form that is asked for.
pub async fn post(
    front: &Front,
    signed: Signed<Arc<Account>>,
    id: CertificateId,
    which: u8,
    accept: &str,
) -> Result<Reply, Rejection> {
    let (leaf, chains) = read(front, signed, id).await?;
    let chain = chains.get(usize::from(which)).ok_or(Rejection::NoSuchResource)?;
    let url = |which| {
        front.links.url(match which {
            0 => Resource::Certificate(id),
            which => Resource::Alternate(id, which),
        })
    };
    let whole: Vec<&[u8]> = std::iter::once(&leaf).chain(chain).map(Vec::as_slice).collect();
    let mut reply = match Form::preferred(accept) {
        Form::Pem => Reply::of(StatusCode::OK, acme::PEM_CHAIN, pem(&whole)),
        Form::Pkcs7 => Reply::of(StatusCode::OK, PKCS7, pkix::pkcs7::certificates(&whole)),
        Form::Single => {
            let above = Resource::Issuer(id, which, 0);
            Reply::of(StatusCode::OK, PKIX_CERT, leaf.clone()).link(front.links.url(above), "up")
        }
    };
    for other in (0..).take(chains.len()).filter(|other| *other != which) {
        reply = reply.link(url(other), "alternate");
    }
    Ok(reply)
}

/// The certificate at a height above the leaf, alone (RFC 8555 §7.4.2: what `up` leads to).
pub async fn issuer(
    front: &Front,
    signed: Signed<Arc<Account>>,
    id: CertificateId,
    which: u8,
    height: u8,
) -> Result<Reply, Rejection> {
    let (_, chains) = read(front, signed, id).await?;
    let chain = chains.get(usize::from(which)).ok_or(Rejection::NoSuchResource)?;
    let certificate = chain.get(usize::from(height)).ok_or(Rejection::NoSuchResource)?;
    let reply = Reply::of(StatusCode::OK, PKIX_CERT, certificate.clone());
    Ok(if chain.len() > usize::from(height) + 1 {
        reply.link(front.links.url(Resource::Issuer(id, which, height + 1)), "up")
    } else {
        reply
    })
}

type Chains = Vec<Vec<Vec<u8>>>;

async fn read(front: &Front, signed: Signed<Arc<Account>>, id: CertificateId) -> Result<(Vec<u8>, Chains), Rejection> {
    signed.require_read()?;
    let (record, certificate) = front.authority.certificate(&signed.signer, id).await?;
    let chains = front.authority.chains(&record).await?;
    if chains.is_empty() {
        return Err(Failure::Unavailable(format!(
            "issuer {:?} of certificate {} is not configured",
            record.issuer, record.serial
        ))
        .into());
    }
    Ok((certificate, chains))
}

fn pem(whole: &[&[u8]]) -> String {
    whole.iter().map(|der| pkix::pem::encode_certificate(der)).collect()
}

/// What a client may ask for; whatever is not known gets the default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Pem,
    Pkcs7,
    Single,
}

impl Form {
    /// RFC 9110 §12.5.1, as far as three forms need it: the highest weight wins, then the sequence.
    fn preferred(accept: &str) -> Self {
        let mut best = (0.0, Self::Pem);
        for range in accept.split(',') {
            let mut parts = range.split(';').map(str::trim);
            let form = match parts.next().unwrap_or_default().to_ascii_lowercase().as_str() {
                acme::PEM_CHAIN | "*/*" | "application/*" => Self::Pem,
                PKIX_CERT => Self::Single,
                PKCS7 => Self::Pkcs7,
                _ => continue,
            };
            let weight = parts
                .find_map(|part| part.strip_prefix("q=")?.parse().ok())
                .unwrap_or(1.0);
            if weight > best.0 {
                best = (weight, form);
            }
        }
        best.1
    }
}

/// RFC 2585 §4.1.
const PKIX_CERT: &str = "application/pkix-cert";
/// RFC 5751 §3.2: a degenerate SignedData.
const PKCS7: &str = "application/pkcs7-mime";

#[cfg(test)]
mod tests {
    use super::*;

    // 8555-7.4.2-3
    #[test]
    fn the_form_is_the_one_that_is_asked_for_or_the_default() {
        for (accept, form) in [
            ("", Form::Pem),
            ("*/*", Form::Pem),
            ("text/html", Form::Pem),
            ("application/pkix-cert", Form::Single),
            ("Application/PKIX-Cert", Form::Single),
            ("application/pkcs7-mime; smime-type=certs-only", Form::Pkcs7),
            (
                "application/pkix-cert;q=0.5, application/pem-certificate-chain",
                Form::Pem,
            ),
            ("application/pem-certificate-chain, application/pkix-cert", Form::Pem),
            ("application/pkix-cert, */*;q=0.1", Form::Single),
        ] {
            assert_eq!(Form::preferred(accept), form, "{accept:?}");
        }
    }
}
