-- Conditions look at columns only; the rest of a row is the JSON text `data`. Times are milliseconds since 1970.
-- The base of RFC 8555: accounts, orders, authorizations, certificates.

CREATE TABLE accounts (
    id         INTEGER PRIMARY KEY,
    thumbprint BLOB    NOT NULL UNIQUE,
    state      TEXT    NOT NULL,
    version    INTEGER NOT NULL,
    data       TEXT    NOT NULL
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
    data          TEXT    NOT NULL,
    order_id      INTEGER GENERATED ALWAYS AS (key >> 20) VIRTUAL,
    n             INTEGER GENERATED ALWAYS AS (key & 1048575) VIRTUAL
) STRICT;

CREATE INDEX certificates_planned ON certificates (lease) WHERE lease IS NOT NULL;

-- The next number of each kind that nobody has had.
CREATE TABLE counters (
    kind TEXT    PRIMARY KEY,
    next INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE settings (
    key   TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;
