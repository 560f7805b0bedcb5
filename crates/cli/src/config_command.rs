//! `vidimus config`: what a configuration says, and whether it can be served.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use config::{Config, PerspectiveConfig};

use crate::{compose, files};

#[derive(Subcommand)]
pub enum ConfigCommand {
    /// Say whether the file could be served; if not, what is wrong with it. The files that it names are read, and nothing
    /// is written.
    Check(File),
    /// Print the file with every default filled in.
    Show(File),
}

#[derive(Args)]
pub struct File {
    #[arg(long, value_name = "FILE", default_value = "vidimus.toml")]
    config: PathBuf,
}

impl ConfigCommand {
    pub async fn run(self) -> Result<(), String> {
        match self {
            Self::Check(File { config }) => {
                match of_perspective(&config) {
                    true => PerspectiveConfig::read(&config)
                        .map(drop)
                        .map_err(|error| error.to_string())?,
                    false => {
                        let read = Config::read(&config).map_err(|error| error.to_string())?;
                        compose::check(&read, config.parent().unwrap_or(Path::new("."))).await?;
                    }
                }
                println!("{} is right", config.display());
            }
            Self::Show(File { config }) => {
                let text = match of_perspective(&config) {
                    true => PerspectiveConfig::read(&config).map(|config| config.to_toml()),
                    false => Config::read(&config).map(|config| config.to_toml()),
                };
                let text = text.map_err(|error| error.to_string())?;
                print!("{}", text.map_err(|error| error.to_string())?);
            }
        }
        Ok(())
    }
}

/// Whether it is the file of a remote perspective. One that cannot be read is judged as a server's, and that says why.
fn of_perspective(file: &Path) -> bool {
    files::read(file).is_ok_and(|text| PerspectiveConfig::is_meant_by(&text))
}
