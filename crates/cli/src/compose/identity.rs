//! The API's own certificate and key.

use std::path::Path;

use config::Config;
use pkix::certificate::Certificate;
use server::TlsIdentity;

use super::{Seamless, issuers::read_key};
use crate::files;

/// The API's own certificate and key.
pub fn tls_identity(config: &Config, folder: &Path) -> Result<TlsIdentity, String> {
    let (certificate, key) = (
        folder.join(&config.server.tls_certificate),
        folder.join(&config.server.tls_key),
    );
    let chain = pkix::pem::parse_chain(&files::read(&certificate)?).map_err(|error| {
        let certificate = certificate.display();
        format!("server.tls_certificate: {certificate}: {error}; name a file with the API's chain in PEM")
    })?;
    let key_pair =
        pkix::key::KeyPair::from_pkcs8_pem(&read_key(&key, "server.tls_key", &Seamless)?).map_err(|error| {
            let key = key.display();
            format!("server.tls_key: {key}: {error}; name a file with one PKCS#8 key in PEM")
        })?;
    // A certificate of others that we cannot read is left to the TLS library, which needs less of it.
    let leaf = chain.first().and_then(|der| Certificate::parse(der).ok());
    if leaf.is_some_and(|leaf| leaf.spki_der() != key_pair.public_key().spki_der()) {
        return Err(format!(
            "server.tls_key: {} is not the key of the first certificate in {}; name the two that belong together",
            key.display(),
            certificate.display()
        ));
    }
    Ok(TlsIdentity {
        chain,
        key: key_pair.to_pkcs8_der().to_vec(),
    })
}
