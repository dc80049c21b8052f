//! `/services/oauth2/authorize`: where a user says yes to an app, in a browser.
//!
//! In place of a login page there is a choice of users: the org is simulated, and whoever reaches the page
//! may be anybody.

use quick_xml::escape::escape;
use url::Url;

use super::{
    OAuth, Refused, TokenCall,
    app::{self, App, Flow},
    grants, scope,
    tokens::Session,
};
use crate::{
    org::Org,
    request::{Body, Reply},
    users,
};

/// So many users are offered; others can be typed.
const OFFERED: usize = 50;

/// What was asked for, checked.
struct Wish<'a> {
    app: &'a App,
    redirect: Url,
    redirect_uri: &'a str,
    state: Option<&'a str>,
}

impl OAuth {
    /// Shows the page; `may_decide` says whether this may be the form on it, which is a `POST`.
    pub(crate) fn authorize(&self, org: &Org, call: &TokenCall, may_decide: bool) -> Reply {
        // Until app and redirect are known to belong together nobody is sent anywhere.
        let wish = match wish(org, call) {
            Ok(wish) => wish,
            Err(refused) => return page(400, &error_page(&refused)),
        };
        let session = match session(&wish, call) {
            Ok(session) => session,
            Err(refused) => return wish.refuse(&refused),
        };
        let decided = call.get("approve").is_some() || call.get("deny").is_some();
        if !may_decide || !decided {
            return page(200, &consent_page(org, call, wish.app, &session.scopes));
        }
        if call.get("deny").is_some() {
            return wish.refuse(&Refused("access_denied", "end-user denied authorization"));
        }
        let user = call.get("user").and_then(|username| grants::user(org, username));
        let Some(user) = user.filter(|user| users::may_log_in(org, *user)) else {
            return page(400, &consent_page(org, call, wish.app, &session.scopes));
        };
        if wish.app.admin_approves(org, user) == Some(false) {
            return wish.refuse(&Refused(
                "OAUTH_APP_ACCESS_DENIED",
                "user is not admin approved to access this app",
            ));
        }
        let challenge = call.get("code_challenge").map(ToOwned::to_owned);
        let session = Session { user, ..session };
        let code = self.tokens.code(session, wish.redirect_uri, challenge, call.now);
        wish.redirect(&[("code", &code)])
    }
}

fn wish<'a>(org: &'a Org, call: &'a TokenCall) -> Result<Wish<'a>, Refused> {
    let app = app::find(org, call.get("client_id").unwrap_or_default())?;
    let sent = call.get("redirect_uri").unwrap_or_default();
    let known = app.callbacks.iter().any(|callback| callback == sent);
    let redirect = Url::parse(sent).ok().filter(|_| known);
    let redirect =
        redirect.ok_or(Refused("redirect_uri_mismatch", "redirect_uri must match configuration"))?;
    Ok(Wish { app, redirect, redirect_uri: sent, state: call.get("state") })
}

/// What the code will stand for, as yet without a user.
fn session(wish: &Wish, call: &TokenCall) -> Result<Session, Refused> {
    if call.get("response_type") != Some("code") || !wish.app.allows(Flow::AuthorizationCode) {
        return Err(Refused("unsupported_response_type", "response type not supported"));
    }
    match (call.get("code_challenge"), call.get("code_challenge_method")) {
        (None, _) if wish.app.require_pkce => {
            return Err(Refused("invalid_request", "missing required code challenge"));
        }
        (Some(_), Some(method)) if method != "S256" => {
            return Err(Refused("invalid_request", "invalid code challenge method"));
        }
        _ => {}
    }
    let scopes = scope::grant(&wish.app.scopes, call.get("scope"))?;
    let nobody = crate::ids::Id::new("005", *b"00", 0);
    Ok(Session { user: nobody, client_id: wish.app.client_id.clone(), scopes })
}

impl Wish<'_> {
    fn redirect(&self, parameters: &[(&str, &str)]) -> Reply {
        let mut url = self.redirect.clone();
        url.query_pairs_mut().extend_pairs(parameters).extend_pairs(self.state.map(|state| ("state", state)));
        let headers = vec![("Location", url.to_string())];
        Reply { status: 302, body: Body::Empty, headers }
    }

    fn refuse(&self, Refused(error, description): &Refused) -> Reply {
        self.redirect(&[("error", error), ("error_description", description)])
    }
}

fn page(status: u16, html: &str) -> Reply {
    let text = format!(
        "<!DOCTYPE html><html lang=\"en\"><meta charset=\"utf-8\"><title>Simulated org</title>{html}</html>"
    );
    Reply { status, body: Body::Text("text/html;charset=UTF-8", text), headers: Vec::new() }
}

fn error_page(Refused(error, description): &Refused) -> String {
    format!(
        "<h1>We can't authorize you because of an OAuth error</h1><p>error={error}&amp;error_description={description}</p>"
    )
}

/// The parameters that the form sends back as they came.
const CARRIED: [&str; 7] = [
    "client_id",
    "redirect_uri",
    "response_type",
    "scope",
    "state",
    "code_challenge",
    "code_challenge_method",
];

fn consent_page(org: &Org, call: &TokenCall, app: &App, scopes: &str) -> String {
    let carried: Vec<String> = CARRIED
        .iter()
        .filter_map(|name| Some((name, call.get(name)?)))
        .map(|(name, value)| format!("<input type=\"hidden\" name=\"{name}\" value=\"{}\">", escape(value)))
        .collect();
    let table = org.table_of("User");
    let options: Vec<String> = table
        .iter()
        .filter_map(|(_, row)| {
            let active = users::may_log_in(org, row.get(0).as_id()?);
            row.get(org.user_fields.username).as_text().filter(|_| active)
        })
        .take(OFFERED)
        .map(|username| format!("<option value=\"{}\">", escape(username)))
        .collect();
    let run_as = table.get(org.run_as).and_then(|row| row.get(org.user_fields.username).as_text());
    let user = call.get("login_hint").or(run_as).unwrap_or_default();
    format!(
        "<h1>Allow access?</h1><p>This org is simulated: choose who you are.</p>\
         <form method=\"post\" action=\"/services/oauth2/authorize\">{}\
         <p><label>User <input name=\"user\" list=\"users\" size=\"40\" value=\"{}\" required></label>\
         <datalist id=\"users\">{}</datalist></p>\
         <p>{} asks for: {}</p>\
         <button name=\"approve\" value=\"1\">Allow</button> <button name=\"deny\" value=\"1\">Deny</button></form>",
        carried.concat(),
        escape(user),
        options.concat(),
        escape(app.name()),
        escape(scopes),
    )
}
