//! From a URL to a store.

use std::{path::PathBuf, sync::Arc};

use crate::{Database, postgres::PostgresStore, sqlite::SqliteStore};

/// Called once, with a sentence, when the store can no longer say what is on disk. The process must end: state is read
/// again at the next start.
pub type OnFatal = Box<dyn FnOnce(String) + Send>;

/// Opens what `[database] url` names: `sqlite:PATH`, `sqlite::memory:`, or `postgres://USER@HOST/NAME`.
pub async fn open(url: &str, on_fatal: OnFatal) -> Result<Arc<dyn Database>, OpenError> {
    match url.split_once(':') {
        Some(("sqlite", ":memory:")) => Ok(SqliteStore::in_memory()?),
        Some(("sqlite", path)) if !path.is_empty() => {
            Ok(SqliteStore::open(path.strip_prefix("//").unwrap_or(path), on_fatal)?)
        }
        Some(("postgres" | "postgresql", _)) => Ok(PostgresStore::open(url).await?),
        _ => Err(OpenError::Scheme {
            url: url.split_once('@').map_or(url, |(_, host)| host).to_owned(),
        }),
    }
}

/// Why a store could not be opened, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("{url:?} names no database; write \"sqlite:FILE\" or \"postgres://USER@HOST/NAME\"")]
    Scheme { url: String },
    #[error("another process is using {database}: it holds {lock}; stop it, or give this one a database of its own",
        database = database.display(), lock = lock.display())]
    InUse { database: PathBuf, lock: PathBuf },
    #[error("cannot open {path}: {source}; the directory must exist and be writable by this user", path = path.display())]
    File { path: PathBuf, source: std::io::Error },
    #[error(
        "{database} has schema {found}, this program knows schemas up to {known}; start the newer program again, \
        or restore the backup made before the upgrade"
    )]
    Newer { database: String, found: i64, known: i64 },
    #[error(
        "{database}: schema step {version} is not the one this program contains; it was made by a modified program, \
        which is the one to start"
    )]
    Altered { database: String, version: i64 },
    #[error("{database} cannot be used: {what}; is it a database of Vidimus, and is the disk healthy?")]
    Database { database: String, what: String },
    #[error(
        "{database} cannot be used: {what}; is the server running, and are user, password and name in [database] url right?"
    )]
    Postgres { database: String, what: String },
}
