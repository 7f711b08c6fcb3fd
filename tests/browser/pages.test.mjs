// Pages as a person uses them: what they show, what a click and a key do, what stands in the address, and that all can read them.

import { test, before, after } from "node:test";
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { serious } from "./axe.mjs";
import { open } from "./demo.mjs";

const TEST = { timeout: 900_000 };
let demo, url, page;

before(async () => {
  demo = await open("--history", "10h", "--calm");
  url = demo.url;
  page = await demo.newPage();
}, { timeout: 600_000 });

after(() => demo?.close());

const seen = (selector) => page.waitForSelector(selector);
const parameter = (name) => new URL(page.url()).searchParams.get(name);
const addressed = (name, there = true) => page.waitForFunction(([name, there]) => new URLSearchParams(location.search).has(name) === there, [name, there]);
/** The end of a shift that is over: it has stops, whatever the time is now. */
const shift = async () => Date.parse((await demo.get("/api/oee?window=shift&asset=Line%202")).rows.findLast((row) => !row.provisional).end);
const asset = async (path) => (await demo.get("/api/assets")).find((one) => one.path === path).id;

test("a line shows its machines on one axis, and its hours", TEST, async () => {
  await page.goto(url);
  await page.click("[data-testid=overview-line] h2 a");
  await seen("[data-testid=hours]");
  assert.match(page.url(), /\/lines\//);
  assert.equal(await page.locator("[data-testid=lane-said]").count(), 6, "the line and five machines");
  assert.ok((await page.locator("[data-testid=hours] tbody tr").count()) >= 1);
  await page.focus("[role=slider]");
  const now = await page.getAttribute("[role=slider]", "aria-valuetext");
  await page.keyboard.press("ArrowLeft");
  await page.waitForFunction((now) => document.querySelector("[role=slider]").getAttribute("aria-valuetext") !== now, now);
  assert.match(await page.getAttribute("[role=slider]", "aria-valuetext"), /\d\d:\d\d:\d\d: .*Filler 1/);
});

test("earlier shifts are one key away, and the address keeps which", TEST, async () => {
  const shown = await page.textContent("[data-testid=shift-shown]");
  await page.evaluate(() => document.activeElement.blur());
  await page.keyboard.press("[");
  await addressed("at");
  await seen("[data-testid=shift-next]");
  const earlier = await page.textContent("[data-testid=shift-shown]");
  assert.notEqual(earlier, shown);
  await page.reload();
  await seen("[data-testid=shift-next]");
  assert.equal(await page.textContent("[data-testid=shift-shown]"), earlier);
  await page.goBack();
  await addressed("at", false);
});

test("the shift before may lie days away", TEST, async () => {
  const other = await demo.newPage();
  const before = { name: "late", start: "2026-01-09T13:00:00Z", end: "2026-01-09T21:00:00Z" };
  await other.route("**/api/shifts*", (route) => route.fulfill({ json: { shift: null, before, after: null } }));
  await other.goto(`${url}/lines/${await asset("Line 1")}`);
  await other.waitForSelector(`[data-testid=shift-previous][href$="at=${Date.parse(before.end)}"]`);
  await other.close();
  const found = await demo.get("/api/shifts");
  assert.ok(Date.parse(found.before.end) <= Date.parse(found.shift.start) && Date.parse(found.after.start) >= Date.parse(found.shift.end));
});

test("a trend takes pens of several machines, zooms by key, goes back to live and is saved", TEST, async () => {
  await page.goto(`${url}/trend?pens=${encodeURIComponent("Line 1/Filler 1:fill_temp")}`);
  await seen(".u-over");
  await page.selectOption("[data-testid=trend-asset]", "Line 2/Filler 2");
  await page.getByLabel("bowl pressure").check();
  await page.waitForFunction(() => document.querySelectorAll(".legend .pen button").length === 2);
  assert.equal(parameter("pens"), "Line 1/Filler 1:fill_temp|Line 2/Filler 2:bowl_pressure");
  await page.focus(".plot[role=application]");
  await page.keyboard.press("+");
  await addressed("from");
  const width = () => Number(parameter("to")) - Number(parameter("from"));
  const [wide, start] = [width(), Number(parameter("from"))];
  await page.keyboard.press("ArrowLeft");
  await page.waitForFunction((start) => Number(new URLSearchParams(location.search).get("from")) < start, start);
  assert.equal(width(), wide, "moving does not zoom");
  // Both ends can be typed, in plant time.
  const typed = await page.inputValue("[data-testid=span-from]");
  const before = Number(parameter("from"));
  await page.fill("[data-testid=span-from]", new Date(Date.parse(`${typed}Z`) - 3_600_000).toISOString().slice(0, typed.length));
  await page.waitForFunction((before) => Number(new URLSearchParams(location.search).get("from")) < before - 3_000_000, before);
  const saved = page.waitForEvent("download");
  await page.click("[data-testid=trend-csv]");
  const file = await readFile(await (await saved).path(), "utf8");
  assert.match(file, /^time,Filler 1 fill temp \(°C\),Filler 2 bowl pressure \(bar\)\r\n/);
  await page.focus(".plot[role=application]");
  await page.keyboard.press("0");
  await addressed("from", false);
});

test("the log says who did what", TEST, async () => {
  for (const armed of [false, true]) {
    const answer = await fetch(`${url}/api/arm`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ armed, name: "m.huber" }) });
    assert.equal(answer.status, 204);
  }
  await page.goto(`${url}/log`);
  await page.waitForFunction(() => document.querySelectorAll("[data-testid=log] tr[data-kind=deed]").length >= 2);
  assert.match(await page.textContent("[data-testid=log]"), /m\.huber/);
  await page.fill("[type=search]", "nothing like this");
  await seen("[data-testid=none]");
  assert.equal(parameter("find"), "nothing like this");
  await page.click("[data-testid=log-system]");
  assert.equal(parameter("view"), "system");
});

/** Looks at a page in light and dark while one address answers something else. */
async function lookAt(address, json, path, there) {
  for (const colorScheme of ["light", "dark"]) {
    const page = await demo.newPage({ colorScheme });
    await page.route(address, (route) => route.fulfill({ json }));
    await page.goto(url + path);
    await page.waitForSelector(there);
    assert.deepEqual(await serious(page), [], colorScheme);
    await page.close();
  }
}

test("the log says whether the chain of who did what is as it was written, and loudly when it is not", TEST, async () => {
  await page.goto(`${url}/log`);
  await seen("[data-testid=audit-chain][data-verified=true]");
  const head = await page.getAttribute("[data-testid=audit-chain] .mono", "title");
  assert.match(head, /^[0-9a-f]{64}$/);
  assert.equal(await page.textContent("[data-testid=audit-chain] .mono"), head.slice(0, 12));
  const other = await demo.newPage();
  const bad = { record: 57, file: "2026-11.jsonl", line: 57, time: "2026-11-22T08:00:00Z", wrong: "it was changed after it was written", advice: "look into a backup" };
  const state = { ...(await demo.get("/api/audit/state")), first_bad: bad };
  await other.route("**/api/audit/state", (route) => route.fulfill({ json: state }));
  await other.goto(`${url}/log`);
  await other.waitForSelector("[data-testid=audit-broken]");
  assert.match(await other.textContent("[data-testid=audit-broken]"), /broken at record 57.*2026-11\.jsonl, line 57.*changed after.*look into a backup/s);
  await lookAt("**/api/audit/state", state, "/log", "[data-testid=audit-broken]");
  state.first_bad = null;
  state.trouble = "the disk is full";
  await other.reload();
  await other.waitForSelector("[data-testid=audit-trouble]");
  await other.close();
});

test("sources show how late their values are, and what is not on disk yet", TEST, async () => {
  await page.goto(`${url}/sources`);
  await page.waitForFunction(() => [...document.querySelectorAll("[data-testid=source-lag]")].some((cell) => /ms.*highest/s.test(cell.textContent)));
  const other = await demo.newPage();
  const sources = (await demo.get("/api/sources")).map((source) => ({ ...source, state: "connected" }));
  Object.assign(sources[0], { lag_ms: -2_400, lag_max_ms: 95_000, backlog: 12_345, clock_offset_ms: -2_500 });
  Object.assign(sources[1], { lag_ms: null, lag_max_ms: null, backlog: 0 });
  await other.route("**/api/sources", (route) => route.fulfill({ json: sources }));
  await other.goto(`${url}/sources`);
  const row = (source, cell) => other.textContent(`[data-source="${source.source}"] [data-testid=source-${cell}]`);
  await other.waitForSelector("[data-testid=source-row]");
  assert.match(await row(sources[0], "lag"), /−2400\sms.*highest\s1\sm\s35\ss.*its clock is 2\ss ahead/s);
  assert.match(await row(sources[0], "backlog"), /12\s345/);
  assert.equal((await row(sources[1], "lag")).trim(), "—");
  await lookAt("**/api/sources", sources, "/sources", "[data-testid=source-row]");
  await other.close();
});

test("OEE explains itself, and a stop gets its reason", TEST, async () => {
  await page.goto(`${url}/oee?asset=${encodeURIComponent("Line 2")}&at=${await shift()}`);
  await seen("[data-testid=figure-oee]");
  assert.ok((await page.locator("[data-testid=waterfall] tr").count()) >= 3);
  await page.click("[data-testid=explain-oee]");
  await addressed("explain");
  await seen("[data-testid=explain-value]");
  assert.match(await page.textContent("[data-testid=explain]"), /OEE = .* planned/);
  await page.keyboard.press("Escape");
  await addressed("explain", false);
  await seen("[data-testid=stops]");
  await page.locator("[data-testid=stop-edit]").last().click();
  await page.fill("[data-testid=stop-reason]", "No bottles");
  await page.fill("[data-testid=stop-comment]", "truck was late");
  await page.click("[data-testid=stop-save]");
  await page.waitForFunction(() => /No bottles.*truck was late/s.test(document.querySelector("[data-testid=stops]")?.textContent ?? ""));
  await page.goto(`${url}/log`);
  await page.waitForFunction(() => /No bottles/.test(document.querySelector("[data-testid=log]")?.textContent ?? ""));
});

test("last night is one choice away, on the board and on the page of a machine", TEST, async () => {
  const nights = (await demo.get("/api/shifts")).recent.filter((shift) => shift.name === "night" && Date.parse(shift.end) < Date.now());
  const night = String(Date.parse(nights[0].end));
  await page.goto(`${url}/assets/${await asset("Line 1/Filler 1")}`);
  await page.click("[data-testid=tab-oee]");
  await seen("[data-testid=figure-oee]");
  await page.selectOption("[data-testid=shift-choice]", night);
  await page.waitForURL((address) => address.searchParams.get("at") === night && address.searchParams.get("tab") === "oee");
  // The demo of this test begins this morning or last night: then there are figures, or the words for none.
  await page.waitForFunction((night) => document.querySelector("[data-testid=shift-choice]")?.value === night && document.querySelector("[data-testid=figure-oee], .notice:not(.waiting)"), night);
  assert.match(await page.textContent("[data-testid=shift-choice] option:checked"), /^Night · .* 22:00–06:00$/);
  await page.click("[data-testid=shift-current]");
  await addressed("at", false);
  await seen("[data-testid=stops]");
  assert.equal(await page.textContent("h1"), "Filler 1");
});

test("the report of a shift is two pages at most", TEST, async () => {
  await page.goto(`${url}/report`);
  await seen("[data-testid=report-lines]");
  assert.equal(await page.locator("[data-testid=report-lines] tbody tr").count(), 3);
  const paper = (await page.pdf({ preferCSSPageSize: true })).toString("latin1");
  const pages = paper.match(/\/Type\s*\/Page\b/g).length;
  assert.ok(pages <= 2, `${pages} pages`);
});

test("a control chart marks what breaks a rule, and says whether the limits are kept", TEST, async () => {
  await page.goto(`${url}/assets/${await asset("Line 1/Filler 1")}?tab=spc`);
  await seen("[data-testid=spc-basis]");
  assert.match(await page.textContent("[data-testid=spc-limits]"), /normal band of the plant file/);
  assert.match(await page.textContent("[data-testid=spc-capability]"), /Cp\d+\.\d\d/);
  await page.click("[data-testid=spc-xbar]");
  await page.selectOption("[data-testid=spc-size]", "3");
  await page.waitForFunction(() => /subgroups of 3 values/.test(document.querySelector("[data-testid=spc-basis]")?.textContent ?? ""));
  assert.equal(parameter("chart"), "xbar");
  await page.focus("[data-testid=spc-chart]");
  await page.keyboard.press("End");
  await page.waitForFunction(() => /Mean .* Range /.test(document.querySelector("[data-testid=spc-said]")?.textContent ?? ""));
  assert.equal(await page.getAttribute("[data-testid=spc-chart]", "aria-valuetext"), await page.textContent("[data-testid=spc-said]"));
  const capability = await page.textContent("[data-testid=spc-capability]");
  await page.fill("[data-testid=spc-usl]", "95");
  await page.keyboard.press("Enter");
  await addressed("usl");
  assert.match(await page.textContent("[data-testid=spc-limits]"), /typed/);
  assert.notEqual(await page.textContent("[data-testid=spc-capability]"), capability);
  await page.click("[data-testid=spc-rule-1]");
  assert.equal(parameter("off"), "1");
  await page.click("[data-testid=spc-table]");
  assert.ok((await page.locator("[data-testid=spc] .rows tbody tr").count()) > 2);
});

test("what somebody may not do is shut, with the reason, and a refusal is said in words", TEST, async () => {
  const other = await demo.newPage({ hasTouch: true });
  await other.route("**/api/plant", async (route) => {
    const answer = await route.fetch();
    await route.fulfill({ response: answer, json: { ...(await answer.json()), you: { name: "Vera", role: "viewer" } } });
  });
  const refusal = { error: { message: "Vera has the role viewer and may not do this", hint: "ask somebody with the role engineer" } };
  await other.route("**/api/definition", (route) => route.fulfill({ status: 403, json: refusal }));
  await other.goto(`${url}/models?tab=file`);
  await other.waitForSelector("[data-testid=role]");
  assert.match(await other.textContent("[data-testid=forbidden]"), /may not do this here.*Vera has the role viewer.*Ask somebody/s);
  // A finger finds no tooltip: whoever presses what is shut is told why.
  // `force`: the driver itself would wait until it is enabled.
  await other.locator("[data-testid=armed][aria-disabled=true]").first().tap({ force: true });
  await other.waitForFunction(() => /needs the role engineer; Vera is a viewer/.test(document.querySelector("[data-testid=toast]")?.textContent ?? ""));
  assert.equal(await other.locator("dialog[open]").count(), 0);
  await other.unrouteAll({ behavior: "ignoreErrors" });
  await other.close();
  demo.problems.splice(0); // the browser reports the 403 that was asked for
});

test("figures that could not be read again are not shown as the present", TEST, async () => {
  const other = await demo.newPage();
  await other.goto(`${url}/sources`);
  await other.waitForSelector("[data-testid=source-row]");
  await other.route("**/api/sources", (route) => route.fulfill({ status: 500, json: { error: { message: "query failed", hint: "see the log" } } }));
  await other.waitForSelector("[data-testid=outdated]");
  assert.match(await other.textContent("[data-testid=outdated]"), /could not be read again\. Query failed\. See the log\./);
  await other.unrouteAll({ behavior: "ignoreErrors" });
  await other.waitForSelector("[data-testid=outdated]", { state: "detached" });
  await other.close();
  demo.problems.splice(0); // the browser reports the 500 that was asked for
});

test("an address that leads nowhere says so", TEST, async () => {
  const other = await demo.newPage();
  await other.goto(`${url}/lines/none`);
  await other.waitForSelector("[role=alert]");
  assert.match(await other.textContent("[role=alert]"), /none/);
  await other.close();
  demo.problems.splice(0); // the browser reports the 404 that was asked for
});

test("no page complained", () => assert.deepEqual(demo.problems, []));
