//! Foreign clients, unmodified, against `vidimus dev`. Each test has a server of its own.
//!
//! What a test needs and does not find is a failure that names it, never a skip. Every certificate goes to
//! `target/issued`, where the linters of the test command look at it.

mod world;

use world::{World, program, python_program};

/// certbot as Debian ships it.
#[test]
fn certbot_obtains_renews_and_revokes_by_http_01() {
    let world = World::new();
    let certbot = |arguments: &[&str]| world.certbot(&program("certbot"), arguments);
    certbot(&[
        "certonly",
        "--standalone",
        "-d",
        "certbot.example.test",
        "-d",
        "second.example.test",
    ]);
    world.keep(
        "config/live/certbot.example.test/cert.pem",
        "config/live/certbot.example.test/chain.pem",
    );
    certbot(&["renew", "--force-renewal", "--no-random-sleep-on-renew"]);
    world.keep(
        "config/live/certbot.example.test/cert.pem",
        "config/live/certbot.example.test/chain.pem",
    );
    certbot(&[
        "revoke",
        "--cert-name",
        "certbot.example.test",
        "--reason",
        "superseded",
        "--no-delete-after-revoke",
    ]);
}

#[test]
fn certbot_obtains_a_wildcard_and_its_base_by_dns_01() {
    let world = World::new();
    let hook = world.script("hook", "curl -sf -d \"{\\\"host\\\":\\\"_acme-challenge.$CERTBOT_DOMAIN.\\\",\\\"value\\\":\\\"$CERTBOT_VALIDATION\\\"}\" $CONTROL/set-txt");
    world.certbot(
        &program("certbot"),
        &[
            "certonly",
            "--manual",
            "--preferred-challenges",
            "dns",
            "--manual-auth-hook",
            &hook,
            "-d",
            "wild.example.test",
            "-d",
            "*.wild.example.test",
        ],
    );
    world.keep(
        "config/live/wild.example.test/cert.pem",
        "config/live/wild.example.test/chain.pem",
    );
}

/// certbot as PyPI has it.
#[test]
fn the_newest_certbot_obtains_a_certificate_by_http_01() {
    let world = World::new();
    world.certbot(
        &python_program("certbot"),
        &["certonly", "--standalone", "-d", "newest.example.test"],
    );
    world.keep(
        "config/live/newest.example.test/cert.pem",
        "config/live/newest.example.test/chain.pem",
    );
}

/// It renews nothing of its own accord that is as fresh as this; it asks the authority (RFC 9773).
// 9773-5-4
#[test]
fn the_newest_certbot_renews_early_what_the_authority_says_is_to_be_renewed() {
    let world = World::new();
    let certbot = |arguments: &[&str]| world.certbot(&python_program("certbot"), arguments);
    certbot(&["certonly", "--standalone", "-d", "early.example.test"]);
    let certificate = "config/live/early.example.test/cert.pem";
    let first = world.read(certificate);
    let name = ["--cert-name", "early.example.test"];
    certbot(&[&["revoke", "--no-delete-after-revoke"], &name[..]].concat());
    certbot(&["renew", "--no-random-sleep-on-renew"]);
    assert_ne!(world.read(certificate), first);
    world.keep(certificate, "config/live/early.example.test/chain.pem");
}

// 9773-4.3-1, 9773-5-1
#[test]
fn our_own_client_renews_early_what_the_authority_says_is_to_be_renewed() {
    let world = World::new();
    let http = format!("127.0.0.1:{}", world.http_port);
    let certificate = "own/certs/early.example.test/cert.pem";
    world.vidimus(&[
        "cert",
        "issue",
        "early.example.test",
        "--standalone",
        &http,
        "--profile",
        "default",
    ]);
    let first = world.read(certificate);
    world.vidimus_here(&["cert", "renew"]);
    assert_eq!(world.read(certificate), first);
    world.vidimus_here(&["cert", "revoke", "early.example.test"]);
    world.vidimus_here(&["cert", "renew"]);
    assert_ne!(world.read(certificate), first);
    world.keep(certificate, "own/certs/early.example.test/chain.pem");
}

#[test]
fn lego_obtains_by_http_01() {
    let world = World::new();
    let port = format!("127.0.0.1:{}", world.http_port);
    world.lego(&["--http", "--http.port", &port, "-d", "lego.example.test"]);
    world.keep(
        "lego/certificates/lego.example.test.crt",
        "lego/certificates/lego.example.test.issuer.crt",
    );
}

#[test]
fn lego_obtains_by_tls_alpn_01() {
    let world = World::new();
    let port = format!("127.0.0.1:{}", world.tls_port);
    world.lego(&["--tls", "--tls.port", &port, "-d", "alpn.example.test"]);
    world.keep(
        "lego/certificates/alpn.example.test.crt",
        "lego/certificates/alpn.example.test.issuer.crt",
    );
}

#[test]
fn lego_obtains_a_wildcard_by_dns_01() {
    let world = World::new();
    let hook = world.script(
        "hook",
        "case $1 in present) curl -sf -d \"{\\\"host\\\":\\\"$2\\\",\\\"value\\\":\\\"$3\\\"}\" $CONTROL/set-txt;; esac",
    );
    world.lego_with(
        &[("EXEC_PATH", &hook)],
        &["--dns", "exec", "--dns.disable-cp", "-d", "*.lego.example.test"],
    );
    world.keep(
        "lego/certificates/_.lego.example.test.crt",
        "lego/certificates/_.lego.example.test.issuer.crt",
    );
}

#[test]
fn uacme_obtains_by_http_01_through_its_hook() {
    let world = World::new();
    let webroot = world.serve_webroot();
    let hook = world.script(
        "hook",
        &format!(
            "test \"$2\" = http-01 || exit 1\ncase $1 in begin) printf %s \"$5\" > {webroot}/.well-known/acme-challenge/$4;; \
             *) rm -f {webroot}/.well-known/acme-challenge/$4;; esac"
        ),
    );
    world.uacme(&["-y", "new"]);
    world.uacme(&["-h", &hook, "issue", "uacme.example.test"]);
    world.keep("uacme/uacme.example.test/cert.pem", "uacme/uacme.example.test/cert.pem");
}

#[test]
fn dehydrated_obtains_by_http_01_in_a_web_servers_folder() {
    let world = World::new();
    let webroot = world.serve_webroot();
    world.dehydrated(
        &format!("{webroot}/.well-known/acme-challenge"),
        "dehydrated.example.test",
    );
    world.keep(
        "dehydrated/certs/dehydrated.example.test/cert.pem",
        "dehydrated/certs/dehydrated.example.test/chain.pem",
    );
}

#[test]
fn our_own_client_obtains_by_every_method_and_revokes() {
    let world = World::new();
    let http = format!("127.0.0.1:{}", world.http_port);
    let tls = format!("127.0.0.1:{}", world.tls_port);
    world.vidimus(&["cert", "issue", "own.example.test", "127.0.0.1", "--standalone", &http]);
    world.keep(
        "own/certs/own.example.test/cert.pem",
        "own/certs/own.example.test/chain.pem",
    );
    world.vidimus(&[
        "cert",
        "issue",
        "own-alpn.example.test",
        "127.0.0.1",
        "--tls-alpn",
        &tls,
    ]);
    world.keep(
        "own/certs/own-alpn.example.test/cert.pem",
        "own/certs/own-alpn.example.test/chain.pem",
    );
    let hook = world.script(
        "hook",
        "case $1 in present) curl -sf -d \"{\\\"host\\\":\\\"$2\\\",\\\"value\\\":\\\"$3\\\"}\" $CONTROL/set-txt;; esac",
    );
    world.vidimus(&[
        "cert",
        "issue",
        "own-dns.example.test",
        "*.own-dns.example.test",
        "--dns-hook",
        &hook,
    ]);
    world.keep(
        "own/certs/own-dns.example.test/cert.pem",
        "own/certs/own-dns.example.test/chain.pem",
    );
    let webroot = world.serve_webroot();
    world.vidimus(&["cert", "issue", "own-root.example.test", "--webroot", &webroot]);
    world.keep(
        "own/certs/own-root.example.test/cert.pem",
        "own/certs/own-root.example.test/chain.pem",
    );
    world.vidimus_here(&["cert", "revoke", "own.example.test", "--reason", "superseded"]);
}
