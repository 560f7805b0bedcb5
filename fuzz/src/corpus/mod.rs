//! The committed inputs: few, small, each a good example of what its reader is for.

pub mod letters;
mod seeds;

use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// The inputs of a target, in the sequence of their names.
pub fn read(target: &str) -> io::Result<Vec<Vec<u8>>> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder(target))?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<io::Result<_>>()?;
    files.sort();
    files.into_iter().map(fs::read).collect()
}

/// Writes what is made of this repository's own keys and of examples in documents. What somebody found is left alone.
pub fn write_seeds() -> io::Result<()> {
    for (target, seeds) in seeds::all() {
        fs::create_dir_all(folder(target))?;
        for (index, seed) in seeds.iter().enumerate() {
            fs::write(folder(target).join(format!("seed-{index:02}")), seed)?;
        }
    }
    Ok(())
}

fn folder(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target)
}
