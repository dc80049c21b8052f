"""Rows of Account, Contact and Lead: create, read, update, upsert, delete, and every way to be refused."""

from datetime import datetime, timedelta, timezone

from simple_salesforce import format_external_id
from simple_salesforce.exceptions import (
    SalesforceGeneralError,
    SalesforceMalformedRequest,
    SalesforceMoreThanOneRecord,
    SalesforceRefusedRequest,
    SalesforceResourceNotFound,
)

from _org import VERSION, is_id

from .connect import refusal, refused

BAD = SalesforceMalformedRequest
GONE = SalesforceResourceNotFound


def a_contact_lives_and_dies(tally, org, sf):
    made = sf.Contact.create({"LastName": "Lovelace", "FirstName": "Ada", "Email": "ada@example.com"})
    tally.note(dict(made) == {"id": made["id"], "success": True, "errors": []}, "a create answers id, success, errors", made)
    tally.note(is_id(made["id"], "003"), "its id has 18 characters and a checksum", made["id"])
    ada = made["id"]

    row = sf.Contact.get(ada)
    url = f"/services/data/v{VERSION}/sobjects/Contact/{ada}"
    tally.note(row["attributes"] == {"type": "Contact", "url": url}, "a row says what it is", row["attributes"])
    tally.note(row["Name"] == "Ada Lovelace" and row["Title"] is None, "a row has every field, null ones too")
    tally.note(sf.Contact.get(ada[:15])["Id"] == ada, "15 characters find it as well")
    tally.note(
        row["CreatedDate"].endswith(".000+0000") and row["CreatedDate"] == row["SystemModstamp"],
        "times have three digits of milliseconds and an offset without colon", row["CreatedDate"],
    )

    tally.note(sf.Contact.update(ada, {"Title": "Analyst  ", "Email": None}) == 204, "an update answers 204")
    row = sf.Contact.get(ada, params={"fields": "Title,Email"})
    tally.note(
        (row["Title"], row["Email"], row["Id"]) == ("Analyst", None, ada),
        "absent is untouched, null clears, spaces at the end go", dict(row),
    )
    raw = sf.Contact.update(ada, {"Title": ""}, raw_response=True)
    tally.note(raw.status_code == 204 and raw.content == b"" and "Content-Type" not in raw.headers, "204 has no body and no type")
    tally.note(sf.Contact.get(ada)["Title"] is None, "an empty text is null")

    tally.note(sf.Contact.delete(ada) == 204, "a delete answers 204")
    refused(tally, "a second delete finds it deleted", (GONE, "ENTITY_IS_DELETED", "entity is deleted", []), sf.Contact.delete, ada)
    refused(tally, "so does an update", (GONE, "ENTITY_IS_DELETED"), sf.Contact.update, ada, {"Title": "x"})
    gone = refusal(sf.Contact.get, ada)
    tally.note(
        isinstance(gone, GONE) and gone.content[0]["errorCode"] in ("NOT_FOUND", "ENTITY_IS_DELETED"),
        "a read of it is 404", gone,
    )


def names_of_any_case(tally, org, sf):
    made = sf.contact.create({"lastname": "Case", "FIRSTNAME": "Any"})
    row = sf.CONTACT.get(made["id"])
    tally.note(row["attributes"]["type"] == "Contact", "an object is found in any case, and answers in its own")
    tally.note((row["LastName"], row["FirstName"]) == ("Case", "Any"), "so is a field")


def upsert(tally, org, sf):
    key = format_external_id("GangwayId__c", "ada/1 & co+é")
    made = sf.Contact.upsert(key, {"LastName": "Lovelace"}, raw_response=True)
    tally.note(made.status_code == 201 and made.json()["created"] is True, "an upsert creates with 201", made.text)
    tally.note(made.headers.get("Location") == f"/services/data/v{VERSION}/sobjects/Contact/{made.json()['id']}", "and a Location")
    again = sf.Contact.upsert(key, {"FirstName": "Ada"}, raw_response=True)
    expected = {"id": made.json()["id"], "success": True, "errors": [], "created": False}
    tally.note(again.status_code == 200 and again.json() == expected, "and updates with 200", again.text)
    tally.note(sf.Contact.upsert(key, {"FirstName": "Ada"}) == 200, "the library answers the status alone")

    row = sf.Contact.get(key)
    tally.note(row["GangwayId__c"] == "ada/1 & co+é", "the key is decoded once", row["GangwayId__c"])
    sf.Contact.upsert("GangwayId__c/plain", {"LastName": "Plain"})
    tally.note(sf.Contact.get_by_custom_id("GangwayId__c", "plain")["LastName"] == "Plain", "get_by_custom_id finds it")

    refused(
        tally, "the key in the body is refused", (BAD, "INVALID_FIELD", "should not be specified in the sobject data"),
        sf.Contact.upsert, key, {"LastName": "x", "GangwayId__c": "other"},
    )
    refused(
        tally, "so is an Id", (BAD, "INVALID_FIELD", "The Id field should not be specified in the sobject data."),
        sf.Contact.upsert, key, {"LastName": "x", "Id": row["Id"]},
    )
    refused(
        tally, "a field that is no external id is not found",
        (GONE, "NOT_FOUND", "Provided external ID field does not exist or is not accessible: Department"),
        sf.Contact.upsert, "Department/x", {"LastName": "x"},
    )
    refused(
        tally, "an upsert that would create needs its required fields", (BAD, "REQUIRED_FIELD_MISSING", "[LastName]", ["LastName"]),
        sf.Contact.upsert, "GangwayId__c/new", {"FirstName": "x"},
    )
    missing = refusal(sf.restful, "sobjects/Contact/GangwayId__c/absent", {"updateOnly": "true"}, "PATCH", json={"LastName": "x"})
    tally.note(missing is not None and missing.status == 404, "updateOnly creates nothing", missing)
    tally.note(sf.query("SELECT COUNT() FROM Contact WHERE GangwayId__c = 'absent'")["totalSize"] == 0, "and nothing is there")

    for name in ("One", "Two"):
        sf.Contact.create({"LastName": name, "Region__c": "north"})
    error = refusal(sf.Contact.upsert, "Region__c/north", {"Title": "x"})
    tally.note(
        type(error) is SalesforceMoreThanOneRecord and len(error.content) == 2
        and all(url.startswith(f"/services/data/v{VERSION}/sobjects/Contact/003") for url in error.content),
        "a key that two records have is 300 with their addresses", getattr(error, "content", error),
    )
    error = refusal(sf.Contact.get_by_custom_id, "Region__c", "north")
    tally.note(type(error) is SalesforceMoreThanOneRecord, "for a read too", error)


def parents(tally, org, sf):
    sf.Account.upsert("GangwayId__c/acme", {"Name": "Acme"})
    account = sf.Account.get("GangwayId__c/acme")["Id"]
    made = sf.Contact.create({"LastName": "Child", "Account": {"GangwayId__c": "acme"}})
    tally.note(sf.Contact.get(made["id"])["AccountId"] == account, "a parent is found by its external id")
    refused(
        tally, "one that is not there is named",
        (BAD, "INVALID_FIELD", "Foreign key external ID: nobody not found for field GangwayId__c in entity Account"),
        sf.Contact.create, {"LastName": "Child", "Account": {"GangwayId__c": "nobody"}},
    )
    deep = sf.query(f"SELECT Account.Name, Account.Owner.Username FROM Contact WHERE Id = '{made['id']}'")["records"][0]
    tally.note(deep["Account"]["Name"] == "Acme" and "@" in deep["Account"]["Owner"]["Username"], "its fields are read through it", deep)
    tally.note(deep["Account"]["attributes"]["type"] == "Account", "a parent says what it is")
    orphan = sf.Contact.create({"LastName": "Orphan"})["id"]
    tally.note(
        sf.query(f"SELECT Account.Name FROM Contact WHERE Id = '{orphan}'")["records"][0]["Account"] is None,
        "no parent is null",
    )


def refusals(tally, org, sf):
    refused(
        tally, "missing fields are named together", (BAD, "REQUIRED_FIELD_MISSING", "Required fields are missing: [LastName, Company]", ["LastName", "Company"]),
        sf.Lead.create, {"FirstName": "x"},
    )
    refused(
        tally, "a text that is too long", (BAD, "STRING_TOO_LONG", "First Name: data value too large: " + "x" * 41 + " (max length=40)", ["FirstName"]),
        sf.Contact.create, {"LastName": "x", "FirstName": "x" * 41},
    )
    refused(
        tally, "an e-mail address that is none", (BAD, "INVALID_EMAIL_ADDRESS", "Email: invalid email address: not an email", ["Email"]),
        sf.Contact.create, {"LastName": "x", "Email": "not an email"},
    )
    refused(
        tally, "a field that is not there", (BAD, "INVALID_FIELD", "No such column 'Foo__c' on sobject of type Contact"),
        sf.Contact.create, {"LastName": "x", "Foo__c": 1},
    )
    refused(
        tally, "a field that is read-only", (BAD, "INVALID_FIELD_FOR_INSERT_UPDATE", "Unable to create/update fields: Name. Please check the security settings", ["Name"]),
        sf.Contact.create, {"LastName": "x", "Name": "x"},
    )
    refused(
        tally, "an id of the wrong object", (BAD, "MALFORMED_ID", "Account ID: id value of incorrect type: 005"),
        sf.Contact.create, {"LastName": "x", "AccountId": "005000000000001AAA"},
    )
    refused(
        tally, "an id that nobody has", (BAD, "INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id"),
        sf.Contact.create, {"LastName": "x", "AccountId": "001000000000zzzAAA"},
    )
    refused(tally, "text for a boolean", (BAD, "JSON_PARSER_ERROR", "Cannot deserialize instance of boolean"), sf.User.create, {"IsActive": "yes"})
    refused(tally, "a date that is none", (BAD, "JSON_PARSER_ERROR", "Cannot deserialize instance of date"), sf.Contact.create, {"LastName": "x", "Birthdate": "tomorrow"})

    key = "once-and-no-more"
    first = sf.Contact.create({"LastName": "First", "GangwayId__c": key})["id"]
    refused(
        tally, "a unique value twice names the record that has it", (BAD, "DUPLICATE_VALUE", f"duplicate value found: GangwayId__c duplicates value on record with id: {first[:15]}"),
        sf.Contact.create, {"LastName": "Second", "GangwayId__c": key},
    )

    refused(tally, "an object that is not there", (GONE, "NOT_FOUND", "The requested resource does not exist"), sf.Nonsense__c.create, {"Name": "x"})
    refused(tally, "a resource that is not there", (GONE, "NOT_FOUND", "The requested resource does not exist"), sf.restful, "nonsense")
    refused(tally, "an id that was never given", (GONE, "NOT_FOUND"), sf.Contact.get, "003000000000zzzAAA")
    refused(tally, "a method that a row has not", (SalesforceGeneralError, "METHOD_NOT_ALLOWED", "HTTP Method 'PUT' not allowed. Allowed are"), sf.restful, f"sobjects/Contact/{first}", method="PUT", json={})
    refused(
        tally, "a body of another type", (SalesforceGeneralError, "UNSUPPORTED_MEDIA_TYPE"),
        sf.restful, "sobjects/Contact", method="POST", data="<Contact/>", headers={"Content-Type": "text/plain"},
    )
    refused(tally, "a body that is no JSON", (BAD, "JSON_PARSER_ERROR"), sf.restful, "sobjects/Contact", method="POST", data="{nonsense")
    refused(tally, "no body at all", (BAD, "JSON_PARSER_ERROR", "The HTTP entity body is required"), sf.restful, "sobjects/Contact", method="POST")
    too_long = refusal(sf.query, "SELECT Id FROM Contact WHERE LastName = '" + "x" * 16400 + "'")
    tally.note(too_long is not None and too_long.status in (414, 431), "an address of more than 16,384 bytes", too_long)


def changes_by_time(tally, org, sf):
    kept = sf.Contact.create({"LastName": "Kept"})["id"]
    gone = sf.Contact.create({"LastName": "Gone"})["id"]
    sf.Contact.delete(gone)
    clock = org.control("/clock", {"advance_seconds": 120})["now"]
    now = datetime.fromisoformat(clock[:19]).replace(tzinfo=timezone.utc)
    start, end = now - timedelta(minutes=10), now

    updated = sf.Contact.updated(start, end)
    tally.note(kept in updated["ids"], "what was written is in the list of changes", updated)
    tally.note(updated["latestDateCovered"].endswith("+0000"), "which says how far it reaches")
    deleted = sf.Contact.deleted(start, end)
    entry = [record for record in deleted["deletedRecords"] if record["id"] == gone]
    tally.note(len(entry) == 1 and entry[0]["deletedDate"].endswith("+0000"), "what was deleted is in the other", deleted)
    tally.note({"deletedRecords", "earliestDateAvailable", "latestDateCovered"} == set(deleted), "with its two dates", list(deleted))
    tally.note(sf.User.deleted(start, end)["deletedRecords"] == [], "no user is ever deleted")
    refused(tally, "an end before the start", (BAD, "INVALID_REPLICATION_DATE"), sf.Contact.updated, end, start)
    refused(tally, "a start 31 days ago", (BAD, "INVALID_REPLICATION_DATE"), sf.Contact.updated, now - timedelta(days=31), now)


def headers_that_change_a_write(tally, org, sf):
    quiet = {"Sforce-Auto-Assign": "FALSE"}
    lead = sf.Lead.create({"LastName": "Quiet", "Company": "Acme"}, headers=quiet)["id"]
    owner = sf.query(f"SELECT Owner.Username FROM Lead WHERE Id = '{lead}'")["records"][0]["Owner"]["Username"]
    me = org.token()["id"].rsplit("/", 1)[-1]
    tally.note(sf.Lead.get(lead)["OwnerId"] == me, "without auto-assignment the creator owns a lead", owner)

    row = sf.Contact.create({"LastName": "Old"})["id"]
    late = "Mon, 01 Jan 2001 00:00:00 GMT"
    error = refusal(sf.Contact.update, row, {"Title": "x"}, headers={"If-Unmodified-Since": late})
    tally.note(error is not None and error.status == 412, "a write on a condition that does not hold is 412", error)
    unchanged = sf.Contact.update(row, {"Title": "x"}, headers={"If-Unmodified-Since": "Fri, 01 Jan 2100 00:00:00 GMT"})
    tally.note(unchanged == 204, "and done when it holds")


def duplicate_rules(tally, org, sf):
    org.switch(duplicate_rules="alert")
    person = {"LastName": "Doubleday", "FirstName": "Abner", "Email": "abner@example.com", "Company": "Doubleday & Co"}
    allowed = {"Sforce-Duplicate-Rule-Header": "allowSave=true"}
    first = sf.Lead.create(person)["id"]
    error = refusal(sf.Lead.create, person)
    body = error.content[0] if error is not None else {}
    tally.note(body.get("errorCode") == "DUPLICATES_DETECTED" and error.status == 400, "an equal lead is a duplicate", getattr(error, "content", None))
    result = body.get("duplicateResut", {})
    tally.note(
        result.get("allowSave") is True and result.get("duplicateRuleEntityType") == "Lead"
        and result["matchResults"][0]["matchRecords"][0]["record"]["Id"] == first,
        "the error names the rule and the record", result,
    )
    tally.note(sf.Lead.create(person, headers=allowed)["success"] is True, "the header allows it")
    org.switch(duplicate_rules="off")


def a_bad_day(tally, org, sf):
    def fault(**more):
        org.control("/faults", {"method": "POST", "path": "/data/v*/sobjects/Contact", "count": 1, **more})

    fault(kind="lock")
    refused(tally, "a locked row", (BAD, "UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access to this record"), sf.Contact.create, {"LastName": "Locked"})
    fault(kind="status", status=503, error_code="HTML")
    error = refusal(sf.Contact.create, {"LastName": "Down"})
    tally.note(type(error) is SalesforceGeneralError and error.status == 503 and "<html" in str(error.content).lower(), "a page of HTML", error)
    fault(kind="status", status=500, error_code="UNKNOWN_EXCEPTION")
    refused(tally, "an error of the org's own", (SalesforceGeneralError, "UNKNOWN_EXCEPTION"), sf.Contact.create, {"LastName": "Broken"})
    for message in ("TotalRequests Limit exceeded.", "ConcurrentPerOrgLongTxn Limit exceeded."):
        fault(kind="status", status=403, error_code="REQUEST_LIMIT_EXCEEDED", message=message)
        refused(tally, message, (SalesforceRefusedRequest, "REQUEST_LIMIT_EXCEEDED", message), sf.Contact.create, {"LastName": "Limit"})
    fault(kind="cut-after-commit")
    try:
        sf.Contact.create({"LastName": "Cut"})
        tally.note(False, "a call that is cut has no answer")
    except OSError:
        tally.note(True, "a call that is cut has no answer")
    tally.note(sf.query("SELECT COUNT() FROM Contact WHERE LastName = 'Cut'")["totalSize"] == 1, "and yet was carried out, once")
    tally.note(sf.query("SELECT COUNT() FROM Contact WHERE LastName IN ('Locked', 'Down', 'Broken', 'Limit')")["totalSize"] == 0, "the others were not")


STORIES = [
    a_contact_lives_and_dies, names_of_any_case, upsert, parents, refusals, changes_by_time,
    headers_that_change_a_write, duplicate_rules, a_bad_day,
]
