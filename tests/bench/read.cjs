// jsforce, unmodified, only reading: the rows that Seatwise downloads, counted and dropped. Prints one line of JSON.
const jsforce = require("jsforce");

async function main() {
  const org = JSON.parse(process.env.ORG);
  const began = process.hrtime.bigint();
  const client = new jsforce.Connection({ version: "62.0", instanceUrl: org.base_url, accessToken: process.env.ORG_TOKEN });
  let page = await client.query(process.argv[2]);
  let rows = page.records.length;
  while (!page.done) {
    page = await client.queryMore(page.nextRecordsUrl);
    rows += page.records.length;
  }
  const wall = Number(process.hrtime.bigint() - began) / 1e9;
  const used = process.resourceUsage();
  const cpu = (used.userCPUTime + used.systemCPUTime) / 1e6;
  console.log(JSON.stringify({ rows, wall_s: wall, cpu_s: cpu, rss_mb: used.maxRSS / 1024 }));
}

main().catch((error) => {
  console.error(error.stack);
  process.exitCode = 1;
});
