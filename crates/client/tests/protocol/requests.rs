//! Single requests: what they carry, and when they are repeated (RFC 8555 §6).

use std::time::Duration;

use client::{Directory, Error, RetryPolicy, Transport, TransportSettings};
use http::Method;
use jiff::SignedDuration;
use serde_json::json;

use crate::{bench::Bench, fake::Reply};

// 8555-6.1-2, 8555-6.1-3
#[tokio::test]
async fn every_request_names_the_software_and_a_language() {
    let bench = Bench::new().await;
    bench.issue(&["a.test"]).await.unwrap();
    let seen = bench.fake.seen();
    assert!(seen.len() >= 9);
    for request in seen {
        let header = |name: &str| request.headers[name].to_str().unwrap().to_owned();
        assert!(header("user-agent").starts_with("vidimus/"), "{}", request.target);
        assert!(!header("accept-language").is_empty());
        if request.method == Method::POST {
            assert_eq!(header("content-type"), "application/jose+json");
        }
    }
}

// 8555-6.1-1
#[tokio::test]
async fn unencrypted_http_is_refused_unless_told_otherwise() {
    let bench = Bench::new().await;
    let transport = Transport::new(TransportSettings::default()).unwrap();
    let directory = Directory::new(
        bench.fake.directory(),
        transport,
        RetryPolicy::default(),
        bench.clock.clone(),
    );
    let error = directory.resources().await.unwrap_err();
    assert!(
        matches!(error, Error::Transport(_)) && error.to_string().contains("https://"),
        "{error}"
    );
    assert_eq!(bench.fake.seen().len(), 0);
}

// 8555-6.3-2
#[tokio::test]
async fn a_read_is_a_signed_post_whose_payload_is_the_empty_string() {
    let bench = Bench::new().await;
    bench.account().await.read().await.unwrap();
    let last = bench.fake.seen().pop().unwrap();
    assert_eq!((last.method, last.jws["payload"].clone()), (Method::POST, json!("")));
    assert!(
        last.jws["signature"]
            .as_str()
            .is_some_and(|signature| !signature.is_empty())
    );
    assert_eq!(last.protected["kid"], format!("{}/account/0", bench.fake.base));
}

// 8555-6.4-3
#[tokio::test]
async fn urls_are_sent_and_signed_as_the_server_wrote_them() {
    let bench = Bench::new().await;
    let odd = "/new%2Dacc%6Funt/./x/../?a=b%20c&d=%7Ee&&=f";
    bench.fake.script(move |seen, world| match seen.target.as_str() {
        "/dir" => {
            let mut directory = world.directory();
            directory["newAccount"] = world.url(odd).into();
            Some(Reply::json(200, &directory))
        }
        target if target == odd => {
            Some(Reply::json(201, &json!({"status": "valid"})).with("location", world.url("/account/%41?x=%2f")))
        }
        _ => None,
    });
    let account = bench.account().await;
    let request = bench.fake.seen().pop().unwrap();
    assert_eq!(request.target, odd);
    assert_eq!(request.protected["url"], format!("{}{odd}", bench.fake.base));
    assert_eq!(account.url(), format!("{}/account/%41?x=%2f", bench.fake.base));
}

// 8555-6.5-5
#[tokio::test]
async fn a_refused_nonce_is_replaced_by_that_of_the_refusal() {
    let bench = Bench::new().await;
    let account = bench.account().await;
    let mut refused = 0;
    let mut given = None;
    bench.fake.script(move |seen, _| {
        if let Some(given) = given.take() {
            assert_eq!(seen.nonce(), given, "the nonce of the very answer");
        }
        refused += 1;
        (refused <= 10).then(|| {
            let nonce = format!("fresh-{refused}");
            given = Some(nonce.clone());
            Reply {
                nonce: Some(nonce),
                ..Reply::problem(400, "badNonce", "stale")
            }
        })
    });
    account.read().await.unwrap();
    assert_eq!(bench.fake.count("/account/0"), 11);
    assert_eq!(bench.clock.slept(), [] as [Duration; 0]);
}

// 8555-6.5-5
#[tokio::test]
async fn a_server_that_refuses_every_nonce_is_given_up() {
    let bench = Bench::new().await;
    let account = bench.account().await;
    bench
        .fake
        .script(|_, _| Some(Reply::problem(400, "badNonce", "never good enough")));
    let error = account.read().await.unwrap_err();
    assert!(error.to_string().contains("never good enough"), "{error}");
    assert_eq!(bench.fake.count("/account/0"), 11);
}

// 8555-6.5-6
#[tokio::test]
async fn a_replay_nonce_that_is_not_base64url_is_ignored() {
    let bench = Bench::new().await;
    bench.fake.script(|seen, world| {
        let reply = world.answer(seen);
        Some(match seen.is("/nonce") {
            true => reply,
            false => Reply {
                nonce: Some("ab=c".to_owned()),
                ..reply
            },
        })
    });
    bench.account().await.read().await.unwrap();
    for request in bench.fake.seen().iter().filter(|seen| seen.method == Method::POST) {
        assert!(request.nonce().starts_with("nonce-"), "{}", request.nonce());
    }
    bench.fake.script(|seen, world| {
        Some(Reply {
            nonce: Some("ab=c".to_owned()),
            ..world.answer(seen)
        })
    });
    let error = bench.directory().resources().await.err();
    assert!(error.is_none(), "a bad nonce on what needs none does no harm");
}

// 8555-6.5-9
#[tokio::test]
async fn after_a_long_pause_a_fresh_nonce_is_fetched() {
    let bench = Bench::new().await;
    let account = bench.account().await;
    let before = bench.fake.count("/nonce");
    account.read().await.unwrap();
    assert_eq!(bench.fake.count("/nonce"), before);
    bench.clock.advance(SignedDuration::from_mins(10));
    account.read().await.unwrap();
    assert_eq!(bench.fake.count("/nonce"), before + 1);
}

// 8555-6.6-2
#[tokio::test]
async fn retry_after_is_honoured_in_both_forms() {
    let bench = Bench::new().await;
    let account = bench.account().await;
    let mut answers = vec![
        Reply::text(503, "text/plain", "busy").with("retry-after", "7"),
        Reply::problem(429, "rateLimited", "slower").with("retry-after", "30"),
    ];
    bench.fake.script(move |_, _| answers.pop());
    account.read().await.unwrap();
    assert_eq!(bench.clock.slept(), [30, 7].map(Duration::from_secs));

    let bench = Bench::new().await;
    let account = bench.account().await;
    let date = jiff::fmt::rfc2822::to_string(
        &(client::Clock::now(&*bench.clock) + SignedDuration::from_secs(20)).to_zoned(jiff::tz::TimeZone::UTC),
    );
    let date = date.unwrap().replace("+0000", "GMT");
    let mut answer = Some(Reply::text(503, "text/plain", "busy").with("retry-after", date));
    bench.fake.script(move |_, _| answer.take());
    account.read().await.unwrap();
    let [slept] = bench.clock.slept()[..] else {
        panic!("one pause")
    };
    assert!(
        (Duration::from_secs(15)..=Duration::from_secs(20)).contains(&slept),
        "{slept:?}"
    );
}

// 8555-6.6-2: the bound
#[tokio::test]
async fn a_limit_that_lasts_for_hours_is_handed_to_the_caller() {
    let bench = Bench::new().await;
    let account = bench.account().await;
    bench
        .fake
        .script(|_, _| Some(Reply::problem(429, "rateLimited", "enough for today").with("retry-after", "7200")));
    let error = account.read().await.unwrap_err();
    let Error::RateLimited(refusal) = &error else {
        panic!("{error}")
    };
    assert_eq!(refusal.retry_after, Some(Duration::from_secs(7200)));
    assert!(error.is_retryable() && error.next_step().unwrap().contains("7200"));
    assert_eq!(bench.clock.slept().len(), 0);
}

// 8555-6.7-3, 8555-C-1
#[tokio::test]
async fn an_error_page_of_a_proxy_is_shown_after_a_bounded_number_of_tries() {
    let bench = Bench::new().await;
    let account = bench.account().await;
    let page = "<html>\r\n<h1>502 Bad Gateway</h1>\x1b[31m</html>";
    bench.fake.script(move |_, _| Some(Reply::text(502, "text/html", page)));
    let error = account.read().await.unwrap_err().to_string();
    assert!(error.contains("502 Bad Gateway") && !error.contains('\x1b'), "{error}");
    assert_eq!(bench.clock.slept(), [500, 1000, 2000, 4000].map(Duration::from_millis));
    assert_eq!(bench.fake.count("/account/0"), 5);
}

// 8555-C-1
#[tokio::test]
async fn lost_answers_are_asked_for_again_with_a_new_signature() {
    let bench = Bench::new().await;
    let account = bench.account().await;
    let mut lost = 0;
    bench.fake.script(move |seen, _| {
        lost += usize::from(seen.is("/account/0"));
        (seen.is("/account/0") && lost <= 3).then(Reply::lost)
    });
    account.read().await.unwrap();
    let mut nonces: Vec<String> = bench
        .fake
        .seen()
        .iter()
        .filter(|seen| seen.is("/account/0"))
        .map(|seen| seen.nonce())
        .collect();
    let sent = nonces.len();
    nonces.sort();
    nonces.dedup();
    assert_eq!((sent, nonces.len()), (4, 4));
}

// 8555-C-1
#[tokio::test]
async fn a_server_that_is_not_there_is_given_up() {
    let bench = Bench::new().await;
    let settings = TransportSettings {
        allow_http: true,
        ..TransportSettings::default()
    };
    let transport = Transport::new(settings).unwrap();
    let nowhere = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let url = format!("http://{nowhere}/dir");
    let directory = Directory::new(url.clone(), transport, RetryPolicy::default(), bench.clock.clone());
    let error = directory.resources().await.unwrap_err();
    assert!(error.is_retryable() && error.to_string().contains(&url), "{error}");
    assert_eq!(bench.clock.slept().len(), 4);
}

#[tokio::test]
async fn an_answer_without_end_is_not_read() {
    let bench = Bench::new().await;
    bench
        .fake
        .script(|_, _| Some(Reply::text(200, "application/json", &" ".repeat(3 << 20))));
    let error = bench.directory().resources().await.unwrap_err();
    assert!(error.to_string().contains("more than is read"), "{error}");
    assert_eq!(bench.fake.seen().len(), 1);
}

// 8555-7.1-6
#[tokio::test]
async fn odd_directories_are_understood() {
    for meta in [
        None,
        Some(json!({})),
        Some(json!({"profiles": {"a": "b"}, "website": "https://ca.test", "x": [1]})),
    ] {
        let bench = Bench::new().await;
        bench.fake.change(|world| world.meta = meta);
        bench.fake.script(|seen, world| {
            seen.is("/dir").then(|| {
                let mut directory = world.directory();
                directory["renewalInfo"] = world.url("/ari").into();
                directory["Xq9-random"] = json!("https://example.org/why");
                directory["list"] = json!([1, null, {}]);
                Reply::json(200, &directory)
            })
        });
        bench.account().await;
    }
}

#[tokio::test]
async fn what_is_no_directory_is_said_so() {
    for body in ["<html>hello</html>", "{}", "[]", "null", ""] {
        let bench = Bench::new().await;
        bench.fake.script(move |_, _| Some(Reply::text(200, "text/html", body)));
        let error = bench.directory().resources().await.unwrap_err();
        assert!(matches!(error, Error::Protocol { .. }), "{error}");
        assert!(error.next_step().unwrap().contains("--server"));
    }
}

// 8555-7.1-7
#[tokio::test]
async fn a_directory_is_read_again_when_it_is_old() {
    let bench = Bench::new().await;
    let directory = bench.directory();
    directory.resources().await.unwrap();
    directory.resources().await.unwrap();
    assert_eq!(bench.fake.count("/dir"), 1);
    bench.fake.script(|seen, world| {
        seen.is("/dir").then(|| {
            let mut directory = world.directory();
            directory["newOrder"] = world.url("/elsewhere").into();
            Reply::json(200, &directory)
        })
    });
    bench.clock.advance(SignedDuration::from_hours(2));
    assert!(directory.resources().await.unwrap().new_order.ends_with("/elsewhere"));
}

/// Redirects are not followed: what is signed for one URL is of no use at another.
#[tokio::test]
async fn a_redirected_directory_is_named() {
    let bench = Bench::new().await;
    bench
        .fake
        .script(|_, _| Some(Reply::text(301, "text/html", "moved").with("location", "https://ca.test/dir")));
    let error = bench.directory().resources().await.unwrap_err();
    assert!(
        error.to_string().contains("301") && error.next_step().unwrap().contains("--server"),
        "{error}"
    );
}
