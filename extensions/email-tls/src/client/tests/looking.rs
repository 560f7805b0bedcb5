use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use super::site::{Site, certify, now};
use crate::{
    client::{
        lookup::Lookup,
        scan::scan,
        session::{LookError, look},
    },
    service::Service,
};

#[tokio::test]
async fn a_scan_says_for_whom_each_services_certificate_is_good() {
    let services = [Service::Submission, Service::Imap, Service::Imaps, Service::Pop3];
    let site = Site::with(&services).await;
    certify(site.root(), &["mail.alpha.test", "_imaps.alpha.test"]);
    let mut lookup = site.lookup();
    // Nothing listens there, and no DNS is asked.
    lookup.resolver = Some("127.0.0.1:9".parse().unwrap());
    let scan = scan(&lookup, "mail.alpha.test", Some("alpha.test"), &services)
        .await
        .unwrap();
    assert!(scan.is_good(now()));
    let json = scan.json(now());
    assert_eq!(json["services"].as_array().unwrap().len(), 4);
    for seen in json["services"].as_array().unwrap() {
        assert_eq!(seen["verdict"]["host"], true, "{seen}");
        assert_eq!(seen["verdict"]["domain"], seen["service"] == "imaps", "{seen}");
        assert_eq!(seen["certificate"]["daysLeft"], 29);
        assert!(seen["tls"].as_str().unwrap().starts_with("TLS 1."), "{seen}");
    }
    let lines = scan.lines(now()).join("\n");
    assert!(lines.contains("dns:mail.alpha.test srv:_imaps.alpha.test"), "{lines}");
    assert!(lines.contains("good for alpha.test by SRV-ID"), "{lines}");
}

#[tokio::test]
async fn a_certificate_for_another_host_is_not_good() {
    let site = Site::with(&[Service::Imaps]).await;
    certify(site.root(), &["other.test"]);
    let scan = scan(&site.lookup(), "mail.alpha.test", None, &[Service::Imaps])
        .await
        .unwrap();
    assert!(!scan.is_good(now()));
    assert!(scan.lines(now()).join("\n").contains("not good for mail.alpha.test"));
}

/// Says `lines` in sequence, one at the beginning and one after each that it hears.
async fn saying(lines: &'static [&'static str]) -> std::net::SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        for line in lines {
            stream.write_all(line.as_bytes()).await.unwrap();
            let _ = stream.read(&mut [0; 512]).await;
        }
    });
    address
}

// etls-p-4
#[tokio::test]
async fn what_is_said_before_the_handshake_does_not_count_after_it() {
    let address = saying(&[
        "220 mail ESMTP\r\n",
        "250-mail\r\n250 STARTTLS\r\n",
        "220 ready\r\n250-mail\r\n250 ACME-MAIL-01 forged\r\n",
    ])
    .await;
    let refused = look(address, Service::Smtp, "mail.alpha.test").await.unwrap_err();
    assert!(matches!(refused, LookError::Pipelined(_)), "{refused}");
}

// etls-p-6
#[tokio::test]
async fn a_service_that_speaks_something_else_or_too_much_is_left() {
    let address = saying(&["554 no\r\n"]).await;
    let refused = look(address, Service::Smtp, "mail.alpha.test").await.unwrap_err();
    assert!(refused.to_string().contains("554 no"), "{refused}");
    static LONG: std::sync::LazyLock<String> = std::sync::LazyLock::new(|| "2".repeat(20_000));
    let address = saying(Box::leak(Box::new([LONG.as_str()]))).await;
    let refused = look(address, Service::Smtp, "mail.alpha.test").await.unwrap_err();
    assert!(matches!(refused, LookError::TooMuch(_)), "{refused}");
}

// etls-p-4
#[tokio::test]
async fn a_service_without_starttls_shows_no_certificate() {
    let address = saying(&[
        "220-mail\r\n220 ESMTP acme-mail-01=x\r\n",
        "250-mail STARTTLS\r\n250 SIZE\r\n",
    ])
    .await;
    let look = look(address, Service::Smtp, "mail.alpha.test").await.unwrap();
    // What the first line of a reply to EHLO echoes is no capability.
    assert!(look.tls.is_none() && look.capabilities == ["SIZE"]);
    assert!(look.greets_with("acme-mail-01=x") && !look.greets_with("acme-mail-01"));
}

// ETLS-P-4
#[tokio::test]
async fn a_scan_names_the_services_that_have_no_tls() {
    let address = saying(&["220 ESMTP\r\n", "250-mail\r\n250 SIZE\r\n"]).await;
    let lookup = Lookup {
        connect: Some(address.ip()),
        resolver: None,
        ports: [(Service::Smtp, address.port())].into(),
    };
    let scan = scan(&lookup, "mail.alpha.test", None, &[Service::Smtp]).await.unwrap();
    assert_eq!(scan.without_tls(), scan.listening());
    assert_eq!(scan.without_tls().len(), 1);
}
