//! A simulated Salesforce org: an HTTP server with the org's rules, limits and faults.
