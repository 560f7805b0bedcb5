use std::sync::LazyLock;

use caa::{Asked, Permission, Property, Scope, decide};
use validation::issue_value::{IssueValue, Parameter};

use super::names::is_shown;

/// CAA records (RFC 8659, INCIDENTS T10): what permits names this authority, and nothing that cannot be read is
/// passed over. A set is the input split at octets of all ones.
pub fn caa(data: &[u8]) {
    value(data);
    let records: Vec<Vec<u8>> = data.split(|octet| *octet == 0xff).map(<[u8]>::to_vec).collect();
    for record in &records {
        let shown = Property::show(record);
        is_shown(&shown);
        assert!(shown.len() < 4096, "{} octets are shown", shown.len());
        if let Ok(property) = Property::read(record) {
            value(&property.value);
        }
    }
    for scope in [Scope::Name, Scope::Wildcard, Scope::Mail] {
        let asked = Asked {
            scope,
            identities: &IDENTITIES,
            account: "https://ca.example/acct/1",
            method: "dns-01",
        };
        let verdict = decide(&records, &asked);
        let reversed: Vec<_> = records.iter().rev().cloned().collect();
        assert_eq!(
            verdict.is_ok(),
            decide(&reversed, &asked).is_ok(),
            "their sequence says nothing"
        );
        let unreadable = [&records[..], &[Vec::new()]].concat();
        assert!(decide(&unreadable, &asked).is_err(), "what cannot be read forbids");
        match verdict {
            Ok(Permission::By(_)) => assert!(records.iter().any(|record| names_us(record)), "{records:?}"),
            Ok(Permission::Unrestricted) => {
                let read: Vec<_> = records
                    .iter()
                    .filter_map(|record| Property::read(record).ok())
                    .collect();
                assert!(read.iter().all(|property| property.tag != scope.tag()), "{records:?}");
            }
            Err(refused) => assert!(!refused.is_empty()),
        }
    }
}

fn names_us(record: &[u8]) -> bool {
    Property::read(record)
        .ok()
        .and_then(|property| IssueValue::parse(&property.value).ok())
        .is_some_and(|value| value.issuer.is_some_and(|issuer| IDENTITIES.contains(&issuer)))
}

/// What follows the grammar is read the same when it is written plainly.
fn value(data: &[u8]) {
    let Ok(value) = IssueValue::parse(data) else { return };
    let parameters = value
        .parameters
        .iter()
        .map(|Parameter { tag, value }| format!("; {tag}={value}"));
    let plain = format!(
        "{}{}",
        value.issuer.as_deref().unwrap_or_default(),
        parameters.collect::<String>()
    );
    assert_eq!(IssueValue::parse(plain.as_bytes()).as_ref(), Ok(&value), "{plain:?}");
}

static IDENTITIES: LazyLock<Vec<String>> =
    LazyLock::new(|| vec!["ca.example".to_owned(), "letters.example".to_owned()]);
