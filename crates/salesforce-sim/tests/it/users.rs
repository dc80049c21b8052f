//! §9 "Users".

use serde_json::{Value, json};

use crate::world::{V, World, with};

const USERS: &str = "/services/data/v66.0/sobjects/User";

/// §9: global username registry shared across orgs, with the `<br>` text.
#[tokio::test]
async fn a_username_is_taken_in_every_org_and_for_ever() {
    let world = World::from_file("usernames-elsewhere = [\"Grace@Example.com\"]").await;
    let id = world.create("ada@example.com", json!({})).await;
    world.patch(&format!("{USERS}/{id}"), json!({"IsActive": false})).await.expect(204);
    for username in ["ADA@example.com", "grace@example.com"] {
        let error =
            world.post(USERS, world.person(username).await).await.expect_error(400, "DUPLICATE_USERNAME");
        assert_eq!(
            error["message"],
            "Duplicate Username.<br>The username already exists in this or another Salesforce organization. \
             Usernames must be unique across all Salesforce organizations. To resolve, use a different username \
             (it doesn't need to match the user's email address). "
        );
        assert_eq!(error["fields"], json!(["Username"]));
    }
    // A rename frees the name; keeping one's own is no duplicate.
    world.patch(&format!("{USERS}/{id}"), json!({"Username": "ada@example.com"})).await.expect(204);
    world.patch(&format!("{USERS}/{id}"), json!({"Username": "gone@example.com"})).await.expect(204);
    world.create("ada@example.com", json!({})).await;
}

/// §9: nickname uniqueness and auto-generation.
#[tokio::test]
async fn nicknames_are_made_and_are_unique() {
    let world = World::start().await;
    let first = world.create("a@example.com", json!({})).await;
    let second = world.create("b@example.com", json!({})).await;
    let nickname = world.user(&first).await["CommunityNickname"].as_str().unwrap().to_owned();
    assert!(nickname.starts_with("User") && nickname.len() <= 40);
    let path = format!("{USERS}/{second}");
    let error = world.patch(&path, json!({"CommunityNickname": nickname.to_uppercase()})).await;
    assert_eq!(
        error.expect_error(400, "DUPLICATE_COMM_NICKNAME")["message"],
        "Duplicate Nickname.<br>Another user has already selected this nickname.<br>Please select another."
    );
}

/// §9: `FederationIdentifier` uniqueness (case-sensitive); `<unknown>` id variant.
#[tokio::test]
async fn federation_identifiers_are_unique_and_have_case() {
    let world = World::start().await;
    world.create("a@example.com", json!({"FederationIdentifier": "Ada"})).await;
    world.create("b@example.com", json!({"FederationIdentifier": "ada"})).await;
    let third = with(world.person("c@example.com").await, json!({"FederationIdentifier": "ada"}));
    let error = world.post(USERS, third).await.expect_error(400, "DUPLICATE_VALUE");
    assert_eq!(
        error,
        json!({
            "message": "duplicate value found: <unknown> duplicates value on record with id: <unknown>",
            "errorCode": "DUPLICATE_VALUE", "fields": [],
        })
    );
    assert_eq!(world.query("SELECT Id FROM User WHERE FederationIdentifier = 'ADA'").await.len(), 0);
    assert_eq!(world.query("SELECT Id FROM User WHERE FederationIdentifier = 'Ada'").await.len(), 1);
}

async fn used(world: &World, licence: &str) -> i64 {
    let rows = world.query(&format!("SELECT UsedLicenses FROM UserLicense WHERE Name = '{licence}'")).await;
    rows[0]["UsedLicenses"].as_i64().unwrap()
}

/// §9: licence pools; counts change with `IsActive`; exhausted on create, reactivate, profile change.
#[tokio::test]
async fn seats_run_out() {
    let world = World::start().await;
    world.control("/licenses", json!({"Salesforce": 3, "Salesforce Platform": 1})).await;
    let first = world.create("a@example.com", json!({})).await;
    assert_eq!(used(&world, "Salesforce").await, 3);
    let no_seat = world.post(USERS, world.person("b@example.com").await).await;
    let error = no_seat.expect_error(400, "LICENSE_LIMIT_EXCEEDED");
    assert_eq!((&error["message"], &error["fields"]), (&json!("License Limit Exceeded"), &json!([])));
    let second = world.create("b@example.com", json!({"IsActive": false})).await;
    let second = format!("{USERS}/{second}");
    world.patch(&second, json!({"IsActive": true})).await.expect_error(400, "LICENSE_LIMIT_EXCEEDED");
    world.patch(&format!("{USERS}/{first}"), json!({"IsActive": false})).await.expect(204);
    assert_eq!(used(&world, "Salesforce").await, 2);
    world.patch(&second, json!({"IsActive": true})).await.expect(204);
    // A profile of another licence moves the seat.
    let platform = world.profile("Standard Platform User").await;
    world.patch(&second, json!({"ProfileId": platform})).await.expect(204);
    assert_eq!((used(&world, "Salesforce").await, used(&world, "Salesforce Platform").await), (2, 1));
    let first = format!("{USERS}/{first}");
    world.patch(&first, json!({"IsActive": true})).await.expect(204);
    world.patch(&first, json!({"ProfileId": platform})).await.expect_error(400, "LICENSE_LIMIT_EXCEEDED");
    // With his seat at hand, other fields of a user can always be changed.
    world.patch(&first, json!({"Title": "x"})).await.expect(204);
}

/// §9: feature-licence flags.
#[tokio::test]
async fn feature_licences_run_out() {
    let world = World::from_file("[features]\nUserPermissionsMarketingUser = 1").await;
    let first = world.create("a@example.com", json!({"UserPermissionsMarketingUser": true})).await;
    let second = with(world.person("b@example.com").await, json!({"UserPermissionsMarketingUser": true}));
    world.post(USERS, second.clone()).await.expect_error(400, "LICENSE_LIMIT_EXCEEDED");
    world
        .patch(&format!("{USERS}/{first}"), json!({"UserPermissionsMarketingUser": false}))
        .await
        .expect(204);
    world.post(USERS, second).await.expect(201);
}

/// §3.2: whether a user created without `IsActive` is active is a switch.
#[tokio::test]
async fn is_active_has_a_default() {
    let world = World::start().await;
    let without = json!({"IsActive": null});
    let active = world.create("a@example.com", without.clone()).await;
    assert_eq!(world.user(&active).await["IsActive"], true);
    world.control("/switches", json!({"is-active-default": false})).await;
    let inactive = world.create("b@example.com", without).await;
    assert_eq!(world.user(&inactive).await["IsActive"], false);
}

/// §9: no delete.
#[tokio::test]
async fn users_cannot_be_deleted() {
    let world = World::start().await;
    let id = world.create("a@example.com", json!({})).await;
    let error = world.delete(&format!("{USERS}/{id}")).await.expect_error(405, "METHOD_NOT_ALLOWED");
    assert_eq!(error["message"], "HTTP Method 'DELETE' not allowed. Allowed are HEAD,GET,PATCH");
    let many = world.delete(&format!("{V}/composite/sobjects?ids={id}")).await.expect(200);
    assert_eq!((&many[0]["success"], &many[0]["id"]), (&json!(false), &json!(id)));
    assert_eq!(world.sim.handle().count("User"), 3);
}

/// §9: deactivation blockers per user, with the H-DEACT texts; self.
#[tokio::test]
async fn some_users_cannot_be_deactivated() {
    let world = World::from_file(
        "[[users]]\nusername = \"owner@example.com\"\nblockers = [\"default-case-owner\"]\n\
         [[users]]\nusername = \"lead@example.com\"\nblockers = [\"web-to-lead-creator\"]\n\
         [[users]]\nusername = \"flow@example.com\"\nblockers = [\"default-workflow-user\"]\n\
         [[users]]\nusername = \"odd@example.com\"\nblockers = [\"For another reason\"]",
    )
    .await;
    for (username, message) in [
        (
            "owner@example.com",
            "You cannot deactivate this user. You cannot deactivate a user who is the default owner of cases",
        ),
        ("lead@example.com", "You cannot disable the Web to Lead Default Creator."),
        ("flow@example.com", "You cannot deactivate the Default Workflow User"),
        ("odd@example.com", "For another reason"),
        ("integration@harbour-lights.example", "You cannot deactivate yourself"),
    ] {
        let rows = world.query(&format!("SELECT Id FROM User WHERE Username = '{username}'")).await;
        let path = format!("{USERS}/{}", rows[0]["Id"].as_str().unwrap());
        let error = world.patch(&path, json!({"IsActive": false})).await;
        assert_eq!(error.expect_error(400, "FIELD_INTEGRITY_EXCEPTION")["message"], message, "{username}");
        // Everything else about them can be changed, and they can be frozen.
        world.patch(&path, json!({"Title": "x"})).await.expect(204);
    }
}

/// What keeps a user active comes and goes while the org runs, and is named one by one or all at once.
#[tokio::test]
async fn blockers_are_set_and_taken_away_from_outside() {
    let world = World::from_file("[[users]]\nusername = \"owner@example.com\"").await;
    let id = world.query("SELECT Id FROM User WHERE Username = 'owner@example.com'").await;
    let path = format!("{USERS}/{}", id[0]["Id"].as_str().unwrap());
    let control = "/users/owner@example.com/blockers";
    world.control(control, json!({"blockers": ["default-workflow-user", "Something else"]})).await;
    let first = world.patch(&path, json!({"IsActive": false})).await;
    let first = first.expect_error(400, "FIELD_INTEGRITY_EXCEPTION")["message"].clone();
    assert_eq!(first, "You cannot deactivate the Default Workflow User");
    world.control("/switches", json!({"name-all-blockers": true})).await;
    let all = world.patch(&path, json!({"IsActive": false})).await;
    let all = all.expect_error(400, "FIELD_INTEGRITY_EXCEPTION")["message"].clone();
    assert_eq!(all, "You cannot deactivate the Default Workflow User\nSomething else");
    world.control(control, json!({"blockers": []})).await;
    world.patch(&path, json!({"IsActive": false})).await.expect(204);
}

/// §9: last admin.
#[tokio::test]
async fn the_last_administrator_stays() {
    let world = World::from_file(
        "bare = true\n[org]\nrun-as = \"bot@example.com\"\n[[licences]]\nname = \"Salesforce\"\ntotal = 9\n\
         [[profiles]]\nname = \"Admin\"\nlicence = \"Salesforce\"\npermissions = [\"ManageUsers\", \"ModifyAllData\"]\n\
         [[profiles]]\nname = \"Standard User\"\nlicence = \"Salesforce\"\npermissions = [\"ManageUsers\"]\n\
         [[users]]\nusername = \"bot@example.com\"\nprofile = \"Standard User\"\n\
         [[users]]\nusername = \"boss@example.com\"\nprofile = \"Admin\"",
    )
    .await;
    let rows = world.query("SELECT Id FROM User WHERE Username = 'boss@example.com'").await;
    let path = format!("{USERS}/{}", rows[0]["Id"].as_str().unwrap());
    world.patch(&path, json!({"IsActive": false})).await.expect_error(400, "CANNOT_DISABLE_LAST_ADMIN");
    let standard = world.profile("Standard User").await;
    world.patch(&path, json!({"ProfileId": standard})).await.expect_error(400, "CANNOT_DISABLE_LAST_ADMIN");
    let admin = world.profile("Admin").await;
    world.create("second@example.com", json!({"ProfileId": admin})).await;
    world.patch(&path, json!({"IsActive": false})).await.expect(204);
}

async fn login(world: &World, user: &str) -> Vec<Value> {
    world.query(&format!("SELECT Id, IsFrozen FROM UserLogin WHERE UserId = '{user}'")).await
}

/// §9: `UserLogin` auto-created row; freeze independent of `IsActive`; not created for some users.
#[tokio::test]
async fn freezing_is_apart_from_the_user() {
    let world = World::from_file("[[users]]\nusername = \"never@example.com\"\nlogin-row = false").await;
    let id = world.create("a@example.com", json!({})).await;
    let stamp = world.user(&id).await["SystemModstamp"].clone();
    let rows = login(&world, &id).await;
    let path = format!("{V}/sobjects/UserLogin/{}", rows[0]["Id"].as_str().unwrap());
    world.control("/clock", json!({"advance_seconds": 60})).await;
    world.patch(&path, json!({"IsFrozen": true})).await.expect(204);
    assert_eq!(login(&world, &id).await[0]["IsFrozen"], true);
    let user = world.user(&id).await;
    assert_eq!(
        (&user["IsActive"], &user["SystemModstamp"]),
        (&json!(true), &stamp),
        "the user does not change"
    );
    assert_eq!(used(&world, "Salesforce").await, 4, "a frozen user keeps his seat");
    world.patch(&format!("{USERS}/{id}"), json!({"IsActive": false})).await.expect(204);
    world.patch(&format!("{USERS}/{id}"), json!({"IsActive": true})).await.expect(204);
    assert_eq!(login(&world, &id).await[0]["IsFrozen"], true, "and stays frozen");
    world
        .patch(&path, json!({"IsPasswordLocked": true}))
        .await
        .expect_error(400, "FIELD_INTEGRITY_EXCEPTION");
    world.patch(&path, json!({"UserId": id})).await.expect_error(400, "INVALID_FIELD_FOR_INSERT_UPDATE");
    let never = world.query("SELECT Id FROM User WHERE Username = 'never@example.com'").await;
    assert!(login(&world, never[0]["Id"].as_str().unwrap()).await.is_empty());
    let inactive = world.create("b@example.com", json!({"IsActive": false})).await;
    assert!(login(&world, &inactive).await.is_empty(), "nobody logged in who was never active");
}

#[tokio::test]
async fn sessions_end_with_the_user_or_by_hand_and_not_by_freezing() {
    let world = World::from_file(
        "[[users]]\nusername = \"a@example.com\"\nsessions = 2\n[[users]]\nusername = \"b@example.com\"\nsessions = 1\n\
         [[profiles]]\nname = \"Clerk\"\nlicence = \"Salesforce\"\npermissions = [\"ApiEnabled\"]",
    )
    .await;
    let of = async |name: &str| {
        world.query(&format!("SELECT Id, UsersId FROM AuthSession WHERE Users.Username = '{name}'")).await
    };
    let sessions = of("a@example.com").await;
    assert_eq!((sessions.len(), of("b@example.com").await.len()), (2, 1));
    let user = sessions[0]["UsersId"].as_str().unwrap();
    let login = login(&world, user).await;
    let path = format!("{V}/sobjects/UserLogin/{}", login[0]["Id"].as_str().unwrap());
    world.patch(&path, json!({"IsFrozen": true})).await.expect(204);
    assert_eq!(of("a@example.com").await.len(), 2, "freezing keeps nobody from going on");
    let path = format!("{V}/sobjects/AuthSession/{}", sessions[0]["Id"].as_str().unwrap());
    let change = world.patch(&path, json!({"NumSecondsValid": 1})).await;
    change.expect_error(400, "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY");
    world.delete(&path).await.expect(204);
    assert_eq!(of("a@example.com").await.len(), 1);
    world.patch(&format!("{USERS}/{user}"), json!({"IsActive": false})).await.expect(204);
    assert_eq!((of("a@example.com").await.len(), of("b@example.com").await.len()), (0, 1));
}

/// §9: email change pending-verification mode (PATCH 204 but old value).
#[tokio::test]
async fn a_changed_email_can_wait_for_its_confirmation() {
    let world = World::from_file("[switches]\nemail-change-needs-confirmation = true").await;
    let id = world.create("a@example.com", json!({})).await;
    world
        .patch(&format!("{USERS}/{id}"), json!({"Email": "new@example.com", "Title": "x"}))
        .await
        .expect(204);
    let user = world.user(&id).await;
    assert_eq!((&user["Email"], &user["Title"]), (&json!("ada@example.com"), &json!("x")));
}

/// §3.7: a role needs a licence that has roles; licences of another family are no way.
/// §9: ProfileId/UserRoleId reference validation.
#[tokio::test]
async fn licences_limit_roles_and_profiles() {
    let world = World::start().await;
    let chatter = world.profile("Chatter Free User").await;
    let role = world.query("SELECT Id FROM UserRole WHERE Name = 'CEO'").await[0]["Id"].clone();
    let body = with(world.person("a@example.com").await, json!({"ProfileId": chatter, "UserRoleId": role}));
    let error = world.post(USERS, body).await.expect_error(400, "FIELD_INTEGRITY_EXCEPTION");
    assert_eq!(error["fields"], json!(["UserRoleId"]));
    let id = world.create("a@example.com", json!({})).await;
    let path = format!("{USERS}/{id}");
    world.patch(&path, json!({"ProfileId": chatter})).await.expect_error(400, "FIELD_INTEGRITY_EXCEPTION");
    world.patch(&path, json!({"UserRoleId": role})).await.expect(204);
    assert_eq!(world.user(&id).await["UserType"], "Standard");
    for field in ["ProfileId", "UserRoleId"] {
        let of_another_object = world.patch(&path, json!({field: id})).await;
        of_another_object.expect_error(400, "MALFORMED_ID");
    }
    let nobodys = json!({"ProfileId": "00e000000000999"});
    world.patch(&path, nobodys).await.expect_error(400, "INVALID_CROSS_REFERENCE_KEY");
    let nobodys = json!({"UserRoleId": "00E000000000999"});
    world.patch(&path, nobodys).await.expect_error(400, "INVALID_CROSS_REFERENCE_KEY");
}

#[tokio::test]
async fn nobody_manages_himself() {
    let world = World::start().await;
    let a = world.create("a@example.com", json!({})).await;
    let b = world.create("b@example.com", json!({"ManagerId": a})).await;
    let error = world.patch(&format!("{USERS}/{a}"), json!({"ManagerId": b})).await;
    error.expect_error(400, "CIRCULAR_DEPENDENCY");
    world
        .patch(&format!("{USERS}/{a}"), json!({"ManagerId": a}))
        .await
        .expect_error(400, "CIRCULAR_DEPENDENCY");
    world.patch(&format!("{USERS}/{b}"), json!({"ManagerId": null})).await.expect(204);
    world.patch(&format!("{USERS}/{a}"), json!({"ManagerId": b})).await.expect(204);
}

#[tokio::test]
async fn several_wrong_fields_are_several_errors() {
    let world = World::start().await;
    let body = with(
        world.person("a@example.com").await,
        json!({"Alias": "far too long", "Email": "x", "Title": "t".repeat(81)}),
    );
    let errors = world.post(USERS, body).await.expect(400);
    let codes: Vec<_> = errors.as_array().unwrap().iter().map(|e| e["errorCode"].as_str().unwrap()).collect();
    assert_eq!(codes.len(), 3, "{errors}");
    assert!(codes.contains(&"INVALID_EMAIL_ADDRESS"));
}

/// §9: global username registry shared across simulated orgs.
#[tokio::test]
async fn orgs_of_one_registry_share_their_usernames() {
    // A name of its own: no other test is in this registry. Both orgs are bare, because the default org has
    // users.
    let file = |root: &str| {
        format!(
            "bare = true\n[org]\nusername-registry = \"orgs-of-one-registry\"\n\
             [[licences]]\nname = \"Salesforce\"\ntotal = 9\n\
             [[profiles]]\nname = \"Standard User\"\nlicence = \"Salesforce\"\npermissions = [\"ManageUsers\"]\n\
             [[users]]\nusername = \"{root}\""
        )
    };
    let first = World::from_file(&file("root@one.example")).await;
    // A reset reads the file again.
    let kept = std::env::temp_dir().join(format!("sim-{}-registry.toml", std::process::id()));
    std::fs::write(&kept, file("root@two.example")).unwrap();
    let config = salesforce_sim::SimConfig { org_file: Some(kept.clone()), ..Default::default() };
    let mut second = World::with(config).await;
    let id = first.create("ada@example.com", json!({})).await;
    let taken = second.post(USERS, second.person("ADA@example.com").await).await;
    taken.expect_error(400, "DUPLICATE_USERNAME");
    // What was refused has taken nothing.
    let wrong = with(first.person("grace@example.com").await, json!({"Alias": "far too long"}));
    first.post(USERS, wrong).await.expect_error(400, "STRING_TOO_LONG");
    second.create("grace@example.com", json!({})).await;
    // A rename frees the name, a reset of the org all but those of its file.
    first.patch(&format!("{USERS}/{id}"), json!({"Username": "gone@example.com"})).await.expect(204);
    second.create("ada@example.com", json!({})).await;
    first.post(USERS, first.person("ada@example.com").await).await.expect_error(400, "DUPLICATE_USERNAME");
    second.control("/reset", json!({})).await;
    std::fs::remove_file(kept).unwrap();
    second.refresh().await;
    first.create("ada@example.com", json!({})).await;
    let root = first.person("root@two.example").await;
    first.post(USERS, root).await.expect_error(400, "DUPLICATE_USERNAME");
}

/// §9: email change pending-verification mode; a control call is the click in the mail.
#[tokio::test]
async fn a_confirmed_email_is_the_users() {
    let world = World::from_file("[switches]\nemail-change-needs-confirmation = true").await;
    let id = world.create("a@example.com", json!({})).await;
    let path = format!("/_sim/users/{id}/confirm-email");
    world.post(&path, json!({})).await.expect(400);
    world.patch(&format!("{USERS}/{id}"), json!({"Email": "new@example.com"})).await.expect(204);
    assert_eq!(world.user(&id).await["Email"], "ada@example.com");
    assert!(world.user(&id).await.get("PendingEmail").is_none());
    world.post(&path, json!({})).await.expect(200);
    assert_eq!(world.user(&id).await["Email"], "new@example.com");
    world.post(&path, json!({})).await.expect(400);
}

/// §9: allOrNone rollback. A password is part of the transaction.
#[tokio::test]
async fn a_rollback_takes_a_password_back() {
    let world = World::start().await;
    let id = world.create("ada@example.com", json!({})).await;
    let part = |url: String, reference: &str, body: Value| json!({"method": "POST", "url": url, "referenceId": reference, "body": body});
    let log_in = async |password: &str| {
        let form = [
            ("grant_type", "password"),
            ("client_id", "simulated-client"),
            ("client_secret", "simulated-secret"),
            ("username", "ada@example.com"),
            ("password", password),
        ];
        world.token_call(&form).await.status
    };
    let change = async |password: &str| {
        let set = part(format!("{USERS}/{id}/password"), "set", json!({"NewPassword": password}));
        let fails = part(USERS.to_owned(), "fails", json!({}));
        world
            .post(&format!("{V}/composite"), json!({"allOrNone": true, "compositeRequest": [set, fails]}))
            .await
    };
    let parts = change("harbour-2026").await.expect(200)["compositeResponse"].clone();
    assert_eq!(parts[0]["body"][0]["errorCode"], "PROCESSING_HALTED");
    assert_eq!((log_in("harbour-2026").await, log_in("simulated-password").await), (400, 200));
    // Back to the one before, not to the first.
    world.post(&format!("{USERS}/{id}/password"), json!({"NewPassword": "quay-2025"})).await.expect(204);
    change("harbour-2026").await.expect(200);
    assert_eq!((log_in("harbour-2026").await, log_in("quay-2025").await), (400, 200));
}

#[tokio::test]
async fn passwords_are_set_and_reset() {
    let world = World::start().await;
    let id = world.create("a@example.com", json!({})).await;
    let path = format!("{USERS}/{id}/password");
    assert_eq!(world.get(&path).await.expect(200), json!({"isExpired": false}));
    for (password, message) in [
        ("short1", "Your password must be at least 8 characters long."),
        ("lettersonly", "Your password must include letters and numbers"),
    ] {
        let error = world.post(&path, json!({"NewPassword": password})).await;
        assert_eq!(error.expect_error(400, "INVALID_NEW_PASSWORD")["message"], message);
    }
    let set = world.post(&path, json!({"NewPassword": "harbour-2026"})).await;
    assert_eq!((set.status, set.text.as_str()), (204, ""));
    world.post(&path, json!({"NewPassword": "harbour-2026"})).await.expect_error(400, "INVALID_NEW_PASSWORD");
    assert!(world.user(&id).await["LastPasswordChangeDate"].is_string());
    let made = world.delete(&path).await.expect(200)["NewPassword"].as_str().unwrap().to_owned();
    assert!(made.len() >= 8);
    world.post(&path, json!({"NewPassword": made})).await.expect_error(400, "INVALID_NEW_PASSWORD");
    world.patch(&path, json!({})).await.expect_error(405, "METHOD_NOT_ALLOWED");
    world.get(&format!("{USERS}/005000000000001AAA/password")).await.expect_error(404, "NOT_FOUND");
}
