//! The rules that only users have: usernames, nicknames, licences, roles, deactivation, freezing.

pub(crate) mod password;
mod registry;
pub(crate) mod sessions;

use std::sync::Arc;

use serde_json::Value;

use crate::{
    cell::{Cell, Row, fold},
    crm::{addresses, portal},
    entitlements,
    errors::{Refusal, Refusals},
    ids::Id,
    licences::{self, Kind, check_seat, count_seats},
    org::{Actor, Org},
    rules::{Rules, Write},
    schema::{Field, Object},
    values,
};

pub(crate) use registry::Membership;

const BLOCKERS: &str = include_str!("../data/deactivation_blockers.tsv");

/// The feature licences that a user may hold.
pub(crate) const FEATURES: &str = "UserPermissions";

/// A field that no caller sees: the e-mail address that waits for its confirmation.
const PENDING_EMAIL: &str = "PendingEmail";

/// Counts active users who may manage users and modify all data.
const ACTIVE_ADMINS: &str = "active administrators";

/// The rules of `User`.
pub(crate) struct Users;

impl Rules for Users {
    fn complete(&self, org: &mut Org, row: &mut Row, write: &Write<'_>) -> Result<(), Refusals> {
        complete(org, row, write.before, write.named, write.actor);
        portal::complete_user(org, row, write);
        addresses::complete(row, write)
    }

    fn check_syntax(&self, org: &Org, row: &Row, write: &Write<'_>) -> Result<(), Refusals> {
        check_syntax(org, row, write.named)
    }

    fn duplicate(&self, org: &Org, field: &Field, value: &Cell, other: Option<Id>) -> Option<Refusal> {
        duplicate(org, field, value, other)
    }

    fn check(&self, org: &Org, row: &Row, write: &Write<'_>) -> Result<(), Refusals> {
        check(org, row, write.before, write.actor)?;
        portal::check_user(org, row, write)
    }

    fn saved(&self, org: &mut Org, row: &Row, write: &Write<'_>) -> Result<(), Refusals> {
        let name = |row: &Row| row.get(org.user_fields.username).as_text().map(ToOwned::to_owned);
        let (now, then) = (name(row), write.before.and_then(name));
        if now != then && !org.rename(then, now) {
            return Err(vec![duplicate_username()]);
        }
        saved(org, row, write.before, write.actor);
        Ok(())
    }
}

/// The rules of `UserLogin`.
pub(crate) struct Logins;

impl Rules for Logins {
    fn check(&self, org: &Org, row: &Row, write: &Write<'_>) -> Result<(), Refusals> {
        check_login(org, row, write.before, write.actor)
    }
}

/// The numbers of the fields that the rules ask for by name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UserFields {
    pub(crate) username: usize,
    pub(crate) email: usize,
    pub(crate) first_name: usize,
    pub(crate) last_name: usize,
    pub(crate) name: usize,
    pub(crate) nickname: usize,
    pub(crate) is_active: usize,
    pub(crate) profile: usize,
    pub(crate) role: usize,
    pub(crate) manager: usize,
    pub(crate) user_type: usize,
    pub(crate) time_zone: usize,
}

impl UserFields {
    pub(crate) fn new(user: &Object) -> Self {
        Self {
            username: user.at("Username"),
            email: user.at("Email"),
            first_name: user.at("FirstName"),
            last_name: user.at("LastName"),
            name: user.at("Name"),
            nickname: user.at("CommunityNickname"),
            is_active: user.at("IsActive"),
            profile: user.at("ProfileId"),
            role: user.at("UserRoleId"),
            manager: user.at("ManagerId"),
            user_type: user.at("UserType"),
            time_zone: user.at("TimeZoneSidKey"),
        }
    }
}

/// Salesforce's words for a reason not to deactivate, by its name in the org file. Any other text
/// stands for itself.
pub(crate) fn blocker(name: &str) -> String {
    let known = BLOCKERS.lines().filter_map(|line| line.split_once('\t')).find(|(key, _)| *key == name);
    known.map_or(name, |(_, text)| text).to_owned()
}

/// What Salesforce fills in or rewrites before it checks: lower-case username, full name, nickname,
/// `IsActive` of a new user, an e-mail change that waits for its confirmation.
fn complete(org: &mut Org, row: &mut Row, before: Option<&Row>, named: &[usize], actor: Actor) {
    let f = org.user_fields;
    if let Some(name) = row.get(f.username).as_text().map(str::to_lowercase) {
        row.set(f.username, Cell::text(&name));
    }
    let parts = [row.get(f.first_name), row.get(f.last_name)];
    let name: Vec<&str> = parts.iter().filter_map(|part| part.as_text()).collect();
    let name = Cell::text(&name.join(" "));
    row.set(f.name, name);
    match before {
        None => {
            if !named.contains(&f.is_active) {
                row.set(f.is_active, Cell::Bool(org.switches.is_active_default));
            }
            if row.get(f.nickname).is_null() {
                org.count("nicknames", 1);
                let nickname = format!("User{}{}", actor.now, org.counter("nicknames"));
                row.set(f.nickname, Cell::text(&nickname));
            }
        }
        Some(before) => {
            let waits = org.switches.email_change_needs_confirmation && named.contains(&f.email);
            if waits && row.get(f.email) != before.get(f.email) {
                let pending = org.table_of("User").object.at(PENDING_EMAIL);
                row.set(pending, row.get(f.email).clone());
                row.set(f.email, before.get(f.email).clone());
            }
        }
    }
    if let Some(profile) = row.get(f.profile).as_id().and_then(|id| org.record(id)) {
        let profile_object = &org.table_of("Profile").object;
        row.set(f.user_type, profile.get(profile_object.at("UserType")).clone());
    }
}

/// Makes an e-mail address that waits for its confirmation the user's. `false` if none does.
pub(crate) fn confirm_email(org: &mut Org, user: Id) -> bool {
    let object = Arc::clone(&org.table_of("User").object);
    let (pending, email) = (object.at(PENDING_EMAIL), org.user_fields.email);
    let row = org.table(&object).get(user).filter(|row| !row.get(pending).is_null());
    let Some(mut row) = row.map(|row| Row::clone(row)) else { return false };
    row.set(email, row.get(pending).clone());
    row.set(pending, Cell::Null);
    org.replace(&object, row);
    true
}

/// Usernames have the form of an e-mail address.
fn check_syntax(org: &Org, row: &Row, named: &[usize]) -> Result<(), Refusals> {
    let f = org.user_fields;
    let Some(username) = row.get(f.username).as_text().filter(|_| named.contains(&f.username)) else {
        return Ok(());
    };
    if values::is_email(username) {
        return Ok(());
    }
    let message = "Username must be in the form of an email address (for example, john@acme.com): Username";
    let code = org.switches.username_syntax_code.clone();
    Err(vec![Refusal::record(code, message, &["Username"])])
}

/// The texts for a value that another user has. Usernames are taken in every org at once, and
/// inactive users keep theirs.
fn duplicate(org: &Org, field: &Field, value: &Cell, other: Option<Id>) -> Option<Refusal> {
    match field.name.as_str() {
        "Username" => {
            let elsewhere = || {
                let shared = |name: &str| org.usernames.as_ref().is_some_and(|names| names.is_taken(name));
                value.as_text().is_some_and(|name| org.taken_usernames.contains(&fold(name)) || shared(name))
            };
            (other.is_some() || elsewhere()).then(duplicate_username)
        }
        "CommunityNickname" => other.map(|_| {
            let message = "Duplicate Nickname.<br>Another user has already selected this nickname.<br>Please \
                select another.";
            Refusal::record("DUPLICATE_COMM_NICKNAME", message, &["CommunityNickname"])
        }),
        _ => None,
    }
}

fn duplicate_username() -> Refusal {
    let message = "Duplicate Username.<br>The username already exists in this or another Salesforce organization. \
        Usernames must be unique across all Salesforce organizations. To resolve, use a different username (it \
        doesn't need to match the user's email address). ";
    Refusal::record("DUPLICATE_USERNAME", message, &["Username"])
}

/// What a user is allowed, taken from his profile and its licence.
struct Rights {
    licence: Option<Id>,
    is_admin: bool,
}

fn rights(org: &Org, user: &Row) -> Rights {
    let table = org.table_of("Profile");
    let Some(profile) = user.get(org.user_fields.profile).as_id().and_then(|id| table.get(id)) else {
        return Rights { licence: None, is_admin: false };
    };
    let may = |name: &str| profile.get(table.object.at(name)).as_bool();
    Rights {
        licence: profile.get(table.object.at("UserLicenseId")).as_id(),
        is_admin: may("PermissionsManageUsers") && may("PermissionsModifyAllData"),
    }
}

/// The user license that a user has by his profile.
pub(crate) fn licence(org: &Org, user: &Row) -> Option<Id> {
    rights(org, user).licence
}

/// Everything else that a user is refused for.
fn check(org: &Org, row: &Row, before: Option<&Row>, actor: Actor) -> Result<(), Refusals> {
    let f = org.user_fields;
    let active = row.get(f.is_active).as_bool();
    let was_active = before.is_some_and(|before| before.get(f.is_active).as_bool());
    if was_active && !active {
        check_deactivation(org, row, actor)?;
    }
    check_manager(org, row, before)?;
    let now = rights(org, row);
    let then = before.map(|before| rights(org, before));
    if was_active && !now.is_admin && then.as_ref().is_some_and(|then| then.is_admin) {
        check_last_admin(org)?;
    }
    check_licence(org, row, &now, then.as_ref())?;
    let seat = active.then_some(now.licence).flatten();
    let had = then.filter(|_| was_active).and_then(|then| then.licence);
    if let Some(licence) = seat.filter(|licence| Some(*licence) != had) {
        check_seat(org, licence)?;
    }
    if let (true, false, Some(id)) = (active, was_active, row.get(0).as_id()) {
        entitlements::check_reactivation(org, id)?;
    }
    check_features(org, row, before)
}

fn check_deactivation(org: &Org, row: &Row, actor: Actor) -> Result<(), Refusals> {
    let id = row.get(0).as_id();
    if id == Some(actor.user) {
        let code = org.switches.self_deactivation_code.clone();
        return Err(vec![Refusal::record(code, "You cannot deactivate yourself", &["IsActive"])]);
    }
    let blockers = id.and_then(|id| org.blockers.get(&id)).map(Vec::as_slice).unwrap_or_default();
    if let Some(first) = blockers.first() {
        let code = org.switches.deactivation_blocked_code.clone();
        let text = if org.switches.name_all_blockers { blockers.join("\n") } else { first.clone() };
        return Err(vec![Refusal::record(code, text, &[])]);
    }
    if rights(org, row).is_admin {
        check_last_admin(org)?;
    }
    Ok(())
}

fn check_last_admin(org: &Org) -> Result<(), Refusals> {
    if org.counter(ACTIVE_ADMINS) > 1 {
        return Ok(());
    }
    let message = "You cannot disable the last active administrator";
    Err(vec![Refusal::record("CANNOT_DISABLE_LAST_ADMIN", message, &[])])
}

fn check_manager(org: &Org, row: &Row, before: Option<&Row>) -> Result<(), Refusals> {
    let f = org.user_fields;
    if before.is_none() || !org.switches.refuse_manager_loops {
        return Ok(());
    }
    let own = row.get(0).as_id();
    let table = org.table_of("User");
    let mut next = row.get(f.manager).as_id();
    // Longer than any chain of managers in a real org; a loop made by an org file ends here too.
    for _ in 0..500 {
        let Some(id) = next else { return Ok(()) };
        if Some(id) == own {
            let message = "Manager ID: a user cannot be his or her own manager, directly or indirectly";
            return Err(vec![Refusal::record("CIRCULAR_DEPENDENCY", message, &["ManagerId"])]);
        }
        next = table.get(id).and_then(|row| row.get(f.manager).as_id());
    }
    Ok(())
}

/// Licences of one family only: Chatter and community licences are no way up or down from Salesforce.
fn check_licence(org: &Org, row: &Row, now: &Rights, then: Option<&Rights>) -> Result<(), Refusals> {
    let Some(licence) = now.licence else { return Ok(()) };
    let kind = Kind::of(org, licence);
    if !kind.roles && row.get(org.user_fields.role).as_id().is_some() {
        let message = "Role ID: the user license does not allow a role";
        return Err(vec![Refusal::record("FIELD_INTEGRITY_EXCEPTION", message, &["UserRoleId"])]);
    }
    let then = then.and_then(|then| then.licence).map(|then| Kind::of(org, then));
    if then.is_some_and(|then| then.family != kind.family) {
        let message = "Profile ID: the user's license cannot be changed to the license of this profile";
        return Err(vec![Refusal::record("FIELD_INTEGRITY_EXCEPTION", message, &["ProfileId"])]);
    }
    Ok(())
}

fn check_features(org: &Org, row: &Row, before: Option<&Row>) -> Result<(), Refusals> {
    let user = &org.table_of("User").object;
    for (name, total) in &org.feature_totals {
        let has = |row: &Row| uses_feature(org, user, name, row);
        if has(row) && !before.is_some_and(has) && org.counter(name) >= *total {
            let label = user.field(name).map_or(name.as_str(), |field| &field.label);
            let message = format!("{} feature license limit exceeded", label.to_lowercase());
            return Err(vec![Refusal::record("LICENSE_LIMIT_EXCEEDED", message, &[])]);
        }
    }
    Ok(())
}

fn uses_feature(org: &Org, user: &Object, name: &str, row: &Row) -> bool {
    row.get(org.user_fields.is_active).as_bool()
        && user.field(name).is_some_and(|field| row.get(field.index).as_bool())
}

/// After a user was written: seats are counted, and an active user has a `UserLogin`.
fn saved(org: &mut Org, row: &Row, before: Option<&Row>, actor: Actor) {
    if before.is_none_or(|before| counts_otherwise(org, before, row)) {
        recount(org, before, -1, actor);
        recount(org, Some(row), 1, actor);
    }
    let f = org.user_fields;
    let Some(id) = row.get(0).as_id() else { return };
    let active = row.get(f.is_active).as_bool();
    if active {
        add_login(org, id, actor);
    }
    if let Some(profile) =
        row.get(f.profile).as_id().filter(|_| before.is_none_or(|b| b.get(f.profile) != row.get(f.profile)))
    {
        entitlements::follow_profile(org, id, profile, actor);
    }
    match before.map(|before| before.get(f.is_active).as_bool()) {
        Some(false) if active => entitlements::count_all(org, id, 1, actor.now),
        Some(true) if !active => {
            entitlements::count_all(org, id, -1, actor.now);
            sessions::end_all(org, id);
            if org.switches.deactivation_ends_memberships {
                entitlements::leave_all(org, id);
            }
        }
        _ => {}
    }
}

/// Whether a change moves a seat, a feature or an administrator.
fn counts_otherwise(org: &Org, before: &Row, row: &Row) -> bool {
    let f = org.user_fields;
    let user = &org.table_of("User").object;
    before.get(f.is_active) != row.get(f.is_active)
        || before.get(f.profile) != row.get(f.profile)
        || org
            .feature_totals
            .keys()
            .any(|name| uses_feature(org, user, name, before) != uses_feature(org, user, name, row))
}

/// Counts an active user in (`by` 1) or out (-1) of seats, features and administrators.
fn recount(org: &mut Org, row: Option<&Row>, by: i64, actor: Actor) {
    let Some(row) = row.filter(|row| row.get(org.user_fields.is_active).as_bool()) else { return };
    let rights = rights(org, row);
    if let Some(licence) = rights.licence {
        count_seats(org, licence, by, actor.now);
    }
    if rights.is_admin {
        org.count(ACTIVE_ADMINS, by);
    }
    let user = Arc::clone(&org.table_of("User").object);
    for name in org.feature_totals.keys().cloned().collect::<Vec<_>>() {
        if uses_feature(org, &user, &name, row) {
            org.count(&name, by);
        }
    }
}

/// Every user who was ever active has one `UserLogin`. It is not touched again by later changes of
/// the user, nor the user by changes of it.
pub(crate) fn add_login(org: &mut Org, user: Id, actor: Actor) {
    let object = Arc::clone(&org.table_of("UserLogin").object);
    let user_id = object.at("UserId");
    if org.table(&object).find_one(user_id, &Cell::Id(user)).is_some() {
        return;
    }
    let at = org.stamp(actor.now);
    let id = org.new_id(&object);
    let mut row = Row::default();
    row.set(0, Cell::Id(id));
    row.set(user_id, Cell::Id(user));
    row.set(object.at("LastModifiedDate"), Cell::Time(at));
    row.set(object.at("LastModifiedById"), Cell::Id(actor.user));
    org.insert(&object, row);
}

/// Nobody freezes himself, and the API only unlocks passwords.
fn check_login(org: &Org, row: &Row, before: Option<&Row>, actor: Actor) -> Result<(), Refusals> {
    let object = &org.table_of("UserLogin").object;
    let turned_on = |name: &str| {
        let at = object.at(name);
        row.get(at).as_bool() && !before.is_some_and(|before| before.get(at).as_bool())
    };
    if turned_on("IsFrozen") && row.get(object.at("UserId")).as_id() == Some(actor.user) {
        return Err(vec![Refusal::record("CANNOT_FREEZE_SELF", "You cannot freeze yourself", &["IsFrozen"])]);
    }
    if turned_on("IsPasswordLocked") {
        let message = "Password Locked: the API can only unlock a password";
        return Err(vec![Refusal::record("FIELD_INTEGRITY_EXCEPTION", message, &["IsPasswordLocked"])]);
    }
    Ok(())
}

/// Active and not frozen: may log in, and so may tokens that act as this user.
pub(crate) fn may_log_in(org: &Org, user: Id) -> bool {
    let logins = org.table_of("UserLogin");
    let (user_id, frozen) = (logins.object.at("UserId"), logins.object.at("IsFrozen"));
    org.table_of("User").get(user).is_some_and(|row| row.get(org.user_fields.is_active).as_bool())
        && !logins.find_one(user_id, &Cell::Id(user)).is_some_and(|row| row.get(frozen).as_bool())
}

/// Sets the seats of a licence by its name, or the number of a feature licence by its field.
/// `false` if there is no such licence.
pub(crate) fn set_total(org: &mut Org, name: &str, total: i64) -> bool {
    if licences::set_seats(org, name, total) {
        return true;
    }
    let user = Arc::clone(&org.table_of("User").object);
    let feature = user.field(name).filter(|field| field.name.starts_with(FEATURES)).map(|f| f.name.clone());
    let Some(feature) = feature else { return false };
    let holders = org.table(&user).iter().filter(|(_, row)| uses_feature(org, &user, &feature, row)).count();
    let holders = i64::try_from(holders).unwrap_or(i64::MAX);
    org.count(&feature, holders - org.counter(&feature));
    org.feature_totals.insert(feature, total);
    true
}

/// The names and totals of a `POST /_sim/licenses`; `Err` with the name that does not fit.
pub(crate) fn set_totals(org: &mut Org, totals: &serde_json::Map<String, Value>) -> Result<(), String> {
    for (name, total) in totals {
        let set = total.as_i64().is_some_and(|total| set_total(org, name, total));
        if !set {
            return Err(name.clone());
        }
    }
    Ok(())
}
