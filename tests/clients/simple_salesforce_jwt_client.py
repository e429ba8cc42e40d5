"""simple-salesforce's JWT login, unmodified, against the practice org. Prints TAP from the number given.

The key is made here and now; the org gets its certificate as an administrator would upload it.
"""

import datetime
import sys

import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from simple_salesforce import Salesforce
from simple_salesforce.exceptions import SalesforceAuthenticationFailed

from practice import ORG, TLS_PORT, Tests, control, lead_to_the_org

PERSON = "seatwise@integration.example.com"


def pem_of(key):
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def certificate_of(key):
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a client of the practice org")])
    now = datetime.datetime.now(datetime.timezone.utc)
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + datetime.timedelta(days=1))
    return made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


def log_in(key, domain="login"):
    session = requests.Session()
    session.verify, session.trust_env = ORG["ca"], False
    return Salesforce(username=PERSON, consumer_key=ORG["client_id"], privatekey=pem_of(key), domain=domain, session=session, version="62.0")


def refusal(key, domain="login"):
    try:
        log_in(key, domain)
    except SalesforceAuthenticationFailed as refused:
        return str(refused)
    return "no refusal"


lead_to_the_org(TLS_PORT)
tests = Tests("simple-salesforce, by JWT,", int(sys.argv[1]))
check = tests.check
key, other = (rsa.generate_private_key(65537, 2048) for _ in range(2))
app = f"apps/{ORG['client_id']}"

control("POST", "tokens/revoke")  # consents that clients before gave count as approval
control("POST", app, {"certificate": certificate_of(key), "approved_by": []})
check("hasn't approved this consumer" in refusal(key), "is refused before the user approved the app")
control("POST", app, {"approved_by": [PERSON]})
check("invalid assertion" in refusal(other), "is refused with a key that is not the certificate's")
my_domain = ORG["my_domain"].removesuffix(".salesforce.com")
check("Audience validation failed" in refusal(key, my_domain), "is refused with the My Domain host as audience")

client = log_in(key)
count = client.query("SELECT COUNT() FROM User")["totalSize"]
check(client.session_id.startswith("00D") and count == ORG["users"], "logs in on the shared host and reads on the org's own")
control("POST", app, {"certificate": None, "approved_by": []})
