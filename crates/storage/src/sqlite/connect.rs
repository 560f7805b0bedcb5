//! Opening the file: the lock, the connections, the schema.

use std::{
    fs::{File, OpenOptions, TryLockError},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, OpenFlags, TransactionBehavior, config::DbConfig, params};

use crate::{
    OpenError,
    migration::{Migration, pending},
};

const MIGRATIONS: &[Migration] = &[Migration {
    name: "base",
    sql: include_str!("migrations/0001_base.sql"),
}];

/// How long to wait for a program that looks at the file, a backup for example.
const BUSY: Duration = Duration::from_secs(5);

/// More statements than this crate has.
const STATEMENTS: usize = 64;

/// Takes the file for this process alone: the cache and the numbers handed out from memory rest on it.
pub(super) fn lock(database: &Path) -> Result<File, OpenError> {
    let mut name = database.as_os_str().to_owned();
    name.push(".lock");
    let path = PathBuf::from(name);
    // It is never removed: whoever removed it could lock a new file while the old one is still held.
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
    let file = file.map_err(|source| OpenError::File {
        path: path.clone(),
        source,
    })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse {
            database: database.into(),
            lock: path,
        }),
        Err(TryLockError::Error(source)) => Err(OpenError::File { path, source }),
    }
}

/// The writer's connection to a file.
pub(super) fn for_writing(path: &Path) -> Result<Connection, OpenError> {
    let name = path.display().to_string();
    // For the owner alone: it holds contacts and the key that seals identifiers. SQLite gives its log the same mode.
    let made = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(path);
    made.map_err(|source| OpenError::File {
        path: path.into(),
        source,
    })?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(unusable(&name))?;
    prepare(&connection).map_err(unusable(&name))?;
    let mode: String = connection
        .query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))
        .map_err(unusable(&name))?;
    if mode != "wal" {
        let what = "its file system does not support the shared memory of a write-ahead log".into();
        return Err(OpenError::Database { database: name, what });
    }
    migrate(&mut connection, &name)?;
    end_leases(&connection).map_err(unusable(&name))?;
    Ok(connection)
}

/// Whoever held a lease on this file is gone, since the lock is ours: what it left is due now.
fn end_leases(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(
        "UPDATE authorizations SET lease = 0 WHERE due IS NOT NULL AND lease > 0;
         UPDATE certificates SET lease = 0 WHERE lease > 0;",
    )
}

pub(super) fn for_reading(path: &Path) -> Result<Connection, OpenError> {
    let name = path.display().to_string();
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(unusable(&name))?;
    prepare(&connection).map_err(unusable(&name))?;
    Ok(connection)
}

/// The one connection of a database that lives in memory.
pub(super) fn in_memory() -> Result<Connection, OpenError> {
    let name = ":memory:";
    let mut connection = Connection::open_in_memory().map_err(unusable(name))?;
    prepare(&connection).map_err(unusable(name))?;
    migrate(&mut connection, name)?;
    Ok(connection)
}

fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    // Otherwise a statement whose plan could depend on a bound value is parsed again every time one is bound.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    // FULL: a commit that was answered survives a power failure. One sync is shared by a whole group, so NORMAL would
    // gain nothing. The log is folded into the file every 16 MiB; the page cache of a connection is 4 MiB at most.
    connection.execute_batch(
        "PRAGMA synchronous = FULL;
         PRAGMA foreign_keys = ON;
         PRAGMA trusted_schema = OFF;
         PRAGMA cell_size_check = ON;
         PRAGMA wal_autocheckpoint = 4096;
         PRAGMA cache_size = -4096;
         PRAGMA temp_store = MEMORY;",
    )
}

fn migrate(connection: &mut Connection, name: &str) -> Result<(), OpenError> {
    let failed = unusable(name);
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(&failed)?;
    transaction
        .execute_batch(
            "CREATE TABLE IF NOT EXISTS migrations (
                 version INTEGER PRIMARY KEY,
                 name    TEXT    NOT NULL,
                 sha256  BLOB    NOT NULL
             ) STRICT",
        )
        .map_err(&failed)?;
    let applied = transaction
        .prepare("SELECT version, sha256 FROM migrations ORDER BY version")
        .and_then(|mut statement| {
            statement
                .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect::<rusqlite::Result<Vec<_>>>()
        })
        .map_err(&failed)?;
    for (version, migration) in pending(name, &applied, MIGRATIONS)? {
        transaction.execute_batch(migration.sql).map_err(&failed)?;
        transaction
            .execute(
                "INSERT INTO migrations (version, name, sha256) VALUES (?, ?, ?)",
                params![version, migration.name, migration.sha256()],
            )
            .map_err(&failed)?;
    }
    transaction.commit().map_err(&failed)
}

fn unusable(name: &str) -> impl Fn(rusqlite::Error) -> OpenError {
    move |error| OpenError::Database {
        database: name.to_owned(),
        what: error.to_string(),
    }
}
