-- Conditions look at columns only; the rest of a row is the JSON text `data`. Times are milliseconds since 1970.
-- The base of RFC 8555: accounts, orders, authorizations, certificates.

CREATE TABLE accounts (
    id         INTEGER PRIMARY KEY,
    directory  TEXT    NOT NULL,
    thumbprint BLOB    NOT NULL,
    state      TEXT    NOT NULL,
    version    INTEGER NOT NULL,
    data       TEXT    NOT NULL,
    UNIQUE (thumbprint, directory)
) STRICT;

CREATE TABLE orders (
    id      INTEGER PRIMARY KEY,
    account INTEGER NOT NULL REFERENCES accounts (id),
    expires INTEGER NOT NULL,
    version INTEGER NOT NULL,
    failure TEXT,
    data    TEXT    NOT NULL
) STRICT;

CREATE INDEX orders_of_account ON orders (account, id);

CREATE TABLE authorizations (
    id         INTEGER PRIMARY KEY,
    account    INTEGER NOT NULL REFERENCES accounts (id),
    identifier TEXT    NOT NULL,
    state      TEXT    NOT NULL,
    version    INTEGER NOT NULL,
    expires    INTEGER NOT NULL,
    due        INTEGER,
    lease      INTEGER,
    data       TEXT    NOT NULL
) STRICT;

CREATE INDEX authorizations_of_account ON authorizations (account, identifier);
CREATE INDEX authorizations_due ON authorizations (max(due, lease)) WHERE due IS NOT NULL;

-- A row exists before the signature does. `key` is the order's number times 2^20 plus n.
CREATE TABLE certificates (
    key           INTEGER PRIMARY KEY,
    account       INTEGER NOT NULL,
    serial        BLOB    NOT NULL UNIQUE,
    issuer        TEXT    NOT NULL,
    state         TEXT    NOT NULL,
    version       INTEGER NOT NULL,
    to_be_signed  BLOB    NOT NULL,
    certificate   BLOB,
    not_after     INTEGER NOT NULL,
    evidence_root BLOB    NOT NULL,
    salt          BLOB    NOT NULL,
    lease         INTEGER,
    revoked       INTEGER,
    reason        INTEGER,
    -- The part of the issuer's CRL that the certificate names.
    crl_shard     INTEGER,
    -- The first eight octets of the key's SHA-256: a whole one would make a larger index, and finds no fewer rows.
    key_tag       INTEGER NOT NULL,
    planned       INTEGER NOT NULL,
    data          TEXT    NOT NULL,
    order_id      INTEGER GENERATED ALWAYS AS (key >> 20) VIRTUAL,
    n             INTEGER GENERATED ALWAYS AS (key & 1048575) VIRTUAL
) STRICT;

CREATE INDEX certificates_planned ON certificates (lease) WHERE lease IS NOT NULL;
CREATE INDEX certificates_revoked ON certificates (issuer, crl_shard, not_after) WHERE revoked IS NOT NULL;
CREATE INDEX certificates_of_key ON certificates (key_tag);

-- Whatever the base has no table for.
CREATE TABLE records (
    kind    TEXT    NOT NULL,
    key     TEXT    NOT NULL,
    owner   INTEGER,
    due     INTEGER,
    version INTEGER NOT NULL,
    data    TEXT    NOT NULL,
    PRIMARY KEY (kind, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX records_due ON records (kind, due) WHERE due IS NOT NULL;
CREATE INDEX records_of_owner ON records (kind, owner, key) WHERE owner IS NOT NULL;

-- The next number of each kind that nobody has had.
CREATE TABLE counters (
    kind TEXT    PRIMARY KEY,
    next INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE settings (
    key   TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- When each bucket of the rate limits will be full again.
CREATE TABLE limits (
    key     TEXT    PRIMARY KEY,
    full_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX limits_full ON limits (full_at);
