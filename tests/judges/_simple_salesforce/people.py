"""Users and what they may: required fields, uniqueness, licences, freezing, permission sets, groups, passwords."""

from datetime import datetime, timedelta, timezone

from simple_salesforce import format_external_id
from simple_salesforce.exceptions import SalesforceMalformedRequest, SalesforceResourceNotFound

from _org import is_id

from .connect import connect, refusal, refused

BAD = SalesforceMalformedRequest
REQUIRED = ["Username", "LastName", "Email", "Alias", "TimeZoneSidKey", "LocaleSidKey", "EmailEncodingKey", "ProfileId", "LanguageLocaleKey"]


def profile(sf, name="Standard User"):
    return sf.query(f"SELECT Id FROM Profile WHERE Name = '{name}'")["records"][0]["Id"]


def person(sf, name, **more):
    return {
        "Username": f"{name}@judges.example", "LastName": "Lovelace", "FirstName": "Ada", "Email": f"{name}@judges.example",
        "Alias": name[:8], "TimeZoneSidKey": "Europe/London", "LocaleSidKey": "en_GB", "EmailEncodingKey": "UTF-8",
        "LanguageLocaleKey": "en_US", "ProfileId": profile(sf), "IsActive": True, **more,
    }


def a_user_comes_and_leaves(tally, org, sf):
    made = sf.User.create(person(sf, "Ada"))["id"]
    row = sf.User.get(made)
    tally.note(is_id(made, "005") and row["Username"] == "ada@judges.example", "a username is kept in small letters", row["Username"])
    tally.note((row["Name"], row["UserType"], row["IsActive"]) == ("Ada Lovelace", "Standard", True), "a user has a name and a type")
    tally.note(bool(row["CommunityNickname"]), "and a nickname that was made")
    tally.note({"city", "country", "street"} <= set(row["Address"] or {"city": 0, "country": 0, "street": 0}), "an address is one object or null", row["Address"])

    refused(tally, "an empty user lacks nine fields, in one error", (BAD, "REQUIRED_FIELD_MISSING", f"[{', '.join(REQUIRED)}]", REQUIRED), sf.User.create, {})
    refused(
        tally, "a username is taken in every org",
        (BAD, "DUPLICATE_USERNAME", "Duplicate Username.<br>The username already exists in this or another Salesforce organization.", ["Username"]),
        sf.User.create, person(sf, "Ada", Username="ADA@judges.example"),
    )
    nickname = sf.User.create(person(sf, "nick", CommunityNickname="Countess"))["id"]
    tally.note(sf.User.get(nickname)["CommunityNickname"] == "Countess", "a nickname may be chosen")
    refused(
        tally, "but not twice", (BAD, "DUPLICATE_COMM_NICKNAME", "Another user has already selected this nickname.<br>Please select another.", ["CommunityNickname"]),
        sf.User.create, person(sf, "nick2", CommunityNickname="Countess"),
    )
    sf.User.update(made, {"FederationIdentifier": "F-1"})
    refused(tally, "a federation id belongs to one", (BAD, "DUPLICATE_VALUE", "duplicate value found: <unknown> duplicates value on record with id: <unknown>"), sf.User.update, nickname, {"FederationIdentifier": "F-1"})
    tally.note(sf.User.update(nickname, {"FederationIdentifier": "f-1"}) == 204, "its case matters")
    refused(tally, "an alias has 8 characters", (BAD, "STRING_TOO_LONG", "Alias: data value too large: abcdefghij (max length=8)", ["Alias"]), sf.User.update, made, {"Alias": "abcdefghij"})
    refused(tally, "a locale is one of a list", (BAD, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", "Locale: bad value for restricted picklist field: en-US", ["LocaleSidKey"]), sf.User.update, made, {"LocaleSidKey": "en-US"})
    bad = refusal(sf.User.update, made, {"Username": "no address"})
    tally.note(bad is not None and bad.content[0]["errorCode"] in ("FIELD_INTEGRITY_EXCEPTION", "INVALID_EMAIL_ADDRESS"), "a username looks like an e-mail address", bad)
    refused(tally, "a profile that nobody has", (BAD, "INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id"), sf.User.update, made, {"ProfileId": "00e000000000zzzAAA"})

    tally.note(sf.User.update(made, {"IsActive": False}) == 204, "a user is deactivated")
    tally.note(sf.query(f"SELECT IsActive FROM User WHERE Id = '{made}'")["records"][0]["IsActive"] is False, "and still there")
    error = refusal(sf.User.delete, made)
    tally.note(error is not None and error.status in (400, 403, 405), "but never deleted", error)
    refused(tally, "its username stays taken", (BAD, "DUPLICATE_USERNAME"), sf.User.create, person(sf, "Ada"))
    me = org.token()["id"].rsplit("/", 1)[-1]
    error = refusal(sf.User.update, me, {"IsActive": False})
    tally.note(error is not None and error.status == 400, "nobody deactivates himself", error)

    found = sf.User.get(format_external_id("Badge__c", "B-1")) if sf.User.upsert("Badge__c/B-1", person(sf, "badge")) == 201 else {}
    tally.note(found.get("Username") == "badge@judges.example", "a user is upserted by a custom id")
    tally.note(sf.User.get_by_custom_id("Username", "badge@judges.example")["Badge__c"] == "B-1", "and found by Username")


def freezing(tally, org, sf):
    made = sf.User.create(person(sf, "frost"))["id"]
    login = sf.query(f"SELECT Id, IsFrozen, IsPasswordLocked FROM UserLogin WHERE UserId = '{made}'")["records"][0]
    tally.note((login["IsFrozen"], login["IsPasswordLocked"]) == (False, False), "a user has a login row")
    tally.note(sf.UserLogin.update(login["Id"], {"IsFrozen": True}) == 204, "which freezes")
    rows = sf.query("SELECT Username FROM User WHERE IsActive = true AND Id IN (SELECT UserId FROM UserLogin WHERE IsFrozen = true)")["records"]
    tally.note([row["Username"] for row in rows] == ["frost@judges.example"], "a frozen user is active", rows)
    me = org.token()["id"].rsplit("/", 1)[-1]
    mine = sf.query(f"SELECT Id FROM UserLogin WHERE UserId = '{me}'")["records"]
    if mine:
        refused(tally, "nobody freezes himself", (BAD, "CANNOT_FREEZE_SELF"), sf.UserLogin.update, mine[0]["Id"], {"IsFrozen": True})
    error = refusal(sf.UserLogin.delete, login["Id"])
    tally.note(error is not None, "a login row stays", error)


def seats(tally, org, sf):
    licences = {row["Name"]: row for row in sf.query("SELECT Name, LicenseDefinitionKey, TotalLicenses, UsedLicenses FROM UserLicense")["records"]}
    salesforce = licences["Salesforce"]
    tally.note(salesforce["LicenseDefinitionKey"] == "SFDC", "licences have their keys")
    org.control("/licenses", {"Salesforce": salesforce["UsedLicenses"]})
    refused(tally, "without a seat nobody comes in", (BAD, "LICENSE_LIMIT_EXCEEDED", "License Limit Exceeded"), sf.User.create, person(sf, "seatless"))
    sleeper = sf.User.create(person(sf, "sleeper", IsActive=False))["id"]
    refused(tally, "nor wakes up", (BAD, "LICENSE_LIMIT_EXCEEDED"), sf.User.update, sleeper, {"IsActive": True})
    org.control("/licenses", {"Salesforce": salesforce["TotalLicenses"]})
    tally.note(sf.User.update(sleeper, {"IsActive": True}) == 204, "with one he does")


def permission_sets(tally, org, sf):
    made = sf.User.create(person(sf, "granted"))["id"]
    own = sf.query(f"SELECT Id, PermissionSet.IsOwnedByProfile, PermissionSet.ProfileId FROM PermissionSetAssignment WHERE AssigneeId = '{made}'")["records"]
    tally.note(len(own) == 1 and own[0]["PermissionSet"]["IsOwnedByProfile"] is True and own[0]["PermissionSet"]["ProfileId"] == profile(sf), "a profile is a permission set of its user", own)

    sets = sf.query("SELECT Id, Label FROM PermissionSet WHERE IsOwnedByProfile = false AND Type = 'Regular' AND LicenseId = null ORDER BY Name")["records"]
    chosen = sets[0]["Id"]
    grant = sf.PermissionSetAssignment.create({"AssigneeId": made, "PermissionSetId": chosen})
    tally.note(is_id(grant["id"], "0Pa"), "a set is granted", grant)
    refused(
        tally, "once", (BAD, "DUPLICATE_VALUE", f"Duplicate PermissionSetAssignment.  Assignee: {made[:15]}; Permission Set: {chosen[:15]}", ["AssigneeId", "PermissionSetId"]),
        sf.PermissionSetAssignment.create, {"AssigneeId": made, "PermissionSetId": chosen},
    )
    tally.note(refusal(sf.PermissionSetAssignment.update, grant["id"], {"PermissionSetId": chosen}) is not None, "a grant is not turned into another")
    nested = sf.query(f"SELECT Id, (SELECT PermissionSet.Label FROM PermissionSetAssignments WHERE PermissionSet.IsOwnedByProfile = false) FROM User WHERE Id = '{made}'")["records"][0]
    tally.note([row["PermissionSet"]["Label"] for row in nested["PermissionSetAssignments"]["records"]] == [sets[0]["Label"]], "a user's grants come with him", nested)
    sf.User.update(made, {"IsActive": False})
    tally.note(sf.query(f"SELECT COUNT() FROM PermissionSetAssignment WHERE AssigneeId = '{made}'")["totalSize"] == 2, "deactivation keeps them")
    sf.User.update(made, {"IsActive": True})
    tally.note(sf.PermissionSetAssignment.delete(grant["id"]) == 204, "a grant is taken back")
    refused(tally, "and is gone", (SalesforceResourceNotFound, "NOT_FOUND"), sf.PermissionSetAssignment.get, grant["id"])
    error = refusal(sf.PermissionSetAssignment.delete, own[0]["Id"])
    tally.note(error is not None and error.status in (400, 403), "the profile's own is not", error)

    groups = sf.query("SELECT Id, DeveloperName, Status FROM PermissionSetGroup WHERE Status = 'Updated'")["records"]
    whole = sf.PermissionSetAssignment.create({"AssigneeId": made, "PermissionSetGroupId": groups[0]["Id"]})["id"]
    row = sf.query(f"SELECT PermissionSetGroupId, PermissionSet.Type, PermissionSet.PermissionSetGroupId FROM PermissionSetAssignment WHERE Id = '{whole}'")["records"][0]
    tally.note(row["PermissionSetGroupId"] == groups[0]["Id"] == row["PermissionSet"]["PermissionSetGroupId"] and row["PermissionSet"]["Type"] == "Group", "a group of sets is granted through its shadow", row)

    past = (datetime.now(timezone.utc) - timedelta(days=900)).strftime("%Y-%m-%dT%H:%M:%S.000+0000")
    error = refusal(sf.PermissionSetAssignment.create, {"AssigneeId": made, "PermissionSetId": chosen, "ExpirationDate": past})
    tally.note(error is not None and error.status == 400, "a grant does not end before it begins", error)
    community = sf.query("SELECT Id FROM User WHERE Profile.UserLicense.Name = 'Chatter Free' LIMIT 1")["records"]
    chatter = community[0]["Id"] if community else sf.User.create(person(sf, "chatter", ProfileId=profile(sf, "Chatter Free User")))["id"]
    codes = [refusal(sf.PermissionSetAssignment.create, {"AssigneeId": chatter, "PermissionSetId": row["Id"]}) for row in sets]
    errors = [error.content[0] for error in codes if error is not None]
    tally.note(
        any(error["errorCode"] == "FIELD_INTEGRITY_EXCEPTION" and "user license doesn't allow the permission" in error["message"] for error in errors),
        "a licence does not allow every set", errors[:2],
    )


def groups_and_roles(tally, org, sf):
    made = sf.User.create(person(sf, "member"))["id"]
    group = sf.Group.create({"Name": "Night watch", "DeveloperName": "Night_watch", "Type": "Regular"})["id"]
    membership = sf.GroupMember.create({"GroupId": group, "UserOrGroupId": made})["id"]
    tally.note(is_id(group, "00G") and is_id(membership, "011"), "a group takes a member")
    members = sf.query(f"SELECT UserOrGroupId FROM GroupMember WHERE GroupId = '{group}'")["records"]
    tally.note([row["UserOrGroupId"] for row in members] == [made], "who is read back")
    refused(tally, "once", (BAD, "DUPLICATE_VALUE", "duplicate value found"), sf.GroupMember.create, {"GroupId": group, "UserOrGroupId": made})
    role_group = sf.query("SELECT Id FROM Group WHERE Type = 'Role' LIMIT 1")["records"][0]["Id"]
    tally.note(refusal(sf.GroupMember.create, {"GroupId": role_group, "UserOrGroupId": made}) is not None, "a role's group takes no members")
    sf.User.update(made, {"IsActive": False})
    other = sf.Group.create({"Name": "Day watch", "Type": "Regular"})["id"]
    refused(tally, "nor does any an inactive user", (BAD, "INACTIVE_OWNER_OR_USER"), sf.GroupMember.create, {"GroupId": other, "UserOrGroupId": made})
    tally.note(sf.GroupMember.delete(membership) == 204, "a member leaves")

    queue = sf.query("SELECT QueueId FROM QueueSobject WHERE SobjectType = 'Lead' LIMIT 1")["records"][0]["QueueId"]
    lead = sf.Lead.create({"LastName": "Queued", "Company": "Acme", "OwnerId": queue})["id"]
    row = sf.query(f"SELECT Owner.Type, Owner.Name FROM Lead WHERE Id = '{lead}'")["records"][0]
    tally.note(row["Owner"]["Type"] == "Queue", "a queue owns a lead", row)
    tally.note(refusal(sf.Contact.create, {"LastName": "Queued", "OwnerId": queue}) is not None, "but no contact")

    role = sf.query("SELECT Id FROM UserRole WHERE Name = 'VP Sales'")["records"][0]["Id"]
    boss = sf.User.create(person(sf, "boss", UserRoleId=role))["id"]
    tally.note(sf.query(f"SELECT UserRole.Name FROM User WHERE Id = '{boss}'")["records"][0]["UserRole"]["Name"] == "VP Sales", "a user has a role")
    error = refusal(sf.User.create, person(sf, "chatrole", ProfileId=profile(sf, "Chatter Free User"), UserRoleId=role))
    tally.note(error is not None and error.content[0]["errorCode"] == "FIELD_INTEGRITY_EXCEPTION", "a Chatter licence allows none", error)
    worker = sf.User.create(person(sf, "worker", ManagerId=boss))["id"]
    tally.note(sf.query(f"SELECT Manager.Username FROM User WHERE Id = '{worker}'")["records"][0]["Manager"]["Username"] == "boss@judges.example", "and a manager")


def passwords(tally, org, sf):
    made = sf.User.create(person(sf, "secret"))["id"]
    tally.note(sf.restful(f"sobjects/User/{made}/password") == {"isExpired": False}, "a password is asked for its age")
    tally.note(sf.set_password(made, "correct horse battery 9") is None, "and set")
    tally.note(connect(org, username="secret@judges.example", password="correct horse battery 9", security_token="").query("SELECT Id FROM Organization")["totalSize"] == 1, "its user logs in with it")
    reset = sf.restful(f"sobjects/User/{made}/password", method="DELETE")
    tally.note(isinstance(reset.get("NewPassword"), str), "a reset answers the new one", reset)


def contacts_with_logins(tally, org, sf):
    admin = sf.query("SELECT Id FROM User WHERE UserRoleId != null AND IsActive = true LIMIT 1")["records"][0]["Id"]
    account = sf.Account.create({"Name": "Customer Ltd", "OwnerId": admin})["id"]
    contact = sf.Contact.create({"LastName": "Customer", "AccountId": account})["id"]
    loner = sf.Contact.create({"LastName": "Loner"})["id"]
    community = profile(sf, "Customer Community User")
    portal = sf.User.create(person(sf, "portal", ProfileId=community, ContactId=contact, CommunityNickname="portal"))["id"]
    row = sf.query(f"SELECT ContactId, AccountId, UserType FROM User WHERE Id = '{portal}'")["records"][0]
    tally.note((row["ContactId"], row["AccountId"], row["UserType"]) == (contact, account, "CspLitePortal"), "a contact gets a login", row)
    refused(tally, "one", (BAD, "PORTAL_USER_ALREADY_EXISTS_FOR_CONTACT"), sf.User.create, person(sf, "portal2", ProfileId=community, ContactId=contact, CommunityNickname="p2"))
    tally.note(refusal(sf.User.create, person(sf, "portal3", ProfileId=community, ContactId=loner, CommunityNickname="p3")) is not None, "and only with an account")
    refused(tally, "and cannot be deleted then", (BAD, "DELETE_FAILED"), sf.Contact.delete, contact)
    refused(tally, "a user's contact stays", (BAD, "INVALID_FIELD_FOR_INSERT_UPDATE"), sf.User.update, portal, {"ContactId": loner})


STORIES = [a_user_comes_and_leaves, freezing, seats, permission_sets, groups_and_roles, passwords, contacts_with_logins]
