"""scim2-tester (PyPI) holds the SCIM door to RFC 7643 and RFC 7644.

No check may end in an error, and none may be skipped: everything it knows how to ask, the gateway offers.

It fills what can be written with random values, and an org gives nobody a random entitlement or role: the gateway refuses one that
it does not know. So these two attributes are described to it as read-only, and it makes no Entitlements and Roles, which are made in
Salesforce alone. scim2_client.py gives real ones.
"""

# The script's own directory comes first on the path; without this it would import itself.
import sys

_here = sys.path.pop(0)
import httpx2  # noqa: E402
from scim2_client.engines.httpx2 import SyncSCIMClient  # noqa: E402
from scim2_models import ResourceType, Schema, ScimProvider  # noqa: E402
from scim2_tester import Status, check_server  # noqa: E402

sys.path.insert(0, _here)
from _gangway import Tally, running_gateway  # noqa: E402

GOOD = {Status.SUCCESS, Status.COMPLIANT, Status.ACCEPTABLE}
"""A DEVIATION is one from a SHOULD, and SKIPPED is a feature that is not there: neither is expected."""


MADE_IN_SALESFORCE = ("entitlements", "roles")


def client(http):
    """A client that knows what the gateway says of itself, but writes no entitlements and roles."""
    scim = SyncSCIMClient(http)
    types = scim.query(ResourceType).resources
    schemas = scim.query(Schema).resources
    for schema in schemas:
        for attribute in schema.attributes:
            if schema.id.endswith(":core:2.0:User") and attribute.name in MADE_IN_SALESFORCE:
                make_read_only(attribute)
    scim.provider = ScimProvider.from_discovery(schemas, types, None, scim.provider.policy)
    return scim


def make_read_only(attribute):
    attribute.mutability = type(attribute.mutability).read_only
    for part in attribute.sub_attributes or []:
        make_read_only(part)


def main():
    tally = Tally()
    with running_gateway() as gateway:
        headers = {"Authorization": f"Bearer {gateway['token']}"}
        with httpx2.Client(base_url=gateway["scim"], headers=headers, timeout=60, trust_env=False) as http:
            results = check_server(client(http), resource_types=["User", "Group"])
    for result in results:
        what = " ".join(filter(None, [result.resource_type, result.title]))
        why = f"{result.status.name}: {result.reason} {result.data if result.data is not None else ''}"
        tally.note(result.status in GOOD, what, why[:2000])
    kinds = {result.resource_type for result in results}
    tally.note({"User", "Group"} <= kinds, "Users and Groups were looked at", str(kinds))
    tally.close()


main()
