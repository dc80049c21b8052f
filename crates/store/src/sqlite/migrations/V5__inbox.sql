-- Events, and what is known of their subjects. An addition: version 4 can use the file.

CREATE TABLE events (
    number      INTEGER PRIMARY KEY,    -- the order in which they came
    tenant      INTEGER NOT NULL REFERENCES tenants (tenant),
    source      TEXT NOT NULL,
    jti         TEXT NOT NULL,
    same_as     TEXT,                   -- another name by which the same event is known
    subject     TEXT NOT NULL,
    kind        TEXT NOT NULL,
    happened_ms INTEGER NOT NULL,
    received_ms INTEGER NOT NULL,
    state       TEXT NOT NULL,          -- store::EventState
    reason      TEXT,
    attempts    INTEGER NOT NULL DEFAULT 0,
    due_ms      INTEGER,
    settled_ms  INTEGER,
    payload     TEXT,                   -- JSON, while somebody may need it
    approved    INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE UNIQUE INDEX events_by_jti ON events (jti, source, tenant);
CREATE INDEX events_same ON events (tenant, source, same_as) WHERE same_as IS NOT NULL;
CREATE INDEX events_due ON events (due_ms) WHERE state = 'stored';
CREATE INDEX events_waiting ON events (tenant, source, subject, number) WHERE state = 'stored';
CREATE INDEX events_owed ON events (state, number) WHERE state NOT IN ('applied', 'ignored');
CREATE INDEX events_settled ON events (settled_ms) WHERE settled_ms IS NOT NULL;

CREATE TABLE subjects (
    tenant      INTEGER NOT NULL REFERENCES tenants (tenant),
    source      TEXT NOT NULL,
    subject     TEXT NOT NULL,
    happened_ms INTEGER NOT NULL,
    version     INTEGER,
    deleted_ms  INTEGER,
    PRIMARY KEY (tenant, source, subject)
) STRICT, WITHOUT ROWID;

CREATE INDEX subjects_deleted ON subjects (deleted_ms) WHERE deleted_ms IS NOT NULL;

-- What goes out to those who want to hear of changes.

-- A list of store::Asynchronous as JSON: callers that did not wait, and hear of the end by an event.
ALTER TABLE changes ADD COLUMN asynchronous TEXT;

CREATE TABLE outgoing (
    number    INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant    INTEGER NOT NULL REFERENCES tenants (tenant),
    at_ms     INTEGER NOT NULL,
    kind      INTEGER NOT NULL,
    resource  TEXT NOT NULL,
    happening TEXT NOT NULL,            -- store::Happening as JSON
    id        TEXT NOT NULL             -- random: a number may be given again after a power failure, or in another file
) STRICT;

CREATE INDEX outgoing_of ON outgoing (tenant, number);

CREATE TABLE receivers (
    tenant     INTEGER NOT NULL REFERENCES tenants (tenant),
    name       TEXT NOT NULL,
    got        INTEGER NOT NULL,        -- everything up to this number, and what is in receiver_got
    refused    INTEGER NOT NULL DEFAULT 0,
    refusal    TEXT,                    -- why it refused last
    attempts   INTEGER NOT NULL DEFAULT 0,
    reason     TEXT,
    failing_ms INTEGER,
    due_ms     INTEGER,
    PRIMARY KEY (tenant, name)
) STRICT, WITHOUT ROWID;

-- Of a receiver that polls: what it has got out of order.
CREATE TABLE receiver_got (
    tenant   INTEGER NOT NULL,
    name     TEXT NOT NULL,
    number   INTEGER NOT NULL,
    PRIMARY KEY (tenant, name, number),
    FOREIGN KEY (tenant, name) REFERENCES receivers (tenant, name) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- Users whom the signals of a source have locked out: only these are let in again by one of it.
CREATE TABLE lockouts (
    number      INTEGER PRIMARY KEY,
    tenant      INTEGER NOT NULL REFERENCES tenants (tenant),
    org         TEXT NOT NULL,
    user        TEXT NOT NULL,
    source      TEXT NOT NULL,
    subject     TEXT NOT NULL,          -- SHA-256 of what the source calls the person
    jti         TEXT NOT NULL,
    begun_ms    INTEGER NOT NULL,
    done_ms     INTEGER,                -- absent: it may have landed or not
    ended_ms    INTEGER
) STRICT;

CREATE UNIQUE INDEX lockouts_by_user ON lockouts (org, user, tenant, source) WHERE ended_ms IS NULL;
CREATE INDEX lockouts_of_subject ON lockouts (tenant, source, subject) WHERE ended_ms IS NULL;
CREATE INDEX lockouts_lately ON lockouts (tenant, source, begun_ms);
CREATE INDEX lockouts_ended ON lockouts (ended_ms) WHERE ended_ms IS NOT NULL;

-- What consent events are about to write; gone when the evidence is in the audit.
CREATE TABLE consents (
    tenant      INTEGER NOT NULL REFERENCES tenants (tenant),
    source      TEXT NOT NULL,
    jti         TEXT NOT NULL,
    intent      TEXT NOT NULL,          -- JSON
    PRIMARY KEY (tenant, source, jti)
) STRICT, WITHOUT ROWID;
