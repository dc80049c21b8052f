"""The official Salesforce CLI (`@salesforce/cli`, npm) as an administrator uses it, against `gangway sim` on its loopback address."""

import csv
import io
import json
import os
import subprocess
import tempfile
from pathlib import Path

from _keys import ADMIN, APP, org_file, pem, private_key
from _org import HERE, VERSION, Tally, run, running_org

SF = HERE / "node_modules/@salesforce/cli/bin/run.js"
INTEGRATION = "integration@harbour-lights.example"


class Cli:
    """`sf` with a home directory of its own, so that it neither sees nor changes what an administrator has."""

    def __init__(self, org, home):
        self.org = org
        self.home = Path(home)
        self.environment = {
            "HOME": str(home),
            "PATH": os.environ["PATH"],
            "SF_AUTOUPDATE_DISABLE": "true",
            "SF_DISABLE_TELEMETRY": "true",
            "SF_SKIP_NEW_VERSION_CHECK": "true",
            "SF_USE_GENERIC_UNIX_KEYCHAIN": "true",
            "SF_HIDE_RELEASE_NOTES": "true",
            "NO_COLOR": "1",
        }

    def run(self, *words, **environment):
        """A command as it is typed; what it answers."""
        node = os.environ.get("JUDGES_NODE", "node")
        return subprocess.run(
            [node, "--no-deprecation", str(SF), *words], env={**self.environment, **environment}, cwd=self.home,
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False,
        )

    def json(self, *words, **environment):
        """The document that `--json` answers."""
        done = self.run(*words, "--json", **environment)
        try:
            return json.loads(done.stdout)
        except json.JSONDecodeError as error:
            raise AssertionError(f"sf {' '.join(words)}: {done.stdout[:500]} {done.stderr[:500]}") from error


def a_token_is_enough(tally, cli, key):
    token = cli.org.token()["access_token"]
    done = cli.json(
        "org", "login", "access-token", "--instance-url", cli.org.url, "--no-prompt", "--alias", "sim", "--set-default", SF_ACCESS_TOKEN=token,
    )
    tally.note(done["status"] == 0 and done["result"]["username"] == INTEGRATION, "org login access-token", done)
    shown = cli.json("org", "display")["result"]
    tally.note((shown["connectedStatus"], shown["username"]) == ("Connected", INTEGRATION), "org display says it is connected", shown)
    tally.note(shown["apiVersion"] == VERSION and shown["id"].startswith("00D"), "and to which version and org", shown)
    listed = cli.json("org", "list")["result"]
    entry = [entry for kind in listed.values() if isinstance(kind, list) for entry in kind if entry.get("alias") == "sim"]
    tally.note(bool(entry) and entry[0]["connectedStatus"] == "Connected", "org list too", listed)


def queries(tally, cli, key):
    rows = cli.json("data", "query", "--query", "SELECT Id, Username, Profile.Name FROM User ORDER BY Username")
    tally.note(rows["status"] == 0 and rows["result"]["totalSize"] >= 2, "data query --json", rows)
    names = [row["Username"] for row in rows["result"].get("records", [])]
    tally.note(ADMIN in names and rows["result"]["records"][0]["Profile"]["Name"], "with parents", names)
    table = cli.run("data", "query", "--query", f"SELECT Username, Profile.Name FROM User WHERE Username = '{ADMIN}'")
    tally.note(table.returncode == 0 and "USERNAME" in table.stdout and "System Administrator" in table.stdout, "data query shows a table", table.stdout + table.stderr)
    text = cli.run("data", "query", "--query", f"SELECT Username, Profile.Name, Title FROM User WHERE Username = '{ADMIN}'", "--result-format", "csv")
    lines = list(csv.DictReader(io.StringIO(text.stdout)))
    tally.note(len(lines) == 1 and lines[0]["Username"] == ADMIN and lines[0]["Profile.Name"] == "System Administrator", "data query --result-format csv", text.stdout + text.stderr)
    crowd = cli.json("data", "query", "--query", "SELECT Id FROM User WHERE Username LIKE '%@generated.example'")["result"]
    tally.note(len({row["Id"] for row in crowd["records"]}) == crowd["totalSize"] == 2500, "2,500 rows come in two pages", crowd["totalSize"])
    counted = cli.json("data", "query", "--query", "SELECT COUNT() FROM User WHERE Username LIKE '%@generated.example'")["result"]
    tally.note(counted["totalSize"] == 2500, "COUNT() counts them", counted)
    groups = cli.json("data", "query", "--query", "SELECT Profile.Name who, COUNT(Id) many FROM User WHERE Username LIKE '%@generated.example' GROUP BY Profile.Name")["result"]
    tally.note([(row["who"], row["many"]) for row in groups["records"]] == [("Standard User", 2500)], "GROUP BY groups them", groups)
    wrong = cli.json("data", "query", "--query", "SELECT Foo FROM User")
    tally.note(wrong["status"] == 1 and "No such column 'Foo' on entity 'User'" in wrong["message"], "a column that is not there", wrong["message"])
    malformed = cli.json("data", "query", "--query", "SELECT Id FORM User")
    tally.note(malformed["status"] == 1 and malformed["name"] == "MALFORMED_QUERY", "what is no query", malformed)
    found = cli.json("data", "search", "--query", "FIND {Reyes} IN NAME FIELDS RETURNING User(Name)")
    tally.note(found["status"] == 0 and [row["Name"] for row in found["result"]["searchRecords"]] == ["Morgan Reyes"], "data search", found)


def rows(tally, cli, key):
    made = cli.json("data", "create", "record", "--sobject", "Contact", "--values", "LastName='von Trapp' FirstName=Maria Email=maria@example.com GangwayId__c=cli-1")
    tally.note(made["status"] == 0 and made["result"]["id"].startswith("003"), "data create record", made)
    row = cli.json("data", "get", "record", "--sobject", "Contact", "--record-id", made["result"]["id"])["result"]
    tally.note(row["Name"] == "Maria von Trapp", "data get record by its id", row.get("Name"))
    done = cli.json("data", "update", "record", "--sobject", "Contact", "--where", "GangwayId__c=cli-1", "--values", "Title='Governess'")
    tally.note(done["status"] == 0, "data update record by a field", done)
    row = cli.json("data", "get", "record", "--sobject", "Contact", "--where", "GangwayId__c=cli-1")["result"]
    tally.note(row["Title"] == "Governess", "data get record by a field", row.get("Title"))
    twice = cli.json("data", "create", "record", "--sobject", "Contact", "--values", "LastName=Twice GangwayId__c=cli-1")
    tally.note(twice["status"] == 1 and "duplicate value found: GangwayId__c" in twice["message"], "a unique value twice", twice["message"])
    missing = cli.json("data", "create", "record", "--sobject", "Lead", "--values", "FirstName=x")
    tally.note(missing["status"] == 1 and "Required fields are missing: [LastName, Company]" in missing["message"], "missing fields", missing["message"])
    done = cli.json("data", "delete", "record", "--sobject", "Contact", "--record-id", made["result"]["id"])
    tally.note(done["status"] == 0, "data delete record", done)
    gone = cli.json("data", "query", "--all-rows", "--query", "SELECT IsDeleted FROM Contact WHERE GangwayId__c = 'cli-1'")["result"]
    tally.note([row["IsDeleted"] for row in gone["records"]] == [True], "data query --all-rows sees it", gone)
    left = cli.json("data", "query", "--query", "SELECT Id FROM Contact WHERE GangwayId__c = 'cli-1'")["result"]
    tally.note(left["totalSize"] == 0, "without it does not", left)


def trees(tally, cli, key):
    for name in ("Trunk", "Bough"):
        account = cli.json("data", "create", "record", "--sobject", "Account", "--values", f"Name={name}")["result"]["id"]
        cli.json("data", "create", "record", "--sobject", "Contact", "--values", f"LastName={name}leaf AccountId={account}")
    done = cli.json(
        "data", "export", "tree", "--output-dir", "tree", "--query",
        "SELECT Name, (SELECT LastName FROM Contacts) FROM Account WHERE Name IN ('Trunk', 'Bough')", "--plan",
    )
    files = sorted(path.name for path in (cli.home / "tree").glob("*.json"))
    tally.note(done["status"] == 0 and len(files) == 3, "data export tree", (done, files))
    plan = next((name for name in files if "plan" in name), "")
    done = cli.json("data", "import", "tree", "--plan", f"tree/{plan}")
    tally.note(done["status"] == 0 and len(done["result"]) == 4, "data import tree", done)
    again = cli.json("data", "query", "--query", "SELECT Name, (SELECT LastName FROM Contacts) FROM Account WHERE Name IN ('Trunk', 'Bough')")["result"]
    tally.note(again["totalSize"] == 4 and all(len(row["Contacts"]["records"]) == 1 for row in again["records"]), "every trunk has its leaf", again)


def the_org_itself(tally, cli, key):
    objects = cli.json("sobject", "list")["result"]
    tally.note({"User", "Contact", "PermissionSetAssignment"} <= set(objects), "sobject list", len(objects))
    described = cli.json("sobject", "describe", "--sobject", "Contact")["result"]
    tally.note(described["keyPrefix"] == "003" and any(field["name"] == "GangwayId__c" for field in described["fields"]), "sobject describe")
    limits = cli.json("org", "list", "limits")["result"]
    tally.note(any(limit["name"] == "DailyApiRequests" and limit["remaining"] < limit["max"] for limit in limits), "org list limits", limits[:2])
    counts = cli.json("org", "list", "sobject", "record-counts", "--sobject", "User")["result"]
    tally.note(counts[0]["name"] == "User" and counts[0]["count"] > 2500, "org list sobject record-counts", counts)
    called = cli.run("api", "request", "rest", f"/services/data/v{VERSION}/limits")
    tally.note("DailyApiRequests" in json.loads(called.stdout), "api request rest", called.stderr)


def people(tally, cli, key):
    name = cli.json("data", "query", "--query", "SELECT Name FROM PermissionSet WHERE IsOwnedByProfile = false AND Type = 'Regular' AND LicenseId = null ORDER BY Name LIMIT 1")["result"]["records"][0]["Name"]
    done = cli.json("org", "assign", "permset", "--name", name)
    tally.note(done["status"] == 0 and done["result"]["successes"][0]["value"] == name, "org assign permset", done)
    again = cli.json("org", "assign", "permset", "--name", name)
    tally.note("Duplicate PermissionSetAssignment" in json.dumps(again), "which tells that it is there already", again)
    nobody = cli.json("org", "assign", "permset", "--name", "Nonsense")
    tally.note(nobody["status"] != 0 and "Nonsense" in json.dumps(nobody), "or that it is not", nobody)
    user = cli.json("org", "display", "user")["result"]
    tally.note((user["username"], user["profileName"]) == (INTEGRATION, "System Administrator"), "org display user", user)


def a_key_is_enough(tally, cli, key):
    (cli.home / "key.pem").write_text(pem(key), encoding="utf-8")
    login = ("org", "login", "jwt", "--client-id", APP, "--jwt-key-file", "key.pem", "--username", ADMIN, "--instance-url", cli.org.url, "--alias", "signed")
    done = cli.json(*login, SF_AUDIENCE_URL=cli.org.url)
    tally.note(done["status"] == 0 and done["result"]["username"] == ADMIN, "org login jwt", done)
    cli.org.control("/tokens/expire", {})
    rows = cli.json("data", "query", "--target-org", "signed", "--query", "SELECT Id FROM Organization", SF_AUDIENCE_URL=cli.org.url)
    tally.note(rows["status"] == 0 and rows["result"]["totalSize"] == 1, "a token that has ended is made anew", rows)
    (cli.home / "key.pem").write_text(pem(private_key()), encoding="utf-8")
    done = cli.json(*login, SF_AUDIENCE_URL=cli.org.url)
    tally.note(done["status"] != 0 and "invalid assertion" in json.dumps(done), "a stranger's key is refused", done)


def what_it_has_not(tally, cli, key):
    token = cli.org.token()["access_token"]
    cli.json("org", "login", "access-token", "--instance-url", cli.org.url, "--no-prompt", "--set-default", SF_ACCESS_TOKEN=token)
    done = cli.json("data", "export", "bulk", "--query", "SELECT Id FROM User", "--output-file", "users.csv", "--wait", "1")
    tally.note(done["status"] != 0 and "The requested resource does not exist" in json.dumps(done), "data export bulk says that there is no Bulk API", done)


def main():
    tally = Tally()
    key = private_key()
    generate = '[generate]\nusers = 2500\nprofile = "Standard User"\n'
    with tempfile.TemporaryDirectory() as home, org_file(key, generate) as path, running_org(org_file=path) as org:
        run([a_token_is_enough, queries, rows, trees, the_org_itself, people, a_key_is_enough, what_it_has_not], tally, Cli(org, home), key)
    tally.close()


main()
