// What every journey stands on: a host as a child process, a browser, counted checks, screenshots.
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const artefacts = fileURLToPath(new URL("../artefacts/e2e/", import.meta.url));
const axeSource = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const STARTS_WITHIN_MS = 180_000;

// Without the background flags chromium looks for its maker's hosts at every start.
const FLAGS = [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync",
];

/** Starts the demo and waits until it has printed a sign-in link and a token file for each of these people. */
export function demo(binary, people) {
  return start(binary, ["demo", "--listen", "127.0.0.1:0", "--users", "300"], people);
}

/** Starts a host that has no data, with its first person. */
export async function empty(binary) {
  const host = await start(binary, ["serve", "--listen", "127.0.0.1:0"], ["Administrator"]);
  return { ...host, link: host.links.Administrator };
}

async function start(binary, words, people) {
  const data = mkdtempSync(join(tmpdir(), "seatwise-e2e-"));
  const child = spawn(binary, [...words, "--data", data], { stdio: ["ignore", "pipe", "pipe"] });
  let told = "", logged = "";
  child.stderr.on("data", (bytes) => {
    logged += bytes;
    process.stderr.write(bytes);
  });
  const found = await new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`${words[0]} said only:\n${told}`)), STARTS_WITHIN_MS);
    child.once("exit", (code) => reject(new Error(`${words[0]} ended with ${code}:\n${told}`)));
    child.stdout.on("data", (bytes) => {
      told += bytes;
      const links = {}, tokens = {};
      for (const [, name, link] of told.matchAll(/^\s*(\w+) signs in once at (\S+)$/gm)) links[name] = link;
      for (const [, name, file] of told.matchAll(/^\s*(\w+) on the command line: --token-file (\S+)$/gm)) tokens[name] = file;
      if (people.every((name) => links[name] && tokens[name])) {
        clearTimeout(late);
        resolve({ links, tokens, origin: new URL(links[people[0]]).origin });
      }
    });
  });
  return {
    ...found,
    binary,
    /** What the host has written to its log so far. */
    log: () => logged,
    async stop() {
      const gone = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGINT");
      await gone;
      rmSync(data, { recursive: true, force: true });
    },
  };
}

export async function browser() {
  const path = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find((candidate) => existsSync(candidate));
  mkdirSync(artefacts, { recursive: true });
  return chromium.launch({ executablePath: path, args: FLAGS });
}

/** A browser window of somebody's own that notes what no page may do: log an error, or ask another origin. */
export async function window(browser, origin, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
  const page = await context.newPage();
  const faults = [];
  page.on("console", (message) => message.type() === "error" && faults.push(`console: ${message.text()}`));
  page.on("pageerror", (error) => faults.push(`script: ${error.message}`));
  page.on("request", (request) => {
    if (!request.url().startsWith(origin) && !request.url().startsWith("data:")) faults.push(`off-origin: ${request.url()}`);
  });
  return { context, page, faults };
}

let number = 0, failed = 0;

/** One fact. It fails when its function throws; the journey goes on. */
export async function check(name, prove) {
  number += 1;
  try {
    await prove();
    console.log(`ok ${number} - ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`not ok ${number} - ${name}`);
    console.log(String(error.stack ?? error).replace(/^/gm, "# "));
  }
}

export function verdict() {
  console.log(`1..${number}`);
  console.log(`${number - failed} passed, ${failed} failed`);
  return failed === 0 && number > 0 ? 0 : 1;
}

export async function shot(page, name) {
  await page.screenshot({ path: join(artefacts, `${name}.png`), fullPage: true });
}

/** Findings of axe at WCAG 2.2 AA, and whether anything sticks out sideways. */
export async function findings(page) {
  await page.evaluate(axeSource);
  const found = await page.evaluate(() => globalThis.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"] }));
  const rules = found.violations.map((violation) => `${violation.id}: ${violation.nodes[0].html.slice(0, 160)}`);
  const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  return over > 0 ? [...rules, `the page is ${over} px wider than the window`] : rules;
}
