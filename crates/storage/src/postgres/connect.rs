//! The pool of connections, and the schema.

use std::time::Duration;

use deadpool_postgres::{Hook, HookError, Manager, ManagerConfig, Pool, RecyclingMethod, Runtime, Timeouts};
use tokio_postgres::{
    Client, NoTls,
    config::{Config, Host, SslMode},
};

use super::{
    explain,
    tls::{self, Tls},
};
use crate::{
    OpenError,
    migration::{Migration, pending},
};

const MIGRATIONS: &[Migration] = &[Migration {
    name: "base",
    sql: include_str!("migrations/0001_base.sql"),
}];

/// PostgreSQL's own default allows 100 in all; five nodes find room.
const CONNECTIONS: usize = 16;

/// A request that waits longer for the database is better told so.
const PATIENCE: Duration = Duration::from_secs(5);

/// "vidimus" in ASCII: whoever migrates holds this lock, so that nodes started together take turns.
const MIGRATION_LOCK: i64 = 0x76_6964_696d_7573;

/// What it is called in messages: everything of the URL but user and password.
pub(super) fn name(config: &Config) -> String {
    let host = config.get_hosts().iter().next().map(|host| match host {
        Host::Tcp(name) => name.clone(),
        Host::Unix(path) => path.display().to_string(),
    });
    let database = config.get_dbname().or(config.get_user()).unwrap_or("?");
    format!(
        "PostgreSQL database {database} on {}",
        host.as_deref().unwrap_or("no host")
    )
}

/// The name of a host that is reached over a network.
fn beyond_loopback(host: &Host) -> Option<&str> {
    match host {
        Host::Tcp(name) if name == "localhost" => None,
        Host::Tcp(name) => match name.parse::<std::net::IpAddr>() {
            Ok(address) if address.is_loopback() => None,
            _ => Some(name),
        },
        Host::Unix(_) => None,
    }
}

pub(super) async fn connect(url: &str) -> Result<Pool, OpenError> {
    let (url, roots) = tls::take_roots(url);
    let mut config: Config = url.parse().map_err(|error| OpenError::Postgres {
        database: "the database".into(),
        what: explain(&error),
    })?;
    let name = name(&config);
    if config.get_ssl_mode() == SslMode::Prefer
        && let Some(host) = config.get_hosts().iter().find_map(beyond_loopback)
    {
        let what = format!(
            "what is said to {host} would be said in the clear, keys included; write ?sslmode=require, or \
             ?sslmode=disable if the network between is yours alone"
        );
        return Err(OpenError::Postgres { database: name, what });
    }
    if config.get_application_name().is_none() {
        config.application_name("vidimus");
    }
    config.connect_timeout(PATIENCE);
    let fast = ManagerConfig {
        recycling_method: RecyclingMethod::Fast,
    };
    let manager = if config.get_ssl_mode() == SslMode::Require {
        let tls = Tls::new(roots.as_deref()).map_err(|what| OpenError::Postgres {
            database: name.clone(),
            what,
        })?;
        Manager::from_config(config, tls, fast)
    } else {
        Manager::from_config(config, NoTls, fast)
    };
    let pool = Pool::builder(manager)
        .max_size(CONNECTIONS)
        .runtime(Runtime::Tokio1)
        .timeouts(Timeouts {
            wait: Some(PATIENCE),
            create: Some(PATIENCE),
            recycle: Some(PATIENCE),
        })
        .post_create(Hook::async_fn(|client, _| {
            Box::pin(async move { durable(client).await.map_err(HookError::Backend) })
        }))
        .build()
        .map_err(|error| OpenError::Postgres {
            database: name.clone(),
            what: error.to_string(),
        })?;
    migrate(&pool, &name).await?;
    Ok(pool)
}

/// A commit that was answered survives a crash of the server, whatever its configuration says about other users.
async fn durable(client: &Client) -> Result<(), tokio_postgres::Error> {
    client
        .batch_execute(
            "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'",
        )
        .await
}

async fn migrate(pool: &Pool, name: &str) -> Result<(), OpenError> {
    let failed = |error: tokio_postgres::Error| OpenError::Postgres {
        database: name.into(),
        what: explain(&error),
    };
    let mut client = pool.get().await.map_err(|error| OpenError::Postgres {
        database: name.into(),
        what: super::explain_pool(&error),
    })?;
    let transaction = client.transaction().await.map_err(failed)?;
    transaction
        .execute("SELECT pg_advisory_xact_lock($1)", &[&MIGRATION_LOCK])
        .await
        .map_err(failed)?;
    transaction
        .batch_execute(
            "CREATE TABLE IF NOT EXISTS migrations (version BIGINT PRIMARY KEY, name TEXT NOT NULL, sha256 BYTEA NOT NULL)",
        )
        .await
        .map_err(failed)?;
    let applied = transaction
        .query("SELECT version, sha256 FROM migrations ORDER BY version", &[])
        .await
        .map_err(failed)?;
    let applied: Vec<(i64, Vec<u8>)> = applied.iter().map(|row| (row.get(0), row.get(1))).collect();
    for (version, migration) in pending(name, &applied, MIGRATIONS)? {
        transaction.batch_execute(migration.sql).await.map_err(failed)?;
        transaction
            .execute(
                "INSERT INTO migrations (version, name, sha256) VALUES ($1, $2, $3)",
                &[&version, &migration.name, &migration.sha256()],
            )
            .await
            .map_err(failed)?;
    }
    transaction.commit().await.map_err(failed)
}
