"""simple-salesforce, unmodified, against the practice org. Prints TAP from the number given.

The only thing arranged around the client is name resolution: the org's My Domain host leads to the practice org's TLS port, and the
throw-away authority is trusted, as a hosts file and a company CA would do it.
"""

import json
import os
import socket
import sys
from urllib.parse import urlparse
from urllib.request import Request, urlopen

import requests
from simple_salesforce import Salesforce
from simple_salesforce.exceptions import SalesforceAuthenticationFailed

org = json.loads(os.environ["ORG"])
number = int(sys.argv[1])
tls_port = urlparse(org["https_url"]).port
plain = urlparse(org["base_url"])
look_up = socket.getaddrinfo


def lead_to_the_org(host, port, *rest, **more):
    if host == org["my_domain"] or (host, port) == (plain.hostname, plain.port):
        return look_up("127.0.0.1", tls_port, *rest, **more)
    raise OSError(f"{host} is not the practice org")


def session():
    fresh = requests.Session()
    fresh.verify = org["ca"]
    fresh.trust_env = False
    return fresh


def check(holds, says):
    global number
    print(f"{'ok' if holds else 'not ok'} {number} - simple-salesforce {says}", flush=True)
    number += 1


def control(path):
    socket.getaddrinfo = look_up
    try:
        with urlopen(Request(org["base_url"] + "/_practice/" + path)) as answer:
            return json.load(answer)
    finally:
        socket.getaddrinfo = lead_to_the_org


socket.getaddrinfo = lead_to_the_org
domain = org["my_domain"].removesuffix(".salesforce.com")

try:
    Salesforce(consumer_key=org["client_id"], consumer_secret="wrong", domain=domain, session=session())
    check(False, "is refused with a wrong secret")
except SalesforceAuthenticationFailed as refused:
    check("invalid_client" in str(refused), "is refused with a wrong secret")

client = Salesforce(consumer_key=org["client_id"], consumer_secret=org["client_secret"], domain=domain, session=session())
check(client.session_id.startswith("00D"), "logs in with client credentials on the My Domain host")

ids = [row["Id"] for row in client.query_all_iter(
    "SELECT Id, Username, IsActive, LastLoginDate, Profile.UserLicense.LicenseDefinitionKey FROM User ORDER BY Id")]
check(len(ids) == org["users"] == len(set(ids)) and ids == sorted(ids), "pages through every user once, in order")

someone = ids[-1]
client.User.update(someone, {"Title": "Updated by simple-salesforce"})
after = client.query(f"SELECT Title FROM User WHERE Id = '{someone}'")["records"][0]["Title"]
check(after == "Updated by simple-salesforce" and control(f"users/{someone}")["writes"] == 1, "updates a record with one write")
