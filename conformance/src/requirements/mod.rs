//! The tests, by the part of the protocol they are about.

mod accounts;
mod ari;
mod authentication;
mod authorizations;
mod bad_input;
mod caa;
mod challenges;
mod csr;
mod dates;
mod deactivation;
mod deny;
mod directory;
mod dns01;
mod download;
mod errors;
mod external_accounts;
mod finalizing;
mod http01;
mod ip;
mod key_change;
mod keys;
mod mail;
mod names;
mod nonces;
mod onion;
mod orders;
mod pre_authorization;
mod profiles;
mod reading;
mod revocation;
mod rollover;
mod subdomains;
mod terms;
mod tls_alpn;
mod transport;

use crate::test::Test;

pub fn all() -> impl Iterator<Item = &'static Test> {
    [
        transport::TESTS,
        authentication::TESTS,
        keys::TESTS,
        reading::TESTS,
        deny::TESTS,
        nonces::TESTS,
        errors::TESTS,
        directory::TESTS,
        accounts::TESTS,
        terms::TESTS,
        external_accounts::TESTS,
        key_change::TESTS,
        rollover::TESTS,
        deactivation::TESTS,
        names::TESTS,
        orders::TESTS,
        dates::TESTS,
        finalizing::TESTS,
        csr::TESTS,
        pre_authorization::TESTS,
        authorizations::TESTS,
        challenges::TESTS,
        http01::TESTS,
        dns01::TESTS,
        download::TESTS,
        revocation::TESTS,
        tls_alpn::TESTS,
        ip::TESTS,
        subdomains::TESTS,
        profiles::TESTS,
        ari::TESTS,
        caa::TESTS,
        onion::TESTS,
        mail::TESTS,
        bad_input::TESTS,
    ]
    .into_iter()
    .flatten()
}
