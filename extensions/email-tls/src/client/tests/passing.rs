use std::{net::SocketAddr, sync::Arc};

use clap::Parser;
use tokio::net::TcpListener;

use super::site::Site;
use crate::{
    client::{
        proxy::{ProxyArgs, passing},
        session::{Look, look},
    },
    service::Service,
};

#[derive(Parser)]
struct Proxy {
    #[command(flatten)]
    args: ProxyArgs,
}

/// Looks at a service through a proxy in front of it.
async fn through(site: &Site, service: Service, protocol: &str, more: &str) -> Look {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address: SocketAddr = listener.local_addr().unwrap();
    let upstream = site.ports[&service];
    let line = format!(
        "proxy --listen {address} --upstream 127.0.0.1:{upstream} --protocol {protocol} --word acme-mail-01=abc {more}"
    );
    let args = Proxy::try_parse_from(line.split_whitespace()).unwrap().args;
    tokio::spawn(passing(listener, Arc::new(args)));
    look(address, service, "mail.alpha.test").await.unwrap()
}

// etls-p-12
#[tokio::test]
async fn a_word_is_put_into_the_greeting_and_starttls_goes_through() {
    let site = Site::with(&[Service::Submission, Service::Imap, Service::Pop3]).await;
    for (service, protocol) in [
        (Service::Submission, "smtp"),
        (Service::Imap, "imap"),
        (Service::Pop3, "pop3"),
    ] {
        let look = through(&site, service, protocol, "").await;
        assert!(look.greets_with("acme-mail-01=abc"), "{look:?}");
        assert!(look.tls.is_some(), "{look:?}");
    }
}

// etls-p-4
#[tokio::test]
async fn with_a_certificate_capabilities_have_the_word_after_the_handshake_too() {
    let site = Site::with(&[Service::Submission, Service::Imap, Service::Pop3]).await;
    let tls = format!(
        "--cert {0}/cert.pem --key {0}/key.pem --as capability",
        site.root().display()
    );
    for (service, protocol, said) in [
        (Service::Submission, "smtp", "ACME-MAIL-01 abc"),
        (Service::Imap, "imap", "IMAP4rev1 ACME-MAIL-01=abc"),
        (Service::Pop3, "pop3", "ACME-MAIL-01 abc"),
    ] {
        let look = through(&site, service, protocol, &tls).await;
        assert!(look.tls.is_some(), "{look:?}");
        assert!(look.capabilities.iter().any(|line| line == said), "{look:?}");
        // It is done, and not offered a second time.
        assert!(
            !look
                .capabilities
                .iter()
                .any(|line| line.contains("STARTTLS") || line == "STLS"),
            "{look:?}"
        );
        assert!(!look.greets_with("acme-mail-01=abc"));
    }
}

// ETLS-3.4-1, ETLS-3.4-2, ETLS-3.4-3
#[tokio::test]
async fn a_capability_of_the_draft_s_is_listed_as_the_protocol_has_it_and_never_greeted_with() {
    let site = Site::with(&[Service::Submission, Service::Imap, Service::Pop3]).await;
    let tls = format!(
        "--cert {0}/cert.pem --key {0}/key.pem --word ACME=xyz",
        site.root().display()
    );
    for (service, protocol) in [
        (Service::Submission, "smtp"),
        (Service::Imap, "imap"),
        (Service::Pop3, "pop3"),
    ] {
        let look = through(&site, service, protocol, &tls).await;
        assert!(look.lists(service.protocol(), "ACME=xyz"), "{look:?}");
        assert!(!look.lists(service.protocol(), "ACME=xy"), "{look:?}");
        assert!(
            look.greets_with("acme-mail-01=abc") && !look.greets_with("ACME=xyz"),
            "{look:?}"
        );
    }
}

#[tokio::test]
async fn where_the_handshake_comes_first_the_proxy_does_it() {
    let site = Site::with(&[Service::Imap]).await;
    let tls = format!(
        "--cert {0}/cert.pem --key {0}/key.pem --implicit-tls",
        site.root().display()
    );
    let mut site = site;
    site.ports.insert(Service::Imaps, site.ports[&Service::Imap]);
    let look = through(&site, Service::Imaps, "imap", &tls).await;
    assert!(look.tls.is_some() && look.greets_with("acme-mail-01=abc"), "{look:?}");
}
