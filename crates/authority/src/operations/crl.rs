//! Publishing lists of revoked certificates (RFC 5280 §5): what is on them, and when a new one is due.

use std::{collections::BTreeSet, time::Duration};

use aws_lc_rs::digest::{Context, SHA256};
use jiff::{SignedDuration, Timestamp};
use jose::base64url;
use pkix::crl::{Reason, RevokedCertificate};
use serde::{Deserialize, Serialize};

use super::{Authority, later};
use crate::{
    Failure,
    model::{Record, RecordChange, Revoked},
    ports::{Change, Committed, CrlContents, CrlIssuer, StoreError},
};

/// The newest list of a shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishedCrl {
    pub number: u64,
    pub this_update: Timestamp,
    pub next_update: Timestamp,
    pub der: Vec<u8>,
}

/// A record of the kind `crl`, keyed `ISSUER/SHARD`: what has to be known to decide about the next list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Published {
    number: u64,
    this_update: Timestamp,
    next_update: Timestamp,
    /// When the last regular list was published. Whatever had not expired then is still listed.
    regular: Timestamp,
    /// Digest of those of its entries that the next list has too, base64url.
    entries: String,
}

/// A record of the kind `crl-der` beside the other one, always of the same version. It is apart because it is large.
#[derive(Serialize, Deserialize)]
struct Encoded {
    number: u64,
    this_update: Timestamp,
    next_update: Timestamp,
    /// base64url.
    der: String,
}

const CRL: &str = "crl";
const DER: &str = "crl-der";

impl Authority {
    /// Publishes every list that is due. One that fails does not hinder the others; the last failure is told.
    pub async fn publish_crls(&self) -> Result<(), Failure> {
        let mut outcome = Ok(());
        for issuer in self.issuance.crl_issuers(self.now()) {
            for shard in self.shards_of(&issuer).await? {
                if let Err(failure) = self.publish_crl(&issuer, shard).await {
                    tracing::error!(issuer = issuer.name, shard, %failure, "the CRL was not published");
                    outcome = Err(failure);
                }
            }
        }
        outcome
    }

    /// The newest list's number, by which a copy is known to be the newest.
    pub async fn crl_number(&self, issuer: &str, shard: u32) -> Result<Option<u64>, Failure> {
        let record = self.store.record(CRL, &key(issuer, shard)).await?;
        let published: Option<Published> = record.map(|record| record.read()).transpose()?;
        Ok(published.map(|published| published.number))
    }

    pub async fn crl(&self, issuer: &str, shard: u32) -> Result<Option<PublishedCrl>, Failure> {
        let Some(record) = self.store.record(DER, &key(issuer, shard)).await? else {
            return Ok(None);
        };
        let encoded: Encoded = record.read()?;
        let der = base64url::decode(&encoded.der).map_err(|error| StoreError::Corrupt {
            table: "records",
            row: format!("{DER}/{}", record.key),
            what: format!("der: {error}"),
        })?;
        Ok(Some(PublishedCrl {
            number: encoded.number,
            this_update: encoded.this_update,
            next_update: encoded.next_update,
            der,
        }))
    }

    /// Those that certificates are put into, and those that they were put into when there were more (INCIDENTS T30).
    async fn shards_of(&self, issuer: &CrlIssuer) -> Result<BTreeSet<u32>, Failure> {
        let mut shards: BTreeSet<u32> = (0..issuer.shards).collect();
        let prefix = format!("{}/", issuer.name);
        let mut after = prefix.clone();
        loop {
            let records = self.store.records(CRL, None, &after, PAGE).await?;
            let ours = records.iter().map_while(|record| record.key.strip_prefix(&prefix));
            shards.extend(ours.filter_map(|shard| shard.parse::<u32>().ok()));
            match records.last() {
                Some(last) if last.key.starts_with(&prefix) => after = last.key.clone(),
                _ => return Ok(shards),
            }
        }
    }

    async fn publish_crl(&self, issuer: &CrlIssuer, shard: u32) -> Result<(), Failure> {
        let key = key(&issuer.name, shard);
        for _ in 0..MOST_RACES {
            let record = self.store.record(CRL, &key).await?;
            let published: Option<Published> = record.as_ref().map(Record::read).transpose()?;
            let now = self.now();
            let since = kept_since(published.as_ref(), now);
            let revoked = self.store.revoked(&issuer.name, shard, since).await?;
            let Some((next, entries)) = decide(published.as_ref(), revoked, issuer.lifetime, now) else {
                return Ok(());
            };
            let contents = CrlContents {
                shard,
                number: next.number,
                this_update: next.this_update,
                next_update: next.next_update,
                revoked: entries,
            };
            let signed = self.issuance.sign_crl(&issuer.name, contents, now).await;
            let der = signed.map_err(|failure| Failure::Unavailable(failure.to_string()))?;
            let encoded = Encoded {
                number: next.number,
                this_update: next.this_update,
                next_update: next.next_update,
                der: base64url::encode(&der),
            };
            let of_der = Record::new(DER, key.clone(), &encoded);
            let records = match record {
                None => vec![
                    RecordChange::Create(Record::new(CRL, key.clone(), &next)),
                    RecordChange::Create(of_der),
                ],
                Some(record) => {
                    let version = record.version;
                    let of_der = Record { version, ..of_der };
                    vec![RecordChange::Update(record.with(&next)), RecordChange::Update(of_der)]
                }
            };
            // A conflict means that another node published: perhaps nothing is due any more.
            if self.store.commit(Change::records(records)).await? == Committed::Done {
                tracing::info!(issuer = issuer.name, shard, number = next.number, "CRL published");
                return Ok(());
            }
        }
        Err(Failure::Unavailable(format!(
            "the records {CRL}/{key} and {DER}/{key} do not go together; delete both, and a new list is made"
        )))
    }
}

fn key(issuer: &str, shard: u32) -> String {
    format!("{issuer}/{shard}")
}

/// RFC 5280 §3.3: an entry stays until it was on one regular list that was issued after its certificate expired. The
/// regular list before the next one was issued at `regular`; what had not expired then has not been on such a list.
fn kept_since(published: Option<&Published>, now: Timestamp) -> Timestamp {
    match published {
        None => Timestamp::UNIX_EPOCH,
        // A list from a time that the clock has gone back behind must not drop what is not over (INCIDENTS T27, T42).
        Some(published) => published.regular.min(now),
    }
}

/// The next list if one is due: there is none, half of its time has passed, or something was revoked since.
fn decide(
    published: Option<&Published>,
    revoked: Vec<Revoked>,
    lifetime: Duration,
    now: Timestamp,
) -> Option<(Published, Vec<RevokedCertificate>)> {
    let mut revoked = revoked;
    revoked.sort_by(|a, b| a.serial.cmp(&b.serial));
    let last_regular = published.and_then(|published| (!is_regular_due(published, now)).then_some(published.regular));
    if last_regular.is_some() && published.is_some_and(|published| published.entries == digest(&revoked)) {
        return None;
    }
    let regular = last_regular.unwrap_or(now);
    let next = Published {
        // Seconds since 1970 are greater than any number of a copy of the database that is older than a list.
        number: published
            .map_or(1, |published| published.number.saturating_add(1))
            .max(u64::try_from(now.as_second()).unwrap_or_default()),
        this_update: now,
        next_update: later(now, lifetime),
        regular,
        // What is listed for the last time will not be missed: that it goes makes no list due.
        entries: digest(revoked.iter().filter(|revoked| revoked.not_after >= regular)),
    };
    let revoked = revoked.into_iter().map(|revoked| entry(revoked, now));
    Some((next, revoked.collect()))
}

fn is_regular_due(published: &Published, now: Timestamp) -> bool {
    let lifetime = published.next_update.duration_since(published.this_update);
    let half = published.this_update.checked_add(lifetime / 2);
    let from_the_future = published.this_update.duration_since(now) > CLOCKS_DIFFER;
    half.is_ok_and(|half| half <= now) || from_the_future
}

fn entry(revoked: Revoked, now: Timestamp) -> RevokedCertificate {
    let code = revoked.revocation.reason.map(acme::RevocationReason::code);
    RevokedCertificate {
        serial: revoked.serial,
        // Another node's clock may be ahead, and an entry is not from the future.
        revoked: revoked.revocation.at.min(now),
        reason: code.and_then(|code| Reason::from_code(u8::try_from(code).ok()?)),
    }
}

fn digest<'a>(revoked: impl IntoIterator<Item = &'a Revoked>) -> String {
    let mut context = Context::new(&SHA256);
    for Revoked { serial, revocation, .. } in revoked {
        let octets = serial.der_content();
        context.update(&[octets.len() as u8]);
        context.update(octets);
        context.update(&revocation.at.as_second().to_be_bytes());
        context.update(&revocation.reason.map_or(0, acme::RevocationReason::code).to_be_bytes());
    }
    base64url::encode(context.finish().as_ref())
}

/// Clocks of nodes that differ by more than this have one that is wrong.
const CLOCKS_DIFFER: SignedDuration = SignedDuration::from_mins(5);
const PAGE: usize = 1000;
/// After one lost race nothing is due any more; more of them in a row are not races.
const MOST_RACES: usize = 16;

#[cfg(test)]
mod tests {
    use acme::RevocationReason;
    use pkix::certificate::Serial;

    use super::*;
    use crate::model::Revocation;

    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    fn at(days: u32) -> Timestamp {
        let start: Timestamp = "2026-03-01T00:00:00Z".parse().unwrap();
        start.checked_add(DAY * days).unwrap()
    }

    fn revoked(last: u8, reason: Option<RevocationReason>) -> Revoked {
        Revoked {
            serial: Serial::from_random([last; 19]),
            revocation: Revocation { at: at(0), reason },
            not_after: at(90),
        }
    }

    fn publish(published: Option<&Published>, revoked: &[Revoked], now: Timestamp) -> Option<Published> {
        decide(published, revoked.to_vec(), DAY * 7, now).map(|(next, _)| next)
    }

    #[test]
    fn a_list_is_due_when_there_is_none_at_half_of_its_time_and_after_a_revocation() {
        let first = publish(None, &[], at(1)).unwrap();
        assert_eq!(
            (first.this_update, first.next_update, first.regular),
            (at(1), at(8), at(1))
        );
        assert_eq!(publish(Some(&first), &[], at(4)), None);
        let half = publish(Some(&first), &[], at(5)).unwrap();
        assert_eq!((half.this_update, half.regular), (at(5), at(5)));
        let extra = publish(Some(&first), &[revoked(1, None)], at(2)).unwrap();
        assert_eq!((extra.this_update, extra.regular), (at(2), at(1)), "not a regular one");
        assert_eq!(publish(Some(&extra), &[revoked(1, None)], at(3)), None);
        let reason = Some(RevocationReason::KeyCompromise);
        assert!(
            publish(Some(&extra), &[revoked(1, reason)], at(3)).is_some(),
            "the reason changed"
        );
    }

    // T27
    #[test]
    fn t27_numbers_grow_whatever_the_clock_does() {
        let first = publish(None, &[], at(100)).unwrap();
        let back = publish(Some(&first), &[], at(1)).unwrap();
        assert_eq!(back.number, first.number + 1);
        let again = publish(Some(&back), &[revoked(1, None)], at(1)).unwrap();
        assert_eq!(again.number, back.number + 1);
        // A copy of the database from before `first` numbers its next list after `first` all the same.
        assert!(publish(None, &[], at(101)).unwrap().number > first.number);
    }

    // T42
    #[test]
    fn t42_a_list_from_the_future_is_replaced_and_drops_nothing() {
        let future = publish(None, &[revoked(1, None)], at(100)).unwrap();
        assert_eq!(kept_since(Some(&future), at(1)), at(1));
        let (next, entries) = decide(Some(&future), vec![revoked(1, None)], DAY * 7, at(1)).unwrap();
        assert_eq!((next.this_update, next.regular, entries.len()), (at(1), at(1), 1));
    }

    #[test]
    fn entries_are_sorted_not_from_the_future_and_have_a_reason_only_if_there_is_one() {
        let early = Revoked {
            revocation: Revocation {
                at: at(9),
                reason: None,
            },
            ..revoked(1, None)
        };
        let unspecified = Some(RevocationReason::Unspecified);
        let compromise = Some(RevocationReason::KeyCompromise);
        let unsorted = vec![revoked(3, unspecified), revoked(2, compromise), early];
        let (_, entries) = decide(None, unsorted, DAY * 7, at(5)).unwrap();
        assert!(entries.is_sorted_by(|a, b| a.serial < b.serial));
        assert_eq!(entries[0].revoked, at(5));
        let reasons: Vec<_> = entries.iter().map(|entry| entry.reason).collect();
        assert_eq!(reasons, [None, Some(Reason::KeyCompromise), None]);
    }
}
