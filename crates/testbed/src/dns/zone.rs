//! What the server answers: defaults, and what a script said about single names.

use std::{
    collections::{HashMap, VecDeque},
    net::{Ipv4Addr, Ipv6Addr},
    sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use domain::{
    base::{Name, Rtype, iana::Class},
    rdata::{
        Caa, Txt,
        caa::{CaaFlags, CaaTag},
    },
};
use serde::Deserialize;

/// Names and their records. A name that is not scripted has the default addresses and nothing else.
pub struct Zone {
    script: RwLock<Script>,
    history: Mutex<VecDeque<Question>>,
}

/// One query that was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    pub name: Name<Vec<u8>>,
    pub rtype: Rtype,
    pub class: Class,
}

/// One CAA property (RFC 8659 §4.1).
#[derive(Clone, Debug, Deserialize)]
pub struct Property {
    /// 128 is "issuer critical".
    #[serde(default)]
    pub flags: u8,
    pub tag: String,
    pub value: String,
}

/// Why something cannot stand in the DNS.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScriptError {
    #[error("{0:?} is not a domain name")]
    Name(String),
    #[error("{0:?} is not a CAA property tag")]
    Tag(String),
    #[error("the value does not fit into a record")]
    TooLong,
}

impl Zone {
    /// The address of every name without an A record of its own; `None` answers with no data.
    pub fn set_default_ipv4(&self, address: Option<Ipv4Addr>) {
        self.write().default_ipv4 = address;
    }

    /// The address of every name without an AAAA record of its own; `None`, as at the start, answers with no data.
    pub fn set_default_ipv6(&self, address: Option<Ipv6Addr>) {
        self.write().default_ipv6 = address;
    }

    pub fn add_a(&self, host: &str, addresses: &[Ipv4Addr]) -> Result<(), ScriptError> {
        self.change(host, |records| records.a.extend_from_slice(addresses))
    }

    pub fn clear_a(&self, host: &str) -> Result<(), ScriptError> {
        self.change(host, |records| records.a.clear())
    }

    pub fn add_aaaa(&self, host: &str, addresses: &[Ipv6Addr]) -> Result<(), ScriptError> {
        self.change(host, |records| records.aaaa.extend_from_slice(addresses))
    }

    pub fn clear_aaaa(&self, host: &str) -> Result<(), ScriptError> {
        self.change(host, |records| records.aaaa.clear())
    }

    pub fn add_txt(&self, host: &str, value: &str) -> Result<(), ScriptError> {
        let txt = Txt::build_from_slice(value.as_bytes()).map_err(|_| ScriptError::TooLong)?;
        self.change(host, |records| records.txt.push(txt))
    }

    pub fn clear_txt(&self, host: &str) -> Result<(), ScriptError> {
        self.change(host, |records| records.txt.clear())
    }

    pub fn add_caa(&self, host: &str, properties: &[Property]) -> Result<(), ScriptError> {
        let caa: Vec<_> = properties.iter().map(Property::to_caa).collect::<Result<_, _>>()?;
        self.change(host, |records| records.caa.extend(caa))
    }

    pub fn clear_caa(&self, host: &str) -> Result<(), ScriptError> {
        self.change(host, |records| records.caa.clear())
    }

    pub fn set_cname(&self, host: &str, target: &str) -> Result<(), ScriptError> {
        let target = parse_name(target)?;
        self.change(host, |records| records.cname = Some(target))
    }

    pub fn clear_cname(&self, host: &str) -> Result<(), ScriptError> {
        self.change(host, |records| records.cname = None)
    }

    /// Every query for the name fails, also when a CNAME leads to it.
    pub fn set_servfail(&self, host: &str) -> Result<(), ScriptError> {
        self.change(host, |records| records.servfail = true)
    }

    pub fn clear_servfail(&self, host: &str) -> Result<(), ScriptError> {
        self.change(host, |records| records.servfail = false)
    }

    /// The queries for a name, oldest first, of the last [`HISTORY`] that the server saw.
    pub fn history(&self, host: &str) -> Result<Vec<Question>, ScriptError> {
        let name = parse_name(host)?;
        Ok(self
            .lock_history()
            .iter()
            .filter(|question| question.name == name)
            .cloned()
            .collect())
    }

    pub fn clear_history(&self, host: &str) -> Result<(), ScriptError> {
        let name = parse_name(host)?;
        self.lock_history().retain(|question| question.name != name);
        Ok(())
    }

    pub(super) fn remember(&self, question: Question) {
        let mut history = self.lock_history();
        if history.len() == HISTORY {
            history.pop_front();
        }
        history.push_back(question);
    }

    pub(super) fn read(&self) -> RwLockReadGuard<'_, Script> {
        self.script.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, host: &str, change: impl FnOnce(&mut Records)) -> Result<(), ScriptError> {
        let name = parse_name(host)?;
        let mut script = self.write();
        let mut records = script.names.remove(&name).unwrap_or_default();
        change(&mut records);
        if records != Records::default() {
            script.names.insert(name, records);
        }
        Ok(())
    }

    fn write(&self) -> RwLockWriteGuard<'_, Script> {
        self.script.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_history(&self) -> MutexGuard<'_, VecDeque<Question>> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Zone {
    /// 127.0.0.1 for every name, and no IPv6: responders on a test machine listen on IPv4.
    fn default() -> Self {
        Self {
            script: RwLock::new(Script {
                names: HashMap::new(),
                default_ipv4: Some(Ipv4Addr::LOCALHOST),
                default_ipv6: None,
            }),
            history: Mutex::new(VecDeque::with_capacity(HISTORY)),
        }
    }
}

/// All that was scripted. `Name` compares without regard to case (RFC 4343), and so does the map.
pub(super) struct Script {
    pub(super) names: HashMap<Name<Vec<u8>>, Records>,
    pub(super) default_ipv4: Option<Ipv4Addr>,
    pub(super) default_ipv6: Option<Ipv6Addr>,
}

/// The records of one name.
#[derive(Default, PartialEq)]
pub(super) struct Records {
    pub(super) a: Vec<Ipv4Addr>,
    pub(super) aaaa: Vec<Ipv6Addr>,
    pub(super) txt: Vec<Txt<Vec<u8>>>,
    pub(super) caa: Vec<Caa<Vec<u8>>>,
    pub(super) cname: Option<Name<Vec<u8>>>,
    pub(super) servfail: bool,
}

impl Property {
    fn to_caa(&self) -> Result<Caa<Vec<u8>>, ScriptError> {
        let tag = CaaTag::from_octets(self.tag.clone().into_bytes()).map_err(|_| ScriptError::Tag(self.tag.clone()))?;
        Caa::try_new(CaaFlags::new(self.flags), tag, self.value.clone().into_bytes()).map_err(|_| ScriptError::TooLong)
    }
}

fn parse_name(host: &str) -> Result<Name<Vec<u8>>, ScriptError> {
    if host.is_empty() {
        return Err(ScriptError::Name(host.to_owned()));
    }
    Name::vec_from_str(host).map_err(|_| ScriptError::Name(host.to_owned()))
}

/// Queries that are remembered: enough for any test, and a bound for a bench of hours.
pub const HISTORY: usize = 4096;
