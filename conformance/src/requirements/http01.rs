//! http-01 (RFC 8555 §8.3).

use serde_json::Value;

use crate::{
    World, ensure,
    responder::Page,
    test::Outcome,
    world::{Account, Challenge, find_challenge},
};

crate::tests! {
    "8555-8.3-1" => the_key_authorization_at_its_path_validates;
    "8555-8.3-1" => trailing_whitespace_is_ignored;
    "8555-8.3-1", "8555-8.3-3" => anything_else_at_the_path_fails;
    "8555-8.3-3" => another_status_fails;
    "8555-8.3-2" => redirects_are_followed;
    "8555-8.3-2" => redirects_without_end_and_to_odd_places_fail;
    "8555-8.3-3" => failures_of_the_network_are_named;
    "8555-8.3-4" => an_endless_body_and_a_silent_server_fail_in_time;
    "8555-8.3-4" => what_was_read_is_not_shown_at_length;
    "8555-8.3-5" => a_dead_ipv6_address_does_not_matter;
}

async fn with_page(world: &World, page: impl Fn(&Account, &Challenge) -> Page) -> Outcome<Value> {
    let account = world.account().await?;
    let (_, challenge) = world.challenged(&account, "http-01").await?;
    world.http()?.serve(&challenge.path(), page(&account, &challenge));
    world.conclude(&account, &challenge).await
}

/// Demands an invalid authorization whose challenge failed for one of these reasons.
pub fn failed(object: &Value, method: &str, what: &str, kinds: &[&str]) -> Outcome<Value> {
    ensure!(object["status"] == "invalid", "{what}: the authorization is {object}");
    let error = find_challenge(object, method).map(|challenge| challenge["error"].clone());
    let error = error.unwrap_or_default();
    let kind = error["type"].as_str().unwrap_or_default();
    let name = kind.strip_prefix(crate::answer::NAMESPACE).unwrap_or(kind);
    ensure!(
        kinds.contains(&name),
        "{what}: the error is {error}, not {}",
        kinds.join(" or ")
    );
    ensure!(
        error["detail"].as_str().is_some_and(|detail| !detail.is_empty()),
        "{what}: the error says nothing"
    );
    Ok(error)
}

async fn the_key_authorization_at_its_path_validates(world: &World) -> Outcome {
    let account = world.account().await?;
    let (_, challenge) = world.challenged(&account, "http-01").await?;
    world.provision_http(&account, &challenge)?;
    let object = world.conclude(&account, &challenge).await?;
    ensure!(object["status"] == "valid", "the authorization is {object}");
    let visits = world.http()?.visits(&challenge.path());
    let Some(visit) = visits.first() else {
        crate::fail!("nobody asked for {}", challenge.path());
    };
    ensure!(visit.method == "GET", "the method was {}", visit.method);
    let host = visit.host.split(':').next().unwrap_or_default();
    ensure!(host == challenge.value, "Host was {:?}", visit.host);
    Ok(())
}

async fn trailing_whitespace_is_ignored(world: &World) -> Outcome {
    for tail in ["\n", "\r\n", " \t\n"] {
        let page = |account: &Account, challenge: &Challenge| {
            Page::ok(format!("{}{tail}", account.key_authorization(&challenge.token)))
        };
        let object = with_page(world, page).await?;
        ensure!(
            object["status"] == "valid",
            "with {tail:?} at the end the authorization is {object}"
        );
    }
    Ok(())
}

async fn anything_else_at_the_path_fails(world: &World) -> Outcome {
    let spoils: [(&str, fn(&str) -> String); 8] = [
        ("an empty body", |_| String::new()),
        ("another text", |_| "hello".into()),
        ("the token alone", |right| {
            right.split('.').next().unwrap_or_default().into()
        }),
        ("upper case", str::to_ascii_uppercase),
        ("a space before", |right| format!(" {right}")),
        ("something behind", |right| format!("{right}x")),
        ("something on the next line", |right| format!("{right}\n{right}")),
        ("padding", |right| format!("{right}=")),
    ];
    for (what, spoil) in spoils {
        let page =
            |account: &Account, challenge: &Challenge| Page::ok(spoil(&account.key_authorization(&challenge.token)));
        failed(
            &with_page(world, page).await?,
            "http-01",
            what,
            &["unauthorized", "incorrectResponse"],
        )?;
    }
    let other = crate::world::new_key()?;
    let page =
        |_: &Account, challenge: &Challenge| Page::ok(format!("{}.{}", challenge.token, other.jwk().thumbprint()));
    let object = with_page(world, page).await?;
    failed(
        &object,
        "http-01",
        "another key",
        &["unauthorized", "incorrectResponse"],
    )
    .map(drop)
}

async fn another_status_fails(world: &World) -> Outcome {
    for status in [201, 204, 206, 400, 401, 404, 500] {
        let page = |account: &Account, challenge: &Challenge| {
            let body = if status == 204 {
                String::new()
            } else {
                account.key_authorization(&challenge.token)
            };
            Page::status(status, body)
        };
        let object = with_page(world, page).await?;
        // Some take any success with the right body.
        if status != 201 && status != 206 {
            failed(
                &object,
                "http-01",
                &format!("status {status}"),
                &["unauthorized", "incorrectResponse", "connection"],
            )?;
        }
    }
    Ok(())
}

async fn redirects_are_followed(world: &World) -> Outcome {
    for status in [301, 302, 303, 307, 308] {
        let account = world.account().await?;
        let (_, challenge) = world.challenged(&account, "http-01").await?;
        let http = world.http()?;
        let (other, path) = (world.name("elsewhere"), format!("/elsewhere/{}", challenge.token));
        let relative = format!("/relative/{}", challenge.token);
        http.serve(&challenge.path(), Page::redirect(status, &relative));
        http.serve(
            &relative,
            Page::redirect(status, format!("http://{other}:{}{path}", http.addr.port())),
        );
        http.serve(&path, Page::ok(account.key_authorization(&challenge.token)));
        let object = world.conclude(&account, &challenge).await?;
        ensure!(
            object["status"] == "valid",
            "after redirects with {status} the authorization is {object}"
        );
        let visits = http.visits(&path);
        let host = visits.first().map(|visit| visit.host.clone()).unwrap_or_default();
        ensure!(host.starts_with(&other), "after the redirect Host was {host:?}");
    }
    Ok(())
}

async fn redirects_without_end_and_to_odd_places_fail(world: &World) -> Outcome {
    let loops = with_page(world, |_, challenge| Page::redirect(302, challenge.path())).await?;
    failed(
        &loops,
        "http-01",
        "a redirect to itself",
        &["connection", "unauthorized", "incorrectResponse"],
    )?;
    for to in [
        "file:///etc/passwd",
        "ftp://localhost/",
        "gopher://localhost/",
        "http://localhost:22/",
        "",
        "http://",
    ] {
        let object = with_page(world, |_, _| Page::redirect(302, to)).await?;
        let kinds = [
            "connection",
            "unauthorized",
            "incorrectResponse",
            "malformed",
            "dns",
            "tls",
        ];
        failed(&object, "http-01", &format!("a redirect to {to:?}"), &kinds)?;
    }
    Ok(())
}

async fn failures_of_the_network_are_named(world: &World) -> Outcome {
    let dns = world.dns()?;
    let account = world.account().await?;
    let (_, challenge) = world.challenged(&account, "http-01").await?;
    dns.set_servfail(&challenge.value).await?;
    failed(
        &world.conclude(&account, &challenge).await?,
        "http-01",
        "SERVFAIL",
        &["dns"],
    )?;
    let (_, challenge) = world.challenged(&account, "http-01").await?;
    // Nothing listens there.
    dns.add_a(&challenge.value, &["127.0.0.77"]).await?;
    let object = world.conclude(&account, &challenge).await?;
    failed(&object, "http-01", "a closed port", &["connection"]).map(drop)
}

async fn an_endless_body_and_a_silent_server_fail_in_time(world: &World) -> Outcome {
    let endless = with_page(world, |account, challenge| {
        Page::endless(account.key_authorization(&challenge.token))
    })
    .await?;
    failed(
        &endless,
        "http-01",
        "an endless body",
        &["unauthorized", "incorrectResponse", "connection"],
    )?;
    let silent = with_page(world, |_, _| Page::silent()).await?;
    failed(&silent, "http-01", "a silent server", &["connection", "unauthorized"]).map(drop)
}

async fn what_was_read_is_not_shown_at_length(world: &World) -> Outcome {
    let secret = "internal-secret ".repeat(1000);
    let object = with_page(world, |_, _| Page::ok(secret.clone())).await?;
    let error = failed(
        &object,
        "http-01",
        "a long page",
        &["unauthorized", "incorrectResponse"],
    )?;
    let shown = error.to_string().matches("internal-secret").count();
    ensure!(shown < 40, "the error shows {shown} words of what was read");
    let object = with_page(world, |_, _| Page::ok("\u{1b}[2J<script>\0\u{202e}\r\n")).await?;
    let error = failed(
        &object,
        "http-01",
        "control characters",
        &["unauthorized", "incorrectResponse"],
    )?;
    let detail = error["detail"].as_str().unwrap_or_default();
    ensure!(
        !detail.chars().any(char::is_control),
        "the error repeats control characters: {detail:?}"
    );
    Ok(())
}

async fn a_dead_ipv6_address_does_not_matter(world: &World) -> Outcome {
    let account = world.account().await?;
    let (_, challenge) = world.challenged(&account, "http-01").await?;
    world.provision_http(&account, &challenge)?;
    let dns = world.dns()?;
    dns.add_aaaa(&challenge.value, &["::1"]).await?;
    dns.add_a(&challenge.value, &[&world.options.responder.to_string()])
        .await?;
    let object = world.conclude(&account, &challenge).await?;
    ensure!(
        object["status"] == "valid",
        "with a dead AAAA the authorization is {object}"
    );
    Ok(())
}
