// Makes the vendored files of host/assets anew: `npm ci && npm run refresh`. Nothing of this runs when Seatwise is built or served.
//
//   tabler.css  Tabler's stylesheet, cut to the parts listed here, in a cascade layer of its own below app.css. Where our markup
//               has a shorter word for a part (a plain `button`, `chip` for a badge), the word is added to Tabler's selector.
//   icons.svg   One sprite of the icons listed here.
//   ASSETS.toml Version, licence and sha256 of each.
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import postcss from "postcss";
import parse from "postcss-selector-parser";

const require = createRequire(import.meta.url);
const here = (name) => new URL(name, import.meta.url);
const version = (name) => JSON.parse(readFileSync(here("package.json"), "utf8")).dependencies[name];

// Tabler's parts that our pages use. A rule stays when it names no other class.
const PARTS = new Set([
  "btn", "btn-primary", "btn-outline-danger",
  "badge", "form-control", "form-select", "form-check-input", "form-label", "form-hint",
  "table", "steps", "steps-vertical", "steps-counter", "step-item", "active",
]);

// Our words for them, where the element itself or a shorter class says it.
const WORDS = {
  btn: ":is(.btn,.button,button:not(.link))",
  "btn-primary": ":is(.btn-primary,.main:is(button,.button))",
  "btn-outline-danger": ":is(.btn-outline-danger,button.danger)",
  badge: ":is(.badge,.chip)",
  "form-control": ":is(.form-control,input:not([type=checkbox],[type=radio],[type=hidden],[type=file]),textarea)",
  "form-select": ":is(.form-select,select)",
  "form-check-input": ":is(.form-check-input,[type=checkbox],[type=radio])",
  "form-label": ":is(.form-label,.field>label)",
  "form-hint": ":is(.form-hint,.hint)",
  table: ":is(.table,table)",
};

const ICONS = [
  "adjustments", "alert-triangle", "archive", "arrow-back-up", "arrow-right", "ban", "bell", "box", "building", "calendar", "chart-bar",
  "check", "chevron-right", "circle-check", "circle-x", "clock", "coins", "copy", "database", "download", "external-link", "eye",
  "file-text", "hand-stop", "help-circle", "history", "home", "id", "info-circle", "key", "layout-grid", "list-check", "lock", "logout",
  "mail", "menu-2", "packages", "palette", "player-pause", "player-play", "plug", "plus", "refresh", "scale", "search", "settings",
  "shield-check", "shield-lock", "user", "user-check", "user-minus", "user-shield", "users", "webhook", "x",
];

// ---- the stylesheet ------------------------------------------------------------------------------------------------------

const sheet = postcss.parse(readFileSync(require.resolve("@tabler/core/dist/css/tabler.css"), "utf8"));
const own = readFileSync(here("../app.css"), "utf8");

/** True when a selector needs nothing that we left out. Themes are ours (`light-dark`), so Tabler's are left out as well. */
function isKept(selector) {
  let kept = true;
  selector.walkClasses((node) => { kept &&= PARTS.has(node.value); });
  selector.walkAttributes((node) => { kept &&= !/^(data-|dir$)/.test(node.attribute); });
  selector.walkPseudos((node) => { kept &&= !/^::?-(moz|ms|webkit)-(?!file-upload|search|inner|outer|datetime|date)/.test(node.value); });
  selector.walkIds(() => { kept = false; });
  return kept;
}

sheet.walkComments((comment) => { if (!comment.text.includes("Tabler v")) comment.remove(); });
sheet.walkAtRules("charset", (rule) => rule.remove());
sheet.walkRules((rule) => {
  if (rule.parent.type === "atrule" && /keyframes/.test(rule.parent.name)) return;
  const transform = parse((root) => {
    root.each((selector) => { if (!isKept(selector)) selector.remove(); });
    root.walkClasses((node) => {
      if (WORDS[node.value]) node.replaceWith(parse.tag({ value: WORDS[node.value] }));
    });
  });
  const selector = transform.processSync(rule.selector, { lossless: false });
  if (selector) rule.selector = selector; else rule.remove();
});

const refers = (text) => [...text.matchAll(/var\(\s*(--[\w-]+)/g)].map((match) => match[1]);
/** Drops variables that nothing reads any more, until none is left. */
for (let changed = true; changed;) {
  changed = false;
  const read = new Set(refers(own));
  sheet.walkDecls((decl) => { for (const name of refers(decl.value)) read.add(name); });
  sheet.walkDecls(/^--/, (decl) => { if (!read.has(decl.prop)) { decl.remove(); changed = true; } });
}
sheet.walkAtRules(/keyframes/, (rule) => { if (!sheet.toString().includes(`${rule.params} `)) rule.remove(); });
for (let changed = true; changed;) {
  changed = false;
  sheet.walk((node) => { if ((node.type === "rule" || (node.type === "atrule" && node.nodes)) && node.nodes.length === 0) { node.remove(); changed = true; } });
}
const licence = sheet.nodes.find((node) => node.type === "comment").toString();
sheet.walkComments((comment) => comment.remove());
const css = `${licence}\n@layer tabler {\n${sheet.toString().replace(/^\s+/gm, "").replace(/\n(?=[^}@])/g, "")}\n}\n`;
writeFileSync(here("../tabler.css"), css);

// ---- the sprite ----------------------------------------------------------------------------------------------------------

const symbols = ICONS.map((name) => {
  const svg = readFileSync(require.resolve(`@tabler/icons/outline/${name}.svg`), "utf8");
  const paths = [...svg.matchAll(/<path\s[^>]*?\/>/g)].map((match) => match[0].replace(/\s*\/>/, "/>")).filter((path) => !path.includes("M0 0h24v24H0z"));
  return `<symbol id="${name}" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" stroke-linejoin="round">${paths.join("")}</symbol>`;
});
writeFileSync(here("../icons.svg"), `<!-- Tabler Icons v${version("@tabler/icons")}, MIT, Copyright 2020-2026 Paweł Kuna -->\n<svg xmlns="http://www.w3.org/2000/svg">\n${symbols.join("\n")}\n</svg>\n`);

// ---- the list ------------------------------------------------------------------------------------------------------------

const LISTED = [
  ["app.css", "own", "Apache-2.0"],
  ["app.js", "own", "Apache-2.0"],
  ["icon.svg", "own", "Apache-2.0"],
  ["icons.svg", "@tabler/icons", "MIT"],
  ["tabler.css", "@tabler/core", "MIT"],
];
const entries = LISTED.map(([file, origin, licence]) => {
  const lines = ["[[asset]]", `file = "${file}"`, `origin = "${origin}"`, `licence = "${licence}"`];
  if (origin !== "own") {
    const digest = createHash("sha256").update(readFileSync(here(`../${file}`))).digest("hex");
    lines.push(`version = "${version(origin)}"`, `sha256 = "${digest}"`, 'made_by = "vendor/refresh.mjs"');
  }
  return lines.join("\n");
});
writeFileSync(here("../ASSETS.toml"), `# Files served under /assets. What is not our own names its origin, version, licence and sha256; \`vendor/refresh.mjs\` makes it anew.\n${entries.join("\n\n")}\n`);
console.log(`tabler.css ${css.length} bytes, ${ICONS.length} icons`);
