//! What was found, and what it means for a proof by mail.

use mail::message::address::Mailbox;
use serde_json::{Value, json};

/// From good to bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    Ok,
    Attention,
    WouldNotWork,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub about: &'static str,
    pub verdict: Verdict,
    pub says: String,
    /// What to do about it.
    pub remedy: Option<String>,
}

#[derive(Clone, Debug)]
pub struct Report {
    pub mailbox: Mailbox,
    pub findings: Vec<Finding>,
    /// How a message of the mailbox would count, if there is one.
    pub levels: Option<Levels>,
}

/// Whether a signature counts at each level of an authority's strictness.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Levels {
    pub essential: bool,
    pub present: bool,
    pub strict: bool,
}

impl Finding {
    pub fn ok(about: &'static str, says: impl Into<String>) -> Self {
        Self {
            about,
            verdict: Verdict::Ok,
            says: says.into(),
            remedy: None,
        }
    }

    pub fn attention(about: &'static str, says: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            about,
            verdict: Verdict::Attention,
            says: says.into(),
            remedy: Some(remedy.into()),
        }
    }

    pub fn would_not_work(about: &'static str, says: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::WouldNotWork,
            ..Self::attention(about, says, remedy)
        }
    }

    /// Nobody could judge while the DNS is silent, neither here nor at an authority.
    pub fn silent(about: &'static str, name: &str) -> Self {
        let says = format!("the DNS gives no answer about {name}");
        Self::would_not_work(about, says, "look again later, or mend the name's servers")
    }

    fn line(&self) -> String {
        let Self { about, says, .. } = self;
        let verdict = self.verdict.in_words();
        match &self.remedy {
            None => format!("{verdict:<14}  {about}: {says}"),
            Some(remedy) => format!("{verdict:<14}  {about}: {says}; {remedy}"),
        }
    }
}

impl Verdict {
    fn in_words(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Attention => "attention",
            Self::WouldNotWork => "would not work",
        }
    }
}

impl Report {
    pub fn works(&self) -> bool {
        self.findings
            .iter()
            .all(|finding| finding.verdict != Verdict::WouldNotWork)
    }

    /// A line a finding, then the sum of them.
    pub fn lines(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.findings.iter().map(Finding::line).collect();
        let mailbox = &self.mailbox;
        lines.push(match (self.works(), self.levels.is_some()) {
            (true, true) => format!("a reply by mail from {mailbox} would work"),
            (true, false) => format!(
                "nothing in the DNS is against a reply by mail from {mailbox}; whether its mail is signed as it must be, \
                 --message FILE shows"
            ),
            (false, _) => format!("a reply by mail from {mailbox} would not work"),
        });
        lines
    }

    pub fn json(&self) -> Value {
        let findings: Vec<Value> = self
            .findings
            .iter()
            .map(|finding| {
                json!({
                    "about": finding.about,
                    "verdict": finding.verdict.in_words(),
                    "says": finding.says,
                    "remedy": finding.remedy,
                })
            })
            .collect();
        let levels = self
            .levels
            .map(|levels| json!({"essential": levels.essential, "present": levels.present, "strict": levels.strict}));
        json!({"mailbox": self.mailbox.to_string(), "works": self.works(), "levels": levels, "findings": findings})
    }
}
