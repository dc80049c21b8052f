"""docs/simulated-org.md as a reader follows it: every example on the page is run, in its order, and does what the page says."""

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

from _keys import server_certificate
from _org import HERE, Tally, run

PAGE = HERE.parent.parent / "docs/simulated-org.md"
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NAMED = re.compile(r"(?:#|//) (\S+\.\w+)(?: .*)?\n")


def blocks():
    """What stands between fences, with addresses that are free on this machine."""
    text = PAGE.read_text(encoding="utf-8")
    for port in sorted(set(re.findall(r"127\.0\.0\.1:(\d+)", text))):
        text = text.replace(f"127.0.0.1:{port}", f"127.0.0.1:{free_port()}")
    return FENCE.findall(text)


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


class Reader:
    """A reader with a directory: files that the page names are written there, commands that it gives are run there."""

    def __init__(self, directory):
        self.directory = Path(directory)
        self.servers = []
        tools = self.directory / "bin"
        tools.mkdir()
        node = Path(shutil.which(os.environ.get("JUDGES_NODE", "node")))
        (tools / "gangway").symlink_to(Path(sys.argv[1]).resolve())
        (tools / "node").symlink_to(node)
        (tools / "sf").symlink_to(HERE / "node_modules/@salesforce/cli/bin/run.js")
        (self.directory / "node_modules").symlink_to(HERE / "node_modules")
        # A link would leave the virtual environment, which is found by where its interpreter stands.
        (tools / "python3").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n', encoding="utf-8")
        (tools / "python3").chmod(0o755)
        self.environment = {
            "HOME": str(directory), "PATH": f"{tools}:/usr/local/bin:/usr/bin:/bin", "NO_PROXY": "127.0.0.1",
            "SF_AUTOUPDATE_DISABLE": "true", "SF_DISABLE_TELEMETRY": "true", "SF_SKIP_NEW_VERSION_CHECK": "true",
            "SF_USE_GENERIC_UNIX_KEYCHAIN": "true", "NO_COLOR": "1",
        }

    def follow(self, tally, language, text):
        """Writes or runs a block. One that is neither a file nor a command is an illustration."""
        name = NAMED.match(text)
        if name:
            (self.directory / name[1]).write_text(text[name.end():] if name[1].endswith(".csv") else text, encoding="utf-8")
        elif language == "sh":
            for command in commands(text):
                self.type(tally, command)

    def type(self, tally, command):
        server = re.match(r"(?:\w+=\S+ )*gangway (sim|serve)\b", command)
        if server:
            log = (self.directory / "log.txt").open("a", encoding="utf-8")
            self.servers.append(subprocess.Popen(["bash", "-c", f"{self.exported()}exec env {command}"], cwd=self.directory, env=self.environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL))
            up = wait_for(self.address(command))
            return tally.note(up, first_line(command), (self.directory / "log.txt").read_text(encoding="utf-8")[-800:])
        if command.startswith(("pip ", "npm ", "openssl ")):
            return None  # The judges have them; certificates are made by server_certificate().
        done = subprocess.run(["bash", "-euo", "pipefail", "-c", self.exported() + command], cwd=self.directory, env=self.environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False)
        if command.startswith("export "):
            self.environment["EXPORTS"] = self.exported() + command + "\n"
        said = re.search(r"# → (.*)", command)
        fits = done.returncode == 0 and '"errorCode"' not in done.stdout and (not said or said[1] in done.stdout)
        return tally.note(fits, first_line(command), f"{done.stdout[-600:]} {done.stderr[-600:]}")

    def exported(self):
        return self.environment.get("EXPORTS", "")

    def address(self, command):
        """Where a server listens: as its flag says, or its configuration."""
        flag = re.search(r"--listen (\S+)", command)
        if flag:
            return flag[1]
        configuration = re.search(r"--config (\S+)", command)[1]
        return re.search(r'listen = "([^"]+)"', (self.directory / configuration).read_text(encoding="utf-8"))[1]

    def leave(self):
        for server in self.servers:
            server.terminate()
        for server in self.servers:
            server.wait(timeout=60)


def commands(text):
    """The commands of a block: lines with their continuations."""
    for command in re.split(r"(?<!\\)\n(?![ \t])", text.strip()):
        if command and not command.startswith("#"):
            yield command


def first_line(command):
    return command.split("\n")[0].rstrip(" \\")


def wait_for(address):
    host, port = address.split(":")
    for _ in range(300):
        try:
            socket.create_connection((host, int(port)), timeout=1).close()
            return True
        except OSError:
            time.sleep(0.1)
    return False


@contextmanager
def reader():
    with tempfile.TemporaryDirectory() as directory, server_certificate() as (certificate, key):
        one = Reader(directory)
        shutil.copy(certificate, one.directory / "org.crt")
        shutil.copy(key, one.directory / "org.key")
        try:
            yield one
        finally:
            one.leave()


def the_page_holds(tally):
    with reader() as one:
        for language, text in blocks():
            one.follow(tally, language, text)


def main():
    tally = Tally()
    run([the_page_holds], tally)
    tally.close()


main()
