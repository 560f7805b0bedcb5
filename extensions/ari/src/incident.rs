//! Incidents: certificates that must be replaced before their time, marked by the operator (INCIDENTS T29).
//!
//! An incident affects what its rule describes, and every serial number that it lists. A list may be long: each serial is
//! a record of its own, found by its key, so that what it costs to ask about a certificate does not depend on it.

use acme::Window;
use authority::{
    Authority, Failure, Refusal,
    model::{AccountId, CertificateRecord, Record, RecordChange},
    ports::{Change, Committed, Store},
};
use jiff::Timestamp;
use pkix::certificate::Serial;
use serde::{Deserialize, Serialize};

use crate::window;

/// What has happened, as far as subscribers are told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    /// The operator's word for it.
    pub name: String,
    pub declared: Timestamp,
    pub window: Window,
    /// A page for the subscribers concerned.
    pub explanation_url: String,
    /// Affected beside the serials that are listed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<Rule>,
    /// It counts no more, and its list is being taken away.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub withdrawn: bool,
}

/// Certificates by what they have in common; everything that is named must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountId>,
    /// SHA-256 of SubjectPublicKeyInfo.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_sha256: Option<[u8; 32]>,
    /// Issued at or after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// Issued before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

impl Rule {
    fn holds_for(&self, record: &CertificateRecord) -> bool {
        *self != Self::default()
            && self.account.is_none_or(|account| account == record.account)
            && self.key_sha256.is_none_or(|key| key == record.key_sha256)
            && self.from.is_none_or(|from| from <= record.planned)
            && self.until.is_none_or(|until| record.planned < until)
    }
}

/// What an operator says of a new incident.
#[derive(Clone, Debug)]
pub struct Declaration {
    pub name: String,
    /// Without one: at once.
    pub window: Option<Window>,
    pub explanation_url: String,
    pub rule: Option<Rule>,
    pub serials: Vec<Serial>,
}

/// Declares an incident; what it lists counts from its first serial on. One that broke off is finished by [`extend`].
pub async fn declare(authority: &Authority, declaration: Declaration) -> Result<Incident, Failure> {
    let Declaration {
        name,
        window,
        explanation_url,
        rule,
        serials,
    } = declaration;
    if name.is_empty() || name.len() > LONGEST_NAME || !name.bytes().all(is_name_octet) {
        let why = format!("{name:?} is no name for an incident: 1 to {LONGEST_NAME} letters, digits, '-', '_' and '.'");
        return Err(Refusal::Malformed(why).into());
    }
    if !explanation_url.starts_with("https://") && !explanation_url.starts_with("http://") {
        let why = format!("{explanation_url:?} is no page that explains the incident; give a URL with https://");
        return Err(Refusal::Malformed(why).into());
    }
    if rule.as_ref().is_none_or(|rule| *rule == Rule::default()) && serials.is_empty() {
        let why = "an incident without serials, key, account or time of issuance affects nothing; name some";
        return Err(Refusal::Malformed(why.into()).into());
    }
    let declared = authority.now();
    let incident = Incident {
        window: window.unwrap_or_else(|| window::passed(declared)),
        name,
        declared,
        explanation_url,
        rule,
        withdrawn: false,
    };
    if !incident.window.is_valid() {
        let why = format!(
            "the window ends at {}, before it begins at {}",
            incident.window.end, incident.window.start
        );
        return Err(Refusal::Malformed(why).into());
    }
    let create = RecordChange::Create(Record::new(KIND, &incident.name, &incident));
    if commit(authority.store(), vec![create]).await? == Committed::Conflict {
        let why = format!("there is an incident {:?} already", incident.name);
        return Err(Refusal::Malformed(why).into());
    }
    list_serials(authority.store(), &incident, &serials).await?;
    Ok(incident)
}

/// Adds serials to an incident's list. Those that are on it already stay.
pub async fn extend(authority: &Authority, name: &str, serials: &[Serial]) -> Result<(), Failure> {
    let (_, incident) = read(authority.store(), name).await?;
    if incident.withdrawn {
        let why = format!("the incident {name:?} is withdrawn; declare another");
        return Err(Refusal::Malformed(why).into());
    }
    list_serials(authority.store(), &incident, serials).await
}

/// Every incident, by name.
pub async fn list(authority: &Authority) -> Result<Vec<Incident>, Failure> {
    all(authority.store()).await
}

/// Its certificates are renewed in their own time again. May be repeated after it broke off.
pub async fn withdraw(authority: &Authority, name: &str) -> Result<(), Failure> {
    let store = authority.store();
    let incident = loop {
        let (record, incident) = read(store, name).await?;
        let withdrawn = Incident {
            withdrawn: true,
            ..incident
        };
        if commit(store, vec![RecordChange::Update(record.with(&withdrawn))]).await? == Committed::Done {
            break withdrawn;
        }
    };
    let mut after = String::new();
    loop {
        let page = store.records(LISTED, Some(owner(&incident)), &after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = last.key.clone();
        // Two incidents of one second have one owner.
        let own = page.iter().filter(|record| incident_of(&record.key) == Some(name));
        let deleted: Vec<_> = own.map(RecordChange::delete).collect();
        if !deleted.is_empty() && commit(store, deleted).await? == Committed::Conflict {
            after.clear();
        }
    }
    let (record, _) = read(store, name).await?;
    commit(store, vec![RecordChange::delete(&record)]).await?;
    Ok(())
}

/// The incidents that a certificate is affected by.
pub(crate) async fn affecting(store: &dyn Store, record: &CertificateRecord) -> Result<Vec<Incident>, Failure> {
    let incidents = all(store).await?;
    if incidents.is_empty() {
        return Ok(incidents);
    }
    let listed_by = listed_by(store, &record.serial).await?;
    let affects = |incident: &Incident| {
        let by_rule = incident.rule.as_ref().is_some_and(|rule| rule.holds_for(record));
        !incident.withdrawn && (by_rule || listed_by.contains(&incident.name))
    };
    Ok(incidents.into_iter().filter(affects).collect())
}

/// The names of the incidents that list a serial.
async fn listed_by(store: &dyn Store, serial: &Serial) -> Result<Vec<String>, Failure> {
    let prefix = format!("{serial}/");
    let (mut after, mut names) = (prefix.clone(), Vec::new());
    loop {
        // A serial is on one list, seldom on more: few are read that are another's.
        let page = store.records(LISTED, None, &after, 4).await?;
        for record in &page {
            match record.key.strip_prefix(&prefix) {
                Some(name) => names.push(name.to_owned()),
                None => return Ok(names),
            }
        }
        match page.last() {
            Some(last) => after = last.key.clone(),
            None => return Ok(names),
        }
    }
}

async fn all(store: &dyn Store) -> Result<Vec<Incident>, Failure> {
    let (mut after, mut incidents) = (String::new(), Vec::new());
    loop {
        let page = store.records(KIND, None, &after, PAGE).await?;
        for record in &page {
            incidents.push(record.read()?);
        }
        match page.last() {
            Some(last) if page.len() == PAGE => after = last.key.clone(),
            _ => return Ok(incidents),
        }
    }
}

async fn read(store: &dyn Store, name: &str) -> Result<(Record, Incident), Failure> {
    let record = store.record(KIND, name).await?;
    let record = record.ok_or_else(|| Refusal::Malformed(format!("there is no incident {name:?}")))?;
    let incident = record.read()?;
    Ok((record, incident))
}

async fn list_serials(store: &dyn Store, incident: &Incident, serials: &[Serial]) -> Result<(), Failure> {
    let entry = |serial: &Serial| {
        let key = format!("{serial}/{}", incident.name);
        Record::new(LISTED, key, &()).owned_by(owner(incident))
    };
    let mut serials: Vec<_> = serials.iter().collect();
    serials.sort_unstable();
    serials.dedup();
    for page in serials.chunks(PAGE) {
        let create: Vec<_> = page.iter().map(|serial| RecordChange::Create(entry(serial))).collect();
        if commit(store, create).await? == Committed::Done {
            continue;
        }
        // Some are on the list already: one by one.
        for serial in page {
            commit(store, vec![RecordChange::Create(entry(serial))]).await?;
        }
    }
    Ok(())
}

async fn commit(store: &dyn Store, records: Vec<RecordChange>) -> Result<Committed, Failure> {
    Ok(store.commit(Change::records(records)).await?)
}

/// By which its list is found again.
fn owner(incident: &Incident) -> u64 {
    incident.declared.as_second().unsigned_abs()
}

fn incident_of(key: &str) -> Option<&str> {
    key.split_once('/').map(|(_, name)| name)
}

fn is_name_octet(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || b"-_.".contains(&octet)
}

const KIND: &str = "incident";
/// One serial of an incident's list; the key is the serial, a slash and the incident's name.
const LISTED: &str = "incident-serial";
const LONGEST_NAME: usize = 100;
const PAGE: usize = 500;
