"""tap-salesforce, unmodified, against the practice org: a Singer tap that logs in at login.salesforce.com with a refresh token. Prints TAP
from the number given.

Called with `--tap WORDS` it is the tap itself, with the org behind the login host's name.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path
from urllib.request import Request, urlopen

from practice import ORG, Tests, control, lead_to_the_org

if sys.argv[1] == "--tap":
    lead_to_the_org()
    sys.argv = ["tap-salesforce", *sys.argv[2:]]
    from tap_salesforce import main

    main()
    sys.exit()

tests = Tests("tap-salesforce", int(sys.argv[1]))
folder = Path(tempfile.mkdtemp())
config, catalog, users_only, state_file = (folder / name for name in ("config.json", "catalog.json", "users.json", "state.json"))
STREAMS = ("LoginHistory", "Profile", "User", "UserLicense")


def write(path, content):
    path.write_text(json.dumps(content))


def tap(*words):
    """One run: exit code, output, log."""
    environment = {**os.environ, "REQUESTS_CA_BUNDLE": ORG["ca"], "NO_PROXY": "*"}
    run = subprocess.run([sys.executable, __file__, "--tap", "--config", config, *words], capture_output=True, text=True, env=environment, check=False)
    return run.returncode, run.stdout, run.stderr


def check(holds, says, log):
    tests.check(holds, says)
    if not holds:
        print(log, file=sys.stderr)


def count(name):
    token = control("POST", "session")["access_token"]
    request = Request(f"{ORG['base_url']}/services/data/v61.0/query?q=SELECT+COUNT()+FROM+{name}", headers={"Authorization": f"Bearer {token}"})
    with urlopen(request) as answer:
        return json.load(answer)["totalSize"]


def faults(spec):
    control("POST", "faults", {"spec": spec})


def sync(streams, *words):
    """One synchronisation of a catalog: exit code, ids by stream, last state, log."""
    code, out, log = tap("--properties", streams, *words)
    messages = [json.loads(line) for line in out.splitlines()]
    ids = {stream: [m["record"]["Id"] for m in messages if m["type"] == "RECORD" and m["stream"] == stream] for stream in STREAMS}
    states = [m["value"] for m in messages if m["type"] == "STATE"]
    return code, ids, states[-1] if states else None, log


write(
    config,
    {
        "refresh_token": control("POST", "tokens/refresh")["refresh_token"],
        "client_id": ORG["client_id"],
        "client_secret": ORG["client_secret"],
        "start_date": f"{date.today() - timedelta(days=3600)}T00:00:00Z",
        "api_type": "REST",
        "select_fields_by_default": True,
    },
)

code, out, log = tap("--discover")
streams = {entry["stream"]: entry for entry in json.loads(out)["streams"]} if code == 0 else {}
check(set(STREAMS) <= streams.keys(), "discovers the objects with a refresh token at the shared login host", log)
for name in STREAMS:
    for entry in streams[name]["metadata"]:
        if entry["breadcrumb"] == []:
            entry["metadata"]["selected"] = True
            keys = entry["metadata"].get("valid-replication-keys")
            if keys:
                entry["metadata"].update({"replication-method": "INCREMENTAL", "replication-key": keys[0]})
write(catalog, {"streams": [streams[name] for name in STREAMS]})
write(users_only, {"streams": [streams["User"]]})

control("POST", "clock", {"now_ms": time.time_ns() // 1_000_000})  # stands still: no login is forgotten between reading and counting
code, ids, state, log = sync(catalog)
known_logins = count("LoginHistory")
control("POST", "clock", {"now_ms": None})
users = ids["User"]
check(code == 0 and len(users) == len(set(users)) == ORG["users"] and ids["UserLicense"] and ids["Profile"], "syncs every user, licence and profile once", log)

logins = ids["LoginHistory"]
check(len(logins) == len(set(logins)) == known_logins > 1000, "syncs every login once", log)

write(state_file, state)
someone = users[0]
control("POST", f"users/{someone}/login")
code, ids, state, log = sync(users_only, "--state", state_file)
check(code == 0 and someone in ids["User"] and len(ids["User"]) < ORG["users"] / 10, "syncs only what changed afterwards", log)

faults("timeout_days=2000")
code, ids, state, log = sync(users_only)
faults("")
check(code == 0 and set(ids["User"]) == set(users) and "QUERY_TIMEOUT" in log, "halves its window on QUERY_TIMEOUT and still has every user", log)

faults("api_used=0.9")
code, ids, state, log = sync(users_only)
faults("api_used=0")
check(code != 0 and "REST quota" in log, "stops at its share of the day's requests", log)
