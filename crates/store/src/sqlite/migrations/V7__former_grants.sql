-- What a Salesforce User had of Gangway when the last identity that it was of was removed: whoever gets the record next has
-- it as Gangway's. An addition: version 6 can use the file, and writes none.

CREATE TABLE former_grants (
    tenant    INTEGER NOT NULL REFERENCES tenants (tenant),
    org       TEXT NOT NULL,
    record_id TEXT NOT NULL,
    grants    TEXT NOT NULL,            -- a list of salesforce_types::Grant as JSON
    PRIMARY KEY (tenant, org, record_id)
) STRICT, WITHOUT ROWID;
