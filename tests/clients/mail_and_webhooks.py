"""Mail and webhooks of the host against a mail server (aiosmtpd) and a verifier of webhooks (standardwebhooks) that we did not write,
unmodified. The host is the built program: it is named its mail server on the command line and asked over its API.

Wants the program, and the number of the first test. Prints TAP.
"""

import json
import os
import ssl
import subprocess
import sys
import tempfile
import threading
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from standardwebhooks.webhooks import Webhook

PROGRAM, NUMBER = sys.argv[1], int(sys.argv[2])
PASSWORD = "correct horse battery staple"


class Tests:
    number = NUMBER

    def check(self, holds, says):
        print(f"{'ok' if holds else 'not ok'} {self.number} - {says}", flush=True)
        self.number += 1


class Mailbox:
    """Keeps what arrives; refuses one address for good and another until later."""

    def __init__(self):
        self.mails, self.sessions = [], []

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("gone@"):
            return "550 5.1.1 no such user"
        if address.startswith("busy@"):
            return "450 4.2.1 try later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        self.sessions.append((session.ssl is not None, session.authenticated))
        self.mails.append((envelope.rcpt_tos, message_from_bytes(envelope.content)))
        return "250 2.0.0 kept"


def signs_in(server, session, envelope, mechanism, data):
    good = data.login == b"mailer" and data.password == PASSWORD.encode()
    return AuthResult(success=good)


class Events(BaseHTTPRequestHandler):
    got = []

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        Events.got.append((dict(self.headers.items()), body))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


class Host:
    """The program, serving from an empty folder until it is stopped."""

    def __init__(self, *options, trust):
        self.folder = tempfile.TemporaryDirectory()
        secret = Path(self.folder.name, "mail.txt")
        secret.write_text(PASSWORD + "\n")
        command = [PROGRAM, "serve", "--data", self.folder.name, "--listen", "127.0.0.1:0", "--mail-password-file", str(secret)]
        self.process = subprocess.Popen(
            [*command, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "SSL_CERT_FILE": trust}
        )
        self.url = next(line for line in self.process.stdout if "serves" in line).split()[-1]
        next(line for line in self.process.stdout if "--token-file" in line)
        self.token = Path(self.folder.name, "tokens", "administrator.token").read_text().strip()

    def ask(self, method, path, body=None):
        """The status and the JSON of an answer."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"authorization": f"Bearer {self.token}", "content-type": "application/json"}
        request = Request(f"{self.url}/api/v1{path}", data=data, method=method, headers=headers)
        try:
            with urlopen(request) as answer:
                return answer.status, json.load(answer)
        except HTTPError as refused:
            return refused.code, json.load(refused)

    def stop(self):
        self.process.terminate()
        said = self.process.communicate(timeout=30)
        self.folder.cleanup()
        return "".join(said)


def mail_server(box, authority, **options):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    if options.pop("wrapped", False):
        options["ssl_context"] = context
    else:
        options |= {"tls_context": context, "require_starttls": True}
    # Port 0: the system's choice, found out by the controller's own first connection.
    controller = Controller(box, hostname="localhost", port=free_port(), authenticator=signs_in, auth_required=True, **options)
    controller.start()
    return controller


def free_port():
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def main():
    tests, authority = Tests(), trustme.CA()
    with tempfile.TemporaryDirectory() as folder:
        trust = str(Path(folder, "ca.pem"))
        authority.cert_pem.write_to_path(trust)
        for name, scheme, options in (("STARTTLS", "smtp", {}), ("TLS", "smtps", {"wrapped": True, "auth_require_tls": False})):
            box = Mailbox()
            server = mail_server(box, authority, **options)
            host = Host(
                "--mail-url", f"{scheme}://mailer@localhost:{server.port}", "--mail-sender", "Sëats <seats@company.example>", trust=trust
            )
            status, said = host.ask("POST", "/mail-server/test", {})
            tests.check((status, said.get("answer")) == (200, "250 2.0.0 kept"), f"aiosmtpd takes a mail over {name}, signed in")
            to, mail = box.mails[0] if box.mails else ([], message_from_bytes(b""))
            tests.check(
                to == ["admin@localhost"]
                and str(mail["message-id"]).endswith("@seatwise>")
                and mail["auto-submitted"] == "auto-generated"
                and "the test that Administrator asked for" in (mail.get_payload(decode=True) or b"").decode(),
                f"aiosmtpd reads what was sent over {name}",
            )
            tests.check(scheme == "smtps" or box.sessions == [(True, True)], f"nothing is sent before {name} and the sign-in")
            status, said = host.ask("POST", "/mail-server", {"host": "localhost", "port": 25, "security": "none", "sender": "a@b.example"})
            tests.check((status, said["code"]) == (409, "notify.operators"), f"what the operator named stays ({name})")
            server.stop()
            status, said = host.ask("POST", "/mail-server/test", {})
            tests.check(status == 422 and PASSWORD not in json.dumps(said), f"a server that is away is told without the password ({name})")
            tests.check(PASSWORD not in host.stop(), f"the program's output holds no password ({name})")

        box = Mailbox()
        server = mail_server(box, trustme.CA())
        host = Host("--mail-url", f"smtp://mailer@localhost:{server.port}", trust=trust)
        status, said = host.ask("POST", "/mail-server/test", {})
        tests.check(status == 422 and not box.mails and "ertificate" in said["title"] + said.get("detail", ""), "a certificate of nobody we trust is refused")
        host.stop()
        server.stop()

        receiver = ThreadingHTTPServer(("127.0.0.1", 0), Events)
        threading.Thread(target=receiver.serve_forever, daemon=True).start()
        port = receiver.server_address[1]
        host = Host("--allow-target", f"127.0.0.1:{port}", trust=trust)
        status, made = host.ask("POST", "/webhooks", {"name": "Tickets", "url": f"http://127.0.0.1:{port}/x", "causes": ["run_failed"]})
        status, said = host.ask("POST", f"/webhooks/{made['webhook']['id']}/test", {})
        tests.check((status, said.get("answer")) == (200, "HTTP 204"), "a receiver takes a test event")
        headers, body = Events.got[0]
        verified = Webhook(made["secret"]).verify(body, headers)
        tests.check(verified["type"] == "test", "standardwebhooks verifies its signature")
        try:
            Webhook(made["secret"]).verify(body.replace(b"test", b"tost"), headers)
            tests.check(False, "standardwebhooks refuses a changed body")
        except Exception:  # its own error type differs between versions
            tests.check(True, "standardwebhooks refuses a changed body")
        tests.check(made["secret"] not in host.stop(), "the program's output holds no webhook secret")


main()
