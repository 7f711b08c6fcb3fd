// The pages of those who build the plant's models: formulas, plant file, replay and back-test, connections; and notes for the next shift.

import { test, before, after } from "node:test";
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { open, PERSON } from "./demo.mjs";

const TEST = { timeout: 900_000 };
let demo, url, page;

before(async () => {
  demo = await open("--history", "10h", "--calm", "--sql-listen", "127.0.0.1:0");
  url = demo.url;
  page = await demo.newPage({ acceptDownloads: true });
}, { timeout: 600_000 });

after(() => demo?.close());

const seen = (selector) => page.waitForSelector(selector);
const says = (selector, words) => page.waitForFunction(([selector, words]) => document.querySelector(selector)?.textContent.includes(words), [selector, words]);
const parameter = (name) => new URL(page.url()).searchParams.get(name);
const asset = async (path) => (await demo.get("/api/assets")).find((one) => one.path === path).id;
/** Exchanges the text of an editor by the keyboard. */
async function type(editor, words) {
  await page.click(editor);
  await page.keyboard.press("Control+A");
  await page.keyboard.insertText(words);
}

test("a formula is tried on a machine while it is typed, with its unit and its mistakes", TEST, async () => {
  await page.goto(`${url}/models`);
  await page.fill("[data-testid=model-filter]", "overfill");
  await page.click("[data-testid=model-property] >> text=overfill");
  assert.equal(parameter("of"), "overfill");
  await seen("[data-testid=tried-value]");
  await type("[data-testid=formula-editor]", "fil_temp - temp_limit");
  await says("[data-testid=remark]", "fill_temp");
  await page.click("[data-testid=take]");
  await page.waitForFunction(() => /K/.test(document.querySelector("[data-testid=tried-value]")?.textContent ?? ""));
  assert.equal(parameter("try"), "fill_temp - temp_limit");
  await type("[data-testid=formula-editor]", "fill_temp + bowl_pressure");
  await says("[data-testid=remark]", "°C and bar");
  assert.ok(await page.isDisabled("[data-testid=put]"), "what is wrong does not go into the plant file");
});

test("an address shows the formula as it was tried, on the machine it was tried on", TEST, async () => {
  const filler = await asset("Line 2/Filler 2");
  await page.goto(`${url}/models?model=filler&of=temp_avg&asset=${filler}&try=${encodeURIComponent("max(fill_temp)")}`);
  await seen("[data-testid=tried-value]");
  assert.match(await page.textContent("[data-testid=formula]"), /as a metric, in windows of 5/);
  assert.equal(await page.inputValue("[data-testid=try-asset]"), filler);
});

test("connections are told with the addresses of this very service", TEST, async () => {
  await page.goto(`${url}/connections`);
  await says("[data-testid=listeners]", new URL(url).host);
  const psql = await page.textContent("[data-testid=snippet]");
  assert.match(psql, /psql 'host=127\.0\.0\.1 port=\d+ user=demo dbname=andon sslmode=disable'/);
  await page.focus("[data-testid=way-duckdb]");
  await page.keyboard.press("Enter");
  await says("[data-testid=snippet]", "history/samples");
  assert.equal(parameter("way"), "duckdb");
  await page.goBack();
  await says("[data-testid=snippet]", "psql");
});

test("a note for the next shift is kept with its author, and stands on the shift report", TEST, async () => {
  await page.goto(`${url}/lines/${await asset("Line 1")}`);
  await page.fill("[data-testid=note-text]", "<b>Caps</b> run low; new box at six");
  assert.equal(await page.inputValue("[data-testid=notes] [data-testid=person]"), PERSON);
  await page.keyboard.press("Enter");
  await says("[data-testid=notes]", "<b>Caps</b> run low");
  assert.match(await page.textContent("[data-testid=notes]"), /Mara/);
  await page.goto(`${url}/report`);
  await says("[data-testid=report-notes]", "Caps");
  await page.goto(`${url}/log`);
  await says("[data-testid=log]", "Noted for the next shift");
});

test("a trend is saved as Parquet", TEST, async () => {
  await page.goto(`${url}/trend?pens=${encodeURIComponent("Line 1/Filler 1:fill_temp")}`);
  const [file] = await Promise.all([page.waitForEvent("download"), page.click("[data-testid=trend-parquet]")]);
  const bytes = await readFile(await file.path());
  assert.equal(bytes.subarray(0, 4).toString(), "PAR1");
  assert.equal(bytes.subarray(-4).toString(), "PAR1");
});

test("the search finds properties and the new pages", TEST, async () => {
  await page.goto(url);
  await seen("[data-testid=overview-line]");
  for (const [words, address] of [["fill_temp filler 2", /\/assets\/.*tab=trend.*pens=fill_temp/], ["models", /\/models$/], ["connect", /\/connections$/]]) {
    await page.keyboard.press("Control+K");
    await page.fill("[data-testid=search-input]", words);
    await seen("#found-0[aria-selected=true]");
    // Properties come with the models, a moment after the pages.
    await page.waitForFunction((word) => document.querySelector("#found-0")?.textContent.toLowerCase().replaceAll(" ", "_").includes(word), words.split(" ")[0]);
    await page.keyboard.press("Enter");
    await page.waitForURL(address);
  }
});

test("no page complained", () => assert.deepEqual(demo.problems, []));
