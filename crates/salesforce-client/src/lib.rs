//! Talking to an org: OAuth, records, SOQL, limits. Knows no SCIM.
