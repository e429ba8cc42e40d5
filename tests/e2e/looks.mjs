// How every page looks and reads, over a demo with data and over a host that has none: axe, keyboard, narrow windows, no script,
// the bytes of a first load, the content policy, hostile names.
import assert from "node:assert/strict";
import { browser as launch, check, demo, empty, findings, shot, verdict, window } from "./stage.mjs";

const seatwise = await demo(process.argv[2], ["Ana", "Ben"]);
const fresh = await empty(process.argv[2]);
const browser = await launch();
const { origin } = seatwise;
const at = (page) => new URL(page.url()).pathname;

/** Signs somebody in and gives what a further window needs to be theirs. */
async function session(link, home) {
  const { context, page } = await window(browser, home);
  await page.goto(link);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.waitForURL(`${home}/`);
  const storageState = await context.storageState();
  await context.close();
  return storageState;
}
const ana = await session(seatwise.links.Ana, origin);
const ben = await session(seatwise.links.Ben, origin);
const first = await session(fresh.link, fresh.origin);

const RECORDS = ["/profiles/PRF0001001", "/runs/RUN0001001", "/rules/RUL0001004"];
/** The places of the menu, read from the page itself, so that a new one is looked at without being named here. */
async function places(home, storageState) {
  const { context, page } = await window(browser, home, { storageState });
  await page.goto(`${home}/`);
  const found = await page.locator("nav[aria-label=Main] a").evaluateAll((all) => all.map((a) => a.getAttribute("href")));
  await context.close();
  return found;
}
const PAGES = [...(await places(origin, ana)), ...RECORDS, "/design?state=done", "/design?state=error", "/audit?verify=1", "/subscriptions?search=nobody-has-this-name", "/no-such-page", "/sign-in"];
const EMPTY = [...(await places(fresh.origin, first)), "/position"];

/** Walks pages in one window of these options and gathers what `look` finds, by page. */
async function walk(home, paths, options, look) {
  const eyes = await window(browser, home, { bypassCSP: true, ...options });
  const found = [];
  for (const path of paths) {
    await eyes.page.goto(home + path);
    found.push(...(await look(eyes.page, path)).map((finding) => `${path}: ${finding}`));
  }
  await eyes.context.close();
  return found;
}

await check("the_menu_leads_to_at_least_fifteen_places", () => assert.ok(PAGES.length > 24 && EMPTY.length > 10, `${PAGES} ${EMPTY}`));

for (const colorScheme of ["light", "dark"]) {
  for (const width of [1280, 320]) {
    const name = (kind, path) => `${kind}-${path.replace(/\W+/g, "_")}-${colorScheme}-${width}`;
    const options = { colorScheme, viewport: { width, height: 800 } };
    await check(`axe_finds_nothing_on_any_page_with_data_${colorScheme}_at_${width}_pixels`, async () => {
      const found = await walk(origin, PAGES, { ...options, storageState: ana }, async (page, path) => {
        if ((colorScheme === "dark") === (width === 320)) await shot(page, name("ana", path));
        return findings(page);
      });
      assert.deepEqual(found, []);
    });
    await check(`axe_finds_nothing_on_any_empty_page_${colorScheme}_at_${width}_pixels`, async () => {
      const found = await walk(fresh.origin, EMPTY, { ...options, storageState: first }, async (page, path) => {
        if ((colorScheme === "dark") === (width === 320)) await shot(page, name("empty", path));
        return findings(page);
      });
      assert.deepEqual(found, []);
    });
  }
}

await check("axe_finds_nothing_on_a_refused_form_or_an_open_menu", async () => {
  for (const colorScheme of ["light", "dark"]) {
    const { context, page } = await window(browser, origin, { colorScheme, bypassCSP: true, storageState: ana, viewport: { width: 320, height: 800 } });
    await page.goto(`${origin}/tokens`);
    await page.evaluate(() => document.querySelectorAll("form").forEach((form) => form.setAttribute("novalidate", "")));
    await page.getByLabel("Days until it expires").fill("0");
    await page.getByLabel("What it is for").fill("x");
    const [answer] = await Promise.all([page.waitForResponse((r) => r.request().method() === "POST"), page.getByRole("button", { name: "Make token" }).click()]);
    assert.equal(answer.status(), 422);
    assert.match(await page.title(), /^Error: /);
    assert.equal(await page.getByLabel("What it is for").inputValue(), "x");
    assert.deepEqual(await findings(page), []);
    await page.getByRole("button", { name: "Menu" }).click();
    await page.getByRole("navigation", { name: "Main" }).waitFor();
    assert.deepEqual(await findings(page), []);
    await shot(page, `menu-open-${colorScheme}-320`);
    await context.close();
  }
});

await check("a_window_of_1280_at_400_percent_scrolls_one_way_only_with_or_without_script", async () => {
  const wide = (page) => page.evaluate(() => {
    const over = document.documentElement.scrollWidth - document.documentElement.clientWidth;
    // A table of data may scroll by itself, with the names of its rows in view (WCAG 2.2, 1.4.10); nothing else may.
    const out = [...document.querySelectorAll("main *")].filter((part) => !part.closest(".scroll, .unseen") && part.getBoundingClientRect().right > innerWidth + 1);
    return [...(over > 0 ? [`${over} px wider`] : []), ...out.slice(0, 3).map((part) => part.outerHTML.slice(0, 100))];
  });
  const zoomed = { viewport: { width: 320, height: 256 }, deviceScaleFactor: 4 };
  for (const javaScriptEnabled of [true, false]) {
    assert.deepEqual(await walk(origin, PAGES, { ...zoomed, javaScriptEnabled, storageState: ana }, wide), []);
    assert.deepEqual(await walk(fresh.origin, EMPTY, { ...zoomed, javaScriptEnabled, storageState: first }, wide), []);
  }
});

await check("a_first_load_is_under_100_kilobytes_in_at_most_eight_requests_and_a_later_one_under_20", async () => {
  const { context, page, faults } = await window(browser, origin, { storageState: ana });
  const wire = await context.newCDPSession(page);
  await wire.send("Network.enable");
  let bytes = 0, requests = 0;
  wire.on("Network.requestWillBeSent", ({ request }) => { if (!request.url.startsWith("data:")) requests += 1; });
  wire.on("Network.loadingFinished", ({ encodedDataLength }) => { bytes += encodedDataLength; });
  await page.goto(`${origin}/`, { waitUntil: "networkidle" });
  console.log(`# first load: ${bytes} bytes in ${requests} requests`);
  assert.ok(bytes > 10_000 && bytes < 100_000, `${bytes} bytes`);
  assert.ok(requests <= 8, `${requests} requests`);
  bytes = 0;
  await page.goto(`${origin}/rules`, { waitUntil: "networkidle" });
  console.log(`# later load: ${bytes} bytes`);
  assert.ok(bytes < 20_000, `${bytes} bytes`);
  assert.deepEqual(faults, []);
  await context.close();
});

await check("every_page_has_a_strict_content_policy_and_none_breaks_it", async () => {
  const { context, page, faults } = await window(browser, origin, { storageState: ana });
  await page.addInitScript(() => addEventListener("securitypolicyviolation", (event) => console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`)));
  for (const path of PAGES) {
    const answer = await page.goto(origin + path);
    const policy = answer.headers()["content-security-policy"];
    assert.match(policy, /default-src 'self'/, path);
    assert.doesNotMatch(policy, /unsafe|\*|https?:|script-src|style-src/, path);
  }
  assert.deepEqual(faults.filter((fault) => !/status of (404|422)/.test(fault)), []);
  await context.close();
});

await check("every_page_has_one_main_heading_its_landmarks_its_language_and_a_title_of_its_own", async () => {
  const titles = new Map();
  const found = await walk(origin, PAGES, { storageState: ana }, (page, path) => page.evaluate((isOutside) => {
    const faults = [];
    if (document.documentElement.lang !== "en") faults.push("no language");
    if (document.querySelectorAll("h1").length !== 1) faults.push(`${document.querySelectorAll("h1").length} first headings`);
    if (document.querySelectorAll("main").length !== 1) faults.push("not one main");
    if (!isOutside && !document.querySelector("header") ) faults.push("no header");
    let level = 0;
    for (const heading of document.querySelectorAll("main :is(h1, h2, h3, h4)")) {
      const next = Number(heading.tagName[1]);
      if (level && next > level + 1) faults.push(`h${level} is followed by h${next}: ${heading.textContent}`);
      level = next;
    }
    if (document.querySelectorAll("[style], [onclick]").length) faults.push("a style or a script of its own");
    return faults;
  }, path === "/sign-in").then(async (faults) => {
    const title = await page.title();
    if (!title.endsWith(" - Seatwise")) faults.push(`title ${title}`);
    if (!path.includes("?") && titles.has(title)) faults.push(`the title of ${titles.get(title)}`);
    if (!path.includes("?")) titles.set(title, path);
    return faults;
  }));
  assert.deepEqual(found, []);
});

/** What is wrong with how the present focus shows, if anything. Runs in the page. */
function judgeFocus() {
  const focused = document.activeElement;
  if (!focused || focused === document.body) return null;
  const box = focused.getBoundingClientRect();
  const style = getComputedStyle(focused);
  const name = focused.outerHTML.slice(0, 90);
  if (style.outlineStyle === "none" || parseFloat(style.outlineWidth) < 2) return `no outline: ${name}`;
  const x = Math.min(Math.max(box.left + Math.min(box.width / 2, 12), 1), innerWidth - 1);
  // A table may be taller than the window: then the part of it that is in view counts.
  const y = Math.max(Math.min(box.top + Math.min(box.height / 2, 12), innerHeight - 1), Math.min(1, box.bottom - 1));
  const over = document.elementFromPoint(x, y);
  return over && (focused.contains(over) || over.contains(focused)) ? null : `hidden behind ${over?.outerHTML.slice(0, 60)}: ${name}`;
}

await check("focus_is_seen_on_every_stop_and_never_hidden", async () => {
  const links = (page) => page.locator("a, button, input:not([type=hidden]), select, textarea, summary, [tabindex='0']").count();
  for (const viewport of [{ width: 1280, height: 800 }, { width: 320, height: 640 }]) {
    const found = await walk(origin, ["/", "/position", "/subscriptions", "/entitlements", ...RECORDS], { viewport, storageState: ana }, async (page) => {
      const faults = [];
      for (let stop = 0, stops = Math.min(await links(page), 50); stop < stops; stop += 1) {
        await page.keyboard.press("Tab");
        faults.push(await page.evaluate(judgeFocus));
      }
      return faults.filter((fault) => fault);
    });
    assert.deepEqual(found, []);
  }
});

await check("e11_e12_names_that_are_markup_templates_or_turned_text_are_shown_as_text", async () => {
  const hostile = [`<img src=x onerror=alert(1)>`, `{{page.csrf}}{{#each this}}x{{/each}}`, `\u202Egnirts\u200B`, `"'><svg onload=alert(1)>`, `'; drop table people;--`];
  const { context, page, faults } = await window(browser, origin, { storageState: ana });
  page.on("dialog", (dialog) => { faults.push(`dialog: ${dialog.message()}`); dialog.dismiss(); });
  await page.goto(`${origin}/people`);
  const rows = hostile.map((name, n) => `"${name.replaceAll('"', '""')}",hostile${n}@directory.test,"${name.replaceAll('"', '""')}"`);
  await page.getByLabel("Paste the export").fill(`name,email,department\n${rows.join("\n")}\n`);
  await page.getByRole("button", { name: "Import" }).click();
  const shown = await page.locator("main").innerText();
  for (const name of hostile) assert.ok(shown.includes(name), name);
  const isolated = await page.locator("tbody bdi").allInnerTexts();
  assert.ok(isolated.includes(hostile[2]), "a turned name is isolated");
  await page.goto(`${origin}/exemptions`);
  await page.getByLabel("User principal name").fill(hostile[0]);
  await page.getByLabel("Why").last().fill(hostile[3]);
  await page.getByRole("button", { name: "Exempt", exact: true }).click();
  for (const path of PAGES.filter((path) => path !== "/sign-in")) {
    await page.goto(origin + path);
    assert.equal(await page.locator("main img, main [onload], main [onerror]").count(), 0, path);
  }
  for (const name of hostile) {
    await page.goto(`${origin}/subscriptions?${new URLSearchParams({ search: name })}`);
    assert.equal(await page.getByLabel("Search", { exact: true }).inputValue(), name);
    assert.match(await page.locator(".empty").innerText(), /Nothing matches/);
  }
  assert.deepEqual(faults.filter((fault) => !/status of (404|422)/.test(fault)), []);
  await context.close();
});

/** Presses Tab until what has the focus is called so; every stop on the way must show it. */
async function tabTo(page, name) {
  for (let presses = 0; presses < 150; presses += 1) {
    await page.keyboard.press("Tab");
    const focused = await page.evaluate(() => (document.activeElement?.textContent ?? "").replace(/\s+/g, " ").trim());
    assert.equal(await page.evaluate(judgeFocus), null, page.url());
    if (typeof name === "string" ? focused === name : name.test(focused)) return;
  }
  throw new Error(`${name} was not reached by Tab on ${page.url()}`);
}
const press = async (page, name, url) => {
  await tabTo(page, name);
  await page.keyboard.press("Enter");
  await page.waitForURL(url);
};

await check("ben_approves_a_rule_and_a_list_by_keyboard_alone_and_without_javascript", async () => {
  const { context, page } = await window(browser, origin, { storageState: ben, javaScriptEnabled: false });
  await page.goto(`${origin}/`);
  await press(page, "RUL0001004", /\/rules\/RUL0001004/);
  await press(page, /^Approve version/, /done=rule-approved/);
  for (let looks = 0; looks < 60; looks += 1) {
    await page.goto(`${origin}/candidates`);
    if (/Ready 6/.test(await page.locator("main").innerText())) break;
    await page.waitForTimeout(500);
  }
  await press(page, /^List all ready ones/, /\/batches\/BAT\d+/);
  assert.match(await page.locator("main").innerText(), /PATCH \/services/);
  await press(page, /^Approve BAT/, /done=batch-approved/);
  assert.match(await page.locator(".head").innerText(), /Approved/);
  await context.close();
});

await check("ana_checks_and_collects_by_keyboard_alone_and_without_javascript", async () => {
  const { context, page } = await window(browser, origin, { storageState: ana, javaScriptEnabled: false });
  await page.goto(`${origin}/`);
  await press(page, "Profiles", `${origin}/profiles`);
  await press(page, "PRF0001002", /PRF0001002/);
  await press(page, "Run the checks", /done=checked/);
  await press(page, "Collect now", /\/runs\/RUN\d+/);
  for (let looks = 0; looks < 60 && !/Complete/.test(await page.locator("dl.numbers").innerText()); looks += 1) {
    await press(page, "Refresh", /\/runs\/RUN\d+/);
    await page.waitForTimeout(300);
  }
  assert.match(await page.locator("dl.numbers").innerText(), /Complete/);
  await context.close();
});

await check("the_menu_of_a_narrow_window_opens_and_closes_by_keyboard_without_javascript", async () => {
  const { context, page } = await window(browser, origin, { storageState: ben, javaScriptEnabled: false, viewport: { width: 320, height: 640 } });
  await page.goto(`${origin}/`);
  const menu = page.getByRole("navigation", { name: "Main" });
  assert.equal(await menu.isVisible(), false);
  await tabTo(page, "Menu");
  await page.keyboard.press("Enter");
  await menu.waitFor({ state: "visible" });
  await page.keyboard.press("Escape");
  await menu.waitFor({ state: "hidden" });
  await page.keyboard.press("Enter");
  await menu.waitFor({ state: "visible" });
  await press(page, "Rules", `${origin}/rules`);
  await context.close();
});

await check("a_record_is_found_by_its_number_from_every_page", async () => {
  const { context, page } = await window(browser, origin, { storageState: ben });
  await page.goto(`${origin}/audit`);
  await page.getByLabel("Find a record or an account").fill("rul1004");
  await page.keyboard.press("Enter");
  await page.waitForURL(`${origin}/rules/RUL0001004`);
  await page.getByLabel("Find a record or an account").fill("ivy");
  await page.keyboard.press("Enter");
  await page.waitForURL(/\/subscriptions\?search=ivy/);
  assert.match(await page.locator("tbody").innerText(), /ivy/);
  await context.close();
});

await check("nobody_is_offered_a_place_that_he_may_not_open", async () => {
  for (const storageState of [ana, ben]) {
    const { context, page } = await window(browser, origin, { storageState });
    for (const path of await places(origin, storageState)) assert.equal((await page.goto(origin + path)).status(), 200, path);
    await context.close();
  }
});

await check("paper_shows_the_page_and_not_the_frame", async () => {
  const { context, page } = await window(browser, origin, { storageState: ana, colorScheme: "dark" });
  await page.goto(`${origin}/position`);
  await page.emulateMedia({ media: "print" });
  for (const part of [".top", ".side", ".acts"]) assert.equal(await page.locator(part).first().isVisible(), false, part);
  assert.ok(await page.locator("main table").first().isVisible());
  assert.equal(await page.evaluate(() => getComputedStyle(document.body).backgroundColor), "rgb(255, 255, 255)");
  await shot(page, "position-print");
  await context.close();
});

await browser.close();
await fresh.stop();
await seatwise.stop();
process.exit(verdict());
