//! The tests, by the part of the protocol they are about.

mod accounts;
mod authentication;
mod authorizations;
mod bad_input;
mod caa;
mod challenges;
mod csr;
mod deactivation;
mod directory;
mod dns01;
mod download;
mod errors;
mod http01;
mod ip;
mod nonces;
mod orders;
mod reading;
mod revocation;
mod tls_alpn;
mod transport;

use crate::test::Test;

pub fn all() -> impl Iterator<Item = &'static Test> {
    [
        transport::TESTS,
        authentication::TESTS,
        reading::TESTS,
        nonces::TESTS,
        errors::TESTS,
        directory::TESTS,
        accounts::TESTS,
        deactivation::TESTS,
        orders::TESTS,
        csr::TESTS,
        authorizations::TESTS,
        challenges::TESTS,
        http01::TESTS,
        dns01::TESTS,
        download::TESTS,
        revocation::TESTS,
        tls_alpn::TESTS,
        ip::TESTS,
        caa::TESTS,
        bad_input::TESTS,
    ]
    .into_iter()
    .flatten()
}
