//! The remote side, and both sides over TLS.

use std::{convert::Infallible, net::SocketAddr, sync::Arc};

use authority::{
    Registry,
    identifier::Dns as DnsNames,
    model::{AccountId, Evidence, Observation},
    ports::{AccountUrl, BoxFuture, PreIssuance, PreIssuanceCheck, Report, ValidationMethod},
};
use bytes::Bytes;
use futures_util::FutureExt as _;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::{
    far::{Seen, compose, request},
    rule::identity,
};
use crate::{
    Dns01, Http01,
    double::{Dns, Web, World},
    perspectives::{
        Accounts, Desk, PATH, Remote,
        pins::{Identity, Pins},
        quorum::Region,
        wire::LONGEST_QUESTION,
    },
    policy::PortPolicy,
};

/// Says under which account's URL it was asked.
struct Whose(AccountUrl);

impl PreIssuanceCheck for Whose {
    fn name(&self) -> &'static str {
        "whose"
    }

    fn check<'a>(&'a self, request: &'a PreIssuance<'a>) -> BoxFuture<'a, Result<Vec<Evidence>, acme::Problem>> {
        let url = (self.0)(request.account);
        let detail = format!(
            "{url} wants {} by {}",
            request.names[0].name.identifier(),
            request.names[0].method
        );
        Box::pin(std::future::ready(Err(acme::Problem::new(
            acme::ProblemType::Caa,
            detail,
        ))))
    }
}

fn desk(methods: Vec<Arc<dyn ValidationMethod>>) -> (Desk, AccountUrl) {
    let accounts = Arc::new(Accounts::default());
    let mut registry = Registry::default();
    registry.add_identifier_type(DnsNames);
    methods.into_iter().for_each(|method| registry.add_method(method));
    registry.add_check(Arc::new(Whose(accounts.url())));
    let url = accounts.url();
    (Desk::new("here".to_owned(), registry, accounts, 1), url)
}

fn question(look: Value) -> Value {
    json!({ "perspective": "here", "nonce": "n", "account": "https://ca.example/7", "look": look })
}

fn validation(method: &str, name: &str) -> Value {
    let thumbprint = jose::base64url::encode([7; 32]);
    json!({ "validation": {
        "method": method,
        "identifier": { "type": "dns", "value": name },
        "token": World::TOKEN,
        "thumbprint": thumbprint,
    } })
}

async fn ask(desk: &Desk, body: impl Into<Bytes>) -> (StatusCode, String) {
    let request = Request::post(PATH).body(Full::new(body.into())).unwrap();
    let response = desk.handle(request).await;
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn a_question_is_answered_with_what_was_seen_in_one_s_own_name() {
    let seen = Seen::control();
    let (desk, url) = desk(vec![seen.clone()]);
    let (status, body) = ask(&desk, question(validation("seen-01", "example.org")).to_string()).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    let answer: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(
        answer,
        json!({
            "perspective": "here",
            "nonce": "n",
            "verdict": "corroborated",
            "observations": [{ "saw": "failed", "what": "primary" }],
        })
    );
    let asked = seen.requests.lock().unwrap().pop().unwrap();
    assert_eq!(asked.key_authorization, World::key_authorization());
    assert_eq!(
        (asked.name, asked.token.as_str()),
        (World::name("example.org"), World::TOKEN)
    );
    assert_eq!(url(asked.account), "", "nothing is kept");
}

#[tokio::test]
async fn a_check_is_asked_under_the_account_s_url() {
    let (desk, _) = desk(Vec::new());
    let look = json!({ "check": {
        "check": "whose",
        "profile": "default",
        "names": [{
            "identifier": { "type": "dns", "value": "*.example.org" },
            "method": "dns-01",
            "validated": "2026-01-01T00:00:00Z",
        }],
        "spki": "AQI",
        "members": {},
        "now": "2026-01-01T00:00:00Z",
    } });
    let (status, body) = ask(&desk, question(look).to_string()).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    assert!(
        body.contains("https://ca.example/7 wants dns:*.example.org by dns-01"),
        "{body}"
    );
    assert!(body.contains("\"refused\""), "{body}");
}

// T16
#[tokio::test]
async fn t16_a_question_to_another_perspective_is_not_answered() {
    let (desk, _) = desk(vec![Seen::control()]);
    let mut asked = question(validation("seen-01", "example.org"));
    asked["perspective"] = json!("there");
    let (status, body) = ask(&desk, asked.to_string()).await;
    assert_eq!(status, StatusCode::MISDIRECTED_REQUEST, "{body}");
}

#[tokio::test]
async fn what_cannot_be_looked_at_here_is_refused_and_says_why() {
    let document = Arc::new(Seen {
        verdict: Ok(()),
        probe: false,
        requests: Default::default(),
    });
    let (probing, _) = desk(vec![Seen::control()]);
    for (look, named) in [
        (validation("http-01", "example.org"), "http-01"),
        (validation("seen-01", "example.com"), "example.com"),
        (validation("seen-01", "not a name"), "not a name"),
        (
            json!({ "check": { "check": "caa", "profile": "", "names": [], "spki": "", "members": {},
            "now": "2026-01-01T00:00:00Z" } }),
            "caa",
        ),
    ] {
        let (status, body) = ask(&probing, question(look).to_string()).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{body}");
        assert!(body.contains(named), "{body}");
    }
    let (documents, _) = desk(vec![document]);
    let (status, _) = ask(&documents, question(validation("seen-01", "example.org")).to_string()).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    let (status, _) = ask(&probing, "{").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let (status, _) = ask(&probing, question(json!({ "shell": "id" })).to_string()).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let (status, _) = ask(&probing, vec![b' '; LONGEST_QUESTION + 1]).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
    let get = Request::get(PATH).body(Full::<Bytes>::default()).unwrap();
    assert_eq!(probing.handle(get).await.status(), StatusCode::METHOD_NOT_ALLOWED);
    let elsewhere = Request::post("/").body(Full::<Bytes>::default()).unwrap();
    assert_eq!(probing.handle(elsewhere).await.status(), StatusCode::NOT_FOUND);
}

/// Looks without end.
struct Endless;

impl ValidationMethod for Endless {
    fn name(&self) -> &'static str {
        "endless-01"
    }

    fn offered_for(&self, _name: &authority::identifier::Name) -> bool {
        true
    }

    fn validate(&self, _request: authority::ports::ValidationRequest) -> BoxFuture<'static, Report> {
        Box::pin(std::future::pending())
    }
}

#[tokio::test]
async fn one_question_too_many_is_refused_at_once_and_whoever_leaves_makes_room() {
    let (desk, url) = desk(vec![Arc::new(Endless), Seen::control()]);
    let endless = question(validation("endless-01", "example.org")).to_string();
    let mut first = Box::pin(ask(&desk, endless));
    assert!((&mut first).now_or_never().is_none());
    assert_eq!(url(AccountId(0)), "https://ca.example/7");
    let second = question(validation("seen-01", "example.org")).to_string();
    assert_eq!(ask(&desk, second.clone()).await.0, StatusCode::SERVICE_UNAVAILABLE);
    drop(first);
    assert_eq!(url(AccountId(0)), "");
    assert_eq!(ask(&desk, second).await.0, StatusCode::OK);
}

/// Serves a desk over TLS; returns where.
async fn serve(desk: Desk, us: &Identity, authority: Pins) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let tls = TlsAcceptor::from(Arc::new(us.answering(authority).unwrap()));
    let desk = Arc::new(desk);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (tls, desk) = (tls.clone(), desk.clone());
            tokio::spawn(async move {
                let Ok(stream) = tls.accept(stream).await else { return };
                let service = service_fn(|request| {
                    let desk = desk.clone();
                    async move { Ok::<_, Infallible>(desk.handle(request).await) }
                });
                let _ = http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service)
                    .await;
            });
        }
    });
    address
}

/// What a method that has seen control itself makes of the one perspective at this address, beside one that agrees.
async fn through(address: SocketAddr, us: &Identity, pins: Pins, method: Arc<dyn ValidationMethod>) -> Report {
    let agreeing = super::far::Far::agreeing().await;
    let name = method.name();
    let here = Remote::new(
        "here",
        Region::Arin,
        &format!("https://{address}"),
        Some(us),
        Some(pins),
    )
    .unwrap();
    let other = Remote::new("other", Region::Ripe, &agreeing.url, None, None).unwrap();
    let mut registry = Registry::default();
    registry.add_method(method);
    Arc::new(compose(vec![here, other], 2).unwrap()).wrap(&mut registry);
    registry.method(name).unwrap().validate(request()).await
}

#[tokio::test]
async fn both_sides_meet_over_tls_and_look_with_their_own_eyes() {
    let web = Web::saying(World::key_authorization().as_str()).await;
    let here = |dns| World {
        ports: PortPolicy {
            http: web.port,
            tls: 443,
        },
        ..World::with(dns)
    };
    let (right, hijacked) = (
        here(Dns::default().host("example.org", &["127.0.0.1"])),
        here(Dns::default().host("example.org", &["192.0.2.1"])),
    );
    let ((primary, primary_pins), (us, us_pins)) = (identity("primary"), identity("here"));
    for (world, agrees) in [(&right, true), (&hijacked, false)] {
        let network = world.network();
        let (desk, _) = desk(vec![
            Arc::new(Http01::new(network.clone())),
            Arc::new(Dns01::new(network)),
        ]);
        let address = serve(desk, &us, primary_pins.clone()).await;
        let method = Arc::new(Http01::new(right.network()));
        let report = through(address, &primary, us_pins.clone(), method).await;
        assert_eq!(report.verdict.is_ok(), agrees, "{report:?}");
        let told = report
            .evidence
            .observations
            .iter()
            .find_map(|observation| match observation {
                Observation::Perspective { name, observations, .. } if name == "here" => Some(observations),
                _ => None,
            });
        assert!(
            told.unwrap()
                .iter()
                .any(|seen| matches!(seen, Observation::Resolved { .. }))
        );
    }
}

// T16: who is not known by the certificate is not who it says.
#[tokio::test]
async fn t16_a_certificate_that_is_not_on_file_is_turned_away_on_both_sides() {
    let ((primary, primary_pins), (stranger, _)) = (identity("primary"), identity("primary"));
    let ((us, us_pins), (_, other_pins)) = (identity("here"), identity("here"));
    let seen = Seen::control();
    let (desk, _) = desk(vec![seen.clone()]);
    let address = serve(desk, &us, primary_pins).await;
    for (asking, pins) in [(&primary, other_pins), (&stranger, us_pins.clone())] {
        let report = through(address, asking, pins, Seen::control()).await;
        assert!(report.verdict.is_err(), "{report:?}");
        assert!(seen.requests.lock().unwrap().is_empty());
    }
    let report = through(address, &primary, us_pins, Seen::control()).await;
    assert_eq!(report.verdict, Ok(()), "{report:?}");
    assert_eq!(seen.requests.lock().unwrap().len(), 1);
}
