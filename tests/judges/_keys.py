"""The app, the passwords and the keys of the judges' org: what tests/judges/org.toml leaves out because it is new every time."""

import ipaddress
import tempfile
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
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


@contextmanager
def server_certificate():
    """The files of a certificate for loopback and its key."""
    key = private_key()
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(timezone.utc)
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1)).add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True).sign(key, hashes.SHA256())
    )
    with tempfile.TemporaryDirectory() as directory:
        files = Path(directory) / "certificate.pem", Path(directory) / "key.pem"
        files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        files[1].write_text(pem(key), encoding="utf-8")
        yield files
