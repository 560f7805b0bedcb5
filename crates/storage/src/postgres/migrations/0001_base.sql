-- The same rows as on SQLite. Conditions look at columns only; the rest of a row is the JSON text `data`. Times are
-- milliseconds since 1970. Nothing references anything: a foreign key would lock the account's row in every order.
-- The base of RFC 8555: accounts, orders, authorizations, certificates.

CREATE TABLE accounts (
    id         BIGINT PRIMARY KEY,
    directory  TEXT   NOT NULL,
    thumbprint BYTEA  NOT NULL,
    state      TEXT   NOT NULL,
    version    BIGINT NOT NULL,
    data       TEXT   NOT NULL,
    UNIQUE (thumbprint, directory)
);

CREATE TABLE orders (
    id             BIGINT   PRIMARY KEY,
    account        BIGINT   NOT NULL,
    expires        BIGINT   NOT NULL,
    version        BIGINT   NOT NULL,
    failure        TEXT,
    -- As in `data`, for the statement that fetches an order with all of them.
    authorizations BIGINT[] NOT NULL,
    data           TEXT     NOT NULL
);

CREATE INDEX orders_of_account ON orders (account, id);

CREATE TABLE authorizations (
    id         BIGINT PRIMARY KEY,
    account    BIGINT NOT NULL,
    identifier TEXT   NOT NULL,
    state      TEXT   NOT NULL,
    version    BIGINT NOT NULL,
    expires    BIGINT NOT NULL,
    due        BIGINT,
    lease      BIGINT,
    data       TEXT   NOT NULL
) WITH (fillfactor = 60);

CREATE INDEX authorizations_of_account ON authorizations (account, identifier, id);
CREATE INDEX authorizations_due ON authorizations ((GREATEST(due, lease))) WHERE due IS NOT NULL;

-- A row exists before the signature does. `key` is the order's number times 2^20 plus n.
CREATE TABLE certificates (
    key           BIGINT PRIMARY KEY,
    account       BIGINT NOT NULL,
    serial        BYTEA  NOT NULL UNIQUE,
    issuer        TEXT   NOT NULL,
    state         TEXT   NOT NULL,
    version       BIGINT NOT NULL,
    to_be_signed  BYTEA  NOT NULL,
    certificate   BYTEA,
    not_after     BIGINT NOT NULL,
    evidence_root BYTEA  NOT NULL,
    salt          BYTEA  NOT NULL,
    lease         BIGINT,
    revoked       BIGINT,
    reason        BIGINT,
    -- The part of the issuer's CRL that the certificate names.
    crl_shard     BIGINT,
    -- The first eight octets of the key's SHA-256.
    key_tag       BIGINT NOT NULL,
    planned       BIGINT NOT NULL,
    data          TEXT   NOT NULL
);

CREATE INDEX certificates_planned ON certificates (lease) WHERE lease IS NOT NULL;
CREATE INDEX certificates_revoked ON certificates (issuer, crl_shard, not_after) WHERE revoked IS NOT NULL;
CREATE INDEX certificates_of_key ON certificates (key_tag);

-- Whatever the base has no table for. Keys are compared by octets, as on SQLite.
CREATE TABLE records (
    kind    TEXT   NOT NULL,
    key     TEXT   NOT NULL COLLATE "C",
    owner   BIGINT,
    due     BIGINT,
    version BIGINT NOT NULL,
    data    TEXT   NOT NULL,
    PRIMARY KEY (kind, key)
);

CREATE INDEX records_due ON records (kind, due) WHERE due IS NOT NULL;
CREATE INDEX records_of_owner ON records (kind, owner, key) WHERE owner IS NOT NULL;

-- The next number of each kind that nobody has had.
CREATE TABLE counters (
    kind TEXT   PRIMARY KEY,
    next BIGINT NOT NULL
);

CREATE TABLE settings (
    key   TEXT  PRIMARY KEY,
    value BYTEA NOT NULL
);

-- Where each process answers questions about its nonces.
CREATE TABLE nodes (
    process BIGINT      PRIMARY KEY,
    peer    TEXT        NOT NULL,
    seen    TIMESTAMPTZ NOT NULL DEFAULT now()
);

-- When each bucket of the rate limits will be full again.
CREATE TABLE limits (
    key     TEXT   PRIMARY KEY,
    full_at BIGINT NOT NULL
) WITH (fillfactor = 60);

CREATE INDEX limits_full ON limits (full_at);
