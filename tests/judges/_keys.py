"""The app, the passwords and the keys of the judges' org: what tests/judges/org.toml leaves out because it is new every time."""

import tempfile
from contextlib import contextmanager
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

ADMIN = "admin@harbour-lights.example"
APP = "judged-app"
APP_SECRET = "judged-secret"
CALLBACK = "http://localhost:1717/OauthRedirect"
PASSWORD = "judged-password"
SECURITY_TOKEN = "JudgedSecurityToken"


def private_key():
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def pem(key):
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def public_pem(key):
    return key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    ).decode()


@contextmanager
def org_file(key, more=""):
    """The judges' org file, with an app that knows a key."""
    text = Path(__file__).with_name("org.toml").read_text(encoding="utf-8")
    text += f'''
[[apps]]
client-id = "{APP}"
client-secret = "{APP_SECRET}"
callbacks = ["{CALLBACK}"]
approved-profiles = ["System Administrator"]
certificate = """{public_pem(key)}"""

{more}
'''
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "org.toml"
        path.write_text(text, encoding="utf-8")
        yield path
