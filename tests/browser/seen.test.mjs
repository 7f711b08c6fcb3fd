// What a shift is worth telling: losses by line, notes about hours, stored values, statements over a span, where values come from, and the
// past as it was seen.

import { test, before, after } from "node:test";
import assert from "node:assert/strict";
import { open, until } from "./demo.mjs";

const TEST = { timeout: 900_000 };
const LINE = "Line 2";
const FILLER = "Line 2/Filler 2";
let demo, url, page;

before(async () => {
  demo = await open("--history", "10h");
  url = demo.url;
  page = await demo.newPage();
}, { timeout: 600_000 });

after(() => demo?.close());

const parameter = (name) => new URL(page.url()).searchParams.get(name);
const says = (selector, words) => page.waitForFunction(([selector, words]) => document.querySelector(selector)?.textContent.includes(words), [selector, words]);
const idOf = async (path) => (await demo.get("/api/assets")).find((asset) => asset.path === path).id;
/** The end of a shift that is over: it has figures, whatever the time is now. */
const shift = async () => Date.parse((await demo.get("/api/oee?window=shift&asset=Line%202")).rows.findLast((row) => !row.provisional).end);

test("a line loses once for one reason, and the row says whose minutes these are", TEST, async () => {
  await page.goto(url);
  await page.waitForSelector("[data-testid=losses]");
  // A shift that has just begun has lost nothing yet; the overheated filler will.
  await until(async () => (await demo.get("/api/overview")).losses.length > 0);
  await page.waitForSelector("[data-testid=loss]");
  const rows = await page.$$eval("[data-testid=loss]", (all) => all.map((row) => [row.dataset.line, row.dataset.reason]));
  assert.equal(new Set(rows.map(String)).size, rows.length, "each line and reason once");
  for (const [line] of rows) assert.ok(!line.includes("/"), `${line} is a line`);
  assert.match(await page.textContent("[data-testid=loss] small"), /^(minutes of|the whole line)/);
});

test("an hour gets a note, which is changed and taken back, and the report has it", TEST, async () => {
  const at = await shift();
  const lines = `${url}/lines/${await idOf(LINE)}?at=${at}`;
  await page.goto(lines);
  const cell = page.locator("[data-testid=hour-note]").first();
  await cell.locator("[data-testid=hour-note-edit]").click();
  assert.equal(await page.locator("[data-testid=hour-note-text]").evaluate((field) => field === document.activeElement), true, "the cursor stands in it");
  await page.keyboard.press("Escape");
  await page.waitForSelector("[data-testid=hour-note-text]", { state: "detached" });
  const write = async (words) => {
    await cell.locator("[data-testid=hour-note-edit]").click();
    await page.fill("[data-testid=hour-note-text]", words);
    await page.click("[data-testid=hour-note-save]");
    await page.waitForSelector("[data-testid=hour-note-text]", { state: "detached" });
  };
  await write("film torn twice");
  await says("[data-testid=hour-note]", "film torn twice");
  await write("film torn twice, new roll since 6");
  await says("[data-testid=hour-note]", "new roll since 6");
  await says("[data-testid=hour-note]", "changed once");
  assert.match(await cell.textContent(), /Mara/);
  await page.goto(`${url}/report?at=${at}`);
  await says("[data-testid=report-notes]", "new roll since 6");
  assert.match(await page.textContent("[data-testid=report-notes]"), /\d\d:\d\d–\d\d:\d\d · Line 2 · Mara.*changed once/);
  await page.goto(lines);
  await says("[data-testid=hour-note]", "new roll since 6");
  await write("");
  await says("[data-testid=hour-note]", "taken back by Mara");
  const [note] = await demo.get(`/api/notes?asset=${encodeURIComponent(LINE)}&from=${at - 8 * 3_600_000}&to=${at}`);
  assert.deepEqual(note.before.map((one) => one.text), ["film torn twice", "film torn twice, new roll since 6"]);
});

test("stored values are shown with their quality, and paged back by the address", TEST, async () => {
  await page.goto(`${url}/assets/${await idOf(FILLER)}?tab=data`);
  await page.click("[data-testid=raw-fill_temp]");
  await page.waitForSelector("[data-testid=samples] tbody tr:not(.day)");
  const first = await page.locator("[data-testid=samples] tbody tr:not(.day)").count();
  assert.ok(first >= 100, `${first} rows`);
  assert.match(await page.textContent("[data-testid=samples] tbody"), /°C.*good/s);
  // When a value came is seen of those that come meanwhile.
  await page.waitForFunction(() => / later/.test(document.querySelector("[data-testid=samples] tbody")?.textContent ?? ""));
  await page.click("[data-testid=samples-older]");
  await page.waitForFunction(() => new URLSearchParams(location.search).has("before"));
  const before = parameter("before");
  await page.waitForFunction((before) => { const time = document.querySelector("[data-testid=samples] tbody tr:not(.day) td")?.getAttribute("title"); return time && time < before; }, before);
  await page.goBack();
  await page.waitForFunction(() => !new URLSearchParams(location.search).has("before"));
  await page.click("[data-testid=samples-close]");
  await page.waitForSelector("[data-testid=samples]", { state: "detached" });
});

test("a statement asks for a span of plant time, as parameters, and goes along to psql and Grafana", TEST, async () => {
  const sql = "SELECT count(*) AS n, min(time) AS first, max(time) AS last FROM filler WHERE time > $from AND time <= $to";
  const sent = [];
  page.on("request", (request) => request.url().endsWith("/api/sql") && sent.push(JSON.parse(request.postData())));
  await page.goto(`${url}/sql?q=${encodeURIComponent(sql)}`);
  await page.waitForSelector("[data-testid=sql-result] td");
  assert.equal(sent[0].sql, sql, "the text goes as it is written");
  assert.equal(Date.parse(sent[0].to) - Date.parse(sent[0].from), 3_600_000);
  // A shift of the list: both ends stand in the address, and the question is asked again.
  const chosen = await page.$eval("[data-testid=span-shift] option:nth-of-type(3)", (option) => option.value);
  await page.selectOption("[data-testid=span-shift]", chosen);
  await page.waitForFunction(() => new URLSearchParams(location.search).has("from"));
  assert.equal(Number(parameter("from")), Date.parse(chosen));
  await until(async () => sent.at(-1).from === new Date(chosen).toISOString());
  assert.equal(parameter("q"), sql);
  await page.evaluate(() => {
    globalThis.copied = [];
    Object.defineProperty(navigator, "clipboard", { value: { writeText: async (words) => void globalThis.copied.push(words) } });
  });
  for (const format of ["psql", "grafana", "python"]) await page.click(`[data-testid=copy-${format}]`);
  await page.waitForFunction(() => globalThis.copied.length === 3);
  const [psql, grafana, python] = await page.evaluate(() => globalThis.copied);
  assert.match(psql, /psql 'host=.*' -v from='.*Z' -v to='.*Z' <<'SQL'\n.*time > :'from'::timestamptz/s);
  assert.match(grafana, /time > \$__timeFrom\(\)::timestamptz AND time <= \$__timeTo\(\)::timestamptz/);
  assert.match(python, /"from":"/);
  await page.click("[data-testid=range-15m]");
  await until(async () => Date.parse(sent.at(-1).to) - Date.parse(sent.at(-1).from) === 900_000);
});

test("values that come from others are marked with words", TEST, async () => {
  await page.goto(`${url}/assets/${await idOf(LINE)}`);
  const mark = page.locator("[data-testid=lineage-weakest_machine]");
  await mark.focus();
  await says("[data-testid=hint]", "Rolled up: computed over the 5 children in machines.");
  assert.match(await mark.getAttribute("aria-label"), /Rolled up/);
  await page.keyboard.press("Escape");
  await page.waitForSelector("[data-testid=hint]", { state: "detached" });
});

test("what a property reads and what reads it is drawn, and a click moves on", TEST, async () => {
  await page.goto(`${url}/models?model=line&of=weakest_machine`);
  await page.waitForSelector("[data-testid=dependencies] a[data-step='-1']");
  await page.waitForSelector("[data-testid=links]");
  const count = () => page.locator("[data-testid=dependencies] svg a").count();
  const one = await count();
  await page.click("[data-testid=steps-2]");
  await page.waitForFunction((one) => document.querySelectorAll("[data-testid=dependencies] svg a").length > one, one);
  assert.equal(parameter("steps"), "2");
  const next = page.locator("[data-testid=dependencies] a[data-step='-1']").first();
  const key = await next.getAttribute("data-key");
  await next.focus();
  await page.keyboard.press("Enter");
  await page.waitForFunction((key) => new URLSearchParams(location.search).get("of") === key, key);
  await page.waitForSelector(`[data-testid=dependencies] .own[data-key='${key}']`);
});

test("a view is shared as it is seen now, stands still, and goes back to live", TEST, async () => {
  await page.goto(`${url}/lines/${await idOf(LINE)}`);
  await page.waitForSelector("[data-testid=page-line]");
  await page.click("[data-testid=share]");
  const address = await page.getAttribute("[data-testid=share-seen]", "data-address");
  assert.match(address, /[?&]seen=\d{13}/);
  const asked = [];
  page.on("request", (request) => request.url().includes("/api/lines/") && asked.push(request.url()));
  await page.goto(address);
  await page.waitForSelector("[data-testid=seen]");
  await page.waitForSelector("[data-testid=page-line]");
  const seen = new URL(address).searchParams.get("seen");
  assert.ok(asked.every((one) => one.includes(`as_of=${seen}`)), String(asked));
  assert.equal(await page.locator("[aria-label='Machines in flow order']").count(), 0, "nothing of the present");
  const edit = page.locator("[data-testid=hour-note-edit]").first();
  if (await edit.count()) assert.equal(await edit.getAttribute("aria-disabled"), "true", "the past cannot be changed");
  for (const [path, selector] of [
    [`/assets/${await idOf(FILLER)}`, "[data-testid=property]"],
    [`/oee?asset=${encodeURIComponent(LINE)}`, "[data-testid=figure-oee], .notice:not(.waiting)"],
    ["/alarms?view=history", "[data-testid=page-alarms] section, .notice:not(.waiting)"],
    ["/trend", "[data-testid=frozen]"],
    ["/log", "[data-testid=log], .notice:not(.waiting)"],
    ["/report", "[data-testid=page-report] article, .notice:not(.waiting)"],
  ]) {
    await page.goto(`${url}${path}${path.includes("?") ? "&" : "?"}seen=${seen}`);
    await page.waitForSelector("[data-testid=seen]");
    await page.waitForSelector(selector);
  }
  // The clock of the head goes on: it is the present that one looks from.
  await page.click("[data-testid=seen-live]");
  await page.waitForSelector("[data-testid=seen]", { state: "detached" });
  assert.equal(parameter("seen"), null);
  // What is of the present only says so.
  await page.goto(`${url}/sources?seen=${seen}`);
  await page.waitForSelector("[data-testid=page-sources]");
  assert.equal(await page.locator("[data-testid=seen]").count(), 0);
  await page.click("[data-testid=share]");
  await says("[data-testid=share-dialog]", "the present only");
  assert.equal(await page.locator("[data-testid=share-seen]").count(), 0);
  await page.keyboard.press("Escape");
});

test("no page complained", () => assert.deepEqual(demo.problems, []));
