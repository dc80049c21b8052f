//! Pure: SCIM attributes to Salesforce fields, by mappings, normalisers and target rules.
//!
//! This is the one crate that holds an opinion about how a SCIM user becomes a Salesforce record. It knows no network, no
//! store and no time. Start at [`Mapping::parse`], which checks a mapping against the SCIM schema, and at
//! [`Target::translate`], which says for one user what each field is to hold, what was adapted on the way, and what the
//! org would refuse. The format is explained in `docs/mapping.md`.

mod expression;
mod glob;
mod mapping;
mod normalise;
mod note;
pub mod profile;
mod source;
mod suggest;
mod translate;

pub use glob::Glob;
pub use mapping::{
    AccountMissing, Allow, ConversionRules, ConversionWish, Conversions, DuplicatePolicy, EntitlementPolicy,
    EventKind, GrantRule, GroupPolicy, HandOver, HandOverTo, Mapping, MappingError, MappingErrors, OnLeave,
    Ownership, Partial, Publish, Pushed, PushedError, RuleInFile, Ruled, Severity, SourceRules, Target,
    WhenDeleted,
};
pub use note::{FieldRefusal, Note, NoteCode, RefusalKind};
pub use translate::{Action, Awaited, Context, Desired, Reference, Resolved, Translation};
