"""Starts `gangway sim` on a free port for a judge, and counts what the judge says."""

import json
import re
import ssl
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from contextlib import contextmanager
from pathlib import Path

from _gangway import Tally  # noqa: F401 - judges take both from here

HERE = Path(__file__).resolve().parent
VERSION = "66.0"


class Org:
    """A running simulated org, from outside: its address, its app, its control endpoints."""

    def __init__(self, document, certificate=None):
        self.url = document["org"]
        self.host = self.url.split("//")[1]
        self.context = ssl.create_default_context(cafile=certificate) if certificate else None
        self.control_url = document["control"]
        self.client_id = document["clientId"]
        self.client_secret = document["clientSecret"]
        self.refresh_token = document["refreshToken"]

    def token(self, **form):
        """An answer of the token endpoint; a refresh with the first refresh token unless told otherwise."""
        form = form or {"grant_type": "refresh_token", "refresh_token": self.refresh_token}
        form = {"client_id": self.client_id, "client_secret": self.client_secret, **form}
        body = urllib.parse.urlencode(form).encode()
        with urllib.request.urlopen(f"{self.url}/services/oauth2/token", body, timeout=30, context=self.context) as answer:
            return json.load(answer)

    def control(self, path, body=None, method=None):
        """A control call; its JSON answer."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            self.control_url + path, data, {"Content-Type": "application/json"}, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=30, context=self.context) as answer:
                text = answer.read()
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{path}: {error.code} {error.read().decode()}") from error
        return json.loads(text) if text else None

    def switch(self, **switches):
        self.control("/switches", {name.replace("_", "-"): value for name, value in switches.items()})


@contextmanager
def running_org(*flags, org_file=HERE / "org.toml", tls=None):
    """Yields an org that nobody else uses, over HTTPS if there are files for it."""
    if tls:
        flags = (*flags, "--tls-certificate", str(tls[0]), "--tls-key", str(tls[1]))
    command = [sys.argv[1], "--output", "json", "sim", "--listen", "127.0.0.1:0", "--org-file", str(org_file)]
    process = subprocess.Popen([*command, *flags], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    try:
        line = process.stdout.readline()
        if not line:
            raise SystemExit("gangway sim ended before it was up")
        yield Org(json.loads(line), tls[0] if tls else None)
    finally:
        process.terminate()
        try:
            process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            raise


def run(stories, tally, *arguments):
    """Tells every story; one that ends early is a failed one."""
    for story in stories:
        print(f"- {story.__name__.replace('_', ' ')}", flush=True)
        try:
            story(tally, *arguments)
        except Exception as error:  # noqa: BLE001 - whatever a program trips over is a failed story
            tally.note(False, story.__name__, f"{type(error).__name__}: {str(error)[:1500]} {where(error)}")


def where(error):
    """The line of the story that an error came from."""
    trace, line = error.__traceback__, ""
    while trace:
        if re.search(r"/tests/judges/", trace.tb_frame.f_code.co_filename):
            line = f"({Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno})"
        trace = trace.tb_next
    return line


def is_id(text, prefix):
    """An id of 18 characters whose checksum is right."""
    if not re.fullmatch(rf"{prefix}[0-9A-Za-z]{{15}}", text or ""):
        return False
    suffix = ""
    for block in (text[0:5], text[5:10], text[10:15]):
        bits = sum(1 << place for place, letter in enumerate(block) if letter.isupper())
        suffix += "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"[bits]
    return text.endswith(suffix)
