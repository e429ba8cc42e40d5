"""simple-salesforce, unmodified, only reading: the rows that Seatwise downloads, counted and dropped. Prints one line of JSON."""

import json
import os
import resource
import sys
import time

import requests
from requests.adapters import HTTPAdapter
from simple_salesforce import Salesforce


class Plain(HTTPAdapter):
    """The client only knows https; nobody else in the benchmark pays for TLS."""

    def send(self, request, *rest, **more):
        request.url = request.url.replace("https://", "http://", 1)
        return super().send(request, *rest, **more)


org = json.loads(os.environ["ORG"])
token = os.environ["ORG_TOKEN"]
session = requests.Session()
session.trust_env = False
session.mount("https://", Plain())
began = time.perf_counter()
client = Salesforce(instance_url=org["base_url"], session_id=token, version="62.0", session=session)
rows = sum(1 for _ in client.query_all_iter(sys.argv[1]))
wall = time.perf_counter() - began
used = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps({"rows": rows, "wall_s": wall, "cpu_s": used.ru_utime + used.ru_stime, "rss_mb": used.ru_maxrss / 1024}))
