//! `vidimus perspective`: looking for an authority from another place on the network.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand};
use config::PerspectiveConfig;
use validation::perspectives::pins::Identity;

use crate::{compose::Station, files, serve::stop_signal, world};

/// Look for an authority from another place on the network.
#[derive(Subcommand)]
pub enum PerspectiveCommand {
    Serve(Serve),
    Identity(Make),
}

/// Answer the authority's questions: what a validation sees from here.
#[derive(Args)]
pub struct Serve {
    /// The perspective's own configuration file.
    #[arg(long, value_name = "FILE", default_value = "perspective.toml")]
    config: PathBuf,
    /// Where to listen, if not where the file says.
    #[arg(long, value_name = "ADDR:PORT")]
    listen: Option<SocketAddr>,
}

/// Make a certificate and key by which an authority and its perspectives know each other: NAME.pem, for the other side, and NAME.key.
#[derive(Args)]
pub struct Make {
    /// What stands in the certificate, for people.
    name: String,
    /// Where to write. Nothing in it is overwritten.
    #[arg(long, value_name = "DIR", default_value = ".")]
    dir: PathBuf,
}

impl PerspectiveCommand {
    pub async fn run(self) -> Result<(), String> {
        match self {
            Self::Serve(serve) => serve.run().await,
            Self::Identity(make) => make.run(),
        }
    }
}

impl Serve {
    async fn run(self) -> Result<(), String> {
        let mut config = PerspectiveConfig::read(&self.config).map_err(|error| error.to_string())?;
        if let Some(address) = self.listen {
            config.perspective.listen = address;
            // What the file's own address had to keep to, this one has to keep to.
            PerspectiveConfig::parse(&config.to_toml().map_err(|error| error.to_string())?)?;
        }
        let folder = self.config.parent().unwrap_or(Path::new("."));
        let station = Station::compose(&config, folder).await?;
        println!("ready {}", station.url()?);
        station.run(stop_signal()?).await;
        Ok(())
    }
}

impl Make {
    fn run(self) -> Result<(), String> {
        let plain = |octet: u8| octet.is_ascii_alphanumeric() || b"-_.".contains(&octet);
        if self.name.is_empty() || self.name.starts_with('.') || !self.name.bytes().all(plain) {
            return Err(format!(
                "{:?} also names files; use letters, digits, \"-\", \"_\" and \".\"",
                self.name
            ));
        }
        files::make_folder(&self.dir)?;
        let file = |ending: &str| self.dir.join(format!("{}.{ending}", self.name));
        let (certificate, key) = (file("pem"), file("key"));
        if let Some(there) = [&certificate, &key].into_iter().find(|file| file.exists()) {
            return Err(format!(
                "{} exists already; choose another name or --dir",
                there.display()
            ));
        }
        let (certificate_pem, key_pem) = Identity::make(&self.name, world::random_array(), world::now())?;
        files::write_secret(&key, &key_pem)?;
        files::write(&certificate, &certificate_pem)?;
        println!("{}", certificate.display());
        println!("{}", key.display());
        Ok(())
    }
}
