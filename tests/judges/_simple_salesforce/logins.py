"""Every way in that simple-salesforce knows, and every way to be turned away."""

import requests
from simple_salesforce import Salesforce, SalesforceLogin
from simple_salesforce.exceptions import SalesforceAuthenticationFailed, SalesforceExpiredSession

from _keys import ADMIN, APP, PASSWORD, SECURITY_TOKEN, server_certificate
from _org import VERSION, running_org

from .connect import connect, refused, session



class keys:
    """The app's own key, which the org knows, and one that it does not."""

    own = strangers = ""


def me(sf):
    return sf.oauth2("userinfo")["preferred_username"]


def a_token_at_hand(tally, org):
    token = org.token()
    sf = connect(org, session_id=token["access_token"], instance_url=token["instance_url"])
    tally.note(me(sf) == "integration@harbour-lights.example", "a token and its instance are enough", me(sf))
    sf = connect(org, session_id=token["access_token"], instance=org.host)
    tally.note(sf.query("SELECT Id FROM Organization")["totalSize"] == 1, "so is the host alone")
    tally.note(sf.is_sandbox() is False, "it is no sandbox")


def username_and_password(tally, org):
    sf = connect(org, username=ADMIN, password=PASSWORD, security_token=SECURITY_TOKEN)
    tally.note(me(sf) == ADMIN, "SOAP login with a security token", me(sf))
    sf = connect(org, username=ADMIN, password=PASSWORD + SECURITY_TOKEN, organizationId=org.token()["id"].split("/")[-2])
    tally.note(me(sf) == ADMIN, "SOAP login with an organization id")
    sf = connect(org, username=ADMIN, password=PASSWORD + SECURITY_TOKEN, consumer_key=org.client_id, consumer_secret=org.client_secret)
    tally.note(me(sf) == ADMIN, "the password grant")


def the_app_alone(tally, org):
    sf = connect(org, consumer_key=org.client_id, consumer_secret=org.client_secret, domain="harbour-lights.my")
    tally.note(me(sf) == "integration@harbour-lights.example", "client credentials act as the app's user", me(sf))


def a_signed_assertion(tally, org):
    sf = connect(org, username=ADMIN, consumer_key=APP, privatekey=keys.own)
    tally.note(me(sf) == ADMIN, "a signed assertion acts as its subject", me(sf))
    sf = connect(org, username=ADMIN, consumer_key=APP, privatekey=keys.own, instance_url="harbour-lights.my", domain="login")
    tally.note(me(sf) == ADMIN, "at the org's own address too")


def turned_away(tally, org):
    def away(what, code, words, **arguments):
        try:
            SalesforceLogin(session=session(org), sf_version=VERSION, **arguments)
        except SalesforceAuthenticationFailed as error:
            return tally.note(str(error.code) == code and words in error.auth_message, what, error)
        return tally.note(False, what, "it was let in")

    app = {"consumer_key": org.client_id, "consumer_secret": org.client_secret}
    away("a wrong password by SOAP", "INVALID_LOGIN", "Invalid username, password, security token; or user locked out", username=ADMIN, password="wrong", security_token="")
    away("a wrong password by OAuth", "invalid_grant", "authentication failure", username=ADMIN, password="wrong", **app)
    away("a wrong secret", "invalid_client", "invalid client credentials", domain="harbour-lights.my", consumer_key=org.client_id, consumer_secret="wrong")
    away("an app that is not there", "invalid_client_id", "client identifier invalid", domain="harbour-lights.my", consumer_key="wrong", consumer_secret="wrong")
    away("an assertion by a stranger", "invalid_grant", "invalid assertion", username=ADMIN, consumer_key=APP, privatekey=keys.strangers)
    away("an assertion for another audience", "invalid_grant", "udience", username=ADMIN, consumer_key=APP, privatekey=keys.own, domain="elsewhere.my", instance_url="login")
    away("an assertion of an app that is not there", "invalid_client_id", "client identifier invalid", username=ADMIN, consumer_key="wrong", privatekey=keys.own)


def expiry(tally, org):
    direct = connect(org)
    renewing = [
        connect(org, username=ADMIN, password=PASSWORD, security_token=SECURITY_TOKEN),
        connect(org, consumer_key=org.client_id, consumer_secret=org.client_secret, domain="harbour-lights.my"),
        connect(org, username=ADMIN, consumer_key=APP, privatekey=keys.own),
    ]
    org.control("/tokens/expire", {})
    refused(tally, "a token at hand expires", (SalesforceExpiredSession, "INVALID_SESSION_ID", "Session expired or invalid"), direct.query, "SELECT Id FROM Organization")
    for sf in renewing:
        tally.note(sf.query("SELECT Id FROM Organization")["totalSize"] == 1, f"{sf.auth_type}: the library logs in again by itself")
    org.control("/clock", {"advance_seconds": 7201})
    tally.note(renewing[0].Account.describe()["name"] == "Account", "so it does after two hours without a call")
    direct = connect(org)
    for _ in range(3):
        org.control("/clock", {"advance_seconds": 7000})
        direct.query("SELECT Id FROM Organization")
    tally.note(True, "a token that is used lives on")
    no_header = session(org).get(f"https://org/services/data/v{VERSION}/limits")
    tally.note((no_header.status_code, no_header.json()[0]["errorCode"]) == (401, "INVALID_AUTH_HEADER"), "no token at all", no_header.text)


def over_https(tally, org):
    with server_certificate() as files, running_org(tls=files) as secure:
        made = requests.Session()
        made.trust_env, made.verify = False, str(files[0])
        sf = Salesforce(session=made, session_id=secure.token()["access_token"], instance_url=secure.url, version=VERSION)
        tally.note(sf.Contact.create({"LastName": "Https"})["success"] is True, "an org with a certificate needs nothing in between")
        tally.note(secure.token()["instance_url"] == secure.url, "and says that it is reached by https", secure.url)


STORIES = [a_token_at_hand, username_and_password, the_app_alone, a_signed_assertion, turned_away, expiry, over_https]
