//! `vidimus ca revoke`: certificates, by the operator.

use clap::Args;
use jiff::Timestamp;
use serde_json::json;

use super::{At, text};

/// Revoke certificates: one, all of a key or an account, or all of a time.
#[derive(Args)]
#[group(skip)]
pub struct Revoke {
    #[command(flatten)]
    at: At,
    /// Serial number, hexadecimal.
    #[arg(long, value_name = "HEX", group = "which")]
    serial: Option<String>,
    /// SHA-256 of SubjectPublicKeyInfo, hexadecimal.
    #[arg(long, value_name = "HEX", group = "which")]
    key: Option<String>,
    /// The account's URL.
    #[arg(long, value_name = "URL", group = "which")]
    account: Option<String>,
    /// Issued at or after this time, RFC 3339; with --to.
    #[arg(long, value_name = "TIME", requires = "to", group = "which")]
    from: Option<Timestamp>,
    /// Issued before this time.
    #[arg(long, value_name = "TIME", requires = "from")]
    to: Option<Timestamp>,
    /// RFC 5280 §5.3.1: 1 keyCompromise, 3 affiliationChanged, 4 superseded, 5 cessationOfOperation, 9 privilegeWithdrawn.
    #[arg(long, value_name = "CODE")]
    reason: Option<u64>,
    /// Only print which they are.
    #[arg(long)]
    dry_run: bool,
}

impl Revoke {
    pub async fn run(self) -> Result<(), String> {
        let request = json!({
            "serial": self.serial, "key": self.key, "account": self.account, "from": self.from, "to": self.to,
            "reason": self.reason, "dry_run": self.dry_run,
        });
        let answer = self.at.ask("revoke", request).await?;
        self.at.print(&answer, |answer| {
            let serials = answer["serials"].as_array().cloned().unwrap_or_default();
            let mut lines: Vec<_> = serials.iter().map(|serial| text(serial).to_owned()).collect();
            lines.push(match self.dry_run {
                true => format!("{} would be revoked", serials.len()),
                false => format!("{} revoked", serials.len()),
            });
            lines
        });
        Ok(())
    }
}
