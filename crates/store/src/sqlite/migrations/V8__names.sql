-- By what else events and identities are known, and what is told of a change. An addition: version 7 can use the file.

-- What an event was delivered as, where that is not its own name: a part of a delivery, or one that came under another name.
CREATE TABLE event_names (
    name        TEXT NOT NULL,
    number      INTEGER NOT NULL REFERENCES events (number) ON DELETE CASCADE,
    PRIMARY KEY (name, number)
) STRICT, WITHOUT ROWID;

CREATE INDEX event_names_of ON event_names (number);

-- What a source calls an identity. Another source may call it something else.
CREATE TABLE source_names (
    tenant      INTEGER NOT NULL REFERENCES tenants (tenant),
    source      TEXT NOT NULL,
    name        TEXT NOT NULL,
    resource    INTEGER NOT NULL REFERENCES resources (key) ON DELETE CASCADE,
    PRIMARY KEY (tenant, source, name)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX source_names_of ON source_names (resource, source);

ALTER TABLE outgoing ADD COLUMN told TEXT;                          -- store::Told as JSON: what the resource was then
ALTER TABLE receivers ADD COLUMN whole INTEGER NOT NULL DEFAULT 0;  -- it gets whole resources
