//! Chains of certificates in PEM: `application/pem-certificate-chain` (RFC 8555 §9.1, RFC 7468 §3).

use pem_rfc7468::LineEnding;

const LABEL: &str = "CERTIFICATE";
const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// Longer texts are not looked at: a leaf of full length and ten issuers.
pub const LONGEST_CHAIN: usize = 1024 * 1024;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PemError {
    #[error("the chain has {0} octets; {LONGEST_CHAIN} are read")]
    TooLong(usize),
    #[error("the chain holds no certificate")]
    Empty,
    /// A private key or a comment in a file that is handed to servers is an accident or an attack (RFC 8555 §11.4).
    #[error("line {line}: neither a certificate nor an empty line")]
    Foreign { line: usize },
    #[error("line {line}: a certificate that does not end")]
    Unfinished { line: usize },
    #[error("line {line}: the certificate is not in strict PEM: {reason}")]
    Malformed { line: usize, reason: String },
}

/// The DER of each certificate. Between certificates there may be empty lines, and nothing else anywhere.
pub fn parse_chain(pem: &str) -> Result<Vec<Vec<u8>>, PemError> {
    if pem.len() > LONGEST_CHAIN {
        return Err(PemError::TooLong(pem.len()));
    }
    let mut certificates = Vec::new();
    // The offset and number of the line that began the block we are in.
    let mut open = None;
    let mut end = 0;
    for (index, line) in pem.split_inclusive('\n').enumerate() {
        let number = index + 1;
        let offset = end;
        end += line.len();
        let text = line.strip_suffix('\n').unwrap_or(line);
        let text = text.strip_suffix('\r').unwrap_or(text);
        match (open, text) {
            (None, "") => (),
            (None, BEGIN) => open = Some((offset, number)),
            (None, _) => return Err(PemError::Foreign { line: number }),
            (Some((start, first)), END) => {
                certificates.push(block(&pem[start..end], first)?);
                open = None;
            }
            (Some(_), _) => (),
        }
    }
    match open {
        Some((_, line)) => Err(PemError::Unfinished { line }),
        None if certificates.is_empty() => Err(PemError::Empty),
        None => Ok(certificates),
    }
}

fn block(pem: &str, line: usize) -> Result<Vec<u8>, PemError> {
    let decoded = pem_rfc7468::decode_vec(pem.as_bytes());
    decoded.map(|(_, der)| der).map_err(|error| PemError::Malformed {
        line,
        reason: error.to_string(),
    })
}

pub fn encode_certificate(der: &[u8]) -> String {
    pem_rfc7468::encode_string(LABEL, LineEnding::LF, der)
        .expect("invariant: the label is one, and a certificate is far below PEM's limit")
}

/// A certificate request (RFC 7468 §7).
pub fn encode_request(der: &[u8]) -> String {
    pem_rfc7468::encode_string("CERTIFICATE REQUEST", LineEnding::LF, der)
        .expect("invariant: the label is one, and a request is far below PEM's limit")
}

/// The leaf first, each followed by its issuer, as the caller has ordered them.
pub fn encode_certificates<T: AsRef<[u8]>>(chain: &[T]) -> String {
    chain.iter().map(|der| encode_certificate(der.as_ref())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_is_written_and_read_in_order() {
        let chain = [vec![1; 100], vec![2; 3], vec![3; 48]];
        let pem = encode_certificates(&chain);
        assert!(pem.lines().all(|line| line.len() <= 64));
        assert_eq!(parse_chain(&pem).unwrap(), chain);
        assert_eq!(parse_chain(&pem.replace('\n', "\r\n")).unwrap(), chain);
        assert_eq!(
            parse_chain(&pem.replace("-----\n-----", "-----\n\n-----")).unwrap(),
            chain
        );
        assert_eq!(parse_chain(pem.trim_end()).unwrap(), chain);
    }

    // 8555-7.4.2-5
    #[test]
    fn anything_but_certificates_is_refused() {
        let certificate = encode_certificate(&[1, 2, 3]);
        let key = "-----BEGIN PRIVATE KEY-----\nAQID\n-----END PRIVATE KEY-----\n";
        assert_eq!(
            parse_chain(&format!("{certificate}{key}")),
            Err(PemError::Foreign { line: 4 })
        );
        assert_eq!(
            parse_chain(&format!("subject=example\n{certificate}")),
            Err(PemError::Foreign { line: 1 })
        );
        assert_eq!(
            parse_chain(&format!("{certificate} \n")),
            Err(PemError::Foreign { line: 4 })
        );
        assert_eq!(
            parse_chain(&format!("{certificate}; rm -rf /")),
            Err(PemError::Foreign { line: 4 })
        );
        assert_eq!(
            parse_chain(&certificate.replace("CERTIFICATE", "X509 CRL")),
            Err(PemError::Foreign { line: 1 })
        );
        assert_eq!(parse_chain("\n"), Err(PemError::Empty));
    }

    #[test]
    fn a_certificate_must_be_strict_pem() {
        let certificate = encode_certificate(&[1; 60]);
        let malformed = |pem: String| matches!(parse_chain(&pem), Err(PemError::Malformed { line: 1, .. }));
        assert!(malformed(certificate.replace("AQEB\n", "AQE*\n")));
        assert!(malformed(certificate.replacen("AQEB", "AQ\nEB", 1)));
        assert!(malformed(certificate.replacen(
            "-----\n",
            "-----\nProc-Type: 4,ENCRYPTED\n\n",
            1
        )));
        let unfinished = certificate.replace(END, "");
        assert_eq!(parse_chain(&unfinished), Err(PemError::Unfinished { line: 1 }));
        let nested = format!("{BEGIN}\n{certificate}");
        assert!(matches!(parse_chain(&nested), Err(PemError::Malformed { line: 1, .. })));
    }
}
