// jsforce, unmodified, against the practice org. Prints TAP from the number given.
const jsforce = require("jsforce");

const org = JSON.parse(process.env.ORG);
let number = Number(process.argv[2]);
const check = (holds, says) => console.log(`${holds ? "ok" : "not ok"} ${number++} - jsforce ${says}`);
const connect = (clientSecret) =>
  new jsforce.Connection({ version: "62.0", oauth2: { clientId: org.client_id, clientSecret, loginUrl: org.base_url } });

async function main() {
  const refused = await connect("wrong").authorize({ grant_type: "client_credentials" }).then(() => null, (error) => error);
  check(refused !== null && /invalid_client/.test(`${refused.name} ${refused.message}`), "is refused with a wrong secret");

  const client = connect(org.client_secret);
  await client.authorize({ grant_type: "client_credentials" });
  check(client.accessToken.startsWith("00D"), "logs in with client credentials");

  const ids = [];
  let page = await client.query(
    "SELECT Id, Username, IsActive, LastLoginDate, Profile.UserLicense.LicenseDefinitionKey FROM User ORDER BY Id");
  for (;;) {
    ids.push(...page.records.map((row) => row.Id));
    if (page.done) break;
    page = await client.queryMore(page.nextRecordsUrl);
  }
  check(ids.length === org.users && new Set(ids).size === org.users, "pages through every user once");

  const someone = ids[ids.length - 2];
  const saved = await client.sobject("User").update({ Id: someone, Title: "Updated by jsforce" });
  const [after] = (await client.query(`SELECT Title FROM User WHERE Id = '${someone}'`)).records;
  const seen = await (await fetch(`${org.base_url}/_practice/users/${someone}`)).json();
  check(saved.success && after.Title === "Updated by jsforce" && seen.writes === 1, "updates a record with one write");
}

main().catch((error) => {
  console.log(`not ok ${number} - jsforce: ${error.stack}`);
  process.exitCode = 1;
});
