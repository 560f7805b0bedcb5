//! A block of lines in a file that belongs to somebody else, between two lines that say whose it is.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, chown},
    path::{Path, PathBuf},
};

use super::DaemonError;

/// Puts the block of this name at the end, or takes it away; says whether the file has changed. What nothing is left of is
/// removed, if it is a file of ours.
pub(super) fn put(path: &Path, name: &str, lines: Option<&str>) -> Result<bool, DaemonError> {
    let before = read(path)?;
    let was_there = before.is_some();
    let before = before.unwrap_or_default();
    let failed = |source| DaemonError::File {
        path: path.to_owned(),
        source,
    };
    let mut after = without(&before, name).map_err(failed)?;
    if let Some(lines) = lines {
        if !after.is_empty() && !after.ends_with('\n') {
            after.push('\n');
        }
        after.push_str(&format!("{}\n{lines}{}\n", begin(name), end(name)));
    }
    if after == before {
        return Ok(false);
    }
    match after.is_empty() && was_there {
        true => fs::remove_file(path).map_err(failed)?,
        false => replace(path, after.as_bytes(), None).map_err(failed)?,
    }
    Ok(true)
}

pub(super) fn read(path: &Path) -> Result<Option<String>, DaemonError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(DaemonError::File {
            path: path.to_owned(),
            source,
        }),
    }
}

/// Whole or not at all; owner and mode stay as they are, unless a mode is given.
pub(in crate::client) fn replace(path: &Path, content: &[u8], mode: Option<u32>) -> io::Result<()> {
    // What a link leads to is what is to be changed.
    let path: PathBuf = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let next = path.with_file_name(format!(".{name}.vidimus"));
    match fs::remove_file(&next) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let before = fs::metadata(&path).ok();
    let mode = mode.or_else(|| Some(before.as_ref()?.mode() & 0o777)).unwrap_or(0o644);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&next)?;
    file.write_all(content)?;
    file.sync_all()?;
    if let Some(before) = before
        && (before.uid(), before.gid()) != (file.metadata()?.uid(), file.metadata()?.gid())
    {
        chown(&next, Some(before.uid()), Some(before.gid()))?;
    }
    fs::rename(&next, &path)?;
    path.parent()
        .map_or(Ok(()), |folder| fs::File::open(folder)?.sync_all())
}

/// `Err` where the block has lost its end, and nobody can say what of the rest is somebody else's.
fn without(text: &str, name: &str) -> io::Result<String> {
    let (begin, end) = (begin(name), end(name));
    let mut kept = String::with_capacity(text.len());
    let mut is_inside = false;
    for line in text.split_inclusive('\n') {
        match line.trim_end() {
            line if line == begin => is_inside = true,
            line if is_inside && line == end => is_inside = false,
            _ if is_inside => {}
            _ => kept.push_str(line),
        }
    }
    match is_inside {
        false => Ok(kept),
        true => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("the line {end:?} is missing after {begin:?}; put it back behind the lines of that block"),
        )),
    }
}

fn begin(name: &str) -> String {
    format!("# begin vidimus {name}")
}

fn end(name: &str) -> String {
    format!("# end vidimus {name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_taken_from_a_file_whose_block_has_lost_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dovecot.conf");
        let text = "ssl = yes\n# begin vidimus one\na = 1\nprotocols = imap\n";
        fs::write(&path, text).unwrap();
        let refused = put(&path, "one", None).unwrap_err().to_string();
        assert!(put(&path, "one", Some("a = 2\n")).is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), text, "{refused}");
    }

    #[test]
    fn a_block_comes_and_goes_and_the_rest_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dovecot.conf");
        fs::write(&path, "ssl = yes").unwrap();
        assert!(put(&path, "one", Some("a = 1\n")).unwrap());
        assert!(put(&path, "two", Some("b = 1\n")).unwrap());
        assert!(put(&path, "one", Some("a = 2\n")).unwrap());
        assert!(!put(&path, "one", Some("a = 2\n")).unwrap());
        assert_eq!(
            fs::read_to_string(&path).unwrap(),
            "ssl = yes\n# begin vidimus two\nb = 1\n# end vidimus two\n# begin vidimus one\na = 2\n# end vidimus one\n"
        );
        assert!(put(&path, "one", None).unwrap() && put(&path, "two", None).unwrap());
        assert!(!put(&path, "two", None).unwrap());
        assert_eq!(fs::read_to_string(&path).unwrap(), "ssl = yes\n");
    }

    #[test]
    fn a_file_of_ours_is_removed_when_it_is_empty() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("99-vidimus.conf");
        put(&path, "one", Some("a = 1\n")).unwrap();
        put(&path, "one", None).unwrap();
        assert!(!path.exists());
    }
}
