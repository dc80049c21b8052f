//! The SCIM door: authenticate, parse, call provisioning, answer as RFC 7644 says.
