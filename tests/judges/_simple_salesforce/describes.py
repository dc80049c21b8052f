"""What an org says of itself: objects, fields, layouts, limits, versions."""

import requests
from simple_salesforce.exceptions import SalesforceRefusedRequest, SalesforceResourceNotFound

from _org import VERSION

from .connect import connect, refused

FIELD_KEYS = """aggregatable aiPredictionField autoNumber byteLength calculated calculatedFormula cascadeDelete caseSensitive compoundFieldName
controllerName createable custom defaultValue defaultValueFormula defaultedOnCreate dependentPicklist deprecatedAndHidden digits
displayLocationInDecimal encrypted externalId extraTypeInfo filterable filteredLookupInfo formulaTreatNullNumberAsZero groupable highScaleNumber
htmlFormatted idLookup inlineHelpText label length mask maskType name nameField namePointing nillable permissionable picklistValues
polymorphicForeignKey precision queryByDistance referenceTargetField referenceTo relationshipName relationshipOrder restrictedDelete
restrictedPicklist scale searchPrefilterable soapType sortable type unique updateable writeRequiresMasterRead""".split()
FLAGS = {  # createable, updateable, deletable, as recorded; a grant's ExpirationDate can be changed since v52.0
    "User": (True, True, False), "Contact": (True, True, True), "Lead": (True, True, True), "Account": (True, True, True),
    "PermissionSet": (True, True, True), "PermissionSetAssignment": (True, True, True), "PermissionSetLicense": (False, False, False),
    "Group": (True, True, True), "GroupMember": (True, False, True), "QueueSobject": (True, False, True), "Profile": (False, True, True),
    "UserRole": (True, True, True), "UserLogin": (False, True, False), "UserLicense": (False, False, False), "Organization": (False, True, False),
}


def the_whole_org(tally, org, sf):
    described = sf.describe()
    tally.note((described["encoding"], described["maxBatchSize"]) == ("UTF-8", 200), "the org is described")
    objects = {entry["name"]: entry for entry in described["sobjects"]}
    for name, flags in FLAGS.items():
        entry = objects.get(name, {})
        seen = tuple(entry.get(flag) for flag in ("createable", "updateable", "deletable"))
        tally.note(seen == flags, f"{name} can be made, changed, deleted as recorded", seen)
    tally.note((objects["User"]["keyPrefix"], objects["Lead"]["keyPrefix"]) == ("005", "00Q"), "objects have their prefixes")
    urls = objects["User"]["urls"]
    tally.note(urls["passwordUtilities"] == f"/services/data/v{VERSION}/sobjects/User/{{ID}}/password", "and their addresses", urls)


def one_object(tally, org, sf):
    described = sf.Contact.describe()
    fields = {field["name"]: field for field in described["fields"]}
    tally.note(all(sorted(field) == sorted(FIELD_KEYS) for field in described["fields"]), "every field has every key", sorted(fields["Id"]))
    tally.note((fields["LastName"]["length"], fields["LastName"]["byteLength"], fields["LastName"]["nillable"]) == (80, 240, False), "LastName is 80 and required")
    tally.note(fields["Email"]["idLookup"] is True, "Email is an idLookup")
    tally.note(fields["GangwayId__c"]["externalId"] is fields["GangwayId__c"]["unique"] is fields["GangwayId__c"]["custom"] is True, "a custom field is described")
    tally.note(fields["AccountId"]["referenceTo"] == ["Account"] and fields["AccountId"]["relationshipName"] == "Account", "so is a reference")
    tally.note(fields["Salutation"]["picklistValues"][0] == {"active": True, "defaultValue": False, "label": "Mr.", "validFor": None, "value": "Mr."}, "and a picklist", fields["Salutation"]["picklistValues"][:1])
    for hidden in ("HasOptedOutOfEmail", "DoNotCall", "RecordTypeId"):
        tally.note(hidden not in fields, f"{hidden} is hidden in a fresh org")
    lead = {field["name"]: field for field in sf.Lead.describe()["fields"]}
    required = sorted(name for name, field in lead.items() if field["createable"] and not field["nillable"] and not field["defaultedOnCreate"] and field["type"] != "boolean")
    tally.note(required == ["Company", "LastName"], "a lead needs a name and a company", required)
    tally.note(lead["OwnerId"]["referenceTo"] == ["Group", "User"], "a lead's owner is a person or a queue")
    tally.note(any(child["childSObject"] == "Contact" and child["relationshipName"] == "Contacts" for child in sf.Account.describe()["childRelationships"]), "an account knows its children")

    metadata = sf.Contact.metadata()
    tally.note(set(metadata) == {"objectDescribe", "recentItems"}, "metadata is short", list(metadata))
    refused(tally, "an object that is not there", (SalesforceResourceNotFound, "NOT_FOUND", "The requested resource does not exist"), sf.Nonsense.describe)

    master = described["recordTypeInfos"][0]["recordTypeId"]
    tally.note(master == "012000000000000AAA", "without record types there is the master alone", described["recordTypeInfos"])
    layout = sf.Contact.describe_layout(master)
    tally.note({"detailLayoutSections", "editLayoutSections", "id"} <= set(layout), "a layout is described", list(layout))


def not_changed_since(tally, org, sf):
    url = f"{org.url}/services/data/v{VERSION}/sobjects/Contact/describe"
    headers = {"Authorization": f"Bearer {sf.session_id}"}
    first = requests.get(url, headers=headers, timeout=30)
    tally.note("ETag" in first.headers and "Last-Modified" in first.headers, "a describe has ETag and Last-Modified")
    later = requests.get(url, headers={**headers, "If-Modified-Since": first.headers["Last-Modified"]}, timeout=30)
    tally.note((later.status_code, later.content) == (304, b""), "and is 304 while it stays", later.status_code)
    by_tag = requests.get(url, headers={**headers, "If-None-Match": first.headers["ETag"]}, timeout=30)
    tally.note(by_tag.status_code == 304, "by its tag too", by_tag.status_code)


def limits(tally, org, sf):
    answer = sf.limits()
    daily = answer["DailyApiRequests"]
    tally.note(isinstance(daily["Max"], int) and daily["Remaining"] <= daily["Max"], "limits has the day's calls", daily)
    tally.note({"DataStorageMB", "SingleEmail", "PermissionSets", "HourlyPublishedPlatformEvents"} <= set(answer), "and others", len(answer))
    sf.query("SELECT Id FROM Account LIMIT 1")
    first = sf.api_usage["api-usage"]
    sf.query("SELECT Id FROM Account LIMIT 1")
    second = sf.api_usage["api-usage"]
    tally.note(second.used == first.used + 1 and second.total == daily["Max"], "every call counts one", (first, second))

    full = connect(org)
    org.switch(daily_api_requests=1)
    refused(tally, "when the day is used up", (SalesforceRefusedRequest, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."), full.query, "SELECT Id FROM Account LIMIT 1")
    org.switch(daily_api_requests=daily["Max"])
    counted = sf.restful("limits/recordCount", {"sObjects": "User"})["sObjects"]
    tally.note(counted[0]["name"] == "User" and counted[0]["count"] > 0, "records are counted", counted)


def versions(tally, org, sf):
    listed = requests.get(f"{org.url}/services/data/", timeout=30).json()
    tally.note([entry["version"] for entry in listed] == [f"{number}.0" for number in range(52, 67)], "versions are listed without a token")
    tally.note(set(listed[0]) == {"label", "url", "version"}, "with label and address", listed[0])
    old = requests.get(f"{org.url}/services/data/v25.0/limits", timeout=30)
    tally.note((old.status_code, old.json()[0]["errorCode"]) == (410, "UNSUPPORTED_API_VERSION"), "a retired one is gone", old.text)
    new = requests.get(f"{org.url}/services/data/v99.0/limits", timeout=30)
    tally.note((new.status_code, new.json()[0]["errorCode"]) == (404, "NOT_FOUND"), "one that is not there yet is not found", new.text)
    resources = sf.restful("")
    tally.note(resources["sobjects"] == f"/services/data/v{VERSION}/sobjects" and resources["identity"].endswith(org.token()["id"].rsplit("/", 1)[-1]), "a version lists its resources", resources)


STORIES = [the_whole_org, one_object, not_changed_since, limits, versions]
