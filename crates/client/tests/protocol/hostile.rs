//! A server that is after the client (INCIDENTS T44).

use std::{fs, os::unix::fs::PermissionsExt as _};

use client::{Error, SolverSettings};
use serde_json::json;

use crate::{bench::Bench, fake::Reply};

// t44
#[tokio::test]
async fn t44_tokens_that_are_paths_or_commands_reach_no_file() {
    for token in [
        "../../../../tmp/t44-owned",
        "/tmp/t44-owned",
        "..",
        ".",
        "",
        "a/../../b",
        "%2e%2e%2fx",
        "$(touch /tmp/t44-owned)",
        "`touch /tmp/t44-owned`",
        "x;touch /tmp/t44-owned",
        "x\ny",
        "x\0y",
        "<script>alert(1)</script>",
        "QUJD=",
    ] {
        let bench = Bench::new().await;
        bench.fake.change(|world| world.token = token.to_owned());
        let error = bench.issue(&["a.test"]).await.unwrap_err();
        assert!(error.to_string().contains("token"), "{token:?}: {error}");
        assert_eq!(bench.shown().len(), 0, "{token:?}");
        assert_eq!(bench.fake.count("/challenge/0/0"), 0);
    }
    assert!(!std::path::Path::new("/tmp/t44-owned").exists());
}

// t44
#[tokio::test]
async fn t44_an_authorization_for_a_name_that_was_not_ordered_runs_no_hook() {
    let bench = Bench::new().await;
    let hook = bench.path("hook");
    fs::write(
        &hook,
        format!("#!/bin/sh\necho \"$@\" >> {}\n", bench.path("called").display()),
    )
    .unwrap();
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
    for name in [
        "victim.test",
        "$(reboot)",
        "a.test;reboot",
        "--version",
        "../a.test",
        "A.TEST\n",
    ] {
        bench.fake.change(|world| world.orders.clear());
        bench.fake.script(move |seen, world| {
            seen.target.starts_with("/authz/").then(|| {
                let mut authorization = world.authorization(0, 0);
                authorization["identifier"]["value"] = name.into();
                authorization["challenges"][0]["type"] = "dns-01".into();
                Reply::json(200, &authorization)
            })
        });
        let mut request = bench.request(&["a.test"]);
        request.solvers = vec![SolverSettings::DnsHook(hook.display().to_string())];
        let error = client::issue(request).await.unwrap_err();
        assert!(matches!(error, Error::Protocol { .. }), "{name:?}: {error}");
    }
    assert!(!bench.path("called").exists());
}

// t44
#[tokio::test]
async fn t44_an_order_for_other_names_is_not_followed() {
    let bench = Bench::new().await;
    bench.fake.script(|seen, world| {
        seen.is("/new-order").then(|| {
            let mut reply = world.answer(seen);
            let mut order: serde_json::Value = serde_json::from_slice(&reply.body).unwrap();
            order["identifiers"][0]["value"] = "victim.test".into();
            reply.body = order.to_string().into_bytes();
            reply
        })
    });
    let error = bench.issue(&["a.test"]).await.unwrap_err();
    assert!(matches!(error, Error::Protocol { .. }), "{error}");
    assert_eq!(bench.fake.count("/authz/0/0"), 0);
}

// t44
#[tokio::test]
async fn t44_what_a_server_writes_is_shown_without_control_characters() {
    let bench = Bench::new().await;
    bench.fake.script(|seen, _| {
        seen.is("/new-order").then(|| {
            let body = json!({"type": "urn:ietf:params:acme:error:malformed\u{1b}[2J", "detail": "\u{1b}]0;owned\u{7}a\r\nb", "instance": "https://x.test/\u{1b}[31m"});
            Reply::text(400, "application/problem+json", &body.to_string())
        })
    });
    let error = bench.issue(&["a.test"]).await.unwrap_err();
    let shown = format!("{error} {}", error.next_step().unwrap_or_default());
    assert!(
        shown.contains("owned") && !shown.contains(|character: char| character.is_control()),
        "{shown:?}"
    );
}

// t44
#[tokio::test]
async fn t44_urls_of_other_schemes_are_not_followed() {
    for url in [
        "file:///etc/passwd",
        "ftp://x.test/",
        "gopher://x.test",
        "javascript:1",
        "",
        "//x.test/",
    ] {
        let bench = Bench::new().await;
        bench.fake.script(move |seen, world| {
            seen.is("/dir").then(|| {
                let mut directory = world.directory();
                directory["newAccount"] = url.into();
                Reply::json(200, &directory)
            })
        });
        assert!(bench.issue(&["a.test"]).await.is_err(), "{url}");
    }
}
