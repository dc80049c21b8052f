"""Calls with several parts: Collections, Composite, Batch, Tree, Graph."""

from simple_salesforce.exceptions import SalesforceMalformedRequest

from _org import VERSION

from .connect import refused
from .people import person

BAD = SalesforceMalformedRequest
DATA = f"/services/data/v{VERSION}"


def contact(**fields):
    return {"attributes": {"type": "Contact"}, **fields}


def collections(tally, org, sf):
    def call(method, records, path="composite/sobjects", all_or_none=False):
        return sf.restful(path, method=method, json={"allOrNone": all_or_none, "records": records})

    results = call("POST", [contact(LastName="One"), contact(FirstName="No"), {"attributes": {"type": "Account"}, "Name": "Three"}])
    tally.note([result["success"] for result in results] == [True, False, True], "each record has its own result, in order", results)
    expected = {"success": False, "errors": [{"statusCode": "REQUIRED_FIELD_MISSING", "message": "Required fields are missing: [LastName]", "fields": ["LastName"]}]}
    tally.note(results[1] == expected, "an error has statusCode, and no id", results[1])

    before = sf.query("SELECT COUNT() FROM Contact")["totalSize"]
    results = call("POST", [contact(LastName="Kept?"), contact(FirstName="No")], all_or_none=True)
    tally.note(
        [result["errors"][0]["statusCode"] for result in results] == ["ALL_OR_NONE_OPERATION_ROLLED_BACK", "REQUIRED_FIELD_MISSING"],
        "with allOrNone the others are rolled back", results,
    )
    words = "Record rolled back because not all records were valid and the request was using AllOrNone header"
    tally.note(results[0]["errors"][0]["message"] == words, "and told so")
    tally.note(sf.query("SELECT COUNT() FROM Contact")["totalSize"] == before, "and nothing was saved")

    people = [result["id"] for result in call("POST", [contact(LastName=f"Row{number}") for number in range(200)])]
    tally.note(len(set(people)) == 200, "200 records go in")
    refused(
        tally, "201 do not", (BAD, "EXCEEDED_ID_LIMIT", "record limit reached. cannot submit more than 200 records into this call"),
        call, "POST", [contact(LastName=f"Row{number}") for number in range(201)],
    )
    refused(tally, "nor does none", (BAD, "REQUIRED_FIELD_MISSING", "At least 1 record is required"), call, "POST", [])

    updates = [contact(id=people[0], Title="First"), contact(Title="Nobody"), contact(Id=people[1], Email="nonsense"), contact(id=people[2], Title="Third")]
    results = call("PATCH", updates)
    tally.note([result["success"] for result in results] == [True, False, False, True], "updates too", results)
    tally.note(results[1]["errors"] == [{"statusCode": "MISSING_ARGUMENT", "message": "Id not specified in an update call", "fields": []}], "an update needs an id", results[1])
    twice = call("PATCH", [contact(id=people[5], Title="a"), contact(id=people[5], Title="b")])
    tally.note(not all(result["success"] for result in twice), "one record twice is refused", twice)

    keyed = [contact(GangwayId__c=f"c-{number}", LastName=f"Keyed{number}") for number in range(3)]
    results = call("PATCH", keyed, "composite/sobjects/Contact/GangwayId__c")
    tally.note([list(result) for result in results] == [["id", "success", "errors", "created"]] * 3, "an upsert says last whether it created", results)
    again = call("PATCH", keyed, "composite/sobjects/Contact/GangwayId__c")
    tally.note([(result["id"], result["created"]) for result in again] == [(result["id"], False) for result in results], "and finds them again")
    double = call("PATCH", [keyed[0], keyed[0]], "composite/sobjects/Contact/GangwayId__c")
    tally.note(all(result["errors"][0]["statusCode"] == "DUPLICATE_VALUE" for result in double if not result["success"]) and not all(result["success"] for result in double), "a key twice in one call is a duplicate", double)
    fresh = call("PATCH", [contact(Id=None, LastName="By Id")], "composite/sobjects/Contact/Id")
    tally.note(fresh[0]["created"] is True, "an upsert by a null Id creates", fresh)

    fetched = sf.restful("composite/sobjects/Contact", method="POST", json={"ids": [people[0], "003000000000zzzAAA", people[2]], "fields": ["Title"]})
    tally.note([row and row["Title"] for row in fetched] == ["First", None, "Third"] and fetched[1] is None, "rows are fetched in order, null for none", fetched)
    fetched = sf.restful("composite/sobjects/Contact", {"ids": ",".join(people[:2]), "fields": "LastName"})
    tally.note([row["LastName"] for row in fetched] == ["Row0", "Row1"], "by GET too", fetched)

    results = sf.restful("composite/sobjects", {"ids": ",".join([*people[:3], people[0]]), "allOrNone": "false"}, "DELETE")
    tally.note([result["success"] for result in results[:3]] == [True] * 3, "rows are deleted by their ids", results)
    results = sf.restful("composite/sobjects", {"ids": ",".join([people[0], people[10]]), "allOrNone": "true"}, "DELETE")
    codes = [result["errors"][0]["statusCode"] for result in results]
    tally.note(codes == ["ENTITY_IS_DELETED", "ALL_OR_NONE_OPERATION_ROLLED_BACK"], "or none of them", results)
    tally.note(sf.Contact.get(people[10])["LastName"] == "Row10", "what was rolled back is there")


def composite(tally, org, sf):
    def part(reference, method, path, body=None, **more):
        return {"referenceId": reference, "method": method, "url": DATA + path, **({"body": body} if body is not None else {}), **more}

    def call(*parts, **flags):
        return sf.restful("composite", method="POST", json={"compositeRequest": list(parts), **flags})["compositeResponse"]

    results = call(
        part("account", "POST", "/sobjects/Account", {"Name": "Composed"}),
        part("person", "POST", "/sobjects/Contact", {"LastName": "Composed", "AccountId": "@{account.id}"}),
        part("read", "GET", "/sobjects/Contact/@{person.id}?fields=LastName,AccountId"),
        part("change", "PATCH", "/sobjects/Contact/@{person.id}", {"Title": "@{read.LastName}"}),
        part("found", "GET", "/query?q=SELECT Id, Title FROM Contact WHERE AccountId = '@{account.id}'"),
        part("again", "GET", "/sobjects/Contact/@{found.records[0].Id}"),
        allOrNone=True,
    )
    tally.note([result["httpStatusCode"] for result in results] == [201, 201, 200, 204, 200, 200], "parts refer to earlier ones", results)
    tally.note(list(results[0]) == ["body", "httpHeaders", "httpStatusCode", "referenceId"], "a part's answer has four keys, in this order", list(results[0]))
    tally.note(results[0]["httpHeaders"] == {"Location": f"{DATA}/sobjects/Account/{results[0]['body']['id']}"}, "a create has its Location")
    tally.note(results[3]["body"] is None, "a 204 has the body null")
    tally.note(results[4]["body"]["records"][0]["Title"] == "Composed" == results[5]["body"]["Title"], "what was written is read")

    before = sf.query("SELECT COUNT() FROM Account")["totalSize"]
    failing = [
        part("first", "POST", "/sobjects/Account", {"Name": "Undone"}),
        part("second", "POST", "/sobjects/Contact", {"FirstName": "No"}),
        part("third", "POST", "/sobjects/Account", {"Name": "Never"}),
    ]
    results = call(*failing, allOrNone=True)
    halted = {"errorCode": "PROCESSING_HALTED", "message": "The transaction was rolled back since another operation in the same transaction failed."}
    tally.note([result["httpStatusCode"] for result in results] == [400] * 3, "with allOrNone every part has failed")
    tally.note(results[0]["body"] == [halted] == results[2]["body"], "the others with PROCESSING_HALTED", results)
    tally.note(results[1]["body"][0]["errorCode"] == "REQUIRED_FIELD_MISSING", "the guilty one with its own error")
    tally.note(sf.query("SELECT COUNT() FROM Account")["totalSize"] == before, "and nothing was saved")

    results = call(*failing, part("fourth", "PATCH", "/sobjects/Contact/@{second.id}", {"Title": "x"}), allOrNone=False)
    tally.note([result["httpStatusCode"] for result in results] == [201, 400, 201, 400], "without it the others go on", results)
    body = results[3]["body"][0]
    tally.note(body["errorCode"] == "PROCESSING_HALTED" and "Invalid reference specified. No value for second.id found in second" in body["message"], "and what refers to the failed one fails", body)

    absent = call(part("absent", "GET", "/sobjects/Contact/003000000000zzzAAA"))[0]
    tally.note((absent["httpStatusCode"], absent["body"][0]["errorCode"]) == (404, "NOT_FOUND"), "a part that is not found is 404 inside 200", absent)
    unchanged = call(part("d", "GET", "/sobjects/Account/describe", httpHeaders={"If-Modified-Since": "Fri, 01 Jan 2100 00:00:00 GMT"}))[0]
    tally.note(unchanged["httpStatusCode"] == 304 and unchanged["body"] is None and "ETag" in unchanged["httpHeaders"], "a part's own headers count", unchanged)
    nested = call(part("many", "POST", "/composite/sobjects", {"allOrNone": False, "records": [contact(LastName="Nested")]}))[0]
    tally.note(nested["httpStatusCode"] == 200 and nested["body"][0]["success"] is True, "a collection is a part", nested)

    refused(tally, "26 parts are too many", (BAD, "LIMIT_EXCEEDED"), call, *[part(f"r{number}", "GET", "/limits") for number in range(26)])
    refused(tally, "so are 6 queries", (BAD, "LIMIT_EXCEEDED"), call, *[part(f"q{number}", "GET", "/query?q=SELECT Id FROM Account LIMIT 1") for number in range(6)])
    refused(tally, "a part needs a name", (BAD, "JSON_PARSER_ERROR"), call, {"method": "GET", "url": f"{DATA}/limits"})

    boss = sf.query("SELECT Id FROM UserRole LIMIT 1")["records"][0]["Id"]
    made = sf.User.create(person(sf, "mixed"))["id"]
    mixture = [
        part("person", "POST", "/sobjects/Contact", {"LastName": "Mixed"}),
        part("user", "PATCH", f"/sobjects/User/{made}", {"UserRoleId": boss}),
    ]
    words = "DML operation on setup object is not permitted after you have updated a non-setup object (or vice versa): User, original object: Contact"
    body = call(*mixture, allOrNone=True)[1]["body"]
    tally.note(body and (body[0]["errorCode"], body[0]["message"]) == ("MIXED_DML_OPERATION", words), "a user's role and a contact are not written together", body)
    tally.note([result["httpStatusCode"] for result in call(*mixture, allOrNone=False)] == [201, 204], "but one after the other they are")
    harmless = call(mixture[0], part("user", "PATCH", f"/sobjects/User/{made}", {"Title": "x"}), allOrNone=True)
    tally.note([result["httpStatusCode"] for result in harmless] == [201, 204], "a user's title may come along", harmless)


def batch(tally, org, sf):
    requests = [
        {"method": "POST", "url": f"v{VERSION}/sobjects/Account", "richInput": {"Name": "Batched"}},
        {"method": "GET", "url": f"v{VERSION}/sobjects/Account/001000000000zzzAAA"},
        {"method": "GET", "url": f"v{VERSION}/limits"},
    ]
    answer = sf.restful("composite/batch", method="POST", json={"batchRequests": requests})
    tally.note(answer["hasErrors"] is True, "a batch says that a part has failed", answer)
    tally.note([result["statusCode"] for result in answer["results"]] == [201, 404, 200], "each part is on its own")
    tally.note(answer["results"][0]["result"]["success"] is True, "a part's answer is its result")
    halted = sf.restful("composite/batch", method="POST", json={"haltOnError": True, "batchRequests": requests[1:]})
    tally.note([result["statusCode"] for result in halted["results"]] == [404, 412], "haltOnError stops it", halted)
    tally.note(halted["results"][1]["result"][0]["errorCode"] == "BATCH_PROCESSING_HALTED", "and says so", halted)


def tree(tally, org, sf):
    def account(reference, *people):
        children = {"Contacts": {"records": [{"attributes": {"type": "Contact", "referenceId": f"{reference}p{place}"}, "LastName": name} for place, name in enumerate(people)]}}
        return {"attributes": {"type": "Account", "referenceId": reference}, "Name": reference, **(children if people else {})}

    raw = sf.restful("composite/tree/Account", method="POST", json={"records": [account("tree1", "Leaf", "Twig"), account("tree2")]})
    tally.note(raw["hasErrors"] is False and len(raw["results"]) == 4, "a tree is planted whole", raw)
    root = {result["referenceId"]: result["id"] for result in raw["results"]}["tree1"]
    tally.note(sf.query(f"SELECT COUNT() FROM Contact WHERE AccountId = '{root}'")["totalSize"] == 2, "its leaves hang on it")
    try:
        sf.restful("composite/tree/Account", method="POST", json={"records": [account("tree3", "Leaf", None)]})
        tally.note(False, "a tree with a bad leaf is refused")
    except BAD as error:
        body = error.content
        tally.note(body["hasErrors"] is True and body["results"][0]["referenceId"] == "tree3p1" and body["results"][0]["errors"][0]["statusCode"] == "REQUIRED_FIELD_MISSING", "a tree with a bad leaf names it", body)
    tally.note(sf.query("SELECT COUNT() FROM Account WHERE Name = 'tree3'")["totalSize"] == 0, "and is not planted")


def graph(tally, org, sf):
    def nodes(name, last_name):
        return [
            {"referenceId": "account", "method": "POST", "url": f"{DATA}/sobjects/Account", "body": {"Name": name}},
            {"referenceId": "person", "method": "POST", "url": f"{DATA}/sobjects/Contact", "body": {"LastName": last_name, "AccountId": "@{account.id}"}},
        ]

    answer = sf.restful("composite/graph", method="POST", json={"graphs": [
        {"graphId": "good", "compositeRequest": nodes("Good graph", "Good")},
        {"graphId": "bad", "compositeRequest": nodes("Bad graph", None)},
    ]})["graphs"]
    tally.note([(one["graphId"], one["isSuccessful"]) for one in answer] == [("good", True), ("bad", False)], "each graph is whole or not at all", answer)
    tally.note([part["httpStatusCode"] for part in answer[0]["graphResponse"]["compositeResponse"]] == [201, 201], "its parts answer as in a composite")
    tally.note(sf.query("SELECT COUNT() FROM Account WHERE Name = 'Bad graph'")["totalSize"] == 0, "a failed one leaves nothing")


STORIES = [collections, composite, batch, tree, graph]
