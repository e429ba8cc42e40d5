// node-sf-bulk2, unmodified, against the practice org. Prints TAP from the number given.
const { BulkAPI2 } = require("node-sf-bulk2");

const org = JSON.parse(process.env.ORG);
let number = Number(process.argv[2]);
const check = (holds, says) => console.log(`${holds ? "ok" : "not ok"} ${number++} - node-sf-bulk2 ${says}`);
const pause = (ms) => new Promise((done) => setTimeout(done, ms));

async function main() {
  const form = new URLSearchParams({ grant_type: "client_credentials", client_id: org.client_id, client_secret: org.client_secret });
  const { access_token: accessToken } = await (await fetch(`${org.base_url}/services/oauth2/token`, { method: "POST", body: form })).json();
  const connect = (apiVersion) => new BulkAPI2({ accessToken, instanceUrl: org.base_url, apiVersion });
  const client = connect("62.0");

  const job = await client.submitBulkQueryJob({ operation: "query", query: "SELECT Id, Username FROM User" });
  let told = await client.getBulkQueryJobInfo(job.id);
  for (; told.state !== "JobComplete"; told = await client.getBulkQueryJobInfo(job.id)) await pause(20);
  check(told.numberRecordsProcessed === org.users && typeof told.apiVersion === "number", "polls a job until it is complete");

  const ids = new Set();
  let locator, pages = 0;
  do {
    const page = await client.getBulkQueryResults(job.id, locator, 1500);
    const [heading, ...lines] = page.data.trimEnd().split("\n");
    if (heading !== '"Id","Username"' || lines.length !== Number(page.headers["sforce-numberofrecords"])) throw new Error("not the rows announced");
    lines.forEach((line) => ids.add(line.slice(1, 19)));
    locator = page.headers["sforce-locator"];
    pages += 1;
  } while (locator !== "null");
  check(ids.size === org.users && pages === Math.ceil(org.users / 1500), "follows the locators to the end");

  const refused = await connect("61.0").getBulkQueryResults(job.id).then(() => null, (error) => error.response.status);
  check(refused === 409, "is refused with another version than the job's");

  const listed = await client.getAllBulkQueryJobInfo({ jobType: "V2Query" });
  await client.deleteBulkQueryJob(job.id);
  const gone = await client.getBulkQueryJobInfo(job.id).then(() => null, (error) => error.response.status);
  check(listed.records.some((entry) => entry.id === job.id) && gone === 404, "lists its jobs and deletes one");

  const other = await client.submitBulkQueryJob({ operation: "query", query: "SELECT Id FROM User" });
  check((await client.abortBulkQueryJob(other.id)).state === "Aborted", "aborts a job");
}

main().catch((error) => {
  console.log(`not ok ${number} - node-sf-bulk2: ${error.stack}`);
});
