//! `/id/{org}/{user}`, `userinfo` and discovery: whom tokens act as, and where everything is.

use jiff::tz::TimeZone;
use serde_json::json;

use crate::{
    cell::Cell,
    ids::Id,
    org::Org,
    request::{Body, Reply},
};

/// `GET /id/{org}/{user}`, with the 18-character ids of both.
pub(crate) fn identity(org: &Org, org_id: &str, user_id: &str, base: &str) -> Reply {
    let plain = |status, text| Reply { status, body: Body::Html(text), headers: Vec::new() };
    if Id::parse(org_id) != Some(org.id) {
        return plain(403, "Wrong_Org");
    }
    let table = org.table_of("User");
    let Some((id, row)) = Id::parse(user_id).and_then(|id| Some((id, table.get(id)?))) else {
        return plain(404, "Bad_Id");
    };
    if !row.get(org.user_fields.is_active).as_bool() {
        return plain(403, "Inactive_User");
    }
    let text = |name: &str| row.get(table.object.at(name)).to_json();
    let api = |path: &str| format!("{base}/services/data/v{{version}}/{path}");
    let soap = |letter: &str| format!("{base}/services/Soap/{letter}/{{version}}/{}", org.id.short());
    let modified = match row.get(table.object.at("LastModifiedDate")) {
        Cell::Time(millis) => {
            jiff::Timestamp::from_second(millis.div_euclid(1_000)).unwrap_or_default().to_string()
        }
        _ => String::new(),
    };
    Reply::json(
        200,
        json!({
            "id": format!("{base}/id/{}/{id}", org.id),
            "asserted_user": true,
            "user_id": id.to_string(),
            "organization_id": org.id.to_string(),
            "username": text("Username"),
            "nick_name": text("CommunityNickname"),
            "display_name": text("Name"),
            "email": text("Email"),
            "email_verified": true,
            "first_name": text("FirstName"),
            "last_name": text("LastName"),
            "timezone": text("TimeZoneSidKey"),
            "photos": {"picture": text("FullPhotoUrl"), "thumbnail": text("SmallPhotoUrl")},
            "addr_street": text("Street"),
            "addr_city": text("City"),
            "addr_state": text("State"),
            "addr_country": text("Country"),
            "addr_zip": text("PostalCode"),
            "mobile_phone": text("MobilePhone"),
            "mobile_phone_verified": false,
            "is_lightning_login_user": false,
            "status": {"created_date": null, "body": null},
            "urls": {
                "enterprise": soap("c"), "metadata": soap("m"), "partner": soap("u"), "rest": api(""),
                "sobjects": api("sobjects/"), "search": api("search/"), "query": api("query/"),
                "recent": api("recent/"), "tooling_soap": soap("T"), "tooling_rest": api("tooling/"),
                "profile": format!("{base}/{id}"), "feeds": api("chatter/feeds"),
                "groups": api("chatter/groups"), "users": api("chatter/users"),
                "feed_items": api("chatter/feed-items"), "feed_elements": api("chatter/feed-elements"),
                "custom_domain": base,
            },
            "active": row.get(org.user_fields.is_active).as_bool(),
            "user_type": "STANDARD",
            "language": text("LanguageLocaleKey"),
            "locale": text("LocaleSidKey"),
            "utcOffset": utc_offset(text("TimeZoneSidKey").as_str().unwrap_or_default()),
            "last_modified_date": modified,
            "is_app_installed": true,
        }),
    )
}

/// Milliseconds ahead of UTC, without summer time: the offset on the first of January.
fn utc_offset(zone: &str) -> i64 {
    let zone = TimeZone::get(zone).unwrap_or(TimeZone::UTC);
    let winter = jiff::Timestamp::from_second(1_767_225_600).unwrap_or_default();
    i64::from(zone.to_offset(winter).seconds()) * 1_000
}

/// `GET /services/oauth2/userinfo`
pub(crate) fn userinfo(org: &Org, user: Id, base: &str) -> Reply {
    let table = org.table_of("User");
    let Some(row) = table.get(user) else {
        return bad_token();
    };
    let text = |name: &str| row.get(table.object.at(name)).to_json();
    Reply::json(
        200,
        json!({
            "sub": format!("{base}/id/{}/{user}", org.id),
            "user_id": user.to_string(),
            "organization_id": org.id.to_string(),
            "preferred_username": text("Username"),
            "nickname": text("CommunityNickname"),
            "name": text("Name"),
            "email": text("Email"),
            "email_verified": true,
            "given_name": text("FirstName"),
            "family_name": text("LastName"),
            "zoneinfo": text("TimeZoneSidKey"),
            "active": row.get(org.user_fields.is_active).as_bool(),
            "user_type": "STANDARD",
            "language": text("LanguageLocaleKey"),
            "locale": text("LocaleSidKey"),
        }),
    )
}

/// `GET /.well-known/openid-configuration`: only what is there, so no ID tokens.
pub(crate) fn discovery(base: &str) -> Reply {
    let oauth = |name: &str| format!("{base}/services/oauth2/{name}");
    Reply::json(
        200,
        json!({
            "issuer": base,
            "authorization_endpoint": oauth("authorize"),
            "token_endpoint": oauth("token"),
            "revocation_endpoint": oauth("revoke"),
            "userinfo_endpoint": oauth("userinfo"),
            "introspection_endpoint": oauth("introspect"),
            "scopes_supported": ["api", "full", "id", "offline_access", "refresh_token"],
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic", "private_key_jwt"],
            "claims_supported": [
                "active", "email", "email_verified", "family_name", "given_name", "language", "locale", "name", "nickname",
                "organization_id", "preferred_username", "sub", "user_id", "user_type", "zoneinfo",
            ],
        }),
    )
}

/// The answer to a token that is none: text, not JSON.
pub(crate) fn bad_token() -> Reply {
    Reply { status: 403, body: Body::Html("Bad_OAuth_Token"), headers: Vec::new() }
}
