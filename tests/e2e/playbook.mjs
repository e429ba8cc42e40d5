// From sign-in to the first sync of two orgs by the playbook, as a person does it: every click and every field is counted.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { check, findings, shot, window } from "./stage.mjs";

const MOST_FIRST = 40, MOST_SECOND = 12;

/** Starts a command and waits until all of these have been printed. */
function started(binary, words, wanted) {
  const child = spawn(binary, words, { stdio: ["ignore", "pipe", "inherit"] });
  let told = "";
  const found = new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`${words[0]} said only:\n${told}`)), 120_000);
    child.once("exit", (code) => reject(new Error(`${words[0]} ended with ${code}:\n${told}`)));
    child.stdout.on("data", (bytes) => {
      told += bytes;
      const values = Object.fromEntries(Object.entries(wanted).map(([name, pattern]) => [name, pattern.exec(told)?.[1]]));
      if (Object.values(values).every(Boolean)) {
        clearTimeout(late);
        resolve(values);
      }
    });
  });
  return { child, found };
}

const RUN_AS = "reader@example.com";
const ORG = { url: /answers at (\S+)/, id: /client id\s+(\S+)/, secret: /client secret\s+(.+)/, target: /--allow-target (\S+)/ };

export async function playbook(binary, browser) {
  const data = mkdtempSync(join(tmpdir(), "seatwise-playbook-"));
  const orgs = [["--users", "60", "--seed", "5"], ["--users", "0"]].map((more) => started(binary, ["practice-org", "salesforce", ...more], ORG));
  const [first, second] = await Promise.all(orgs.map((org) => org.found));
  const host = started(
    binary,
    ["serve", "--listen", "127.0.0.1:0", "--data", data, "--allow-target", first.target, "--allow-target", second.target, "--outbound-address", "198.51.100.7"],
    { link: /signs in once at (\S+)/, token: /--token-file (\S+)/ },
  );
  const { link, token } = await host.found;
  const origin = new URL(link).origin;
  const { context, page, faults } = await window(browser, origin);
  let count = 0;
  const click = async (role, name) => {
    count += 1;
    await page.getByRole(role, { name }).first().click();
  };
  const fill = async (label, text) => {
    count += 1;
    await page.getByLabel(label).fill(text);
  };
  const title = () => page.locator("h1").first().innerText();
  const checked = () => page.getByRole("link", { name: "Continue", exact: true }).waitFor({ timeout: 60_000 });
  const synced = () => page.getByRole("heading", { name: "What we found" }).waitFor({ timeout: 90_000 });
  const settled = async () => {
    for (let looks = 0; looks < 90; looks += 1) {
      if (await page.getByRole("heading", { name: "What we found" }).count()) return;
      await page.waitForTimeout(1_000);
      await page.reload();
    }
    await synced();
  };
  const found = [];
  const seen = async (name) => {
    await shot(page, `playbook-${name}`);
    found.push(...(await findings(page)).map((finding) => `${name}: ${finding}`));
  };

  await check("the_playbook_takes_a_first_org_to_its_first_sync_in_fewer_than_forty_clicks_and_fields", async () => {
    await page.goto(link);
    await click("button", "Sign in");
    await click("link", "Connectors");
    await seen("gallery");
    await click("button", /^Connect /);
    assert.equal(await title(), "Pick the run-as user");
    await seen("prepare-user");
    await click("button", "I have done this");
    assert.equal(await title(), "Register the app in Salesforce");
    assert.match(await page.locator("#callback").innerText(), new RegExp(`^${origin}/connect/callback$`));
    assert.match(await page.locator("#outbound").innerText(), /198\.51\.100\.7/);
    await seen("prepare-app");
    await click("button", "I have done this");
    await seen("profile");
    await fill("Name", "CRM Europe");
    await click("button", "Save");
    await fill("My Domain URL", ` ${first.url}/login?un=someone `);
    await fill("Consumer key", first.id);
    await fill("Consumer secret", first.secret);
    await seen("sign-in");
    await click("button", "Save and test");
    await checked();
    assert.match(await page.locator(".checks").innerText(), /The org is the one you mean/);
    await seen("checks");
    await click("link", "Continue");
    await seen("settings");
    await click("button", "Save");
    await seen("settings-2");
    await click("button", "Save");
    await seen("prices");
    await fill("Currency", "EUR");
    count += 1;
    await page.locator("[name='price.0']").fill("1800");
    await click("button", "Save");
    await seen("limits");
    await click("button", "Save");
    await seen("schedule");
    await click("button", "Save");
    assert.equal(await title(), "Check your answers");
    assert.match(await page.locator("main").innerText(), /about \d+ users, about 1 minute, \d+ of [\d,]+ daily requests/);
    await seen("review");
    await click("button", /^Publish and start the first sync/);
    await settled();
    await seen("first-sync");
    console.log(`# ${count} clicks and fields for the first org`);
    assert.ok(count < MOST_FIRST, `${count}`);
  });

  await check("the_address_that_was_pasted_is_tidied_and_said_so", async () => {
    await page.goto(`${origin}/profiles/PRF0001001/playbook/sign-in`);
    assert.match(await page.locator(".middle").innerText(), /You entered .*\/login; it became/);
    assert.ok(!(await page.content()).includes(first.secret));
  });

  await check("the_playbook_takes_a_second_org_there_in_fewer_than_twelve", async () => {
    count = 0;
    await page.goto(`${origin}/profiles/PRF0001001/playbook/first-sync`);
    await click("button", "Connect another org with these answers");
    await fill("Name", "CRM Asia");
    await click("button", "Save");
    await fill("My Domain URL", second.url);
    await fill("Consumer key", second.id);
    await fill("Consumer secret", second.secret);
    await click("button", "Save and test");
    await checked();
    await click("link", "Continue");
    assert.equal(await title(), "Check your answers");
    assert.match(await page.locator(".review").innerText(), /1800/);
    await seen("review-second");
    await click("button", /^Publish and start the first sync/);
    await settled();
    console.log(`# ${count} clicks and fields for the second org`);
    assert.ok(count < MOST_SECOND, `${count}`);
  });

  await check("a_person_consents_at_the_vendor_and_comes_back_into_the_task", async () => {
    const trusts = await fetch(`${second.url}/_practice/apps/${encodeURIComponent(second.id)}`, {
      method: "POST",
      body: JSON.stringify({ redirect_uris: [`${origin}/connect/callback`] }),
    });
    assert.equal(trusts.status, 200);
    const own = await window(browser, origin, { javaScriptEnabled: false, storageState: await context.storageState() });
    const there = own.page;
    const press = (role, name) => there.getByRole(role, { name }).first().click();
    await there.goto(`${origin}/connect`);
    await press("button", "Connect an org afresh");
    const task = there.url().replace(/playbook.*$/, "playbook/sign-in");
    await there.goto(task);
    await there.getByLabel("How it signs in").selectOption("authorization-code");
    await press("button", "Choose");
    await there.getByLabel("My Domain URL").fill(second.url);
    await there.getByLabel("Consumer key").fill(second.id);
    await there.getByLabel("Consumer secret").fill(second.secret);
    await shot(there, "playbook-sign-in-code");
    await press("button", /^Sign in with /);
    await press("link", /^Sign in at /);
    await there.getByLabel("Username").fill(RUN_AS);
    await press("button", "Log In");
    await press("button", "Deny");
    // The task says what happened, and keeps what was typed.
    assert.match(await there.title(), /^Error: Sign in/);
    assert.match(await there.locator("#problem").innerText(), /Start again and press Allow/);
    assert.equal(await there.getByLabel("Consumer key").inputValue(), second.id);
    assert.equal(await there.getByLabel("Consumer secret").inputValue(), "");
    await there.getByLabel("Consumer secret").fill(second.secret);
    await press("button", /^Sign in with /);
    await press("link", /^Sign in at /);
    await there.getByLabel("Username").fill(RUN_AS);
    await press("button", "Log In");
    await press("button", "Allow");
    assert.equal(there.url(), `${task}?done=connected`);
    assert.match(await there.locator("main").innerText(), new RegExp(`The token belongs to ${RUN_AS.replaceAll(".", "\\.")}`));
    await press("button", "Run all checks");
    for (let looks = 0; (await there.getByRole("link", { name: "Continue", exact: true }).count()) === 0; looks += 1) {
      assert.ok(looks < 60, "the checks end");
      await there.waitForTimeout(500);
      await there.reload();
    }
    assert.match(await there.locator(".checks").innerText(), /is connected already, by PRF0001002/);
    const wide = await window(browser, origin, { bypassCSP: true, storageState: await own.context.storageState() });
    for (const grant of ["client-credentials", "authorization-code", "jwt-bearer", "refresh-token", "device-code"]) {
      await wide.page.goto(`${task}?grant=${grant}`);
      found.push(...(await findings(wide.page)).map((finding) => `sign-in by ${grant}: ${finding}`));
      await shot(wide.page, `playbook-sign-in-${grant}`);
    }
    await wide.context.close();
    await own.context.close();
  });

  await check("what_was_typed_and_not_saved_survives_back_and_forward", async () => {
    await page.goto(`${origin}/profiles/PRF0001001/playbook/limits`);
    await page.getByLabel("Days without activity").fill("77");
    await page.getByRole("link", { name: "Schedule" }).click();
    await page.goBack();
    assert.equal(await page.getByLabel("Days without activity").inputValue(), "77");
  });

  await check("what_was_typed_survives_a_session_that_ended_in_between", async () => {
    const other = await context.newPage();
    await other.goto(`${origin}/profiles/PRF0001001/playbook/limits`);
    await other.getByLabel("Days without activity").fill("88");
    const cookies = await context.cookies();
    await context.clearCookies();
    await other.getByRole("button", { name: "Save", exact: true }).click();
    assert.match(await other.locator("main").innerText(), /you are not signed in/i);
    await context.addCookies(cookies);
    await other.goto(`${origin}/profiles/PRF0001001/playbook/limits`);
    assert.equal(await other.getByLabel("Days without activity").inputValue(), "88");
    await other.close();
  });

  await check("no_page_of_the_playbook_has_a_finding_of_axe_or_asks_another_origin", async () => {
    assert.deepEqual(found, []);
    assert.deepEqual(faults, []);
  });

  const TASKS = ["prepare-user", "prepare-app", "profile", "sign-in", "checks", "settings", "settings-2", "prices", "limits", "schedule", "review", "first-sync"];
  const pages = ["/connect", "/aliases", "/profiles/PRF0001002/end", ...TASKS.map((task) => `/profiles/PRF0001002/playbook/${task}`)];
  await check("every_task_reads_in_the_dark_at_320_pixels_without_a_finding_and_without_a_script", async () => {
    const storageState = await context.storageState();
    const narrow = await window(browser, origin, { colorScheme: "dark", viewport: { width: 320, height: 800 }, bypassCSP: true, storageState });
    const plain = await window(browser, origin, { javaScriptEnabled: false, storageState });
    const wrong = [];
    for (const path of pages) {
      await narrow.page.goto(origin + path);
      wrong.push(...(await findings(narrow.page)).map((finding) => `${path}: ${finding}`));
      await shot(narrow.page, `playbook-320-${path.split("/").pop()}`);
      const answer = await plain.page.goto(origin + path);
      if (answer.status() !== 200) wrong.push(`${path}: ${answer.status()}`);
    }
    await plain.page.goto(`${origin}/profiles/PRF0001002/playbook/limits`);
    await plain.page.getByLabel("Days without activity").fill("45");
    await plain.page.getByRole("button", { name: "Save", exact: true }).click();
    await plain.page.goto(`${origin}/aliases`);
    assert.match(await plain.page.locator("main").innerText(), /45\s+set here[\s\S]*its own, never taken over/);
    await narrow.context.close();
    await plain.context.close();
    assert.deepEqual(wrong, []);
  });

  await check("the_command_line_answers_the_same_tasks_up_to_publishing", async () => {
    const tool = (...words) => JSON.parse(execFileSync(binary, ["profile", ...words, "--json", "--server", origin, "--token-file", token], { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] }));
    tool("archive", "PRF0001002");
    const { number } = tool("playbook", "start", "--connector", "salesforce", "--from", "PRF0001001");
    const answer = (...words) => tool("playbook", "answer", number, ...words);
    assert.equal(answer("profile", "name=CRM Africa", "environment=production").outcome, "saved");
    assert.equal(answer("limits", "quota_percent=45").outcome, "saved");
    assert.equal(tool("playbook", "mark", number, "prepare-user", "done").outcome, "saved");
    const file = join(data, "secret.txt");
    writeFileSync(file, `${second.secret}\n`);
    const saved = answer("sign-in", "grant=client-credentials", `login_url=${second.url}`, `client_id=${second.id}`, "--file", `client_secret=${file}`);
    assert.equal(saved.outcome, "checking");
    assert.throws(() => answer("limits", "quota=45"), /asks for no `quota`[\s\S]*quota_percent/);
    const stored = tool("playbook", "ask", number, "sign-in").items;
    assert.match(stored.find((field) => field.name === "client_secret").stands, /^Stored, ends in/);
    assert.ok(!JSON.stringify(stored).includes(second.secret));
    tool("check", number);
    const tasks = Object.fromEntries(tool("playbook", "tasks", number).items.map((task) => [task.id, task.state]));
    assert.deepEqual([tasks.profile, tasks["sign-in"], tasks.checks, tasks.limits], ["done", "done", "done", "done"]);
    // The first org's prices are taken over, for nobody typed any here.
    await page.goto(`${origin}/profiles/${number}/playbook/prices`);
    assert.match(await page.locator(".middle").innerText(), /1800\. Taken over from CRM Europe/);
    tool("publish", number);
    assert.equal(tool("show", number).state, "published");
  });

  await context.close();
  for (const { child } of [host, ...orgs]) {
    child.removeAllListeners("exit");
    const gone = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGINT");
    await gone;
  }
  rmSync(data, { recursive: true, force: true });
}
