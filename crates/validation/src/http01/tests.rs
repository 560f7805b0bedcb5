use std::time::Duration;

use super::*;
use crate::{
    double::{Act, Dns, Web, World, closed_port},
    policy::PortPolicy,
    resolver::DnsFailure,
};

fn right() -> String {
    World::key_authorization().as_str().to_owned()
}

/// `example.org` on loopback, with its web server.
fn world(web: &Web) -> World {
    world_with(Dns::default().host("example.org", &["127.0.0.1"]), web)
}

fn world_with(dns: Dns, web: &Web) -> World {
    World {
        ports: PortPolicy {
            http: web.port,
            tls: 443,
        },
        ..World::with(dns)
    }
}

async fn report(world: &World) -> Report {
    Http01::new(world.network())
        .validate(world.request("example.org"))
        .await
}

/// Type and detail of the problem that validating `example.org` ends with.
async fn problem(world: &World) -> (ProblemType, String, bool) {
    let report = report(world).await;
    let problem = report.verdict.expect_err("control was proved");
    (problem.kind, problem.detail, report.transient)
}

async fn problem_with_body(body: &str) -> (ProblemType, String, bool) {
    problem(&world(&Web::saying(body).await)).await
}

// 8555-8.3-1
#[tokio::test]
async fn the_key_authorization_at_the_fixed_path_is_accepted() {
    let web = Web::saying(right()).await;
    let report = report(&world(&web)).await;
    assert_eq!(report.verdict, Ok(()));
    let head = &web.heads()[0];
    assert!(
        head.starts_with(&format!(
            "GET /.well-known/acme-challenge/{} HTTP/1.1\r\n",
            World::TOKEN
        )),
        "{head}"
    );
    let fields: Vec<_> = head
        .lines()
        .skip(1)
        .filter(|line| !line.is_empty())
        .map(str::to_ascii_lowercase)
        .collect();
    assert!(fields.contains(&"host: example.org".to_owned()), "{head}");
    assert!(fields.contains(&"accept-encoding: identity".to_owned()), "{head}");
    assert!(
        fields.iter().any(|field| field.starts_with("user-agent: vidimus/")),
        "{head}"
    );
}

#[tokio::test]
async fn evidence_tells_what_was_resolved_dialled_and_read() {
    let web = Web::saying(right()).await;
    let evidence = report(&world(&web)).await.evidence;
    let seen = serde_json::to_value(&evidence.observations).unwrap();
    let kinds: Vec<_> = seen
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["saw"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["resolved", "resolved", "connected", "http"]);
    assert_eq!(seen[3]["status"], 200);
    assert_eq!(seen[3]["body_start"], right());
    assert_eq!(
        (evidence.method.as_str(), evidence.perspective.as_str()),
        ("http-01", "local")
    );
}

// 8555-8.3-1
#[tokio::test]
async fn whitespace_at_the_end_is_ignored_and_nowhere_else() {
    for end in ["\n", "\r\n", " \t\n\n"] {
        let web = Web::saying(right() + end).await;
        assert_eq!(report(&world(&web)).await.verdict, Ok(()), "{end:?}");
    }
    let (token, thumbprint) = (World::TOKEN, right().split_once('.').unwrap().1.to_owned());
    for wrong in [
        String::new(),
        format!(" {}", right()),
        format!("\u{feff}{}", right()),
        right().replace('.', " ."),
        right().to_lowercase(),
        right() + "x",
        right() + "\nx",
        token.to_owned(),
        format!("x{token}.{thumbprint}"),
    ] {
        let (kind, detail, transient) = problem_with_body(&wrong).await;
        assert_eq!((kind, transient), (ProblemType::Unauthorized, false), "{wrong:?}");
        assert!(
            detail.contains("http://example.org/.well-known/acme-challenge/"),
            "{detail}"
        );
    }
}

// 8555-8.3-3
#[tokio::test]
async fn a_status_other_than_200_is_unauthorized_whatever_the_body_says() {
    for status in [
        "201 Created",
        "204 No Content",
        "206 Partial Content",
        "304 Not Modified",
        "404 Not Found",
        "500 Oops",
    ] {
        let web = Web::at("127.0.0.1", move |_| Act::answer(status, "", &right())).await;
        let (kind, detail, transient) = problem(&world(&web)).await;
        assert_eq!((kind, transient), (ProblemType::Unauthorized, false));
        assert!(
            detail.starts_with(&format!("Status {} instead of 200", &status[..3])),
            "{detail}"
        );
    }
}

// 8555-8.3-3
#[tokio::test]
async fn a_closed_port_and_an_answer_that_breaks_off_are_connection_problems_that_may_pass() {
    let (port, _socket) = closed_port();
    let mut closed = World::with(Dns::default().host("example.org", &["127.0.0.1"]));
    closed.ports.http = port;
    let (kind, detail, transient) = problem(&closed).await;
    assert_eq!((kind, transient), (ProblemType::Connection, true), "{detail}");

    for cut in [
        "",
        "HTTP/1.1 200 OK\r\nContent-Le",
        "HTTP/1.1 200 OK\r\nContent-Length: 87\r\n\r\nDGyR",
    ] {
        let web = Web::at("127.0.0.1", move |_| Act::Send(cut.into())).await;
        let (kind, detail, transient) = problem(&world(&web)).await;
        assert_eq!((kind, transient), (ProblemType::Connection, true), "{cut:?}: {detail}");
    }
}

#[tokio::test]
async fn something_that_does_not_speak_http_is_a_connection_problem_that_stays() {
    for other in [
        "220 mail.example.org ESMTP\r\n",
        "\x15\x03\x01\x00\x02\x02\x46",
        "HTTP/0.9 200 OK\r\n\r\n",
    ] {
        let web = Web::at("127.0.0.1", move |_| Act::Send(other.into())).await;
        let (kind, detail, transient) = problem(&world(&web)).await;
        assert_eq!(
            (kind, transient),
            (ProblemType::Connection, false),
            "{other:?}: {detail}"
        );
    }
}

// 8555-8.3-3
#[tokio::test]
async fn a_name_without_an_address_is_a_dns_problem() {
    let web = Web::saying(right()).await;
    for (dns, may_pass) in [
        (Dns::default(), false),
        (Dns::default().host("example.org", &[]), false),
        (Dns::default().failing("example.org", DnsFailure::ServFail), true),
        (
            Dns::default().failing("example.org", DnsFailure::Bogus(Default::default())),
            false,
        ),
    ] {
        let (kind, detail, transient) = problem(&world_with(dns, &web)).await;
        assert_eq!((kind, transient), (ProblemType::Dns, may_pass), "{detail}");
    }
    assert!(web.heads().is_empty());
}

// 8555-8.3-4, T9
#[tokio::test]
async fn t9_an_endless_body_is_not_read_to_its_end_and_shown_in_part() {
    for (fields, more) in [
        ("", " ".repeat(70_000)),
        ("Content-Length: 99999999999\r\n", " ".repeat(70_000)),
        (
            "Transfer-Encoding: chunked\r\n",
            format!("1000\r\n{}\r\n", " ".repeat(0x1000)),
        ),
    ] {
        let web = Web::at("127.0.0.1", move |_| {
            let start = match fields.contains("chunked") {
                true => format!("HTTP/1.1 200 OK\r\n{fields}\r\n{:x}\r\n{}\r\n", right().len(), right()),
                false => format!("HTTP/1.1 200 OK\r\n{fields}\r\n{}", right()),
            };
            Act::SendForever(start.into(), more.clone().into())
        })
        .await;
        let (kind, detail, _) = problem(&world(&web)).await;
        assert_eq!(kind, ProblemType::Unauthorized);
        assert!(detail.len() < 600, "{detail}");
    }
}

// T9
#[tokio::test]
async fn t9_a_header_without_end_is_refused() {
    let web = Web::at("127.0.0.1", |_| {
        Act::SendForever(b"HTTP/1.1 200 OK\r\nX: ".into(), b"xxxxxxxx".into())
    })
    .await;
    let (kind, detail, transient) = problem(&world(&web)).await;
    assert_eq!((kind, transient), (ProblemType::Connection, false), "{detail}");
}

// T9
#[tokio::test]
async fn t9_a_server_that_trickles_ends_with_the_time_of_the_attempt() {
    for start in ["", "HTTP/1.1 200 OK\r\nContent-Length: 87\r\n\r\nD"] {
        let web = Web::at("127.0.0.1", move |_| Act::Stall(start.into())).await;
        let mut world = world(&web);
        world.timeouts.attempt = Duration::from_millis(60);
        let report = report(&world).await;
        let problem = report.verdict.unwrap_err();
        assert_eq!((problem.kind, report.transient), (ProblemType::Connection, true));
        assert!(
            report.evidence.observations.len() >= 3,
            "what was seen before the end is kept"
        );
    }
}

// T9
#[tokio::test]
async fn t9_a_compressed_answer_is_not_unfolded() {
    let web = Web::at("127.0.0.1", |_| {
        Act::answer("200 OK", "Content-Encoding: gzip\r\n", &right())
    })
    .await;
    let (kind, detail, _) = problem(&world(&web)).await;
    assert_eq!(kind, ProblemType::Unauthorized);
    assert!(detail.contains("encoded as \"gzip\""), "{detail}");
    let web = Web::at("127.0.0.1", |_| {
        Act::answer("200 OK", "Content-Encoding: identity\r\n", &right())
    })
    .await;
    assert_eq!(report(&world(&web)).await.verdict, Ok(()));
}

// 8555-8.3-4, T9
#[tokio::test]
async fn t9_what_was_fetched_is_shown_bounded_and_escaped() {
    let body = format!("<script>\u{1b}[31m\"{}", "A".repeat(200));
    let report = report(&world(&Web::saying(body).await)).await;
    let detail = report.verdict.unwrap_err().detail;
    assert!(
        detail.contains(r#"<script>\x1b[31m\"AAAA"#) && !detail.contains('\u{1b}'),
        "{detail}"
    );
    assert!(detail.contains('…') && !detail.contains(&"A".repeat(SHOWN)), "{detail}");
    let evidence = serde_json::to_string(&report.evidence).unwrap();
    assert!(!evidence.contains(&"A".repeat(SHOWN)), "{evidence}");
}

// 8555-8.3-2
#[tokio::test]
async fn each_kind_of_redirect_is_followed_to_another_name() {
    for status in [
        "301 Moved",
        "302 Found",
        "303 See Other",
        "307 Temporary",
        "308 Permanent",
    ] {
        let web = Web::at("127.0.0.1", move |head| match head.contains("/elsewhere") {
            true => Act::ok(&right()),
            false => Act::answer(
                status,
                &format!("Location: http://b.example:{}/elsewhere?x\r\n", port_of(head)),
                "",
            ),
        })
        .await;
        let dns = Dns::default()
            .host("example.org", &["127.0.0.1"])
            .host("b.example", &["127.0.0.1"]);
        // The first request names no port, so the server learns its own from the token.
        let world = world_with(dns, &web);
        let mut request = world.request("example.org");
        request.token = format!("port-{}", web.port);
        let report = Http01::new(world.network()).validate(request).await;
        assert_eq!(report.verdict, Ok(()), "{status}");
        let head = &web.heads()[1];
        assert!(head.starts_with("GET /elsewhere?x HTTP/1.1\r\n"), "{head}");
        assert!(head.contains(&format!("host: b.example:{}\r\n", web.port)), "{head}");
    }
}

fn port_of(head: &str) -> &str {
    head.split("/port-")
        .nth(1)
        .and_then(|rest| rest.split(' ').next())
        .unwrap()
}

// 8555-8.3-2
#[tokio::test]
async fn a_redirect_to_https_is_followed_whatever_the_certificate() {
    let secure = Web::over_tls(|_| Act::ok(&right())).await;
    let location = format!("https://b.example:{}/", secure.port);
    let web = Web::at("127.0.0.1", move |_| Act::redirect(&location)).await;
    let dns = Dns::default()
        .host("example.org", &["127.0.0.1"])
        .host("b.example", &["127.0.0.1"]);
    let world = World {
        ports: PortPolicy {
            http: web.port,
            tls: secure.port,
        },
        ..World::with(dns)
    };
    assert_eq!(report(&world).await.verdict, Ok(()));
}

// 8555-8.3-3
#[tokio::test]
async fn a_redirect_to_https_where_nobody_speaks_tls_is_a_tls_problem() {
    let web = Web::at("127.0.0.1", |head| {
        Act::redirect(&format!("https://example.org:{}/", port_of(head)))
    })
    .await;
    let mut world = world(&web);
    // The server waits for the end of a head that does not come.
    world.timeouts.connect = Duration::from_millis(50);
    let mut request = world.request("example.org");
    request.token = format!("port-{}", web.port);
    let report = Http01::new(world.network()).validate(request).await;
    assert_eq!(report.verdict.unwrap_err().kind, ProblemType::Tls);
}

// 8555-8.3-2
#[tokio::test]
async fn a_redirect_that_never_ends_is_left_after_ten() {
    let web = Web::at("127.0.0.1", |_| Act::redirect("/.well-known/acme-challenge/again")).await;
    let (kind, detail, transient) = problem(&world(&web)).await;
    assert_eq!((kind, transient), (ProblemType::Connection, false));
    assert!(detail.starts_with("More than 10 redirects"), "{detail}");
    assert_eq!(web.heads().len(), 11);
}

// 8555-8.3-4, T9
#[tokio::test]
async fn t9_a_redirect_into_the_own_network_is_not_followed() {
    for location in [
        "http://127.0.0.1/",
        "http://[::1]/",
        "http://169.254.169.254/latest/meta-data/",
        "http://10.0.0.1/",
        "http://172.16.0.1/",
        "http://192.168.0.1/",
        "http://100.64.0.1/",
        "http://0.0.0.0/",
        "http://[::ffff:127.0.0.1]/",
        "http://[::ffff:10.0.0.1]/",
        "http://[::127.0.0.1]/",
        "http://[64:ff9b::7f00:1]/",
        "http://[fd00::1]/",
        "http://[fe80::1]/",
        "https://127.0.0.1/",
        "http://internal.example/",
        "//internal.example/",
    ] {
        let web = Web::at("127.0.0.2", move |_| Act::redirect(location)).await;
        let dns = Dns::default()
            .host("example.org", &["127.0.0.2"])
            .host("internal.example", &["10.0.0.1", "::ffff:127.0.0.1", "::1"]);
        // Nothing but the first server may be dialled.
        let world = World {
            allow: vec!["127.0.0.2/32"],
            ..world_with(dns, &web)
        };
        let (kind, detail, transient) = problem(&world).await;
        assert_eq!(
            (kind, transient),
            (ProblemType::Connection, false),
            "{location}: {detail}"
        );
        assert!(
            detail.contains("This address is not connected to"),
            "{location}: {detail}"
        );
    }
}

// 8555-8.3-2, T8, T9
#[tokio::test]
async fn t9_redirects_to_other_ports_schemes_users_and_numbers_are_not_followed() {
    for (location, why) in [
        ("http://b.example:8080/", "port 8080 is neither 80 nor 443"),
        ("http://b.example:22/", "port 22"),
        ("http://b.example:0/", "port 0"),
        ("https://b.example:8443/", "port 8443"),
        ("ftp://b.example/", "scheme"),
        ("file:///etc/passwd", "scheme"),
        ("http://user:password@b.example/", "user name"),
        ("http://0/", "number"),
        ("http://2130706433/", "number"),
        ("http://0x7f000001/", "number"),
        ("http://0177.0.0.1/", "number"),
        (
            "https://example.org.well-known/acme-challenge/x",
            "a slash is missing between \"example.org\"",
        ),
    ] {
        let web = Web::at("127.0.0.1", move |_| Act::redirect(location)).await;
        let (kind, detail, transient) = problem(&world(&web)).await;
        assert_eq!(
            (kind, transient),
            (ProblemType::Connection, false),
            "{location}: {detail}"
        );
        assert!(
            detail.contains("is not followed: ") && detail.contains(why),
            "{location}: {detail}"
        );
        assert_eq!(web.heads().len(), 1);
    }
}

#[tokio::test]
async fn a_redirect_without_a_location_is_unauthorized() {
    let web = Web::at("127.0.0.1", |_| Act::answer("302 Found", "", &right())).await;
    let (kind, detail, _) = problem(&world(&web)).await;
    assert_eq!(kind, ProblemType::Unauthorized);
    assert!(detail.contains("302 without a Location"), "{detail}");
}

// 8555-8.3-4, T9: the name answers with a permitted address first and with a forbidden one ever after.
#[tokio::test]
async fn t9_the_address_that_was_judged_is_the_address_that_is_dialled() {
    let web = Web::saying(right()).await;
    let dns = Dns::default()
        .host("example.org", &["127.0.0.1"])
        .host("example.org", &["10.0.0.1"]);
    let world = world_with(dns, &web);
    assert_eq!(report(&world).await.verdict, Ok(()));
    let (_, detail, _) = problem(&world).await;
    assert!(detail.contains("10.0.0.1 is private"), "{detail}");
}

#[tokio::test]
async fn loopback_is_forbidden_where_nobody_opened_it() {
    let web = Web::saying(right()).await;
    let mut world = world(&web);
    world.allow.clear();
    let report = report(&world).await;
    assert_eq!(report.verdict.unwrap_err().kind, ProblemType::Connection);
    let seen = serde_json::to_value(&report.evidence.observations).unwrap();
    assert_eq!(seen[2]["saw"], "refused");
    assert!(web.heads().is_empty());
}

// 8555-8.3-5, T18
#[tokio::test]
async fn t18_ipv4_is_asked_only_when_ipv6_gives_no_connection() {
    let dns = || Dns::default().host("example.org", &["127.0.0.1", "::1"]);
    let (v4, _closed) = Web::on_ipv4_only(|_| Act::ok(&right())).await;
    let report = report(&world_with(dns(), &v4)).await;
    assert_eq!(report.verdict, Ok(()));
    let seen = serde_json::to_value(&report.evidence.observations).unwrap();
    assert_eq!(
        (&seen[2]["saw"], &seen[3]["saw"]),
        (&"not-connected".into(), &"connected".into())
    );

    // Somebody else listens on [::1]: what it says counts.
    let v6 = Web::at("::1", |_| Act::ok("somebody else")).await;
    let (kind, detail, _) = problem(&world_with(dns(), &v6)).await;
    assert_eq!(kind, ProblemType::Unauthorized);
    assert!(detail.contains("[::1]"), "{detail}");
    assert_eq!(v6.heads().len(), 1);
}

// 8738-4-1, 8738-5-1
#[tokio::test]
async fn an_address_is_dialled_without_the_dns_and_is_the_host() {
    let v4 = Web::saying(right()).await;
    let v6 = Web::at("::1", |_| Act::ok(&right())).await;
    for (web, address, host) in [(v4, "127.0.0.1", "127.0.0.1"), (v6, "::1", "[::1]")] {
        let world = world_with(Dns::default(), &web);
        let request = World::request_for(World::address_name(address));
        let report = Http01::new(world.network()).validate(request).await;
        assert_eq!(report.verdict, Ok(()));
        assert_eq!(report.evidence.observations.len(), 2);
        assert!(
            web.heads()[0].contains(&format!("host: {host}\r\n")),
            "{}",
            web.heads()[0]
        );
    }
}

#[tokio::test]
async fn the_port_is_named_in_the_first_request_only_where_that_is_asked_for() {
    for (names_port, expected) in [
        (false, "host: example.org\r\n".to_owned()),
        (true, "host: example.org:".to_owned()),
    ] {
        let web = Web::saying(right()).await;
        let world = world(&web);
        let method = Http01::naming_port(world.network(), names_port);
        let report = method.validate(world.request("example.org")).await;
        assert_eq!(report.verdict, Ok(()));
        let expected = match names_port {
            true => format!("{expected}{}\r\n", web.port),
            false => expected,
        };
        assert!(web.heads()[0].contains(&expected), "{}", web.heads()[0]);
    }
}

#[test]
fn it_is_offered_for_hosts_and_addresses_and_not_for_wildcards() {
    let method = Http01::new(World::with(Dns::default()).network());
    assert!(method.offered_for(&World::name("example.org")));
    assert!(method.offered_for(&World::address_name("192.0.2.1")));
    assert!(!method.offered_for(&World::name("*.example.org")));
}
