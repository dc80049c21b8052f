//! Gangway: a self-hosted SCIM 2.0 gateway in front of Salesforce.
