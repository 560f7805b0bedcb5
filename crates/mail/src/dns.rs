//! What the DNS said, as callers bring it here.

use std::collections::BTreeMap;

/// The TXT records of one name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Txt {
    /// Each the concatenation of its strings, in any sequence.
    Records(Vec<String>),
    /// There is no such name, or it has no TXT record.
    Absent,
    /// No answer, or one that says to come again: not the same as none.
    Unavailable,
}

impl Txt {
    /// Of records, of which there may be none.
    pub fn of(records: Vec<String>) -> Self {
        if records.is_empty() {
            Self::Absent
        } else {
            Self::Records(records)
        }
    }
}

/// The TXT records of every name that was asked for so far.
#[derive(Clone, Debug, Default)]
pub struct Answers(BTreeMap<String, Txt>);

impl Answers {
    pub fn insert(&mut self, name: impl Into<String>, answer: Txt) {
        self.0.insert(name.into(), answer);
    }

    pub fn of(&self, name: &str) -> Option<&Txt> {
        self.0.get(name)
    }
}

/// A judgement, or what it needs to know first. Asked again with the answers, it asks for other names or is done; the
/// number of names has a bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step<T> {
    /// Names whose TXT records are wanted.
    Ask(Vec<String>),
    Done(T),
}
