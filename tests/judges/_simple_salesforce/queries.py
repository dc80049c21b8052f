"""Queries and searches: pages, deleted rows, strings that try to break out, aggregates, and the words of each error."""

from datetime import datetime, timezone

from simple_salesforce import format_soql
from simple_salesforce.exceptions import SalesforceMalformedRequest

from .connect import refused

BAD = SalesforceMalformedRequest
CROWD = 2_600
INJECTIONS = [
    "O'Brien", 'say "hi"', "back\\slash", "ends in \\", "\\' OR Name != '", "' OR LastName != ''", "100%", "under_score",
    "line\nbreak", "tab\there", "unicode é 漢字 🚢", "); DELETE FROM Contact; --", "{0}", "a,b", "%27",
]


def pages(tally, org, sf):
    for start in range(0, CROWD, 200):
        people = [{"attributes": {"type": "Contact"}, "LastName": f"Crowd{number:05}", "Department": "Crowd"} for number in range(start, start + 200)]
        results = sf.restful("composite/sobjects", method="POST", json={"allOrNone": True, "records": people})
        if not all(result["success"] for result in results):
            return tally.note(False, "a crowd comes in", results[:2])
    soql = "SELECT Id, LastName FROM Contact WHERE Department = 'Crowd' ORDER BY LastName"

    first = sf.query(soql)
    tally.note((len(first["records"]), first["totalSize"], first["done"]) == (2000, CROWD, False), "a page has 2,000 rows and knows how many there are")
    locator = first["nextRecordsUrl"].rsplit("/", 1)[-1]
    tally.note(locator.startswith("01g") and locator.endswith("-2000"), "the address of the next one has a locator and a place", locator)
    by_url = sf.query_more(first["nextRecordsUrl"], identifier_is_url=True)
    by_id = sf.query_more(locator)
    tally.note(by_url["records"] == by_id["records"] and len(by_url["records"]) == CROWD - 2000, "both ways to the next page are one")
    tally.note(by_url["done"] is True and "nextRecordsUrl" not in by_url and by_url["totalSize"] == CROWD, "the last page says so")

    everything = sf.query_all(soql)
    names = [row["LastName"] for row in everything["records"]]
    tally.note(names == [f"Crowd{number:05}" for number in range(CROWD)], "query_all neither skips nor repeats", len(names))
    tally.note(sum(1 for _ in sf.query_all_iter(soql)) == CROWD, "nor does query_all_iter")
    small = sf.query(soql, headers={"Sforce-Query-Options": "batchSize=250"})
    tally.note(len(small["records"]) == 250, "pages are as small as is asked for", len(small["records"]))
    refused(tally, "a locator that is none", (BAD, "INVALID_QUERY_LOCATOR", "invalid query locator"), sf.query_more, "01g000000000000AAA-2000")

    ids = [row["Id"] for row in everything["records"][:3]]
    sf.restful("composite/sobjects", {"ids": ",".join(ids)}, "DELETE")
    tally.note(sf.query("SELECT COUNT() FROM Contact WHERE Department = 'Crowd'")["totalSize"] == CROWD - 3, "deleted rows are out of query")
    deleted = sf.query_all(
        "SELECT Id, IsDeleted FROM Contact WHERE Department = 'Crowd' AND IsDeleted = true", include_deleted=True
    )["records"]
    tally.note({row["Id"] for row in deleted} == set(ids), "and in queryAll")
    tally.note(len(sf.query_all(soql, include_deleted=True)["records"]) == CROWD, "which pages too")


def strings(tally, org, sf):
    made = {text: sf.Contact.create({"LastName": text, "Department": "Strings"})["id"] for text in INJECTIONS}
    for text, identity in made.items():
        found = sf.query(format_soql("SELECT Id, LastName FROM Contact WHERE Department = 'Strings' AND LastName = {}", text))["records"]
        tally.note(
            [(row["Id"], row["LastName"]) for row in found] == [(identity, text)], f"a name finds its own record: {text!r}",
            [row["LastName"] for row in found],
        )
    rows = sf.query(format_soql("SELECT Id FROM Contact WHERE Department = 'Strings' AND LastName IN {}", INJECTIONS))
    tally.note(rows["totalSize"] == len(INJECTIONS), "all of them are found at once", rows["totalSize"])
    like = sf.query(format_soql("SELECT LastName FROM Contact WHERE Department = 'Strings' AND LastName LIKE '{:like}%'", "100%"))
    tally.note([row["LastName"] for row in like["records"]] == ["100%"], "an escaped percent sign is no wildcard", like["records"])
    like = sf.query(format_soql("SELECT LastName FROM Contact WHERE Department = 'Strings' AND LastName LIKE '{:like}'", "under_score"))
    tally.note(like["totalSize"] == 1, "nor is an underscore")
    like = sf.query("SELECT LastName FROM Contact WHERE Department = 'Strings' AND LastName LIKE 'UNDER%'")
    tally.note(like["totalSize"] == 1, "LIKE does not know case")


def values(tally, org, sf):
    made = sf.Contact.create({"LastName": "Valued", "Department": "Values", "Birthdate": "1990-04-01"})["id"]
    empty = sf.Contact.create({"LastName": "Empty", "Department": "Values"})["id"]

    def found(condition, *arguments):
        return {row["Id"] for row in sf.query(format_soql(f"SELECT Id FROM Contact WHERE Department = 'Values' AND {condition}", *arguments))["records"]}

    long_ago = datetime(2001, 1, 1, tzinfo=timezone.utc)
    tally.note(found("CreatedDate > {}", long_ago) == {made, empty}, "times compare")
    tally.note(found("Birthdate = 1990-04-01") == {made}, "dates too")
    tally.note(found("Birthdate = {}", None) == {empty}, "null is found")
    tally.note(found("Birthdate != 1991-01-01") == {made, empty}, "what is not equal may be null")
    tally.note(found("Title = ''") == {made, empty}, "empty is null")
    tally.note(found("CreatedDate = TODAY") == {made, empty}, "TODAY is today")
    tally.note(found("CreatedDate = LAST_N_DAYS:2") == {made, empty}, "and within the last days")
    tally.note(found("(LastName = 'valued' OR LastName = 'nobody')") == {made}, "text compares without case")
    tally.note(found("(NOT LastName = 'Valued')") == {empty}, "NOT turns it round")
    tally.note(found("Id IN {}", [made[:15]]) == {made}, "an id of 15 characters finds its record")
    tally.note(found("LastName NOT IN {}", ["Valued"]) == {empty}, "NOT IN leaves out")


def aggregates_and_relations(tally, org, sf):
    account = sf.Account.create({"Name": "Relations Ltd"})["id"]
    for name, title in (("A", "Pilot"), ("B", "Pilot"), ("C", None)):
        sf.Contact.create({"LastName": name, "AccountId": account, "Title": title})
    counted = sf.query(f"SELECT COUNT(Id) FROM Contact WHERE AccountId = '{account}'")["records"]
    tally.note([dict(row) for row in counted] == [{"attributes": {"type": "AggregateResult"}, "expr0": 3}], "COUNT(Id) is a row of its own", counted)
    bare = sf.query(f"SELECT COUNT() FROM Contact WHERE AccountId = '{account}'")
    tally.note(dict(bare) == {"totalSize": 3, "done": True, "records": []}, "COUNT() is the total alone", bare)
    groups = sf.query(f"SELECT Title, COUNT(Id) many FROM Contact WHERE AccountId = '{account}' GROUP BY Title ORDER BY COUNT(Id) DESC")["records"]
    tally.note([(row["Title"], row["many"]) for row in groups] == [("Pilot", 2), (None, 1)], "GROUP BY groups, nulls too", groups)
    having = sf.query(f"SELECT Title FROM Contact WHERE AccountId = '{account}' GROUP BY Title HAVING COUNT(Id) > 1")["records"]
    tally.note([row["Title"] for row in having] == ["Pilot"], "HAVING chooses among them", having)

    children = sf.query(f"SELECT Name, (SELECT LastName FROM Contacts ORDER BY LastName LIMIT 2) FROM Account WHERE Id = '{account}'")["records"][0]["Contacts"]
    tally.note(
        (children["totalSize"], children["done"], [row["LastName"] for row in children["records"]]) == (2, True, ["A", "B"]),
        "children come inside their parent", children,
    )
    childless = sf.Account.create({"Name": "Childless"})["id"]
    tally.note(
        sf.query(f"SELECT Id, (SELECT Id FROM Contacts) FROM Account WHERE Id = '{childless}'")["records"][0]["Contacts"] is None,
        "no children are null",
    )
    semi = sf.query("SELECT Id FROM Account WHERE Name LIKE '%l%' AND Id IN (SELECT AccountId FROM Contact WHERE Title = 'Pilot')")["records"]
    tally.note(account in [row["Id"] for row in semi], "a semi-join finds parents by their children")
    anti = sf.query("SELECT Id FROM Account WHERE Id NOT IN (SELECT AccountId FROM Contact)")["records"]
    tally.note(childless in [row["Id"] for row in anti] and account not in [row["Id"] for row in anti], "an anti-join those without")
    ordered = sf.query(f"SELECT Title FROM Contact WHERE AccountId = '{account}' ORDER BY Title DESC NULLS FIRST, LastName")["records"]
    tally.note([row["Title"] for row in ordered] == [None, "Pilot", "Pilot"], "nulls come first where they are told to")
    fields = sf.query("SELECT FIELDS(ALL) FROM Account LIMIT 1")["records"][0]
    tally.note("GangwayId__c" in fields and "Name" in fields, "FIELDS(ALL) has the custom ones")


def errors(tally, org, sf):
    def bad(what, soql, code, words):
        refused(tally, what, (BAD, code, words), sf.query, soql)

    custom = "If you are attempting to use a custom field, be sure to append the '__c' after the custom field name. Please reference your WSDL or the describe call for the appropriate names."
    bad(
        "a column that is not there has a caret under it", "SELECT Id, Foo FROM Account", "INVALID_FIELD",
        f"\nSELECT Id, Foo FROM Account\n           ^\nERROR at Row:1:Column:12\nNo such column 'Foo' on entity 'Account'. {custom}",
    )
    bad(
        "an object that is not there too", "select count() from XYZZY", "INVALID_TYPE",
        "\nselect count() from XYZZY\n                    ^\nERROR at Row:1:Column:21\nsObject type 'XYZZY' is not supported.",
    )
    bad("what is no query", "invalid", "MALFORMED_QUERY", "unexpected token: 'invalid'")
    bad("an empty one", "", "MALFORMED_QUERY", "")
    bad("a word that is out of place", "SELECT Id FORM Contact", "MALFORMED_QUERY", "")
    bad("AND and OR without parentheses", "SELECT Id FROM Contact WHERE Title = 'a' AND Title = 'b' OR Title = 'c'", "MALFORMED_QUERY", "")
    bad("an offset of 2,001", "SELECT Id FROM Contact OFFSET 2001", "NUMBER_OUTSIDE_VALID_RANGE", "Maximum SOQL offset allowed is 2000")
    bad("a long text in a condition", "SELECT Id FROM Contact WHERE Description = 'x'", "INVALID_FIELD", "field 'Description' can not be filtered in a query call")
    bad("a quote that is not closed", "SELECT Id FROM Contact WHERE LastName = 'x", "MALFORMED_QUERY", "")
    bad("text for a date", "SELECT Id FROM Contact WHERE Birthdate = 'x'", "INVALID_FIELD", "")
    bad("an id that is none", "SELECT Id FROM Contact WHERE AccountId = 'x'", "INVALID_QUERY_FILTER_OPERATOR", "invalid ID field: x")
    bad("FIELDS(ALL) without a limit", "SELECT FIELDS(ALL) FROM Contact", "MALFORMED_QUERY", "")
    bad("FOR UPDATE, which is for Apex", "SELECT Id FROM Contact FOR UPDATE", "MALFORMED_QUERY", "")


def search(tally, org, sf):
    sf.Contact.create({"LastName": "Quicksilver", "Email": "q@mercury.example"})
    sf.Lead.create({"LastName": "Quicksilver", "Company": "Mercury"})
    found = sf.quick_search("Quicksilver")["searchRecords"]
    tally.note({row["attributes"]["type"] for row in found} >= {"Contact", "Lead"}, "quick_search looks everywhere", found)
    found = sf.search("FIND {quicks*} IN NAME FIELDS RETURNING Contact(Id, LastName, Email)")["searchRecords"]
    tally.note([(row["LastName"], row["Email"]) for row in found] == [("Quicksilver", "q@mercury.example")], "search returns the fields it is asked for", found)
    found = sf.search("FIND {q@mercury.example} IN EMAIL FIELDS RETURNING Contact(Id)")["searchRecords"]
    tally.note(len(found) == 1, "an e-mail address is found", found)
    tally.note(sf.search("FIND {nobodyhasthis}")["searchRecords"] == [], "nothing is an empty list")
    refused(tally, "braces are needed", (BAD, "MALFORMED_SEARCH", "No search term found. The search term must be enclosed in braces."), sf.search, "FIND quick")
    body = {"q": "Quicksilver", "sobjects": [{"name": "Lead", "fields": ["Company"]}]}
    found = sf.restful("parameterizedSearch", method="POST", json=body)["searchRecords"]
    tally.note([row["Company"] for row in found] == ["Mercury"], "parameterizedSearch too", found)


STORIES = [pages, strings, values, aggregates_and_relations, errors, search]
