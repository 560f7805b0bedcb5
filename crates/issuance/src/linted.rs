//! Lint before signature, bound by type: nothing else can be signed.

use authority::ports::IssuanceFailure;
use pkix::lint::{self, LintContext};

use crate::Issuer;

/// To-be-signed bytes without findings under one issuer. [`Issuer::sign`] takes nothing else.
pub struct Linted(Vec<u8>);

impl Linted {
    pub fn new(to_be_signed: Vec<u8>, issuer: &Issuer) -> Result<Self, IssuanceFailure> {
        Self::in_context(to_be_signed, &issuer.lint_context())
    }

    pub fn in_context(to_be_signed: Vec<u8>, context: &LintContext<'_>) -> Result<Self, IssuanceFailure> {
        let findings = lint::lint(&to_be_signed, context);
        if findings.is_empty() {
            return Ok(Self(to_be_signed));
        }
        let findings: Vec<_> = findings
            .iter()
            .map(|finding| format!("{}: {}", finding.rule, finding.detail))
            .collect();
        Err(IssuanceFailure::Refused(format!(
            "the certificate would not be right: {}",
            findings.join("; ")
        )))
    }

    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}
