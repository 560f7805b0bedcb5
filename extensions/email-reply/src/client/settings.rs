//! What a renewal needs to know of a mailbox, kept beside its certificate.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use client::{Error, Solver, store::CertificateName};
use mail::message::address::Mailbox;
use serde::{Deserialize, Serialize};

use super::{access::MailArgs, answered::Answered, solver::ReplySolver};

#[derive(Serialize, Deserialize)]
pub(super) struct Settings {
    pub mailbox: String,
    pub mail: MailArgs,
}

impl Settings {
    pub fn solver(&self, root: &Path) -> Result<Arc<dyn Solver>, Error> {
        let mailbox = Mailbox::parse(&self.mailbox).map_err(|error| Error::Input(error.to_string()))?;
        let folder = folder(root);
        fs::create_dir_all(&folder).map_err(|error| Error::Input(format!("{}: {error}", folder.display())))?;
        Ok(Arc::new(ReplySolver {
            way: Arc::new(self.mail.way(&mailbox)?),
            mailbox,
            answered: Answered::in_file(folder.join("answered")),
        }))
    }

    /// How to get the password is in it, the password never.
    pub fn save(&self, root: &Path, name: &CertificateName) -> Result<(), Error> {
        let path = path(root, name);
        let write = || fs::write(&path, serde_json::to_vec_pretty(self).map_err(io::Error::other)?);
        write().map_err(|error| Error::Input(format!("{}: {error}", path.display())))
    }

    pub fn load(root: &Path, name: &CertificateName) -> Result<Option<Self>, Error> {
        let path = path(root, name);
        let wrong = |what: String| Error::Input(format!("{}: {what}", path.display()));
        match fs::read(&path) {
            Ok(content) => serde_json::from_slice(&content)
                .map(Some)
                .map_err(|error| wrong(error.to_string())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(wrong(error.to_string())),
        }
    }
}

fn folder(root: &Path) -> PathBuf {
    root.join("smime")
}

fn path(root: &Path, name: &CertificateName) -> PathBuf {
    folder(root).join(format!("{name}.json"))
}
