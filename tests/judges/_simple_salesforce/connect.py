"""How simple-salesforce, which only speaks https to salesforce.com, reaches an org on loopback: through a session of requests."""

from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from simple_salesforce import Salesforce
from simple_salesforce.exceptions import SalesforceError

from _org import VERSION


class Loopback(HTTPAdapter):
    """Sends every https call to the org, with the `Host` it was meant for: what a name server and a proxy would do."""

    def __init__(self, org):
        super().__init__()
        self.org = org

    def send(self, request, **arguments):
        target = urlsplit(request.url)
        request.headers["Host"] = target.netloc
        request.url = target._replace(scheme="http", netloc=self.org.host).geturl()
        arguments["proxies"] = {}
        return super().send(request, **arguments)


def session(org):
    made = requests.Session()
    made.trust_env = False
    made.mount("https://", Loopback(org))
    return made


def connect(org, **arguments):
    """A client as its users make it; by default with a token that is at hand."""
    if not arguments:
        token = org.token()
        arguments = {"session_id": token["access_token"], "instance_url": org.url}
    return Salesforce(session=session(org), version=VERSION, **arguments)


def refusal(call, *arguments, **named):
    """The error that a call ends in, or None."""
    try:
        call(*arguments, **named)
    except SalesforceError as error:
        return error
    return None


def refused(tally, what, expected, call, *arguments, **named):
    """Notes that a call is refused with the class, the code, and (if given) a part of the words and the fields that are expected."""
    kind, code, *more = expected
    error = refusal(call, *arguments, **named)
    if error is None:
        return tally.note(False, what, "it was not refused")
    content = error.content[0] if isinstance(error.content, list) and error.content else error.content
    if not isinstance(content, dict):
        return tally.note(False, what, f"{type(error).__name__} {error.status}: {error.content!r}")
    words = more[0] if more else ""
    fits = type(error) is kind and content.get("errorCode") == code and words in content.get("message", "")
    if len(more) > 1:
        fits = fits and content.get("fields") == more[1]
    return tally.note(fits, what, f"{type(error).__name__} {error.status}: {error.content!r}")
