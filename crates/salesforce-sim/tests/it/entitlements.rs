//! §9 "Entitlements".

use serde_json::{Value, json};

use crate::world::{V, World};

/// The id of the one record that a query finds.
async fn id(world: &World, object: &str, condition: &str) -> String {
    let rows = world.query(&format!("SELECT Id FROM {object} WHERE {condition}")).await;
    assert_eq!(rows.len(), 1, "{object} {condition}: {rows:?}");
    rows[0]["Id"].as_str().unwrap().to_owned()
}

async fn set(world: &World, name: &str) -> String {
    id(world, "PermissionSet", &format!("Name = '{name}'")).await
}

fn path(object: &str) -> String {
    format!("{V}/sobjects/{object}")
}

async fn assign(world: &World, user: &str, set: &str) -> crate::world::Answer {
    world.post(&path("PermissionSetAssignment"), json!({"AssigneeId": user, "PermissionSetId": set})).await
}

async fn assignments(world: &World, user: &str) -> Vec<Value> {
    world
        .query(&format!(
            "SELECT Id, PermissionSetId, PermissionSetGroupId, IsActive, PermissionSet.Name, \
             PermissionSet.IsOwnedByProfile, PermissionSet.Type FROM PermissionSetAssignment \
             WHERE AssigneeId = '{user}'"
        ))
        .await
}

/// §9: profile-owned shadow `PermissionSet` and PSA rows.
#[tokio::test]
async fn the_set_of_a_profile_goes_with_the_profile() {
    let world = World::start().await;
    let user = world.create("a@example.com", json!({})).await;
    let rows = assignments(&world, &user).await;
    assert_eq!(rows.len(), 1);
    let profile = world.profile("Standard User").await;
    assert_eq!(rows[0]["PermissionSet"]["Name"], format!("X{}", &profile[..15]));
    assert_eq!(rows[0]["PermissionSet"]["IsOwnedByProfile"], true);
    assert_eq!(rows[0]["PermissionSet"]["Type"], "Profile");
    let refused = world
        .delete(&format!("{}/{}", path("PermissionSetAssignment"), rows[0]["Id"].as_str().unwrap()))
        .await;
    refused.expect_error(400, "INSUFFICIENT_ACCESS_OR_READONLY");
    let other = world.profile("Read Only").await;
    world.patch(&format!("{}/{user}", path("User")), json!({"ProfileId": other})).await.expect(204);
    let rows = assignments(&world, &user).await;
    assert_eq!((rows.len(), &rows[0]["PermissionSet"]["Name"]), (1, &json!(format!("X{}", &other[..15]))));
    // Without the filter, profiles look like permission sets.
    let sets =
        world.query("SELECT Id FROM PermissionSet WHERE IsOwnedByProfile = false AND Type != 'Group'").await;
    assert_eq!(sets.len(), 10);
    let of_profile = id(&world, "PermissionSet", &format!("ProfileId = '{other}'")).await;
    assign(&world, &user, &of_profile).await.expect_error(400, "DUPLICATE_VALUE");
    let of_another = id(&world, "PermissionSet", &format!("ProfileId = '{profile}'")).await;
    assign(&world, &user, &of_another).await.expect_error(400, "INVALID_CROSS_REFERENCE_KEY");
}

/// §9: PSA duplicates.
#[tokio::test]
async fn a_second_assignment_of_a_set_is_refused_in_the_recorded_words() {
    let world = World::start().await;
    let user = world.create("a@example.com", json!({})).await;
    let sales = set(&world, "Sales_Basics").await;
    let body = assign(&world, &user, &sales).await.expect(201);
    assert_eq!(&body["id"].as_str().unwrap()[..3], "0Pa");
    let error = assign(&world, &user, &sales).await.expect_error(400, "DUPLICATE_VALUE");
    assert_eq!(
        error["message"],
        format!(
            "Duplicate PermissionSetAssignment.  Assignee: {}; Permission Set: {}",
            &user[..15],
            &sales[..15]
        )
    );
    assert_eq!(error["fields"], json!(["AssigneeId", "PermissionSetId"]));
    let row = format!("{}/{}", path("PermissionSetAssignment"), body["id"].as_str().unwrap());
    world.patch(&row, json!({"AssigneeId": user})).await.expect_error(400, "INVALID_FIELD_FOR_INSERT_UPDATE");
    let stamp = world.user(&user).await["SystemModstamp"].clone();
    world.control("/clock", json!({"advance_seconds": 60})).await;
    world.delete(&row).await.expect(204);
    assert_eq!(world.user(&user).await["SystemModstamp"], stamp, "the user does not change");
    assign(&world, &user, &sales).await.expect(201);
    world
        .post(&path("PermissionSetAssignment"), json!({"AssigneeId": user}))
        .await
        .expect_error(400, "REQUIRED_FIELD_MISSING");
}

/// §9: licence mismatch text.
#[tokio::test]
async fn a_set_that_the_licence_does_not_allow_is_refused() {
    let world = World::start().await;
    let chatter = world.profile("Chatter Free User").await;
    let user = world.create("a@example.com", json!({"ProfileId": chatter})).await;
    let sales = set(&world, "Report_Export").await;
    let error = assign(&world, &user, &sales).await.expect_error(400, "FIELD_INTEGRITY_EXCEPTION");
    assert_eq!(
        error["message"],
        "Can't assign permission set Report Export to user Ada Lovelace. The user license doesn't allow the \
         permission: Run Reports"
    );
    // For one license alone.
    let service = set(&world, "Service_Agent").await;
    assign(&world, &user, &service).await.expect_error(400, "FIELD_INTEGRITY_EXCEPTION");
    // Without permissions there is nothing to refuse.
    let approver = set(&world, "Contract_Approver").await;
    assign(&world, &user, &approver).await.expect(201);
}

/// §9: group vs set columns; PSG shadow sets.
#[tokio::test]
async fn a_permission_set_group_is_assigned_with_its_own_set() {
    let world = World::start().await;
    let user = world.create("a@example.com", json!({})).await;
    let group = id(&world, "PermissionSetGroup", "DeveloperName = 'Sales_Team'").await;
    let own = id(&world, "PermissionSet", &format!("PermissionSetGroupId = '{group}'")).await;
    assign(&world, &user, &own).await.expect_error(400, "INVALID_CROSS_REFERENCE_KEY");
    let body = json!({"AssigneeId": user, "PermissionSetGroupId": group});
    world.post(&path("PermissionSetAssignment"), body.clone()).await.expect(201);
    world.post(&path("PermissionSetAssignment"), body).await.expect_error(400, "DUPLICATE_VALUE");
    let rows = assignments(&world, &user).await;
    let row = rows.iter().find(|row| row["PermissionSetGroupId"] == json!(group)).unwrap();
    assert_eq!((&row["PermissionSetId"], &row["PermissionSet"]["Type"]), (&json!(own), &json!("Group")));
    let sales = set(&world, "Sales_Basics").await;
    let both = json!({"AssigneeId": user, "PermissionSetGroupId": group, "PermissionSetId": sales});
    world.post(&path("PermissionSetAssignment"), both).await.expect_error(400, "INVALID_CROSS_REFERENCE_KEY");
    // The set of the group has the permissions of its components.
    let given =
        world.query(&format!("SELECT PermissionsExportReport FROM PermissionSet WHERE Id = '{own}'")).await;
    assert_eq!(given[0]["PermissionsExportReport"], true);
    let component = id(
        &world,
        "PermissionSetGroupComponent",
        &format!("PermissionSetGroupId = '{group}' AND PermissionSet.Name = 'Report_Export'"),
    )
    .await;
    world.delete(&format!("{}/{component}", path("PermissionSetGroupComponent"))).await.expect(204);
    let given = world
        .query(&format!(
            "SELECT PermissionsExportReport, PermissionsRunReports FROM PermissionSet WHERE Id = '{own}'"
        ))
        .await;
    assert_eq!(
        (&given[0]["PermissionsExportReport"], &given[0]["PermissionsRunReports"]),
        (&json!(false), &json!(true))
    );
}

/// §9: expiration.
#[tokio::test]
async fn an_assignment_ends_by_itself_and_its_row_stays() {
    let world = World::start().await;
    let user = world.create("a@example.com", json!({})).await;
    let sales = set(&world, "Sales_Basics").await;
    let now = world.send(world.request(reqwest::Method::GET, "/_sim/state")).await.expect(200)["now"].clone();
    let now: jiff::Timestamp = now.as_str().unwrap().parse().unwrap();
    let at = |seconds: i64| (now + jiff::SignedDuration::from_secs(seconds)).to_string();
    let body = |ends: String| json!({"AssigneeId": user, "PermissionSetId": sales, "ExpirationDate": ends});
    let object = path("PermissionSetAssignment");
    let error = world.post(&object, body(at(-60))).await.expect_error(400, "FIELD_INTEGRITY_EXCEPTION");
    assert_eq!(error["fields"], json!(["ExpirationDate"]));
    let made = world.post(&object, body(at(3_600))).await.expect(201)["id"].as_str().unwrap().to_owned();
    let row = format!("{object}/{made}");
    assert_eq!(world.get(&row).await.expect(200)["IsActive"], true);
    world.patch(&row, json!({"ExpirationDate": at(7_200)})).await.expect(204);
    world.control("/clock", json!({"advance_seconds": 3_700})).await;
    assert_eq!(world.get(&row).await.expect(200)["IsActive"], true, "it was prolonged");
    world.control("/clock", json!({"advance_seconds": 3_600})).await;
    assert_eq!(world.get(&row).await.expect(200)["IsActive"], false);
    assert_eq!(
        world
            .query("SELECT Id FROM PermissionSetAssignment WHERE ExpirationDate != null AND IsActive = true")
            .await
            .len(),
        0
    );
}

#[tokio::test]
async fn only_calculated_permission_set_groups_are_assigned() {
    let world = World::from_file(
        "[switches]\npermission-set-groups-recalculate = false\n\
         [[permission-set-groups]]\nname = \"Broken\"\nstatus = \"Failed\"",
    )
    .await;
    let user = world.create("a@example.com", json!({})).await;
    let group = id(&world, "PermissionSetGroup", "DeveloperName = 'Broken'").await;
    let body = json!({"AssigneeId": user, "PermissionSetGroupId": group});
    let error = world.post(&path("PermissionSetAssignment"), body).await;
    assert_eq!(
        error.expect_error(400, "FIELD_INTEGRITY_EXCEPTION")["message"],
        "You can only assign users to permission set groups that have the \"Updated\" status."
    );
    let group = id(&world, "PermissionSetGroup", "DeveloperName = 'Sales_Team'").await;
    let added = set(&world, "Contract_Approver").await;
    let component = json!({"PermissionSetGroupId": group, "PermissionSetId": added});
    world.post(&path("PermissionSetGroupComponent"), component.clone()).await.expect(201);
    world.post(&path("PermissionSetGroupComponent"), component).await.expect_error(400, "DUPLICATE_VALUE");
    let row = format!("{}/{group}", path("PermissionSetGroup"));
    assert_eq!(world.get(&row).await.expect(200)["Status"], "Outdated");
    let body = json!({"AssigneeId": user, "PermissionSetGroupId": group});
    world
        .post(&path("PermissionSetAssignment"), body.clone())
        .await
        .expect_error(400, "FIELD_INTEGRITY_EXCEPTION");
    world.patch(&row, json!({"Status": "Updated"})).await.expect(204);
    world.post(&path("PermissionSetAssignment"), body).await.expect(201);
}

#[tokio::test]
async fn deactivation_keeps_assignments_and_gives_seats_back() {
    let world = World::from_file(
        "[[users]]\nusername = \"a@example.com\"\npermission-sets = [\"Sales_Basics\", \"Sales_Console\"]\n\
         permission-set-licences = [\"IdentityConnect\"]\npackages = [\"harbour\"]\ngroups = [\"EMEA Sales\"]\n\
         queues = [\"Inbound Leads\"]\npermission-set-groups = [\"Service_Team\"]",
    )
    .await;
    let grants = world.sim.handle().grants("a@example.com").unwrap();
    assert_eq!(grants.permission_sets, ["Sales_Basics", "Sales_Console"]);
    assert_eq!(grants.permission_set_groups, ["Service_Team"]);
    assert_eq!(grants.permission_set_licences, ["IdentityConnect", "SalesConsoleUser"], "one by need");
    assert_eq!(
        (grants.groups, grants.queues),
        (vec!["EMEA Sales".to_owned()], vec!["Inbound Leads".to_owned()])
    );
    let seats = async |object: &str| {
        world.query(&format!("SELECT UsedLicenses FROM {object} WHERE UsedLicenses > 0")).await.len()
    };
    assert_eq!((seats("PermissionSetLicense").await, seats("PackageLicense").await), (2, 1));
    let user = id(&world, "User", "Username = 'a@example.com'").await;
    let user = format!("{}/{user}", path("User"));
    world.patch(&user, json!({"IsActive": false})).await.expect(204);
    assert_eq!((seats("PermissionSetLicense").await, seats("PackageLicense").await), (0, 0));
    let kept = world.sim.handle().grants("a@example.com").unwrap();
    assert_eq!((kept.permission_sets.len(), kept.groups.len()), (2, 1));
    world.control("/licenses", json!({"harbour": 0})).await;
    world.patch(&user, json!({"IsActive": true})).await.expect_error(400, "LICENSE_LIMIT_EXCEEDED");
    world.control("/licenses", json!({"harbour": 1})).await;
    world.patch(&user, json!({"IsActive": true})).await.expect(204);
    assert_eq!((seats("PermissionSetLicense").await, seats("PackageLicense").await), (2, 1));
}

#[tokio::test]
async fn memberships_can_end_with_the_user() {
    let world = World::from_file(
        "[switches]\ndeactivation-ends-memberships = true\n\
         [[users]]\nusername = \"a@example.com\"\npermission-sets = [\"Sales_Basics\"]\ngroups = [\"EMEA Sales\"]",
    )
    .await;
    let user = id(&world, "User", "Username = 'a@example.com'").await;
    world.patch(&format!("{}/{user}", path("User")), json!({"IsActive": false})).await.expect(204);
    let left = world.sim.handle().grants("a@example.com").unwrap();
    assert_eq!((left.permission_sets.len(), left.groups.len()), (1, 0));
}

/// §9: licence seats of permission set licences and packages.
#[tokio::test]
async fn licences_by_the_row_run_out() {
    let world = World::start().await;
    let (a, b) =
        (world.create("a@example.com", json!({})).await, world.create("b@example.com", json!({})).await);
    world.control("/licenses", json!({"IdentityConnect": 1, "SalesConsoleUser": 0, "harbour": 1})).await;
    let licence = id(&world, "PermissionSetLicense", "DeveloperName = 'IdentityConnect'").await;
    let body = |user: &str| json!({"AssigneeId": user, "PermissionSetLicenseId": licence});
    let object = path("PermissionSetLicenseAssign");
    let directory = set(&world, "Directory_Sync").await;
    assign(&world, &a, &directory).await.expect_error(400, "FIELD_INTEGRITY_EXCEPTION");
    let made = world.post(&object, body(&a)).await.expect(201)["id"].as_str().unwrap().to_owned();
    world.post(&object, body(&a)).await.expect_error(400, "DUPLICATE_VALUE");
    world.post(&object, body(&b)).await.expect_error(400, "LICENSE_LIMIT_EXCEEDED");
    let row = format!("{object}/{made}");
    world.patch(&row, json!({"AssigneeId": b})).await.expect_error(400, "INVALID_FIELD_FOR_INSERT_UPDATE");
    let assigned = assign(&world, &a, &directory).await.expect(201)["id"].as_str().unwrap().to_owned();
    world.delete(&row).await.expect_error(400, "FIELD_INTEGRITY_EXCEPTION");
    world.delete(&format!("{}/{assigned}", path("PermissionSetAssignment"))).await.expect(204);
    world.delete(&row).await.expect(204);
    world.post(&object, body(&b)).await.expect(201);
    let console = set(&world, "Sales_Console").await;
    assign(&world, &a, &console).await.expect_error(400, "LICENSE_LIMIT_EXCEEDED");
    let package = id(&world, "PackageLicense", "NamespacePrefix = 'harbour'").await;
    let body = |user: &str| json!({"UserId": user, "PackageLicenseId": package});
    let made = world.post(&path("UserPackageLicense"), body(&a)).await.expect(201);
    world.post(&path("UserPackageLicense"), body(&a)).await.expect_error(400, "DUPLICATE_VALUE");
    world.post(&path("UserPackageLicense"), body(&b)).await.expect_error(400, "LICENSE_LIMIT_EXCEEDED");
    world
        .delete(&format!("{}/{}", path("UserPackageLicense"), made["id"].as_str().unwrap()))
        .await
        .expect(204);
    world.post(&path("UserPackageLicense"), body(&b)).await.expect(201);
}

async fn group(world: &World, name: &str) -> String {
    id(world, "Group", &format!("Name = '{name}'")).await
}

async fn join(world: &World, group: &str, member: &str) -> crate::world::Answer {
    world.post(&path("GroupMember"), json!({"GroupId": group, "UserOrGroupId": member})).await
}

/// §9: GroupMember/Queue.
#[tokio::test]
async fn groups_and_queues_take_members_under_their_rules() {
    let world = World::start().await;
    let user = world.create("a@example.com", json!({})).await;
    let emea = group(&world, "EMEA Sales").await;
    join(&world, &emea, &user).await.expect(201);
    let error = join(&world, &emea, &user).await.expect_error(400, "DUPLICATE_VALUE");
    assert_eq!(
        error["message"],
        "duplicate value found: <unknown> duplicates value on record with id: <unknown>"
    );
    world.control("/switches", json!({"duplicate-group-members-succeed": true})).await;
    join(&world, &emea, &user).await.expect(201);
    let rows = world
        .query(&format!("SELECT Id, GroupId, UserOrGroupId FROM GroupMember WHERE GroupId = '{emea}'"))
        .await;
    assert_eq!(rows.len(), 1);
    world
        .patch(&format!("{}/{}", path("GroupMember"), rows[0]["Id"].as_str().unwrap()), json!({}))
        .await
        .expect_error(400, "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY");
    // Groups of groups, but no loop.
    let (global, americas) = (group(&world, "Global Accounts").await, group(&world, "Americas Sales").await);
    join(&world, &emea, &global).await.expect_error(400, "CIRCULAR_DEPENDENCY");
    join(&world, &emea, &emea).await.expect_error(400, "CIRCULAR_DEPENDENCY");
    join(&world, &emea, &americas).await.expect(201);
    // Roles own groups, which can be members and have none of their own.
    let role = id(&world, "UserRole", "Name = 'VP Sales'").await;
    let of_role = id(&world, "Group", &format!("Type = 'Role' AND RelatedId = '{role}'")).await;
    join(&world, &emea, &of_role).await.expect(201);
    join(&world, &of_role, &user).await.expect_error(400, "INSUFFICIENT_ACCESS_OR_READONLY");
    world
        .delete(&format!("{}/{of_role}", path("Group")))
        .await
        .expect_error(400, "INSUFFICIENT_ACCESS_OR_READONLY");
    // A queue has members and is none.
    let queue = group(&world, "Inbound Leads").await;
    join(&world, &queue, &user).await.expect(201);
    join(&world, &emea, &queue).await.expect_error(400, "INVALID_CROSS_REFERENCE_KEY");
    let inactive = world.create("b@example.com", json!({"IsActive": false})).await;
    let error = join(&world, &emea, &inactive).await.expect_error(400, "INACTIVE_OWNER_OR_USER");
    assert_eq!(error["fields"], json!(["UserOrGroupId"]));
}

#[tokio::test]
async fn groups_and_queues_are_made_and_taken_away() {
    let world = World::start().await;
    let user = world.create("a@example.com", json!({})).await;
    let made = world.post(&path("Group"), json!({"Name": "Night Watch"})).await.expect(201);
    let made = made["id"].as_str().unwrap();
    let row = world.get(&format!("{}/{made}", path("Group"))).await.expect(200);
    assert_eq!(
        (&row["DeveloperName"], &row["Type"], &row["DoesIncludeBosses"]),
        (&json!("Night_Watch"), &json!("Regular"), &json!(true))
    );
    world
        .post(&path("Group"), json!({"Name": "Night Watch"}))
        .await
        .expect_error(400, "DUPLICATE_DEVELOPER_NAME");
    world
        .post(&path("Group"), json!({"Name": "x", "Type": "Role"}))
        .await
        .expect_error(400, "INSUFFICIENT_ACCESS_OR_READONLY");
    let queue = world.post(&path("Group"), json!({"Name": "Night Watch", "Type": "Queue"})).await.expect(201);
    let lead = json!({"QueueId": queue["id"], "SobjectType": "Lead"});
    world.post(&path("QueueSobject"), lead.clone()).await.expect(201);
    world.post(&path("QueueSobject"), lead).await.expect_error(400, "DUPLICATE_VALUE");
    let nonsense = json!({"QueueId": queue["id"], "SobjectType": "Profile"});
    world
        .post(&path("QueueSobject"), nonsense)
        .await
        .expect_error(400, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST");
    let no_queue = json!({"QueueId": made, "SobjectType": "Lead"});
    world.post(&path("QueueSobject"), no_queue).await.expect_error(400, "INVALID_CROSS_REFERENCE_KEY");
    join(&world, made, &user).await.expect(201);
    world.patch(&format!("{}/{made}", path("Group")), json!({"Name": "Day Watch"})).await.expect(204);
    world.delete(&format!("{}/{made}", path("Group"))).await.expect(204);
}

/// §9: visibility permission toggles.
#[tokio::test]
async fn who_may_not_assign_sees_only_what_is_his() {
    let world = World::from_file(
        "[org]\nrun-as = \"bot@example.com\"\n\
         [[profiles]]\nname = \"Bot\"\nlicence = \"Salesforce\"\npermissions = [\"ApiEnabled\", \"ManageInternalUsers\"]\n\
         [[users]]\nusername = \"bot@example.com\"\nprofile = \"Bot\"\npermission-sets = [\"Sales_Basics\"]",
    )
    .await;
    let user = world.create("a@example.com", json!({})).await;
    let sales = set(&world, "Sales_Basics").await;
    assign(&world, &user, &sales).await.expect_error(400, "INSUFFICIENT_ACCESS_OR_READONLY");
    let emea = group(&world, "EMEA Sales").await;
    join(&world, &emea, &user).await.expect_error(400, "INSUFFICIENT_ACCESS_OR_READONLY");
    let seen = world.query("SELECT Assignee.Username FROM PermissionSetAssignment").await;
    assert_eq!(seen.len(), 2, "his profile's set and his own: {seen:?}");
    assert!(seen.iter().all(|row| row["Assignee"]["Username"] == "bot@example.com"));
    let own = world.query("SELECT Id FROM UserLogin").await;
    assert_eq!(own.len(), 1);
    // Neither a sub-query nor ids that he knows show more. The handle of the org sees all.
    let soql = "SELECT Username, (SELECT Id FROM PermissionSetAssignments) FROM User";
    for row in world.query(soql).await {
        let his = row["Username"] == "bot@example.com";
        assert_eq!(row["PermissionSetAssignments"].is_object(), his, "{row}");
    }
    let logins = world.get("/_sim/records/UserLogin").await.expect(200)["records"].clone();
    let ids: Vec<&Value> = logins.as_array().unwrap().iter().map(|row| &row["Id"]).collect();
    assert!(ids.len() > 1);
    let asked = json!({"ids": ids, "fields": ["IsFrozen"]});
    let found = world.post(&format!("{V}/composite/sobjects/UserLogin"), asked).await.expect(200);
    let shown: Vec<&Value> = found.as_array().unwrap().iter().filter(|row| !row.is_null()).collect();
    assert_eq!(shown.len(), 1, "{found}");
    assert_eq!(shown[0]["Id"], own[0]["Id"]);
    // A permission set gives what the profile does not.
    let admin = World::from_file(
        "[org]\nrun-as = \"bot@example.com\"\n\
         [[profiles]]\nname = \"Bot\"\nlicence = \"Salesforce\"\npermissions = [\"ManageInternalUsers\"]\n\
         [[permission-sets]]\nname = \"Assigner\"\npermissions = [\"AssignPermissionSets\"]\n\
         [[users]]\nusername = \"bot@example.com\"\nprofile = \"Bot\"\npermission-sets = [\"Assigner\"]",
    )
    .await;
    let user = admin.create("a@example.com", json!({})).await;
    let sales = set(&admin, "Sales_Basics").await;
    assign(&admin, &user, &sales).await.expect(201);
}

#[tokio::test]
async fn territories_are_there_only_where_they_are_switched_on() {
    let off = World::start().await;
    off.query_answer("SELECT Id FROM UserTerritory2Association").await.expect_error(400, "INVALID_TYPE");
    off.get(&path("Territory2")).await.expect_error(404, "NOT_FOUND");
    let world = World::from_file(
        "[org]\nfeatures = [\"territories\"]\n[[territories]]\nname = \"Europe\"\n\
         [[territories]]\nname = \"Benelux\"\nparent = \"Europe\"",
    )
    .await;
    let user = world.create("a@example.com", json!({})).await;
    let benelux = id(&world, "Territory2", "Name = 'Benelux'").await;
    let body = json!({"UserId": user, "Territory2Id": benelux, "RoleInTerritory2": "Owner"});
    let object = path("UserTerritory2Association");
    let made = world.post(&object, body.clone()).await.expect(201);
    world.post(&object, body).await.expect_error(400, "DUPLICATE_VALUE");
    let row = format!("{object}/{}", made["id"].as_str().unwrap());
    world.patch(&row, json!({"RoleInTerritory2": "Administrator"})).await.expect(204);
    assert_eq!(world.sim.handle().grants("a@example.com").unwrap().territories, ["Benelux"]);
    world.delete(&row).await.expect(204);
}

#[tokio::test]
async fn generated_users_have_what_the_file_says() {
    let world = World::from_file(
        "[generate]\nusers = 300\n[generate.grants]\npermission-sets = [\"Sales_Basics\"]\ngroups = [\"EMEA Sales\"]\n\
         permission-set-licences = [\"IdentityConnect\"]",
    )
    .await;
    for username in ["user0@generated.example", "user299@generated.example"] {
        let grants = world.sim.handle().grants(username).unwrap();
        assert_eq!(
            (grants.permission_sets.len(), grants.groups.len(), grants.permission_set_licences.len()),
            (1, 1, 1)
        );
    }
    assert_eq!(world.sim.handle().count("PermissionSetAssignment"), 2 + 2 * 300);
    let used = world
        .query("SELECT UsedLicenses FROM PermissionSetLicense WHERE DeveloperName = 'IdentityConnect'")
        .await;
    assert_eq!(used[0]["UsedLicenses"], 300);
}

/// What belongs to Salesforce goes with what it belongs to.
#[tokio::test]
async fn roles_groups_and_permission_set_groups_take_what_is_theirs_with_them() {
    let world = World::start().await;
    let user = world.create("a@example.com", json!({})).await;
    let before = world.sim.handle().count("Group");
    let role = world.post(&path("UserRole"), json!({"Name": "Pilot"})).await.expect(201);
    assert_eq!(world.sim.handle().count("Group"), before + 2);
    world.delete(&format!("{}/{}", path("UserRole"), role["id"].as_str().unwrap())).await.expect(204);
    assert_eq!(world.sim.handle().count("Group"), before);
    let emea = group(&world, "EMEA Sales").await;
    join(&world, &emea, &user).await.expect(201);
    world.delete(&format!("{}/{emea}", path("Group"))).await.expect(204);
    assert_eq!(
        world.query(&format!("SELECT Id FROM GroupMember WHERE UserOrGroupId = '{user}'")).await.len(),
        0
    );
    let made = world
        .post(&path("PermissionSetGroup"), json!({"DeveloperName": "Crew", "MasterLabel": "Crew"}))
        .await;
    let made = made.expect(201)["id"].as_str().unwrap().to_owned();
    let own = id(&world, "PermissionSet", &format!("PermissionSetGroupId = '{made}'")).await;
    world
        .delete(&format!("{}/{own}", path("PermissionSet")))
        .await
        .expect_error(400, "INSUFFICIENT_ACCESS_OR_READONLY");
    let body = json!({"AssigneeId": user, "PermissionSetGroupId": made});
    let assigned = world.post(&path("PermissionSetAssignment"), body).await.expect(201);
    world.delete(&format!("{}/{made}", path("PermissionSetGroup"))).await.expect_error(400, "DELETE_FAILED");
    world
        .delete(&format!("{}/{}", path("PermissionSetAssignment"), assigned["id"].as_str().unwrap()))
        .await
        .expect(204);
    world.delete(&format!("{}/{made}", path("PermissionSetGroup"))).await.expect(204);
    assert!(world.query(&format!("SELECT Id FROM PermissionSet WHERE Id = '{own}'")).await.is_empty());
}
