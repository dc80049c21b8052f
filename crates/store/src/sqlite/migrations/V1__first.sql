-- What SCIM reads are answered from, and how it came about. `*_ms` are milliseconds since
-- 1970-01-01T00:00:00Z; `*_key` columns of text are folded (NFC, then full case folding), by Rust.

CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- The oldest schema a program must know to use this file. A later migration raises it when it is not merely
-- an addition.
INSERT INTO meta (name, value) VALUES ('usable-from', CAST('1' AS BLOB));

CREATE TABLE tenants (
    tenant INTEGER PRIMARY KEY,
    name   TEXT NOT NULL UNIQUE           -- customer/environment
) STRICT;

CREATE TABLE resources (
    key             INTEGER PRIMARY KEY,  -- for joins; says nothing
    tenant          INTEGER NOT NULL REFERENCES tenants (tenant),
    kind            INTEGER NOT NULL,     -- 1 User, 2 Group
    id              TEXT NOT NULL,
    seq             INTEGER,              -- creation sequence; absent while pending
    pending         TEXT,                 -- the change that has reserved it
    version         INTEGER NOT NULL,     -- 0 while pending
    created_ms      INTEGER NOT NULL,
    modified_ms     INTEGER NOT NULL,
    display         TEXT,                 -- how it is shown in groups and members
    user_name_key   TEXT,
    external_id     TEXT,                 -- as it is: the schema says caseExact
    display_name_key TEXT,
    employee_number_key TEXT,
    active          INTEGER,              -- Users only
    body            TEXT NOT NULL,
    CHECK ((seq IS NULL) = (pending IS NOT NULL)),
    CHECK (kind <> 1 OR user_name_key IS NOT NULL)  -- RFC 7643 section 4.1.1; lists sorted by it rely on it
) STRICT;

CREATE UNIQUE INDEX resources_by_id ON resources (tenant, kind, id);
CREATE UNIQUE INDEX resources_by_seq ON resources (tenant, kind, seq) WHERE seq IS NOT NULL;
CREATE UNIQUE INDEX resources_by_user_name ON resources (tenant, user_name_key)
    WHERE user_name_key IS NOT NULL;
CREATE INDEX resources_by_external_id ON resources (tenant, kind, external_id)
    WHERE external_id IS NOT NULL;
CREATE INDEX resources_by_display_name ON resources (tenant, kind, display_name_key)
    WHERE display_name_key IS NOT NULL;
CREATE INDEX resources_by_employee_number ON resources (tenant, employee_number_key)
    WHERE employee_number_key IS NOT NULL;
-- These two contain all that counting needs.
CREATE INDEX resources_by_active ON resources (tenant, active, seq) WHERE seq IS NOT NULL;
CREATE INDEX resources_by_modified ON resources (tenant, kind, modified_ms, seq) WHERE seq IS NOT NULL;

CREATE TABLE resource_emails (
    resource  INTEGER NOT NULL REFERENCES resources (key) ON DELETE CASCADE,
    tenant    INTEGER NOT NULL,
    email_key TEXT NOT NULL,
    PRIMARY KEY (resource, email_key)
) STRICT, WITHOUT ROWID;

CREATE INDEX resource_emails_by_email ON resource_emails (tenant, email_key);

-- How many resources are recorded, kept with every write: `totalResults` without counting.
CREATE TABLE resource_counts (
    tenant INTEGER NOT NULL REFERENCES tenants (tenant),
    kind   INTEGER NOT NULL,
    count  INTEGER NOT NULL CHECK (count >= 0),
    last_seq INTEGER NOT NULL,            -- never given again: cursors point to it
    PRIMARY KEY (tenant, kind)
) STRICT, WITHOUT ROWID;

CREATE TABLE members (
    group_key  INTEGER NOT NULL REFERENCES resources (key) ON DELETE CASCADE,
    position   INTEGER NOT NULL,          -- the order in which they joined
    member_key INTEGER NOT NULL REFERENCES resources (key) ON DELETE CASCADE,
    display    TEXT,                      -- as the tool sent it; NULL: the member's own
    PRIMARY KEY (group_key, position)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX members_by_member ON members (member_key, group_key);

CREATE TABLE links (
    resource  INTEGER NOT NULL REFERENCES resources (key) ON DELETE CASCADE,
    target    TEXT NOT NULL,
    tenant    INTEGER NOT NULL,
    record_id TEXT NOT NULL,
    link      TEXT NOT NULL,              -- salesforce_types::Link as JSON
    PRIMARY KEY (resource, target)
) STRICT, WITHOUT ROWID;

CREATE INDEX links_by_record ON links (tenant, record_id);

CREATE TABLE changes (
    number      INTEGER PRIMARY KEY,      -- the order in which they were accepted
    id          TEXT NOT NULL UNIQUE,
    tenant      INTEGER NOT NULL REFERENCES tenants (tenant),
    client      TEXT NOT NULL,
    kind        INTEGER NOT NULL,
    resource    TEXT NOT NULL,
    state       TEXT NOT NULL,            -- accepted, planned, recorded, withdrawn
    takes_access_away INTEGER NOT NULL,
    fingerprint BLOB,
    rename_key  TEXT,                     -- the folded userName it reserves while it is open
    request     TEXT,                     -- only while it is open: it holds personal data
    plan        TEXT,                     -- likewise
    accepted_ms INTEGER NOT NULL,
    ended_ms    INTEGER,
    answered    INTEGER NOT NULL,
    outcome     TEXT                      -- ChangeOutcome as JSON
) STRICT;

CREATE INDEX changes_open ON changes (number) WHERE ended_ms IS NULL;
CREATE INDEX changes_ended ON changes (ended_ms) WHERE ended_ms IS NOT NULL;
CREATE INDEX changes_by_fingerprint ON changes (tenant, client, fingerprint) WHERE fingerprint IS NOT NULL;
CREATE INDEX changes_by_rename ON changes (tenant, rename_key) WHERE rename_key IS NOT NULL;

CREATE TABLE audit (
    number   INTEGER PRIMARY KEY,
    tenant   INTEGER NOT NULL REFERENCES tenants (tenant),
    resource TEXT NOT NULL,               -- its id: the entries outlive it
    at_ms    INTEGER NOT NULL,
    version  INTEGER NOT NULL,
    change   TEXT,
    entry    TEXT NOT NULL                -- AuditEntry as JSON
) STRICT;

CREATE INDEX audit_by_resource ON audit (tenant, resource);

CREATE TABLE holds (
    number    INTEGER PRIMARY KEY,
    id        TEXT NOT NULL UNIQUE,
    tenant    INTEGER NOT NULL REFERENCES tenants (tenant),
    subject   TEXT NOT NULL,
    target    TEXT NOT NULL,
    identity  TEXT,
    kind      TEXT NOT NULL,              -- HoldKind as JSON
    raised_ms INTEGER NOT NULL,
    closed_ms INTEGER
) STRICT;

CREATE UNIQUE INDEX holds_open ON holds (tenant, subject, target) WHERE closed_ms IS NULL;

CREATE TABLE secrets (
    owner  TEXT NOT NULL,
    name   TEXT NOT NULL,
    sealed BLOB NOT NULL,
    PRIMARY KEY (owner, name)
) STRICT, WITHOUT ROWID;
