-- Secrets are replaced by whoever knows the version there is, and things that one process may do at a time have leases.
-- An addition: version 1 can use the file.

ALTER TABLE secrets ADD COLUMN version INTEGER NOT NULL DEFAULT 1;

CREATE TABLE leases (
    name     TEXT PRIMARY KEY,
    holder   TEXT NOT NULL,
    until_ms INTEGER NOT NULL,
    gateway  INTEGER NOT NULL             -- 1: taken by the process that has the file to itself
) STRICT, WITHOUT ROWID;
