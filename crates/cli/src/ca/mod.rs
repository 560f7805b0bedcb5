//! `vidimus ca`: what the operator asks of a running server, over its admin listener.

mod account;
mod desk;
mod eab;
mod incident;
mod revoke;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use config::Config;
use serde_json::Value;

pub use desk::{OperatorDesk, token};

use self::desk::TOKEN_FILE;

/// Operate a running authority: external accounts, revocation, incidents, accounts.
#[derive(Subcommand)]
pub enum CaCommand {
    /// Keys that accounts must be bound to (RFC 8555 §7.3.4).
    #[command(subcommand)]
    Eab(eab::EabCommand),
    Revoke(revoke::Revoke),
    /// Certificates that must be renewed before their time.
    #[command(subcommand)]
    Incident(incident::IncidentCommand),
    /// Accounts, by their URL.
    #[command(subcommand)]
    Account(account::AccountCommand),
}

/// Which server.
#[derive(Args)]
pub struct At {
    /// The configuration of the server; it must be running, and its state folder readable.
    #[arg(long, value_name = "FILE", default_value = "vidimus.toml")]
    config: PathBuf,
    /// Which directory of it; needed only when it has several.
    #[arg(long, value_name = "NAME")]
    directory: Option<String>,
    /// Print the answer as JSON.
    #[arg(long)]
    json: bool,
}

impl CaCommand {
    pub async fn run(self) -> Result<(), String> {
        match self {
            Self::Eab(command) => command.run().await,
            Self::Revoke(revoke) => revoke.run().await,
            Self::Incident(command) => command.run().await,
            Self::Account(command) => command.run().await,
        }
    }
}

impl At {
    /// Asks for an operation; members that are null are left out.
    async fn ask(&self, operation: &str, mut request: Value) -> Result<Value, String> {
        let config = Config::read(&self.config).map_err(|error| error.to_string())?;
        let folder = self.config.parent().unwrap_or(std::path::Path::new("."));
        let token = crate::files::read(&folder.join(&config.server.state).join(TOKEN_FILE))
            .map_err(|why| format!("{why}; the server writes it when it starts, readable for its own user"))?;
        if let Some(directory) = &self.directory {
            request["directory"] = directory.as_str().into();
        }
        if let Value::Object(members) = &mut request {
            members.retain(|_, value| !value.is_null());
        }
        desk::ask(config.admin.listen, operation, token.trim(), &request).await
    }

    /// Prints the answer: as JSON, or as the command would have it.
    fn print(&self, answer: &Value, lines: impl FnOnce(&Value) -> Vec<String>) {
        if self.json {
            println!("{answer:#}");
        } else {
            lines(answer).iter().for_each(|line| println!("{line}"));
        }
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("-")
}
