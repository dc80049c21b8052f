//! Locking a User out and letting it in again.
//!
//! Who leaves is frozen and deactivated in one call: the freeze holds where Salesforce does not let go of the User yet. What
//! Gangway has not frozen it does not unfreeze.

use salesforce_types::Fields;
use serde_json::Value;
use translation::OnLeave;

use crate::Input;

/// Whether a User is frozen, as far as that is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Frozen {
    /// It is not, or nobody has looked.
    #[default]
    No,
    /// By Gangway, which lets it in again.
    ByGangway,
    /// By somebody else, who decides when that ends.
    BySomebody,
    /// It has no login record, and cannot be frozen.
    Never,
}

/// What is to be done about a User's access.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Lockout {
    /// What is written into its record.
    pub(crate) fields: Fields,
    /// Whether it is frozen, or let in again.
    pub(crate) freeze: Option<bool>,
    /// Whether it can log in and is not to.
    pub(crate) leaves: bool,
    /// Whether something of that has to wait: Salesforce keeps the User active.
    pub(crate) is_blocked: bool,
}

/// Decides it. `was_active` is what the record says.
pub(crate) fn lockout(input: &Input<'_>, was_active: bool, active: bool) -> Lockout {
    let written = |active: bool| Fields::from_iter([("IsActive".to_owned(), Value::Bool(active))]);
    if active {
        let fields = if was_active { Fields::new() } else { written(true) };
        let freeze = (input.frozen == Frozen::ByGangway).then_some(false);
        return Lockout { fields, freeze, ..Lockout::default() };
    }
    let on_leave = input.place.target.on_leave;
    let freezes_only = on_leave == OnLeave::Freeze && input.frozen != Frozen::Never;
    let is_out = !was_active || (freezes_only && input.frozen != Frozen::No);
    if on_leave == OnLeave::None || is_out {
        return Lockout::default();
    }
    let deactivates = !freezes_only && !input.blocked;
    Lockout {
        fields: if deactivates { written(false) } else { Fields::new() },
        freeze: (input.frozen == Frozen::No).then_some(true),
        leaves: true,
        is_blocked: !freezes_only && input.blocked,
    }
}
