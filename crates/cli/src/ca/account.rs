//! `vidimus ca account`: accounts, by the operator.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{At, text};

#[derive(Subcommand)]
pub enum AccountCommand {
    /// Print an account.
    Show(Named),
    /// End an account for ever; its certificates stay.
    Revoke(Named),
}

#[derive(Args)]
pub struct Named {
    #[command(flatten)]
    at: At,
    /// The account's URL.
    url: String,
}

impl AccountCommand {
    pub async fn run(self) -> Result<(), String> {
        let (operation, named) = match self {
            Self::Show(named) => ("account/show", named),
            Self::Revoke(named) => ("account/revoke", named),
        };
        let answer = named.at.ask(operation, json!({ "account": named.url })).await?;
        named.at.print(&answer, |account| {
            let contact = account["contact"].as_array().into_iter().flatten().map(text);
            vec![
                format!("account  {}", text(&account["account"])),
                format!("status   {}", text(&account["status"])),
                format!("created  {}", text(&account["created"])),
                format!("contact  {}", contact.collect::<Vec<_>>().join(" ")),
                format!("key      {}", text(&account["thumbprint"])),
                format!(
                    "bound    {}",
                    if account["external_account"] == Value::Bool(true) {
                        "to an external account"
                    } else {
                        "to no external account"
                    }
                ),
            ]
        });
        Ok(())
    }
}
