-- The ledger of grants, what the orgs offer, what Groups stand for, and the audit's hash chain. An addition: version 3 can
-- use the file, for as long as no task of a kind is open that it does not know.

CREATE TABLE grants (
    number      INTEGER PRIMARY KEY,    -- the order in which the periods began
    tenant      INTEGER NOT NULL REFERENCES tenants (tenant),
    identity    TEXT NOT NULL,          -- its id: the periods outlive it
    org         TEXT NOT NULL,
    target      TEXT NOT NULL,          -- of whose link; it is of one org for good
    kind        TEXT NOT NULL,
    entitlement TEXT NOT NULL,
    state       TEXT NOT NULL,
    since_ms    INTEGER NOT NULL,
    entry       TEXT NOT NULL,          -- salesforce_types::Grant as JSON
    ended_ms    INTEGER,
    ended       TEXT,                   -- store::Ended as JSON
    CHECK ((ended_ms IS NULL) = (ended IS NULL))
) STRICT;

CREATE UNIQUE INDEX grants_open ON grants (tenant, identity, kind, entitlement, target) WHERE ended_ms IS NULL;
CREATE INDEX grants_by_entitlement ON grants (tenant, kind, entitlement, identity);
-- Most grants are granted or found, and nobody asks for those by their state.
CREATE INDEX grants_owed ON grants (tenant, state, since_ms)
    WHERE ended_ms IS NULL AND state NOT IN ('granted', 'found');

CREATE TABLE catalogues (
    org       TEXT PRIMARY KEY,
    catalogue TEXT NOT NULL,            -- salesforce_types::Catalogue as JSON
    read_ms   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Of a User: what was asked for, where that differs from what has landed. JSON.
ALTER TABLE resources ADD COLUMN asked TEXT;
-- Of a Group: salesforce_types::StandsFor as JSON, as it stands in the body.
ALTER TABLE resources ADD COLUMN stands_for TEXT;
CREATE INDEX resources_standing ON resources (tenant, seq) WHERE stands_for IS NOT NULL;

-- SHA-256 over the hash before it and this entry. Absent: an earlier version wrote it, and it is taken in at the next start.
ALTER TABLE audit ADD COLUMN hash BLOB;
CREATE INDEX audit_unchained ON audit (tenant, number) WHERE hash IS NULL;

-- Where each tenant's chain has come to.
CREATE TABLE chains (
    tenant  INTEGER PRIMARY KEY REFERENCES tenants (tenant),
    entries INTEGER NOT NULL,
    head    BLOB NOT NULL
) STRICT;
