//! http-01 by files below the root of a web server that is there already (RFC 8555 §8.3).

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use futures_util::future::{BoxFuture, FutureExt as _};

use super::{Presented, Solver, SolverError, blocking};
use crate::{
    challenge::{Method, Proof, Token},
    identifier::Identifier,
    store::{Ledger, Note, Trace},
};

/// Writes `ROOT/.well-known/acme-challenge/TOKEN`.
pub struct Webroot {
    root: PathBuf,
    ledger: Option<Ledger>,
}

impl Webroot {
    /// With a ledger, files of a run that was killed are found by the next one.
    pub fn new(root: impl Into<PathBuf>, ledger: Option<Ledger>) -> Result<Self, SolverError> {
        let root = root.into();
        // What is noted of it is read by a later run from wherever that is started.
        let root = std::path::absolute(&root).unwrap_or(root);
        match fs::metadata(&root) {
            Ok(metadata) if metadata.is_dir() => Ok(Self { root, ledger }),
            Ok(_) => Err(SolverError::Webroot {
                path: root,
                source: io::ErrorKind::NotADirectory.into(),
            }),
            Err(source) => Err(SolverError::Webroot { path: root, source }),
        }
    }
}

impl Solver for Webroot {
    fn method(&self) -> Method {
        Method::Http01
    }

    fn present<'a>(&'a self, proof: &'a Proof) -> BoxFuture<'a, Result<Presented, SolverError>> {
        async move {
            let path = path_of(&self.root, &proof.token);
            let content = proof.key_authorization.as_str().to_owned();
            let note = self
                .ledger
                .as_ref()
                .and_then(|ledger| ledger.note(&Trace::File { path: path.clone() }));
            let (root, made) = (self.root.clone(), path.clone());
            let presented = Presented::new(move || {
                remove(&made, &root)?;
                note.into_iter().for_each(Note::settle);
                Ok(())
            });
            match blocking(move || write(&path, &content)).await {
                Ok(()) => Ok(presented),
                Err(error) => {
                    let _ = presented.cleanup().await;
                    Err(error)
                }
            }
        }
        .boxed()
    }

    fn hint(&self, identifier: &Identifier) -> String {
        format!(
            "The CA fetches http://{identifier}/.well-known/acme-challenge/ on port 80, unless its operator set another: check that the web server serves {} there, without a login and without rewriting it.",
            self.root.display()
        )
    }
}

/// [`Token`] is what makes this a path below the root: it has no dots and no slashes (INCIDENTS T44).
fn path_of(root: &Path, token: &Token) -> PathBuf {
    root.join(WELL_KNOWN).join(ACME_CHALLENGE).join(token.as_str())
}

fn write(path: &Path, content: &str) -> Result<(), SolverError> {
    let mut tries = 1..=TRIES;
    loop {
        match write_once(path, content) {
            // Another order below the same root tidies its folders or writes its file at this moment.
            Err(error)
                if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::AlreadyExists)
                    && tries.next().is_some() => {}
            result => {
                return result.map_err(|source| SolverError::File {
                    path: path.to_owned(),
                    source,
                });
            }
        }
    }
}

fn write_once(path: &Path, content: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    // Never through a link that somebody has put there.
    let _ = fs::remove_file(path);
    io::Write::write_all(&mut fs::File::create_new(path)?, content.as_bytes())
}

/// How often a file is written again when its folder goes away meanwhile.
const TRIES: u32 = 20;

fn remove(path: &Path, root: &Path) -> Result<(), SolverError> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            return Err(SolverError::File {
                path: path.to_owned(),
                source,
            });
        }
        _ => {}
    }
    // Folders that are empty now were most likely made for this; others refuse to go.
    for folder in path.ancestors().skip(1).take_while(|folder| *folder != root).take(2) {
        let _ = fs::remove_dir(folder);
    }
    Ok(())
}

/// What a run that was killed has left.
pub(super) fn undo(path: &Path) -> Result<(), SolverError> {
    let is_ours = path
        .parent()
        .is_some_and(|folder| folder.ends_with(Path::new(WELL_KNOWN).join(ACME_CHALLENGE)))
        && path
            .file_name()
            .and_then(|name| name.to_str())
            .and_then(Token::new)
            .is_some();
    match (is_ours, path.ancestors().nth(3)) {
        (true, Some(root)) => remove(path, root),
        _ => Ok(()),
    }
}

const WELL_KNOWN: &str = ".well-known";
const ACME_CHALLENGE: &str = "acme-challenge";

#[cfg(test)]
mod tests {
    use super::*;

    fn proof(token: &str) -> Proof {
        Proof::new("a.test".parse().unwrap(), Token::new(token).unwrap(), &[7; 32].into())
    }

    // 8555-7.5.1-5
    #[tokio::test]
    async fn the_file_is_there_while_it_is_presented_and_nothing_is_left_after() {
        let root = tempfile::tempdir().unwrap();
        let webroot = Webroot::new(root.path(), None).unwrap();
        let proof = proof("abc-DEF_1");
        let presented = webroot.present(&proof).await.unwrap();
        let path = root.path().join(".well-known/acme-challenge/abc-DEF_1");
        assert_eq!(fs::read_to_string(&path).unwrap(), proof.key_authorization.as_str());
        presented.cleanup().await.unwrap();
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn folders_with_other_files_stay_and_a_drop_cleans_up_too() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join(".well-known/acme-challenge");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("other"), "x").unwrap();
        drop(
            Webroot::new(root.path(), None)
                .unwrap()
                .present(&proof("abc"))
                .await
                .unwrap(),
        );
        let left: Vec<_> = fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(left, ["other"]);
    }

    #[tokio::test]
    async fn a_link_at_the_place_of_the_file_is_replaced_and_not_followed() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join(".well-known/acme-challenge");
        fs::create_dir_all(&folder).unwrap();
        let victim = root.path().join("victim");
        fs::write(&victim, "precious").unwrap();
        std::os::unix::fs::symlink(&victim, folder.join("abc")).unwrap();
        let presented = Webroot::new(root.path(), None)
            .unwrap()
            .present(&proof("abc"))
            .await
            .unwrap();
        assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
        presented.cleanup().await.unwrap();
        assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
    }

    /// One takes the folder away because it is empty, the other is about to write into it.
    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn orders_that_share_a_root_do_not_disturb_each_other() {
        let root = tempfile::tempdir().unwrap();
        let tasks: Vec<_> = (0..4)
            .map(|task| {
                let webroot = Webroot::new(root.path(), None).unwrap();
                tokio::spawn(async move {
                    for _ in 0..100 {
                        let presented = webroot.present(&proof(&format!("token{task}"))).await.unwrap();
                        presented.cleanup().await.unwrap();
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    }

    #[test]
    fn a_root_that_is_not_there_is_refused_at_once() {
        assert!(matches!(
            Webroot::new("/nonexistent/root", None),
            Err(SolverError::Webroot { .. })
        ));
    }

    #[test]
    fn undoing_touches_nothing_but_challenge_files() {
        let root = tempfile::tempdir().unwrap();
        let victim = root.path().join("passwd");
        fs::write(&victim, "x").unwrap();
        undo(&victim).unwrap();
        assert!(victim.exists());
    }
}
