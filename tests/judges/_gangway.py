"""Starts `gangway demo --empty` on free ports for a judge, and counts what the judge says."""

import json
import subprocess
import sys
from contextlib import contextmanager


@contextmanager
def running_gateway():
    """Yields the SCIM URL, the token and the org's control URL of a gateway that nobody else uses."""
    gangway = sys.argv[1]
    process = subprocess.Popen(
        [
            gangway, "--output", "json", "demo", "--empty",
            "--listen", "127.0.0.1:0", "--org-listen", "127.0.0.1:0",
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield json.loads(read_document(process.stdout))
    finally:
        process.terminate()
        try:
            process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            raise


def read_document(lines):
    """The first JSON document of a stream: it ends with the line `}`."""
    text = ""
    for line in lines:
        text += line
        if line.rstrip() == "}":
            return text
    raise SystemExit("gangway demo ended before it was up")


class Tally:
    """Counts checks, shows each, and closes with `N passed, N failed`."""

    def __init__(self):
        self.passed = 0
        self.failed = 0

    def note(self, passed, what, why=""):
        if passed:
            self.passed += 1
            print(f"  ok    {what}")
        else:
            self.failed += 1
            print(f"  FAIL  {what}{': ' if why else ''}{why}")

    def close(self):
        print(f"{self.passed} passed, {self.failed} failed", flush=True)
        raise SystemExit(1 if self.failed or not self.passed else 0)
