// The journeys: Ben looks at everything, Ana works, by mouse, by keyboard and without JavaScript.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { playbook } from "./playbook.mjs";
import { browser as launch, check, demo, findings, shot, verdict, window } from "./stage.mjs";

const seatwise = await demo(process.argv[2], ["Ana", "Ben"]);
const browser = await launch();
const { origin } = seatwise;
const heading = (page) => page.locator("h1").first().innerText();
const at = (page) => new URL(page.url()).pathname;

async function signIn(page, name) {
  await page.goto(seatwise.links[name]);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.waitForURL(`${origin}/`);
}

const ben = await window(browser, origin);
const ana = await window(browser, origin);

await check("a_one_time_link_signs_ben_in_once", async () => {
  const stranger = await window(browser, origin);
  await stranger.page.goto(`${origin}/position`);
  assert.equal(at(stranger.page), "/sign-in");
  await signIn(ben.page, "Ben");
  assert.match(await ben.page.locator(".top").innerText(), /Ben[\s\S]*Approver/);
  await stranger.page.goto(seatwise.links.Ben);
  const [answer] = await Promise.all([stranger.page.waitForResponse((response) => response.request().method() === "POST"), stranger.page.getByRole("button", { name: "Sign in" }).click()]);
  assert.equal(answer.status(), 403);
  assert.match(await stranger.page.locator("#problem").innerText(), /no longer good[\s\S]*What to do/);
  await stranger.context.close();
});

await check("every_page_names_the_private_targets_that_are_open", async () => {
  await ben.page.goto(`${origin}/`);
  const strip = await ben.page.locator(".strip").innerText();
  assert.match(strip, /Private targets allowed: 127\.0\.0\.1:\d+, 127\.0\.0\.1:\d+/);
});

// Every place of the menu, and one of each kind of record.
const PAGES = {
  overview: ["/", "Overview"],
  position: ["/position", "Position"],
  connect: ["/connect", "Connectors"],
  profiles: ["/profiles", "Integration profiles"],
  profile: ["/profiles/PRF0001001", "SFDC Org1"],
  aliases: ["/aliases", "Connection and credential aliases"],
  runs: ["/runs", "Runs"],
  run: ["/runs/RUN0001001", "RUN0001001"],
  subscriptions: ["/subscriptions", "Subscriptions"],
  models: ["/models", "Software models"],
  people: ["/people", "People"],
  entitlements: ["/entitlements", "Entitlements"],
  rules: ["/rules", "Reclamation rules"],
  rule: ["/rules/RUL0001004", "RUL0001004 Sales Cloud: unused seats"],
  candidates: ["/candidates", "Removal candidates"],
  batches: ["/batches", "Batches"],
  actions: ["/actions", "Actions"],
  exemptions: ["/exemptions", "Exemptions"],
  reclaim: ["/reclaim", "Stop switch"],
  tokens: ["/tokens", "Personal tokens"],
  audit: ["/audit?verify=1", "Audit trail"],
};

for (const [name, [path, title]] of Object.entries(PAGES)) {
  await check(`ben_sees_the_page_${name}`, async () => {
    const answer = await ben.page.goto(origin + path);
    assert.equal(answer.status(), 200);
    assert.equal(await heading(ben.page), title);
    assert.equal(answer.headers()["cache-control"], "no-store");
    await shot(ben.page, name);
  });
}

await check("the_menu_marks_the_present_place", async () => {
  await ben.page.goto(`${origin}/runs/RUN0001001`);
  assert.equal(await ben.page.locator("nav[aria-label=Main] [aria-current=page]").innerText(), "Runs");
});

await check("the_position_shows_the_worked_example_with_the_age_of_its_basis", async () => {
  await ben.page.goto(`${origin}/position`);
  const sales = await ben.page.getByRole("row", { name: /Sales Cloud/ }).first().innerText();
  for (const fact of ["Not compliant", "10", "13", "3", "5,400.00 USD", "Records differ: typed 10, vendor 17"]) assert.ok(sales.includes(fact), `${fact} in ${sales}`);
  const platform = await ben.page.getByRole("row", { name: /Platform/ }).first().innerText();
  assert.match(platform, /Compliant[\s\S]*300\.00 USD/);
  const text = await ben.page.locator("main").innerText();
  assert.match(text, /Spend a year\s+18,900\.00 USD/);
  assert.match(text, /SFDC Org1\s+RUN\d+\s+\S+ \S+ UTC\s+(now|\d+ (s|min) ago)/);
});

await check("ben_finds_a_subscription_by_search_and_filter", async () => {
  await ben.page.goto(`${origin}/subscriptions`);
  await ben.page.getByLabel("Search").fill("ivy");
  await ben.page.getByRole("button", { name: "Apply" }).click();
  const row = await ben.page.locator("tbody tr").first().innerText();
  assert.match(row, /ivy[\s\S]*SFDC[\s\S]*85[\s\S]*Frozen/);
  await ben.page.getByRole("link", { name: "Clear" }).click();
  await ben.page.getByLabel("Standing").selectOption("unrecognised");
  await ben.page.getByRole("button", { name: "Apply" }).click();
  assert.match(await ben.page.locator("tbody").innerText(), /PID_NEWTHING/);
  await ben.page.goto(`${origin}/subscriptions?search=nobody-has-this-name`);
  assert.match(await ben.page.locator(".empty").innerText(), /Nothing matches/);
});

await check("subscriptions_are_paged_by_key", async () => {
  await ben.page.goto(`${origin}/subscriptions`);
  const first = await ben.page.locator("tbody th").first().innerText();
  await ben.page.getByRole("link", { name: "Next page" }).click();
  assert.match(ben.page.url(), /after=/);
  assert.notEqual(await ben.page.locator("tbody th").first().innerText(), first);
});

await check("ben_is_offered_nothing_that_he_may_not_do_and_is_refused_it", async () => {
  await ben.page.goto(`${origin}/profiles/PRF0001001`);
  for (const name of ["Collect now", "Pause", "Run the checks"]) assert.equal(await ben.page.getByRole("button", { name }).count(), 0, name);
  await ben.page.goto(`${origin}/tokens`);
  const csrf = await ben.page.locator("input[name=csrf]").first().inputValue();
  const answer = await ben.page.request.post(`${origin}/profiles/PRF0001001/pause`, { form: { csrf }, headers: { origin }, maxRedirects: 0 });
  assert.equal(answer.status(), 403);
});

await check("another_sites_post_changes_nothing", async () => {
  await ben.page.goto(`${origin}/tokens`);
  const csrf = await ben.page.locator("input[name=csrf]").first().inputValue();
  const answer = await ben.page.request.post(`${origin}/tokens`, { form: { csrf, name: "stolen", days: "1" }, headers: { origin: "https://evil.example" } });
  assert.equal(answer.status(), 403);
  await ben.page.reload();
  assert.ok(!(await ben.page.locator("main").innerText()).includes("stolen"));
});

await check("ana_watches_a_run_live_to_its_end", async () => {
  await signIn(ana.page, "Ana");
  await ana.page.goto(`${origin}/profiles/PRF0001001`);
  await ana.page.getByRole("button", { name: "Collect now" }).click();
  await ana.page.waitForURL(/\/runs\/RUN\d+/);
  await ana.page.getByText("Complete", { exact: true }).waitFor({ timeout: 60_000 });
  assert.match(await ana.page.locator(".numbers").innerText(), /Accounts\s+2\d\d/);
  await shot(ana.page, "run-after-collect-now");
});

await check("ana_pauses_and_resumes_a_profile", async () => {
  await ana.page.goto(`${origin}/profiles/PRF0001002`);
  await ana.page.getByRole("button", { name: "Pause" }).click();
  assert.match(await ana.page.locator(".note-good").innerText(), /paused/);
  assert.match(await ana.page.locator(".head").innerText(), /Paused/);
  await ana.page.getByRole("button", { name: "Resume" }).click();
  assert.match(await ana.page.locator(".head").innerText(), /Published/);
});

await check("ana_runs_the_checks_and_each_says_what_it_read", async () => {
  await ana.page.goto(`${origin}/profiles/PRF0001001`);
  await ana.page.getByRole("button", { name: "Run the checks" }).click();
  const verdicts = await ana.page.locator("section", { hasText: "Checks" }).first().locator("tbody tr").allInnerTexts();
  assert.ok(verdicts.length >= 5, verdicts.join("\n"));
  for (const row of verdicts) assert.match(row, /Pass|Warn|Skipped/);
});

await check("going_live_is_a_decision_of_its_own", async () => {
  await ana.page.goto(`${origin}/profiles/PRF0001001`);
  await ana.page.getByText("Go live", { exact: true }).click();
  await ana.page.getByRole("button", { name: "Go live now" }).click();
  assert.match(await ana.page.locator(".head").innerText(), /Live/);
  await ana.page.getByRole("button", { name: "Back to dry run" }).click();
  assert.match(await ana.page.locator(".head").innerText(), /Dry run/);
});

await check("a_refused_schedule_says_what_to_do_and_changes_nothing", async () => {
  await ana.page.goto(`${origin}/profiles/PRF0001001`);
  await ana.page.getByText("Change the schedule").click();
  await ana.page.getByLabel("Minute, hour, day, month, weekday").fill("whenever");
  const [answer] = await Promise.all([ana.page.waitForResponse((r) => r.request().method() === "POST"), ana.page.getByRole("button", { name: "Save the schedule" }).click()]);
  assert.equal(answer.status(), 422);
  assert.match(await ana.page.locator("#problem").innerText(), /There is a problem[\s\S]*cron fields[\s\S]*What to do/);
  assert.match(await ana.page.title(), /^Error: /);
  assert.equal(await ana.page.evaluate(() => document.activeElement.id), "problem");
  assert.match(await ana.page.locator("dl.facts", { hasText: "Collects" }).innerText(), /03:00/);
});

await check("ana_says_what_an_unrecognised_identifier_is", async () => {
  await ana.page.goto(`${origin}/models`);
  await ana.page.getByText("It is a product that is not listed").click();
  await ana.page.getByLabel("Publisher").fill("Salesforce");
  await ana.page.getByLabel("Product", { exact: true }).fill("New Thing");
  await ana.page.getByRole("button", { name: "Add the product and assign" }).click();
  const text = await ana.page.locator("main").innerText();
  assert.match(text, /New Thing/);
  assert.ok(!text.includes("Unrecognised identifiers"), text);
});

await check("an_import_and_a_resolution_rule_find_the_person_behind_an_account", async () => {
  await ana.page.goto(`${origin}/people`);
  const account = await ana.page.locator("section", { hasText: "Accounts without a person" }).locator("tbody th").first().innerText();
  assert.match(account, /^hal@/);
  await ana.page.getByLabel("Paste the export").fill("name,email,department\nHal Anders,hal@directory.test,Field Sales\nNobody,,\n");
  await ana.page.getByRole("button", { name: "Import" }).click();
  assert.match(await ana.page.locator(".note-good").innerText(), /1 added[\s\S]*line 3/);
  await ana.page.getByLabel("Name of the rule").fill("Vendor domain");
  await ana.page.getByLabel("Domain at the vendor").fill(account.split("@")[1]);
  await ana.page.getByLabel("Domain in the directory").fill("directory.test");
  await ana.page.getByRole("button", { name: "Add and apply" }).click();
  assert.ok(!(await ana.page.locator("main").innerText()).includes("Accounts without a person"));
  assert.match(await ana.page.getByRole("row", { name: /Hal Anders/ }).innerText(), /1$/);
});

await check("ana_adds_and_retires_an_entitlement", async () => {
  await ana.page.goto(`${origin}/entitlements`);
  await ana.page.getByLabel("Product").selectOption({ label: "Salesforce Platform" });
  await ana.page.getByLabel("Rights").fill("2");
  await ana.page.getByLabel("Price of one right").fill("twelve");
  await ana.page.getByLabel("Currency").fill("USD");
  await ana.page.getByLabel("First day").fill("2020-01-01");
  await ana.page.getByLabel("Last day").fill("2039-12-31");
  await ana.page.getByRole("button", { name: "Add entitlement" }).click();
  assert.match(await ana.page.locator("#problem").innerText(), /twelve/);
  assert.equal(await ana.page.getByLabel("Rights").inputValue(), "2");
  await ana.page.getByLabel("Price of one right").fill("12.50");
  await ana.page.getByRole("button", { name: "Add entitlement" }).click();
  const row = ana.page.getByRole("row", { name: /Platform.*12\.50 USD/ });
  assert.equal(await row.count(), 1);
  await row.getByRole("button", { name: "Retire" }).click();
  assert.match(await ana.page.getByRole("row", { name: /12\.50 USD/ }).innerText(), /Retired/);
});

await check("reconciling_twice_on_one_day_changes_nothing", async () => {
  await ana.page.goto(`${origin}/position`);
  await ana.page.getByRole("button", { name: "Reconcile now" }).click();
  await ana.page.getByRole("button", { name: "Reconcile now" }).click();
  assert.match(await ana.page.locator(".note-good").innerText(), /Nothing has changed/);
});

await check("a_personal_token_is_shown_once_opens_the_api_and_can_be_taken_back", async () => {
  await ana.page.goto(`${origin}/tokens`);
  await ana.page.getByLabel("What it is for").fill("<b>laptop</b>");
  await ana.page.getByRole("button", { name: "Make token" }).click();
  const secret = await ana.page.locator("#minted").innerText();
  const call = () => fetch(`${origin}/api/v1/me`, { headers: { authorization: `Bearer ${secret}` } });
  assert.equal((await call()).status, 200);
  await ana.page.goto(`${origin}/tokens`);
  const text = await ana.page.locator("main").innerText();
  assert.ok(!text.includes(secret) && text.includes("<b>laptop</b>"), text);
  await ana.page.getByRole("row", { name: /laptop/ }).getByRole("button", { name: /Revoke/ }).click();
  const after = await call();
  assert.equal(after.status, 401);
  assert.equal(after.headers.get("content-type"), "application/problem+json");
});

await check("the_command_line_reads_the_same_position", async () => {
  const tool = (...words) => execFileSync(seatwise.binary, [...words, "--server", origin, "--token-file", seatwise.tokens.Ana], { encoding: "utf8" });
  const told = JSON.parse(tool("position", "--json"));
  const sales = told.positions.find((row) => row.product === "Sales Cloud" && row.scope === "contract");
  assert.deepEqual([sales.owned, sales.active, sales.used, sales.needed, sales.true_up_minor], [10, 13, 10, 3, 540_000]);
  assert.match(tool("profile", "list"), /PRF0001001\s+SFDC Org1/);
  assert.match(tool("audit", "verify"), /Intact\s+true/);
});

const RULE = "RUL0001004";
const line = (page, text) => page.getByRole("row", { name: text });
const csrfOf = async (page) => page.locator("input[name=csrf]").first().inputValue();
/** Loads a page again until it says so: a worker is at it. */
async function until(page, path, said) {
  for (let looks = 0; looks < 60; looks += 1) {
    await page.goto(origin + path);
    if (said.test(await page.locator("main").innerText())) return;
    await page.waitForTimeout(500);
  }
  throw new Error(`${path} never said ${said}:\n${await page.locator("main").innerText()}`);
}

await check("the_proposed_rule_shows_whom_it_would_name_and_why_before_anything_happens", async () => {
  await ben.page.goto(`${origin}/rules/${RULE}`);
  const numbers = await ben.page.locator("dl.numbers").innerText();
  assert.match(numbers, /It would name today\s+6[\s\S]*10,800\.00 USD/);
  assert.match(await line(ben.page, /^bo@/).innerText(), /59 < 60 days/);
  assert.match(await line(ben.page, /^gus@/).innerText(), /[Ee]xempt/);
  await ben.page.goto(`${origin}/candidates`);
  assert.match(await ben.page.locator(".empty").innerText(), /No candidate here/);
});

await check("ana_cannot_approve_her_rule_by_page_api_or_command_line", async () => {
  await ana.page.goto(`${origin}/rules/${RULE}`);
  assert.equal(await ana.page.getByRole("button", { name: /^Approve/ }).count(), 0);
  assert.match(await ana.page.locator("main").innerText(), /Ana may not approve/);
  const seen = (await ana.page.locator("main code").allInnerTexts()).find((text) => /^[0-9a-f]{64}$/.test(text));
  const csrf = await csrfOf(ana.page);
  const page = await ana.page.request.post(`${origin}/rules/${RULE}/approve`, { form: { csrf, seen }, headers: { origin }, maxRedirects: 0 });
  assert.equal(page.status(), 403);
  const token = readFileSync(seatwise.tokens.Ana, "utf8").trim();
  const api = await fetch(`${origin}/api/v1/rules/${RULE}/approve`, { method: "POST", headers: { authorization: `Bearer ${token}`, "content-type": "application/json" }, body: JSON.stringify({ seen }) });
  assert.equal(api.status, 403);
  const cli = spawnSync(seatwise.binary, ["rule", "approve", RULE, "--seen", seen, "--server", origin, "--token-file", seatwise.tokens.Ana], { encoding: "utf8" });
  assert.equal(cli.status, 3, cli.stderr);
  await ana.page.reload();
  assert.match(await ana.page.locator(".head").innerText(), /Proposed/);
});

await check("ben_approves_the_version_and_candidates_open", async () => {
  await ben.page.goto(`${origin}/rules/${RULE}`);
  await ben.page.getByRole("button", { name: /^Approve version/ }).click();
  assert.match(await ben.page.locator(".note-good").innerText(), /approval/);
  await until(ben.page, "/candidates", /Ready 6/);
  await shot(ben.page, "candidates-ready");
});

await check("ticked_candidates_make_a_list_of_their_own", async () => {
  await ben.page.goto(`${origin}/candidates?state=ready`);
  for (const name of ["dee", "cy"]) await ben.page.getByRole("checkbox", { name: new RegExp(`${name}@`) }).check();
  await shot(ben.page, "candidates-ticked");
  await ben.page.getByRole("button", { name: "List the ticked ones" }).click();
  await ben.page.waitForURL(/\/batches\/BAT\d+/);
  assert.match(await ben.page.locator("main").innerText(), /People\s+2/);
});

await check("the_list_shows_the_literal_requests_and_ben_approves_exactly_it", async () => {
  await ben.page.goto(`${origin}/rules/${RULE}`);
  await ben.page.getByRole("button", { name: "List all that are ready" }).click();
  await ben.page.waitForURL(/\/batches\/BAT\d+/);
  const text = await ben.page.locator("main").innerText();
  assert.match(text, /PATCH \/services\/data\/v[\d.]+\/sobjects\/User\/005\w{15}[\s\S]*"IsActive":false/);
  assert.match(text, /People\s+6/);
  await shot(ben.page, "batch-proposed");
  PAGES.batch = [at(ben.page), await heading(ben.page)];
  await ana.page.goto(origin + at(ben.page));
  assert.equal(await ana.page.getByRole("button", { name: /^Approve/ }).count(), 0);
  await ben.page.getByRole("button", { name: /^Approve BAT/ }).click();
  assert.match(await ben.page.locator(".head").innerText(), /Approved/);
  await ben.page.goto(`${origin}/candidates?search=dee`);
  PAGES.candidate = [`/candidates/${await ben.page.locator("tbody th").first().innerText()}`, ""];
});

await check("in_a_dry_run_everything_is_looked_at_and_nothing_is_sent", async () => {
  const [path] = PAGES.candidate;
  await ben.page.goto(origin + path);
  PAGES.candidate[1] = await heading(ben.page);
  await ben.page.getByRole("button", { name: "They do not need it" }).click();
  await until(ben.page, path, /dry run[\s\S]*nothing was sent/i);
  await shot(ben.page, "candidate-held");
  await ben.page.goto(`${origin}/actions`);
  assert.match(await ben.page.locator(".empty").innerText(), /Nothing was sent yet/);
});

await check("the_stop_switch_shows_on_every_page_and_holds_even_a_live_org", async () => {
  await ana.page.goto(`${origin}/reclaim`);
  await ana.page.getByLabel("Why").first().fill("quarter <end>");
  await ana.page.getByRole("button", { name: "Stop every reclaim now" }).click();
  await ana.page.goto(`${origin}/profiles/PRF0001001`);
  assert.match((await ana.page.locator(".strip").allInnerTexts()).join(" "), /Every reclaim is stopped: quarter <end>/);
  await ana.page.getByText("Go live", { exact: true }).click();
  await ana.page.getByRole("button", { name: "Go live now" }).click();
  await until(ana.page, PAGES.candidate[0], /Held/);
  await ana.page.goto(`${origin}/reclaim`);
  await ana.page.getByLabel("Why it may go on").fill("over");
  await ana.page.getByRole("button", { name: "Let reclaims go on" }).click();
  assert.match(await ana.page.locator("main").innerText(), /Not stopped/);
});

await check("live_the_seat_is_taken_back_with_one_receipt", async () => {
  await until(ben.page, PAGES.candidate[0], /Reclaimed|Closed complete/);
  await ben.page.goto(`${origin}/actions`);
  assert.equal(await ben.page.locator("tbody tr").count(), 1);
  await ben.page.locator("tbody a").first().click();
  PAGES.action = [at(ben.page), await heading(ben.page)];
  const text = await ben.page.locator("main").innerText();
  assert.match(text, /Done[\s\S]*204[\s\S]*Receipt[\s\S]*Digest [0-9a-f]{64}/);
  await shot(ben.page, "action-done");
});

await check("undo_shows_the_requests_first_and_gives_the_seat_back", async () => {
  await ben.page.goto(origin + PAGES.action[0]);
  await ben.page.getByRole("link", { name: "Undo" }).click();
  assert.match(await ben.page.locator("main").innerText(), /would give it back[\s\S]*"IsActive":true/);
  await shot(ben.page, "action-undo");
  await ben.page.getByLabel("Why").fill("back from leave");
  await ben.page.getByRole("button", { name: "Give it back" }).click();
  await until(ben.page, at(ben.page), /Restore[\s\S]*Done/);
  await until(ben.page, PAGES.candidate[0], /Undone/);
});

await check("the_command_line_lists_rules_candidates_batches_and_actions", async () => {
  const tool = (...words) => execFileSync(seatwise.binary, [...words, "--server", origin, "--token-file", seatwise.tokens.Ben], { encoding: "utf8" });
  assert.match(tool("rule", "list"), /RUL0001004/);
  assert.equal(JSON.parse(tool("rule", "preview", RULE, "--json")).rule_number, RULE);
  assert.match(tool("candidate", "show", PAGES.candidate[0].split("/").pop()), /Undone[\s\S]*Undo done/);
  assert.match(tool("batch", "list"), /BAT0001002[\s\S]*Approved/);
  assert.match(tool("action", "list"), /Restore/);
  assert.match(tool("reclaim", "status"), /Stopped\s+no/);
});

await check("the_audit_trail_is_intact_and_names_who_did_what", async () => {
  await ben.page.goto(`${origin}/audit?verify=1`);
  const text = await ben.page.locator("main").innerText();
  assert.match(text, /The chain is intact/);
  for (const event of ["action.done", "batch.approved", "rule.approved"]) assert.ok(text.includes(event), event);
});

await check("the_keyboard_alone_starts_a_run_and_signs_out", async () => {
  const { page } = ana;
  const tabTo = async (name) => {
    for (let presses = 0; presses < 60; presses += 1) {
      await page.keyboard.press("Tab");
      const focused = await page.evaluate(() => document.activeElement?.textContent?.trim() ?? "");
      if (focused === name) return;
    }
    throw new Error(`${name} was not reached by Tab`);
  };
  await page.goto(`${origin}/`);
  await tabTo("Skip to the content");
  await page.goto(`${origin}/`);
  await tabTo("Profiles");
  await page.keyboard.press("Enter");
  await page.waitForURL(`${origin}/profiles`);
  await tabTo("PRF0001002");
  await page.keyboard.press("Enter");
  await page.waitForURL(/PRF0001002/);
  await tabTo("Collect now");
  await page.keyboard.press("Enter");
  await page.waitForURL(/\/runs\/RUN\d+/);
  await page.getByText("Complete", { exact: true }).waitFor({ timeout: 60_000 });
  await tabTo("Sign out");
  await page.keyboard.press("Enter");
  await page.waitForURL(/\/sign-in\?left=1/);
  await page.goBack();
  await page.waitForURL(/\/sign-in/);
});

await check("no_page_logged_an_error_or_asked_another_origin", async () => {
  // Refusals that a journey provokes are logged by the browser as failed loads; everything else is a fault.
  const provoked = /status of (403|422)/;
  assert.deepEqual([...ben.faults, ...ana.faults].filter((fault) => !provoked.test(fault)), []);
});

for (const colorScheme of ["light", "dark"]) {
  for (const width of [1280, 320]) {
    // The places of the menu are looked at in looks.mjs; here are the records that these journeys made.
    await check(`axe_finds_nothing_on_the_records_of_the_journeys_${colorScheme}_at_${width}_pixels`, async () => {
      const eyes = await window(browser, origin, { colorScheme, viewport: { width, height: 800 }, bypassCSP: true, storageState: await ben.context.storageState() });
      const found = [];
      for (const [name, [path]] of Object.entries(PAGES).filter(([, [path]]) => /\d$/.test(path))) {
        await eyes.page.goto(origin + path);
        found.push(...(await findings(eyes.page)).map((finding) => `${name}: ${finding}`));
        if (colorScheme === "dark" || width === 320) await shot(eyes.page, `${name}-${colorScheme}-${width}`);
      }
      await eyes.context.close();
      assert.deepEqual(found, []);
    });
  }
}

await check("without_javascript_pages_read_and_forms_work", async () => {
  const plain = await window(browser, origin, { javaScriptEnabled: false, storageState: await ben.context.storageState() });
  for (const [path, title] of Object.values(PAGES)) {
    await plain.page.goto(origin + path);
    assert.equal(await heading(plain.page), title);
  }
  await plain.page.goto(`${origin}/tokens`);
  await plain.page.getByLabel("What it is for").fill("no script");
  await plain.page.getByRole("button", { name: "Make token" }).click();
  assert.match(await plain.page.locator("#minted").innerText(), /^swt_/);
  await plain.page.getByRole("button", { name: "Sign out" }).click();
  assert.equal(at(plain.page), "/sign-in");
  await plain.context.close();
});

await playbook(process.argv[2], browser);
await browser.close();
await seatwise.stop();
process.exit(verdict());
