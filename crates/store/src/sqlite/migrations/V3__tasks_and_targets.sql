-- What is owed later, what targets there were, and who is linked through one. An addition: version 2 can use the file.

CREATE TABLE tasks (
    number    INTEGER PRIMARY KEY,      -- the order in which they were raised
    id        TEXT NOT NULL UNIQUE,
    tenant    INTEGER NOT NULL REFERENCES tenants (tenant),
    resource  INTEGER NOT NULL REFERENCES resources (key) ON DELETE CASCADE,
    target    TEXT NOT NULL,
    kind      TEXT NOT NULL,            -- TaskKind as JSON
    waits_for TEXT,                     -- the id of the identity whose record it waits for, if it does
    through   TEXT,                     -- and that record's target
    woken     INTEGER NOT NULL,         -- 1: what it waits for came, and nothing has been decided since
    reason    TEXT NOT NULL,
    due_ms    INTEGER NOT NULL,
    attempts  INTEGER NOT NULL,
    raised_ms INTEGER NOT NULL,
    CHECK ((waits_for IS NULL) = (through IS NULL))
) STRICT;

CREATE UNIQUE INDEX tasks_by_resource ON tasks (resource, target, kind);
CREATE INDEX tasks_by_due ON tasks (due_ms);
CREATE INDEX tasks_by_awaited ON tasks (tenant, waits_for, through) WHERE waits_for IS NOT NULL;

-- 1: earlier stages of the change have landed, and their links are written.
ALTER TABLE changes ADD COLUMN landed INTEGER NOT NULL DEFAULT 0;

CREATE TABLE targets (
    tenant  INTEGER NOT NULL REFERENCES tenants (tenant),
    target  TEXT NOT NULL,
    policy  TEXT NOT NULL,              -- JSON
    seen_ms INTEGER NOT NULL,           -- when it was last configured
    PRIMARY KEY (tenant, target)
) STRICT, WITHOUT ROWID;

CREATE INDEX links_by_target ON links (tenant, target);

-- The record that a person has chosen; it is adopted when the request comes again.
ALTER TABLE holds ADD COLUMN decided TEXT;
