//! `vidimus config`: what a configuration says, and whether it can be served.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use config::Config;

#[derive(Subcommand)]
pub enum ConfigCommand {
    /// Say whether the file is right; if not, which key is wrong. Files that it names and the settings of extensions are
    /// read when it is served.
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
    pub fn run(self) -> Result<(), String> {
        match self {
            Self::Check(File { config }) => {
                Config::read(&config).map_err(|error| error.to_string())?;
                println!("{} is right", config.display());
            }
            Self::Show(File { config }) => {
                let config = Config::read(&config).map_err(|error| error.to_string())?;
                print!("{}", config.to_toml().map_err(|error| error.to_string())?);
            }
        }
        Ok(())
    }
}
