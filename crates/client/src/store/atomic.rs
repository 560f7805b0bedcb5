//! Writing so that a crash leaves either the old or the new, and nobody else can read it.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, symlink},
    path::{Path, PathBuf},
};

use super::StoreError;

/// For keys and everything that is nobody else's business.
pub(super) const PRIVATE: u32 = 0o600;
/// For certificates.
pub(super) const PUBLIC: u32 = 0o644;

/// A folder for its owner alone, unless it is there already.
pub(super) fn private_folder(path: &Path) -> Result<(), StoreError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|source| StoreError::io("make the folder", path, source))
}

/// Replaces a file in one step, on disk when this returns.
pub(super) fn replace(path: &Path, content: &[u8], mode: u32) -> Result<(), StoreError> {
    let next = beside(path);
    remove(&next)?;
    write_new(&next, content, mode)?;
    rename(&next, path)
}

/// Writes a file that must not be there yet.
pub(super) fn write_new(path: &Path, content: &[u8], mode: u32) -> Result<(), StoreError> {
    let write = || {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
        file.write_all(content)?;
        file.sync_all()
    };
    write().map_err(|source| StoreError::io("write", path, source))
}

/// Points a symbolic link elsewhere in one step: readers see the old target or the new one.
pub(super) fn point(link: &Path, target: &Path) -> Result<(), StoreError> {
    match fs::symlink_metadata(link) {
        Ok(metadata) if !metadata.is_symlink() => return Err(StoreError::InTheWay(link.to_owned())),
        _ => {}
    }
    let next = beside(link);
    remove(&next)?;
    symlink(target, &next).map_err(|source| StoreError::io("make the link", &next, source))?;
    rename(&next, link)
}

pub(super) fn rename(from: &Path, to: &Path) -> Result<(), StoreError> {
    fs::rename(from, to).map_err(|source| StoreError::io("replace", to, source))?;
    sync_folder_of(to)
}

pub(super) fn remove(path: &Path) -> Result<(), StoreError> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(StoreError::io("remove", path, source)),
        _ => Ok(()),
    }
}

/// A name is on disk when its folder is.
pub(super) fn sync_folder_of(path: &Path) -> Result<(), StoreError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let sync = || File::open(folder)?.sync_all();
    sync().map_err(|source| StoreError::io("write", folder, source))
}

/// One fixed name beside each file: what a crash leaves there, the next write removes.
fn beside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.next"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    // 8555-C-6
    #[test]
    fn a_private_file_is_replaced_whole_and_stays_private() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.pem");
        fs::write(beside(&path), "left by a crash").unwrap();
        for content in ["one", "two"] {
            replace(&path, content.as_bytes(), PRIVATE).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), content);
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_link_is_switched_and_a_folder_in_its_place_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("name");
        for target in ["one", "two"] {
            point(&link, Path::new(target)).unwrap();
            assert_eq!(fs::read_link(&link).unwrap(), Path::new(target));
        }
        let other = folder.path().join("other");
        fs::create_dir(&other).unwrap();
        assert!(matches!(point(&other, Path::new("one")), Err(StoreError::InTheWay(_))));
    }
}
