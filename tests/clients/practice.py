"""What the Python clients share: the way to the practice org, its control interface, and TAP.

The only thing arranged around a client is name resolution: the org's My Domain host and the shared login host lead to the practice org's
TLS port, and its throw-away authority is trusted, as a hosts file and a company CA would do it.
"""

import json
import os
import socket
from urllib.parse import urlparse
from urllib.request import Request, urlopen

ORG = json.loads(os.environ["ORG"])
TLS_PORT = urlparse(ORG["https_url"]).port
_PLAIN = urlparse(ORG["base_url"])
_LOOK_UP = socket.getaddrinfo


def lead_to_the_org(instance_port=_PLAIN.port):
    """From here on every name leads to the org. A client that insists on https at the instance's address needs the TLS port there."""

    def look_up(host, port, *rest, **more):
        if host in (ORG["my_domain"], "login.salesforce.com"):
            return _LOOK_UP("127.0.0.1", TLS_PORT, *rest, **more)
        if (host, port) == (_PLAIN.hostname, _PLAIN.port):
            return _LOOK_UP(host, instance_port, *rest, **more)
        raise OSError(f"{host} is not the practice org")

    socket.getaddrinfo = look_up


def control(method, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = Request(f"{ORG['base_url']}/_practice/{path}", data=data, method=method)
    led, socket.getaddrinfo = socket.getaddrinfo, _LOOK_UP
    try:
        with urlopen(request) as answer:
            return json.load(answer)
    finally:
        socket.getaddrinfo = led


class Tests:
    """Numbers tests from the given number on and prints each as TAP."""

    def __init__(self, client, number):
        self.client, self.number = client, number

    def check(self, holds, says):
        print(f"{'ok' if holds else 'not ok'} {self.number} - {self.client} {says}", flush=True)
        self.number += 1
