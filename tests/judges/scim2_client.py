"""scim2-client (PyPI) as an identity tool: it discovers the gateway and checks every answer against what was discovered."""

# The script's own directory comes first on the path; without this it would import itself.
import sys

_here = sys.path.pop(0)
import httpx2  # noqa: E402
from scim2_client.engines.httpx2 import SyncSCIMClient  # noqa: E402
from scim2_models import (  # noqa: E402
    BulkOperation,
    BulkRequest,
    Error,
    PatchOp,
    PatchOperation,
    SearchRequest,
)

sys.path.insert(0, _here)
from _gangway import Tally, running_gateway  # noqa: E402


def main():
    tally = Tally()
    with running_gateway() as gateway:
        headers = {"Authorization": f"Bearer {gateway['token']}"}
        with httpx2.Client(base_url=gateway["scim"], headers=headers, timeout=60, trust_env=False) as http:
            for story in (life_of_a_user, life_of_a_group, entitlements_and_roles, pages, bulk, errors):
                scim = SyncSCIMClient(http)
                try:
                    scim.discover()
                    story(scim, tally)
                except Exception as error:  # noqa: BLE001 - whatever the client refuses is a failed story
                    note = getattr(error, "source", "")
                    tally.note(False, story.__name__, f"{type(error).__name__}: {error} {getattr(note, 'text', note)}"[:2000])
    tally.close()


def models(scim):
    return scim.get_resource_model("User"), scim.get_resource_model("Group")


def user(scim, name, **more):
    model, _ = models(scim)
    return model.model_validate({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "userName": name,
        "name": {"givenName": "Ada", "familyName": "Lovelace"},
        "emails": [{"value": name, "primary": True}],
        **more,
    })


def life_of_a_user(scim, tally):
    model, _ = models(scim)
    ada = scim.create(user(scim, "ada@acme.example", externalId="a-1"))
    tally.note(bool(ada.id), "a created user has an id")
    tally.note(scim.query(model, ada.id).user_name == "ada@acme.example", "it is read back")

    found = scim.query(model, query_parameters=SearchRequest(filter='userName eq "ADA@acme.example"'))
    tally.note(found.total_results == 1 and found.resources[0].id == ada.id, "it is found without regard to case")

    ada.title = "Navigator"
    tally.note(scim.replace(ada).title == "Navigator", "PUT of what was read, with a title, gives it one")

    patch = PatchOp[model](operations=[PatchOperation(op="replace", path="active", value=False)])
    scim.modify(model, ada.id, patch)
    tally.note(scim.query(model, ada.id).active is False, "it is deactivated")

    scim.delete(model, ada.id)
    gone = scim.query(model, ada.id, raise_scim_errors=False)
    tally.note(isinstance(gone, Error) and gone.status == 404, "it is gone after DELETE")
    again = scim.create(user(scim, "ada@acme.example", externalId="a-1"))
    tally.note(again.id != ada.id, "its name can be used again, under a new id")


def life_of_a_group(scim, tally):
    _, model = models(scim)
    people = [scim.create(user(scim, f"crew{n}@acme.example")) for n in range(3)]
    group = scim.create(model.model_validate({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"],
        "displayName": "Crew",
        "members": [{"value": person.id} for person in people],
    }))

    def members():
        return {member.value for member in scim.query(model, group.id).members or []}

    tally.note(members() == {person.id for person in people}, "a group has its members")
    path = f'members[value eq "{people[0].id}"]'
    scim.modify(model, group.id, PatchOp[model](operations=[PatchOperation(op="remove", path=path)]))
    tally.note(members() == {person.id for person in people[1:]}, "one member leaves, the others stay")


def entitlements_and_roles(scim, tally):
    user_model, _ = models(scim)
    given = {}
    for name, attribute in (("Entitlement", "entitlements"), ("Role", "roles")):
        model = scim.get_resource_model(name)
        offered = scim.query(model)
        tally.note(offered.total_results > 1, f"the org has something of the type {name} to give")
        single = scim.query(model, offered.resources[0].id)
        tally.note(single == offered.resources[0], f"one {name} is read as it is listed")
        found = scim.query(model, query_parameters=SearchRequest(filter='type eq "PermissionSet" or type eq "Role"', count=1))
        given[attribute] = found.resources[0]
    wanted = {attribute: [{"value": one.id}] for attribute, one in given.items()}
    ada = scim.create(user(scim, "entitled@acme.example", **wanted))
    read = scim.query(user_model, ada.id)
    for attribute, one in given.items():
        shown = {element.value: element.display for element in getattr(read, attribute)}
        tally.note(shown.get(one.id) == one.display_name, f"a User has the {attribute} that were asked for", str(shown))
    read.title = "Navigator"
    again = scim.replace(read)
    tally.note(again.entitlements == read.entitlements, "what is read and sent back stays as it is")


def pages(scim, tally):
    model, _ = models(scim)
    for n in range(5):
        scim.create(user(scim, f"page{n}@acme.example"))
    wanted = 'userName sw "page"'
    seen = []
    for start in (1, 3, 5):
        page = scim.query(model, query_parameters=SearchRequest(filter=wanted, start_index=start, count=2))
        tally.note(page.total_results == 5, f"the page from {start} counts all")
        seen += [resource.user_name for resource in page.resources]
    tally.note(len(set(seen)) == 5 and len(seen) == 5, "pages neither skip nor repeat", str(seen))
    search = scim.search(search_request=SearchRequest(filter=wanted, count=0))
    tally.note(search.total_results == 5, "a search over all resource types counts too")


def bulk(scim, tally):
    user_model, group_model = models(scim)
    request = BulkRequest[user_model | group_model](operations=[
        BulkOperation[user_model](method="POST", path="/Users", bulk_id="u", data=user(scim, "bulk@acme.example")),
        BulkOperation[group_model](method="POST", path="/Groups", bulk_id="g", data=group_model.model_validate({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"],
            "displayName": "Bulk",
            "members": [{"value": "bulkId:u"}],
        })),
    ])
    response = scim.bulk(request)
    tally.note([operation.status for operation in response.operations] == [201, 201], "both operations are done")
    person, group = (operation.location.rsplit("/", 1)[-1] for operation in response.operations)
    members = [member.value for member in scim.query(group_model, group).members]
    tally.note(members == [person], "a bulkId stands for the id that was made")


def errors(scim, tally):
    model, _ = models(scim)
    scim.create(user(scim, "twice@acme.example"))
    twice = scim.create(user(scim, "Twice@acme.example"), raise_scim_errors=False)
    tally.note(isinstance(twice, Error) and (twice.status, twice.scim_type) == (409, "uniqueness"), "a name twice is 409", str(twice))
    bad = scim.query(model, query_parameters={"filter": "userName eqq 1"}, check_request_payload=False, raise_scim_errors=False)
    tally.note(isinstance(bad, Error) and (bad.status, bad.scim_type) == (400, "invalidFilter"), "a bad filter is 400", str(bad))


main()
