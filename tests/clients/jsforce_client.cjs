// jsforce, unmodified, against the practice org. Prints TAP from the number given.
const jsforce = require("jsforce");

const EVERYBODY = "SELECT Id, Username, IsActive, LastLoginDate, Profile.UserLicense.LicenseDefinitionKey FROM User";
const org = JSON.parse(process.env.ORG);
let number = Number(process.argv[2]);
const check = (holds, says) => console.log(`${holds ? "ok" : "not ok"} ${number++} - jsforce ${says}`);
const connect = (clientSecret) =>
  new jsforce.Connection({ version: "62.0", oauth2: { clientId: org.client_id, clientSecret, loginUrl: org.base_url } });
const seen = async (id) => (await fetch(`${org.base_url}/_practice/users/${id}`)).json();

async function main() {
  const refused = await connect("wrong").authorize({ grant_type: "client_credentials" }).then(() => null, (error) => error);
  check(refused !== null && /invalid_client/.test(`${refused.name} ${refused.message}`), "is refused with a wrong secret");

  const client = connect(org.client_secret);
  await client.authorize({ grant_type: "client_credentials" });
  check(client.accessToken.startsWith("00D"), "logs in with client credentials");

  const rows = new Map();
  let page = await client.query(`${EVERYBODY} ORDER BY Id`);
  for (;;) {
    page.records.forEach((row) => rows.set(row.Id, row));
    if (page.done) break;
    page = await client.queryMore(page.nextRecordsUrl);
  }
  check(rows.size === org.users, "pages through every user once");

  client.bulk2.pollInterval = 50;
  const bulk = await (await client.bulk2.query(EVERYBODY)).toArray();
  const isSame = (row) => rows.get(row.Id)?.Username === row.Username && String(rows.get(row.Id).IsActive) === row.IsActive;
  check(bulk.length === org.users && bulk.every(isSame), "reads the same users by Bulk 2.0");

  const ids = [...rows.keys()];
  const someone = ids[ids.length - 3];
  const saved = await client.sobject("User").update({ Id: someone, Title: "Updated by jsforce" });
  const [after] = (await client.query(`SELECT Title FROM User WHERE Id = '${someone}'`)).records;
  check(saved.success && after.Title === "Updated by jsforce" && (await seen(someone)).writes === 1, "updates a record with one write");

  const few = ids.slice(-8, -4);
  const many = await client.sobject("User").update(few.map((Id, at) => (at === 1 ? { Id, Nope: 1 } : { Id, Title: `Number ${at}` })));
  const outcome = many.map((item) => item.success);
  check(outcome.join() === "true,false,true,true" && many[1].errors[0].statusCode === "INVALID_FIELD", "changes records by a collection");

  const undone = await client.sobject("User").update(few.map((Id, at) => (at === 3 ? { Id, Nope: 1 } : { Id, Title: "All or none" })), { allOrNone: true });
  const read = await client.sobject("User").retrieve(few);
  check(undone.every((item) => !item.success) && read.every((row) => row.Title !== "All or none"), "has all undone when one fails and all were wanted");

  const made = await client.sobject("Account").create([{ Name: "One" }, { Name: "Two" }]);
  const accounts = made.map((item) => item.id);
  const gone = await client.sobject("Account").destroy([...accounts, accounts[0]]);
  check(made.every((item) => item.success) && gone.map((item) => item.success).join() === "true,true,false", "makes and deletes records by collections");

  const composite = await client.requestPost("/services/data/v62.0/composite", {
    compositeRequest: [
      { method: "GET", referenceId: "one", url: `/services/data/v62.0/sobjects/User/${someone}?fields=ProfileId` },
      { method: "GET", referenceId: "two", url: "/services/data/v62.0/sobjects/Profile/@{one.ProfileId}?fields=Name" },
    ],
  });
  check(composite.compositeResponse[1].body.Name === (await client.sobject("Profile").retrieve(composite.compositeResponse[0].body.ProfileId)).Name, "follows a reference within a composite request");

  check(client.limitInfo.apiUsage.limit === 10000000 && client.limitInfo.apiUsage.used > 0, "reads the limit header");
}

main().catch((error) => {
  console.log(`not ok ${number} - jsforce: ${error.stack}`);
});
