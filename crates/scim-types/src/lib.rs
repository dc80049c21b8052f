//! SCIM 2.0 as types: schemas, attribute paths, filters, PATCH, bulk, lists, errors, discovery. No I/O.
