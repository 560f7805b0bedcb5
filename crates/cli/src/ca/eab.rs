//! `vidimus ca eab`: keys of external accounts.

use clap::{Args, Subcommand};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{At, text};

#[derive(Subcommand)]
pub enum EabCommand {
    /// Make a key and print it; it is not shown again.
    Add(Add),
    /// Every key with what became of it.
    List(At),
    /// A key binds no more accounts; those it has bound stay.
    Revoke(Revoke),
}

#[derive(Args)]
pub struct Add {
    #[command(flatten)]
    at: At,
    /// The key's id; made up if it is not given.
    #[arg(long)]
    kid: Option<String>,
    /// What to remember it by.
    #[arg(long, value_name = "TEXT")]
    label: Option<String>,
    /// How many accounts it may bind; 0 for any number.
    #[arg(long, value_name = "N", default_value_t = 1)]
    uses: u32,
    /// When it ends, RFC 3339.
    #[arg(long, value_name = "TIME")]
    expires: Option<Timestamp>,
}

#[derive(Args)]
pub struct Revoke {
    #[command(flatten)]
    at: At,
    kid: String,
}

impl EabCommand {
    pub async fn run(self) -> Result<(), String> {
        match self {
            Self::Add(Add {
                at,
                kid,
                label,
                uses,
                expires,
            }) => {
                let request = json!({ "kid": kid, "label": label, "uses": uses, "expires": expires });
                let answer = at.ask("eab/add", request).await?;
                at.print(&answer, |key| {
                    vec![
                        format!("kid      {}", text(&key["kid"])),
                        format!("mac-key  {}", text(&key["mac_key"])),
                        format!(
                            "next: certbot … --eab-kid {0} --eab-hmac-key {1}, or vidimus cert issue … --eab-kid {0} --eab-hmac-key-file FILE",
                            text(&key["kid"]),
                            text(&key["mac_key"])
                        ),
                    ]
                });
            }
            Self::List(at) => {
                let answer = at.ask("eab/list", json!({})).await?;
                at.print(&answer, |answer| {
                    let keys = answer["keys"].as_array().into_iter().flatten();
                    keys.map(line).collect()
                });
            }
            Self::Revoke(Revoke { at, kid }) => {
                let answer = at.ask("eab/revoke", json!({ "kid": kid })).await?;
                at.print(&answer, |_| vec![format!("{kid} revoked")]);
            }
        }
        Ok(())
    }
}

fn line(key: &Value) -> String {
    let accounts = key["accounts"].as_array().into_iter().flatten().map(text);
    format!(
        "{:<24} {:<8} {} {} {}",
        text(&key["kid"]),
        text(&key["status"]),
        text(&key["created"]),
        text(&key["label"]),
        accounts.collect::<Vec<_>>().join(" ")
    )
}
