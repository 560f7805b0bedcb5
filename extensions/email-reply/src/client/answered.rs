//! The challenge mails that were answered: none is answered twice (8823-3-7).

use std::{fs, io, io::Write as _, path::PathBuf};

use mail::message_id::MessageId;

/// Message-IDs in a file, one a line.
pub struct Answered(PathBuf);

impl Answered {
    pub fn in_file(path: PathBuf) -> Self {
        Self(path)
    }

    pub fn has(&self, id: &MessageId) -> bool {
        let known = fs::read_to_string(&self.0).unwrap_or_default();
        let id = id.to_string();
        known.lines().any(|line| line == id)
    }

    /// On disk when this returns. The error is about the file that [`Answered::path`] names.
    pub fn add(&self, id: &MessageId) -> io::Result<()> {
        let mut file = fs::OpenOptions::new().create(true).append(true).open(&self.0)?;
        writeln!(file, "{id}")?;
        file.sync_all()
    }

    pub fn path(&self) -> &PathBuf {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use mail::message::domain::Domain;

    use super::*;

    // 8823-3-7
    #[test]
    fn what_was_answered_is_known_to_the_next_run_too_and_nothing_else_is() {
        let file = std::env::temp_dir().join(format!("vidimus-answered-{}", std::process::id()));
        let _ = fs::remove_file(&file);
        let id = |unique: &str| MessageId::new(unique, &Domain::parse("ca.test").unwrap()).unwrap();
        let answered = Answered::in_file(file.clone());
        assert!(!answered.has(&id("1")));
        answered.add(&id("1")).unwrap();
        answered.add(&id("22")).unwrap();
        let again = Answered::in_file(file.clone());
        assert!(again.has(&id("1")) && again.has(&id("22")));
        assert!(!again.has(&id("2")));
        fs::remove_file(file).unwrap();
    }
}
