//! `vidimus ca incident`: certificates that must be renewed before their time (RFC 9773 §4.2).

use std::path::PathBuf;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{At, text};

#[derive(Subcommand)]
pub enum IncidentCommand {
    /// Say that certificates are to be renewed early; their subscribers' clients see it when they next ask.
    Declare(Declare),
    /// Add serial numbers to an incident.
    Extend(Extend),
    /// Every incident.
    List(At),
    /// Its certificates are renewed in their own time again.
    Withdraw(Withdraw),
}

#[derive(Args)]
pub struct Declare {
    #[command(flatten)]
    at: At,
    /// What to call it: letters, digits, '-', '_' and '.'.
    name: String,
    /// A page that tells subscribers why.
    #[arg(long, value_name = "URL")]
    explanation_url: String,
    /// Renew at or after this time, RFC 3339; without it at once.
    #[arg(long, value_name = "TIME", requires = "end")]
    start: Option<Timestamp>,
    /// Renew before this time.
    #[arg(long, value_name = "TIME", requires = "start")]
    end: Option<Timestamp>,
    #[command(flatten)]
    serials: Serials,
    /// Certificates of this key: SHA-256 of SubjectPublicKeyInfo, hexadecimal.
    #[arg(long, value_name = "HEX")]
    key: Option<String>,
    /// Certificates of the account with this URL.
    #[arg(long, value_name = "URL")]
    account: Option<String>,
    /// Certificates issued at or after this time, RFC 3339.
    #[arg(long, value_name = "TIME")]
    from: Option<Timestamp>,
    /// Certificates issued before this time.
    #[arg(long, value_name = "TIME")]
    to: Option<Timestamp>,
}

#[derive(Args)]
pub struct Extend {
    #[command(flatten)]
    at: At,
    name: String,
    #[command(flatten)]
    serials: Serials,
}

#[derive(Args)]
pub struct Withdraw {
    #[command(flatten)]
    at: At,
    name: String,
}

#[derive(Args)]
pub struct Serials {
    /// A serial number, hexadecimal; may be repeated.
    #[arg(long = "serial", value_name = "HEX")]
    named: Vec<String>,
    /// A file with a serial number a line.
    #[arg(long, value_name = "FILE")]
    serials: Option<PathBuf>,
}

impl Serials {
    fn read(mut self) -> Result<Vec<String>, String> {
        if let Some(file) = &self.serials {
            let lines = crate::files::read(file)?;
            let lines = lines.lines().map(str::trim).filter(|line| !line.is_empty());
            self.named.extend(lines.map(str::to_owned));
        }
        Ok(self.named)
    }
}

/// So many that a request stays well below what the server reads.
const SERIALS_A_REQUEST: usize = 1000;

impl IncidentCommand {
    pub async fn run(self) -> Result<(), String> {
        match self {
            Self::Declare(declare) => declare.run().await,
            Self::Extend(Extend { at, name, serials }) => {
                let serials = serials.read()?;
                if serials.is_empty() {
                    return Err("name the certificates: --serial or --serials".to_owned());
                }
                extend(&at, &name, &serials).await?;
                let count = serials.len();
                at.print(&json!({ "name": name, "serials": count }), |_| {
                    vec![format!("{count} serial numbers are on the list of {name}")]
                });
                Ok(())
            }
            Self::List(at) => {
                let answer = at.ask("incident/list", json!({})).await?;
                at.print(&answer, |answer| {
                    let incidents = answer["incidents"].as_array().cloned().unwrap_or_default();
                    incidents.iter().map(line).collect()
                });
                Ok(())
            }
            Self::Withdraw(Withdraw { at, name }) => {
                let answer = at.ask("incident/withdraw", json!({ "name": name })).await?;
                at.print(&answer, |_| vec![format!("{name} is withdrawn")]);
                Ok(())
            }
        }
    }
}

impl Declare {
    async fn run(self) -> Result<(), String> {
        let serials = self.serials.read()?;
        let first = &serials[..serials.len().min(SERIALS_A_REQUEST)];
        let window = self.start.zip(self.end);
        let request = json!({
            "name": self.name,
            "explanation_url": self.explanation_url,
            "window": window.map(|(start, end)| json!({ "start": start, "end": end })),
            "serials": first,
            "key": self.key,
            "account": self.account,
            "from": self.from,
            "to": self.to,
        });
        let answer = self.at.ask("incident/declare", request).await?;
        extend(&self.at, &self.name, &serials[first.len()..])
            .await
            .map_err(|why| {
                format!("{why}; the incident stands, and its list is finished by: vidimus ca incident extend")
            })?;
        self.at.print(&answer, |incident| vec![line(incident)]);
        Ok(())
    }
}

async fn extend(at: &At, name: &str, serials: &[String]) -> Result<(), String> {
    for page in serials.chunks(SERIALS_A_REQUEST) {
        at.ask("incident/extend", json!({ "name": name, "serials": page }))
            .await?;
    }
    Ok(())
}

fn line(incident: &Value) -> String {
    let (name, page) = (text(&incident["name"]), text(&incident["explanation_url"]));
    let (start, end) = (text(&incident["window"]["start"]), text(&incident["window"]["end"]));
    let withdrawn = if incident["withdrawn"] == true {
        ", withdrawn"
    } else {
        ""
    };
    format!("{name}: renew from {start} to {end}, {page}{withdrawn}")
}
