//! Files of an authority: written whole or not at all, keys for the owner only.

use std::{
    fs::{self, File},
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

/// Readable by everybody.
pub fn write(path: &Path, content: &str) -> Result<(), String> {
    write_mode(path, content, 0o644)
}

/// Readable by the owner alone.
pub fn write_secret(path: &Path, content: &str) -> Result<(), String> {
    write_mode(path, content, 0o600)
}

pub fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{} cannot be read: {error}", path.display()))
}

pub fn make_folder(path: &Path) -> Result<(), String> {
    fs::create_dir_all(path).map_err(|error| format!("the folder {} cannot be made: {error}", path.display()))
}

fn write_mode(path: &Path, content: &str, mode: u32) -> Result<(), String> {
    let partial = path.with_extension("partial");
    let written = (|| {
        let _ = fs::remove_file(&partial);
        let mut file = File::options().write(true).create_new(true).mode(mode).open(&partial)?;
        file.write_all(content.as_bytes())?;
        file.sync_all()?;
        fs::rename(&partial, path)?;
        path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
    })();
    written.map_err(|error: std::io::Error| format!("{} cannot be written: {error}", path.display()))
}
