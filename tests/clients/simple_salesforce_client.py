"""simple-salesforce, unmodified, against the practice org. Prints TAP from the number given."""

import csv
import io
import sys
from datetime import date, timedelta

import requests
from simple_salesforce import Salesforce
from simple_salesforce.exceptions import (
    SalesforceAuthenticationFailed,
    SalesforceMalformedRequest,
    SalesforceMoreThanOneRecord,
    SalesforceResourceNotFound,
)

from practice import ORG, TLS_PORT, Tests, control, lead_to_the_org

EVERYBODY = "SELECT Id, Username, IsActive, LastLoginDate, Profile.UserLicense.LicenseDefinitionKey FROM User"


def session():
    fresh = requests.Session()
    fresh.verify = ORG["ca"]
    fresh.trust_env = False
    return fresh


def connect(secret):
    domain = ORG["my_domain"].removesuffix(".salesforce.com")
    return Salesforce(consumer_key=ORG["client_id"], consumer_secret=secret, domain=domain, session=session(), version="62.0")


lead_to_the_org(TLS_PORT)
tests = Tests("simple-salesforce", int(sys.argv[1]))
check = tests.check

try:
    connect("wrong")
    check(False, "is refused with a wrong secret")
except SalesforceAuthenticationFailed as refused:
    check("invalid_client" in str(refused), "is refused with a wrong secret")

client = connect(ORG["client_secret"])
check(client.session_id.startswith("00D"), "logs in with client credentials on the My Domain host")

rows = {row["Id"]: row for row in client.query_all_iter(f"{EVERYBODY} ORDER BY Id")}
check(len(rows) == ORG["users"] and list(rows) == sorted(rows), "pages through every user once, in order")

bulk, pages = {}, 0
for page in client.bulk2.User.query(EVERYBODY, max_records=2000):
    bulk.update((row["Id"], row) for row in csv.DictReader(io.StringIO(page)))
    pages += 1
same = all(
    cells["Username"] == rows[key]["Username"]
    and cells["IsActive"] == str(rows[key]["IsActive"]).lower()
    and cells["LastLoginDate"] == (rows[key]["LastLoginDate"] or "").replace("+0000", "Z")
    for key, cells in bulk.items()
)
check(bulk.keys() == rows.keys() and pages == 3 and same, "reads the same users by Bulk 2.0, in pages")

# Of days that are over: the oldest logins are forgotten while the test runs.
since, until = (f"{date.today() - timedelta(days=days)}T00:00:00Z" for days in (30, 1))
LOGINS = f"SELECT Id, UserId, LoginTime, LoginType, Status FROM LoginHistory WHERE LoginTime >= {since} AND LoginTime < {until}"
listed = {row["Id"]: row["LoginType"] for row in client.query_all_iter(LOGINS)}
bulk = {row["Id"]: row["LoginType"] for page in client.bulk2.LoginHistory.query(LOGINS) for row in csv.DictReader(io.StringIO(page))}
check(len(bulk) > 1000 and bulk == listed, "reads the same logins by query and by Bulk 2.0")

try:
    list(client.bulk2.User.query("SELECT Nope FROM User"))
    check(False, "is told what Bulk 2.0 does not run")
except SalesforceMalformedRequest as refused:
    check("INVALID_FIELD" in str(refused.content), "is told what Bulk 2.0 does not run")

*_, another, someone = rows
client.User.update(someone, {"Title": "Updated by simple-salesforce"})
after = client.User.get(someone)["Title"]
check(
    after == "Updated by simple-salesforce" and control("GET", f"users/{someone}")["writes"] == 1,
    "updates a record with one write and reads it",
)

results = client.restful(
    "composite/sobjects",
    method="PATCH",
    json={
        "allOrNone": False,
        "records": [
            {"attributes": {"type": "User"}, "id": another, "Title": "By a collection"},
            {"attributes": {"type": "User"}, "id": someone, "CreatedDate": "2020-01-01T00:00:00Z"},
        ],
    },
)
check(
    [item["success"] for item in results] == [True, False] and client.User.get(another)["Title"] == "By a collection",
    "changes records by a collection, answered by position",
)

made = client.Account.create({"Name": "Made by simple-salesforce"})["id"]
client.Account.update(made, {"Name": "Renamed"})
renamed = client.Account.get(made)["Name"]
client.Account.delete(made)
try:
    client.Account.get(made)
    check(False, "makes, changes and deletes a record")
except SalesforceResourceNotFound:
    check(renamed == "Renamed", "makes, changes and deletes a record")

names = {entry["name"] for entry in client.describe()["sobjects"]}
fields = {field["name"] for field in client.User.describe()["fields"]}
check({"User", "UserLicense", "Profile"} <= names and {"Id", "LastLoginDate"} <= fields, "lists the objects and describes one")

try:
    by_name = client.User.get_by_custom_id("Username", rows[someone]["Username"])
    check(by_name["Id"] == someone, "finds a record by its key")
except SalesforceMoreThanOneRecord:
    check(False, "finds a record by its key")

check(client.limits()["DailyBulkV2QueryJobs"]["Remaining"] < 10_000, "reads the limits, its Bulk job counted")
