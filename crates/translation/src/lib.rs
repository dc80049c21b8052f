//! Pure: SCIM attributes to Salesforce fields, by mappings, normalisers and target rules.
