//! Salesforce as types: record ids, field descriptions, picklists, error codes, the steps of a plan. No I/O.
