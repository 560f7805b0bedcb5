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
        match findings(&to_be_signed, context) {
            None => Ok(Self(to_be_signed)),
            Some(findings) => Err(IssuanceFailure::Refused(format!(
                "the certificate would not be right: {findings}"
            ))),
        }
    }

    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

/// What is wrong with to-be-signed bytes, in a line.
pub(crate) fn findings(to_be_signed: &[u8], context: &LintContext<'_>) -> Option<String> {
    let findings = lint::lint(to_be_signed, context);
    let findings: Vec<_> = findings
        .iter()
        .map(|finding| format!("{}: {}", finding.rule, finding.detail))
        .collect();
    (!findings.is_empty()).then(|| findings.join("; "))
}
