//! SCIM 2.0 as types: schemas, attribute paths, filters, PATCH, bulk, lists, errors, discovery. No I/O.
//!
//! Knows RFC 7643, RFC 7644, RFC 9865 and what identity tools really send; knows nothing of HTTP, of a store or of
//! Salesforce. Start at [`Registry`]: it hands out the two [`ResourceType`]s, which read bodies and find attributes.

pub mod body;
pub mod bulk;
pub mod discovery;
mod error;
pub mod filter;
mod fold;
mod list;
pub mod patch;
mod patch_path;
mod path;
mod projection;
pub mod put;
mod registry;
mod resource;
pub mod schema;
mod search;

pub use error::{ERROR_URN, Error, ScimType};
pub use filter::{Filter, FilterError};
pub use fold::{fold, fold_eq};
pub use list::{LIST_RESPONSE_SCHEMA, ListResponse};
pub use patch::{Op, Operation, Patch};
pub use patch_path::{PatchPath, PatchPathError};
pub use path::{AttrPath, PathError};
pub use projection::Projection;
pub use put::{Put, check_id};
pub use registry::{Extension, Registry, ResourceType};
pub use resource::Resource;
pub use search::{DEFAULT_PAGE, MAX_PAGE, Page, SEARCH_REQUEST_SCHEMA, SearchRequest, SortOrder};
