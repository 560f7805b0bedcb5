//! The members of answers that a load needs, borrowed from the answer's bytes.

use std::borrow::Cow;

use serde::Deserialize;

#[derive(Deserialize)]
pub(super) struct OrderView<'a> {
    #[serde(borrow)]
    pub(super) status: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) authorizations: Vec<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) finalize: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) certificate: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) error: Option<ProblemView<'a>>,
}

#[derive(Deserialize)]
pub(super) struct AuthorizationView<'a> {
    #[serde(borrow)]
    pub(super) status: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(super) challenges: Vec<ChallengeView<'a>>,
}

#[derive(Deserialize)]
pub(super) struct ChallengeView<'a> {
    #[serde(borrow, rename = "type")]
    pub(super) kind: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) url: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) status: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) token: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) error: Option<ProblemView<'a>>,
}

#[derive(Deserialize)]
pub(super) struct ProblemView<'a> {
    #[serde(borrow, rename = "type", default)]
    pub(super) kind: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(super) detail: Cow<'a, str>,
}

impl ProblemView<'_> {
    /// The last part of the type: `badNonce`.
    pub(super) fn name(&self) -> &str {
        self.kind.rsplit(':').next().unwrap_or_default()
    }
}
