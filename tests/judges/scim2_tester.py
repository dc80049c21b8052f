"""scim2-tester (PyPI) holds the SCIM door to RFC 7643 and RFC 7644.

No check may end in an error, and none may be skipped: everything it knows how to ask, the gateway offers.
"""

# The script's own directory comes first on the path; without this it would import itself.
import sys

_here = sys.path.pop(0)
import httpx2  # noqa: E402
from scim2_client.engines.httpx2 import SyncSCIMClient  # noqa: E402
from scim2_tester import Status, check_server  # noqa: E402

sys.path.insert(0, _here)
from _gangway import Tally, running_gateway  # noqa: E402

GOOD = {Status.SUCCESS, Status.COMPLIANT, Status.ACCEPTABLE}
"""A DEVIATION is one from a SHOULD, and SKIPPED is a feature that is not there: neither is expected."""


def main():
    tally = Tally()
    with running_gateway() as gateway:
        headers = {"Authorization": f"Bearer {gateway['token']}"}
        with httpx2.Client(base_url=gateway["scim"], headers=headers, timeout=60, trust_env=False) as http:
            results = check_server(SyncSCIMClient(http))
    for result in results:
        what = " ".join(filter(None, [result.resource_type, result.title]))
        why = f"{result.status.name}: {result.reason} {result.data if result.data is not None else ''}"
        tally.note(result.status in GOOD, what, why[:2000])
    kinds = {result.resource_type for result in results}
    tally.note({"User", "Group"} <= kinds, "Users and Groups were looked at", str(kinds))
    tally.close()


main()
