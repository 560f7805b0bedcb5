use client::Chain;
use jiff::Timestamp;
use pkix::pem;

use super::names::is_shown;

/// What a server gives as a certificate (RFC 8555 §11.4): nothing but certificates is installed, and what is installed
/// is what was read.
pub fn chain(data: &[u8]) {
    read(data);
    // Damage seldom gets through base64: the same octets as the certificate in a chain.
    read(pem::encode_certificate(data).as_bytes());
}

fn read(body: &[u8]) {
    let Ok(chain) = Chain::parse(body) else { return };
    let full = chain.full_pem();
    assert_eq!(full, chain.leaf_pem() + &chain.issuers_pem());
    let again = Chain::parse(full.as_bytes()).expect("what is installed is a chain");
    assert_eq!(again.full_pem(), full);
    assert_eq!(again.leaf(), chain.leaf());
    for line in full.lines() {
        let is_base64 = line
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte));
        assert!(is_base64 || line.ends_with(" CERTIFICATE-----"), "{line:?}");
    }
    let ours = chain.identifiers();
    let leaf = chain.leaf();
    let verdict = chain.check(leaf.spki_der(), &ours, leaf.not_after());
    assert_eq!(verdict, Ok(()), "its own key, its own names, its own last second");
    assert!(chain.check(b"another key", &ours, Timestamp::MIN).is_err());
    let _ = chain.leads_to("Some Root");
    is_shown(&leaf.issuer().to_string());
}
