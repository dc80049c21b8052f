"""simple-salesforce (PyPI) as its users use it, against `gangway sim`."""

# The script's own directory comes first on the path; without this it would import itself.
import sys

_here = sys.path.pop(0)
import simple_salesforce  # noqa: E402, F401

sys.path.insert(0, _here)
from _keys import org_file, pem, private_key  # noqa: E402
from _org import Tally, run, running_org  # noqa: E402
from _simple_salesforce import batches, describes, logins, people, queries, rows  # noqa: E402
from _simple_salesforce.connect import connect  # noqa: E402


def main():
    tally = Tally()
    key = private_key()
    logins.keys.own, logins.keys.strangers = pem(key), pem(private_key())
    with org_file(key) as path, running_org(org_file=path) as org:
        run(logins.STORIES, tally, org)
        for stories in (rows, queries, batches, describes, people):
            run(stories.STORIES, tally, org, connect(org))
    tally.close()


main()
