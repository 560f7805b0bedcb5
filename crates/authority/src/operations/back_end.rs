//! Issuers that are not ours: told of orders, asked for certificates, told again when nothing will come of one.
//!
//! What they are owed stands in a record (`backend`) that is there before they hear of an order and goes when nothing is
//! owed any more, so that a crash at whatever place leaves a question that is asked again, and no order of theirs that
//! nobody remembers.

use std::{sync::Arc, time::Duration};

use acme::{OrderStatus, Problem, ProblemType, RevocationReason};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Authority, finalize::sha256, later, returned};
use crate::{
    Failure, Refusal,
    model::{CertificateId, CertificateRecord, CertificateState, Order, OrderId, Record, RecordChange},
    ports::{
        Answer, BackEnd, BackEndFailure, BackEndRequest, BoxFuture, Change, Committed, FirstCsr, Notes, Returned,
        Subject,
    },
};

/// What a back end has been told of.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Errand {
    issuer: String,
    order: u64,
    /// It does not want to be asked again before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ask_after: Option<Timestamp>,
    /// What it noted itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

impl Authority {
    /// Tells the back end of an order that is about to be made, if it has one and brought its CSR. What is returned must
    /// be committed with the order.
    pub(super) async fn submit(&self, order: &Order, first: &FirstCsr) -> Result<Vec<RecordChange>, Failure> {
        let issuer = self.issuance.issuer_of(&order.profile);
        let Some((issuer, back_end)) =
            issuer.and_then(|issuer| Some((issuer.clone(), self.issuance.back_end(&issuer)?)))
        else {
            return Ok(Vec::new());
        };
        let id = CertificateId { order: order.id, n: 0 };
        // First the note, then the word: whatever happens between them, the back end is told that nothing came of it.
        let errand = self.errand(id, issuer);
        let noted = self.records(vec![RecordChange::Create(errand.clone())]).await?;
        if noted == Committed::Conflict {
            return Err(Failure::Unavailable(format!(
                "order {}: its number was used before",
                order.id
            )));
        }
        match back_end.submit(&self.request(id, order, &first.der)).await {
            Ok(()) => {
                let due = order.expires.min(later(self.now(), LOOK_AFTER));
                Ok(vec![RecordChange::Update(errand.due_at(due))])
            }
            Err(BackEndFailure::Refused(why)) => {
                self.records(vec![RecordChange::delete(&errand)]).await?;
                Err(Refusal::BadCsr(format!("the issuer behind this server refuses the CSR: {why}")).into())
            }
            Err(BackEndFailure::Unavailable(why)) => Err(Failure::Unavailable(format!("{}: {why}", errand.key))),
        }
    }

    /// The record that must stand beside a PLAN of a back end's, if there is none yet.
    pub(super) async fn errand_of_plan(&self, record: &CertificateRecord) -> Result<Vec<RecordChange>, Failure> {
        if self.issuance.back_end(&record.issuer).is_none() {
            return Ok(Vec::new());
        }
        match self.store.record(KIND, &self.back_end_key(record.id)).await? {
            Some(_) => Ok(Vec::new()),
            None => Ok(vec![RecordChange::Create(
                self.errand(record.id, record.issuer.clone()),
            )]),
        }
    }

    /// Asks for a planned certificate until the answer is there, or this node's lease on the record ends.
    pub(super) async fn ask(&self, record: Arc<CertificateRecord>, back_end: Arc<dyn BackEnd>) {
        let CertificateState::Planned { lease } = record.state else {
            return;
        };
        loop {
            match self.ask_once(&record, &*back_end).await {
                Ok(None) => return,
                Ok(Some(pause)) => {
                    if later(self.runtime.now(), pause) >= lease {
                        // Whoever claims the record next goes on.
                        return;
                    }
                    self.runtime.sleep(pause).await;
                }
                Err(failure) => {
                    tracing::error!(order = %record.id.order, %failure, "the back end was not asked");
                    return;
                }
            }
        }
    }

    /// `Some`: ask again after this time.
    async fn ask_once(&self, record: &CertificateRecord, back_end: &dyn BackEnd) -> Result<Option<Duration>, Failure> {
        let key = self.back_end_key(record.id);
        if record.revoked.is_some() {
            self.fail(record, "it was revoked before it was issued".to_owned())
                .await?;
            return Ok(None);
        }
        if let Some(errand) = self.store.record(KIND, &key).await?
            && let Some(after) = errand.read::<Errand>()?.ask_after
            && let Ok(pause) = Duration::try_from(after.duration_since(self.runtime.now()))
            && !pause.is_zero()
        {
            return Ok(Some(pause));
        }
        let Some(facts) = self.store.order(record.id.order).await? else {
            return Err(Failure::Unavailable(format!("order {} is gone", record.id.order)));
        };
        let request = self.request(record.id, &facts.order, &record.to_be_signed);
        let notes = ErrandNotes {
            authority: self,
            key: &key,
        };
        let answer = back_end.issue(&request, &notes).await;
        match answer {
            Ok(Answer::Chain(chain)) => match self.look_at(record, &facts.order, &chain) {
                Ok(returned) => return self.adopt(record, returned, &key, back_end).await,
                Err(why) => {
                    // The one trace of it: nothing else is kept of what is not a certificate for this order.
                    let chain: String = chain.iter().map(|der| pkix::pem::encode_certificate(der)).collect();
                    tracing::error!(order = %record.id.order, %key, %why, %chain, "not published");
                    let why = "what the issuer returned is not a certificate for this order; place a new order";
                    self.fail(record, why.to_owned()).await?;
                }
            },
            Ok(Answer::Later(pause)) => {
                let pause = pause.clamp(SHORTEST_PAUSE, LONGEST_PAUSE);
                self.remember_pause(&key, pause).await?;
                return Ok(Some(pause));
            }
            Err(BackEndFailure::Refused(why)) => {
                tracing::warn!(order = %record.id.order, %key, %why, "the back end refused");
                self.fail(record, format!("the issuer behind this server refused: {why}"))
                    .await?;
            }
            Err(BackEndFailure::Unavailable(why)) => {
                tracing::error!(order = %record.id.order, %key, %why, "the back end did not answer");
                return Ok(Some(RETRY));
            }
        }
        Ok(None)
    }

    /// For whoever claims the record after a crash, or the lease after this one.
    async fn remember_pause(&self, key: &str, pause: Duration) -> Result<(), Failure> {
        if let Some(record) = self.store.record(KIND, key).await? {
            let mut errand: Errand = record.read()?;
            errand.ask_after = Some(later(self.runtime.now(), pause));
            // A conflict only means that it is asked once more than it wanted.
            self.records(vec![RecordChange::Update(record.with(&errand))]).await?;
        }
        Ok(())
    }

    fn look_at(&self, record: &CertificateRecord, order: &Order, chain: &[Vec<u8>]) -> Result<Returned, String> {
        let returned = self.issuance.admit_returned(record, chain, self.runtime.now())?;
        returned::is_for(&returned.leaf, record, order, &self.registry)?;
        Ok(returned)
    }

    /// `Some`: ask again after this time.
    async fn adopt(
        &self,
        record: &CertificateRecord,
        returned: Returned,
        key: &str,
        back_end: &dyn BackEnd,
    ) -> Result<Option<Duration>, Failure> {
        let adopt = Change::Adopt {
            id: record.id,
            version: record.version,
            serial: returned.leaf.serial().clone(),
            not_after: returned.leaf.not_after(),
            certificate: returned.leaf.der().to_vec(),
        };
        let chain = returned::chain_record(record.id, &returned.above);
        if self.store.commit(adopt.and(vec![RecordChange::Create(chain)])).await? == Committed::Done {
            self.changes.changed(Subject::Order(record.id.order));
            return Ok(None);
        }
        let serial = returned.leaf.serial();
        let Some(now) = self.store.certificate(record.id).await? else {
            return Ok(None);
        };
        if now.version == record.version {
            tracing::error!(order = %record.id.order, %serial, "not published: another order has this certificate");
            let why = "what the issuer returned belongs to another order; place a new order";
            self.fail(record, why.to_owned()).await?;
        } else if let Some(revocation) = now.revoked
            && !matches!(now.state, CertificateState::Issued { .. })
        {
            // Revoked while it was made: nobody will ever see it here, so it is revoked where it was made.
            tracing::warn!(order = %record.id.order, %serial, "issued after it was revoked");
            match back_end.revoke(key, returned.leaf.der(), revocation.reason).await {
                Ok(()) => {}
                Err(BackEndFailure::Refused(why)) => {
                    tracing::error!(order = %record.id.order, %serial, %why, "its issuer does not revoke it");
                }
                Err(BackEndFailure::Unavailable(why)) => {
                    tracing::error!(order = %record.id.order, %serial, %why, "its issuer is told again");
                    return Ok(Some(RETRY));
                }
            }
        }
        Ok(None)
    }

    async fn fail(&self, record: &CertificateRecord, why: String) -> Result<(), Failure> {
        let abandon = Change::Abandon {
            id: record.id,
            version: record.version,
            problem: Problem::new(ProblemType::ServerInternal, why),
        };
        if self.store.commit(abandon).await? == Committed::Done {
            self.changes.changed(Subject::Order(record.id.order));
        }
        Ok(())
    }

    /// Looks after up to `limit` orders that back ends know of: those that came to nothing are abandoned.
    pub(super) async fn run_errands(&self, limit: usize) -> Result<(), Failure> {
        for record in self.store.due_records(KIND, self.runtime.now(), limit).await? {
            let authority = self.clone();
            self.runtime.spawn(Box::pin(async move {
                let key = record.key.clone();
                if let Err(failure) = authority.run_errand(record).await {
                    tracing::warn!(%key, %failure, "a back end is owed a word; it is tried again");
                }
            }));
        }
        Ok(())
    }

    async fn run_errand(&self, mut record: Record) -> Result<(), Failure> {
        let errand: Errand = record.read()?;
        // Taken before anything is looked at: an order that is made meanwhile is refused by this version.
        record.due = Some(later(self.runtime.now(), LOOK_AFTER));
        if self.records(vec![RecordChange::Update(record.clone())]).await? == Committed::Conflict {
            return Ok(());
        }
        record.version += 1;
        let now = self.now();
        let facts = self.store.order(OrderId(errand.order)).await?;
        let change = match facts.as_ref().map(|facts| facts.status(now)) {
            Some(OrderStatus::Valid) => RecordChange::delete(&record),
            None | Some(OrderStatus::Invalid) => match self.abandon(&errand.issuer, &record.key).await {
                Ok(()) => RecordChange::delete(&record),
                Err(why) => {
                    tracing::warn!(key = %record.key, %why, "the back end does not know yet that an order is abandoned");
                    RecordChange::Update(record.due_at(later(now, RETRY)))
                }
            },
            Some(OrderStatus::Pending | OrderStatus::Ready | OrderStatus::Processing) => return Ok(()),
        };
        self.records(vec![change]).await.map(drop)
    }

    async fn abandon(&self, issuer: &str, key: &str) -> Result<(), String> {
        let back_end = self.issuance.back_end(issuer);
        let back_end = back_end.ok_or_else(|| format!("the issuer {issuer:?} is not configured any more"))?;
        match back_end.abandon(key).await {
            Ok(()) => Ok(()),
            Err(BackEndFailure::Refused(why)) => {
                tracing::warn!(%key, %why, "the back end keeps an order that was abandoned");
                Ok(())
            }
            Err(BackEndFailure::Unavailable(why)) => Err(why),
        }
    }

    /// Before a revocation is on record: what is not revoked where it was issued is not revoked.
    pub(super) async fn revoke_at_back_end(
        &self,
        record: &CertificateRecord,
        reason: Option<RevocationReason>,
    ) -> Result<(), Failure> {
        let CertificateState::Issued { certificate } = &record.state else {
            return Ok(());
        };
        let Some(back_end) = self.issuance.back_end(&record.issuer) else {
            return Ok(());
        };
        let key = self.back_end_key(record.id);
        let revoked = back_end.revoke(&key, certificate, reason).await;
        revoked.map_err(|failure| match failure {
            BackEndFailure::Refused(why) => {
                Refusal::Unauthorized(format!("the issuer behind this server does not revoke it: {why}")).into()
            }
            BackEndFailure::Unavailable(why) => Failure::Unavailable(why),
        })
    }

    fn request(&self, id: CertificateId, order: &Order, csr: &[u8]) -> BackEndRequest {
        BackEndRequest {
            key: self.back_end_key(id),
            directory: self.policy.directory.clone(),
            profile: order.profile.clone(),
            identifiers: order.identifiers.clone(),
            csr: csr.to_vec(),
            csr_sha256: sha256(csr),
            not_before: order.not_before,
            not_after: order.not_after,
        }
    }

    /// Numbers begin at one in every database; the instance does not.
    fn back_end_key(&self, id: CertificateId) -> String {
        format!("{}.{}.{}", self.policy.instance, id.order.0, id.n)
    }

    fn errand(&self, id: CertificateId, issuer: String) -> Record {
        let errand = Errand {
            issuer,
            order: id.order.0,
            ask_after: None,
            note: None,
        };
        Record::new(KIND, self.back_end_key(id), &errand).due_at(later(self.now(), LOOK_AFTER))
    }

    async fn records(&self, records: Vec<RecordChange>) -> Result<Committed, Failure> {
        Ok(self.store.commit(Change::records(records)).await?)
    }
}

/// The errand's own note.
struct ErrandNotes<'a> {
    authority: &'a Authority,
    key: &'a str,
}

impl ErrandNotes<'_> {
    async fn errand(&self) -> Result<(Record, Errand), Failure> {
        let record = self.authority.store.record(KIND, self.key).await?;
        let record = record.ok_or_else(|| Failure::Unavailable(format!("{}: nothing is owed any more", self.key)))?;
        let errand = record.read()?;
        Ok((record, errand))
    }

    async fn write_once(&self, note: &str) -> Result<(), Failure> {
        let (record, mut errand) = self.errand().await?;
        let is_first = errand.note.replace(note.to_owned()).is_none();
        let update = vec![RecordChange::Update(record.with(&errand))];
        if is_first && self.authority.records(update).await? == Committed::Done {
            return Ok(());
        }
        Err(Failure::Unavailable(format!("{}: somebody else has begun", self.key)))
    }
}

impl Notes for ErrandNotes<'_> {
    fn read(&self) -> BoxFuture<'_, Result<Option<String>, BackEndFailure>> {
        Box::pin(async move { self.errand().await.map(|(_, errand)| errand.note).map_err(away) })
    }

    fn write<'a>(&'a self, note: &'a str) -> BoxFuture<'a, Result<(), BackEndFailure>> {
        Box::pin(async move { self.write_once(note).await.map_err(away) })
    }
}

fn away(failure: Failure) -> BackEndFailure {
    BackEndFailure::Unavailable(failure.to_string())
}

const KIND: &str = "backend";
/// How soon a back end hears that an order came to nothing; longer than any submit takes.
const LOOK_AFTER: Duration = Duration::from_secs(10 * 60);
const RETRY: Duration = Duration::from_secs(10);
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(24 * 60 * 60);
