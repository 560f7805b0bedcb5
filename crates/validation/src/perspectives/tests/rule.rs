//! Which remotes can be a quorum at all.

use super::far::{compose, perspectives};
use crate::perspectives::{
    PerspectivesError, Remote, RemoteError,
    pins::{Identity, Pins},
    quorum::Region,
};

pub fn identity(name: &str) -> (Identity, Pins) {
    let (certificate, key) = Identity::make(name, [7; 19], "2026-01-01T00:00:00Z".parse().unwrap()).unwrap();
    (
        Identity::read(&certificate, &key).unwrap(),
        Pins::read(&certificate).unwrap(),
    )
}

// T16
#[test]
fn t16_too_few_remotes_or_regions_are_refused_at_the_start() {
    let refused = |urls: &[&str], regions| perspectives(urls, regions).map(drop).unwrap_err();
    assert_eq!(refused(&[], 1), PerspectivesError::TooFew(0, 2));
    assert_eq!(refused(&["http://127.0.0.1:1"], 1), PerspectivesError::TooFew(1, 2));
    let two = ["http://127.0.0.1:1", "http://127.0.0.1:2"];
    assert_eq!(refused(&two, 3), PerspectivesError::TooNear(2, 3));
    assert!(perspectives(&two, 2).is_ok());
}

// T16
#[test]
fn t16_one_machine_or_one_certificate_is_one_perspective() {
    let twice = ["http://127.0.0.1:1", "http://[::1]:1", "http://127.0.0.1:1/"];
    let error = perspectives(&twice, 1).map(drop).unwrap_err();
    assert_eq!(error, PerspectivesError::OnePlace("p0".to_owned(), "p2".to_owned()));

    let ((us, _), (_, shared), (_, own)) = (identity("us"), identity("shared"), identity("own"));
    let remote = |name: &str, url: &str, pins: &Pins| {
        Remote::new(name, Region::Arin, url, Some(&us), Some(pins.clone())).unwrap()
    };
    let remotes = |second: &Pins| {
        vec![
            remote("a", "https://a.example", &shared),
            remote("b", "https://b.example", second),
        ]
    };
    let error = compose(remotes(&shared), 1).map(drop).unwrap_err();
    assert_eq!(error, PerspectivesError::OneIdentity("a".to_owned(), "b".to_owned()));
    assert!(compose(remotes(&own), 1).is_ok());
}

// T16
#[test]
fn t16_plain_http_leaves_no_machine_and_tls_needs_a_certificate_on_file() {
    let (us, pins) = identity("us");
    let read = |url: &str, pins: Option<&Pins>| Remote::new("a", Region::Ripe, url, Some(&us), pins.cloned()).map(drop);
    for url in ["http://192.0.2.1", "http://localhost:1", "http://example.org"] {
        assert!(matches!(read(url, None), Err(RemoteError::Plain(_))), "{url}");
    }
    for url in ["http://127.0.0.1:1", "http://[::1]:1/"] {
        assert!(read(url, None).is_ok(), "{url}");
    }
    assert!(matches!(read("https://a.example", None), Err(RemoteError::Unpinned)));
    assert!(read("https://a.example:14443", Some(&pins)).is_ok());
    for url in [
        "",
        "a.example:1",
        "ftp://a.example",
        "https://a.example/x",
        "https://a.example?x",
    ] {
        assert!(matches!(read(url, Some(&pins)), Err(RemoteError::Url(_))), "{url}");
    }
}

#[test]
fn a_key_of_another_certificate_is_refused() {
    let now = "2026-01-01T00:00:00Z".parse().unwrap();
    let (one, _) = Identity::make("one", [1; 19], now).unwrap();
    let (_, other) = Identity::make("other", [2; 19], now).unwrap();
    let error = Identity::read(&one, &other).map(drop).unwrap_err();
    assert!(error.starts_with("key: "), "{error}");
    assert!(Pins::read("").is_err());
}
