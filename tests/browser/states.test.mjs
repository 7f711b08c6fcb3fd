// Pages of a plant that is nearly empty, says nothing, or has names that nobody would give: what is not known is not shown as known, and
// every page says the way out.

import { test, before, after } from "node:test";
import assert from "node:assert/strict";
import { run } from "./demo.mjs";

const TEST = { timeout: 900_000 };
/** As far as a plant file may go with a name; devices bring such, too. */
const LONG = '<img src=x onerror="document.title=1"> Reserve filling and closing machine of hall 3, formerly line 27 of the old works';

/** No machines: an alarm over messages, and nothing else. */
const MESSAGES = `
plant: { name: Quiet Works, timezone: Europe/Berlin }
inputs:
  door: { attributes: [id, open] }
  door_alarm: { attributes: [action, seconds, note, by, id] }
detectors:
  left_open:
    key: id
    alarm: { priority: critical, message: "A door stands open", input: door_alarm }
    initial: NORMAL
    states:
      NORMAL: { go: [{ event: opened, when: $input.door.open == true, to: ACTIVE }] }
      ACTIVE: { go: [{ event: closed, when: $input.door.open == false, to: NORMAL }] }
`;

/** Machines behind a device that does not answer. */
const SILENT = `
plant: { name: '${LONG}', timezone: Europe/Berlin }
shifts: { all: Mon-Sun 00:00-24:00 }
sources:
  plc: { modbus: "tcp://127.0.0.1:9", unit: 1, every: 1s }
models:
  hall:
    children: { machines: press }
    oee: { of: machines, form: weighted, target: 70 }
  press:
    attributes: { ideal_rate: { default: 3600, unit: 1/h } }
    measurements:
      state: { type: int, from: holding/2 u16 @plc }
      good: { type: counter, from: holding/4 u32 @plc }
    transforms:
      running: state == 6
    oee: { running: running, good: good, ideal_rate: ideal_rate, target: 70 }
  row:
    children: { machines: post }
  post:
    attributes: { temp_limit: { default: 82, unit: °C } }
    measurements:
      temp: { unit: °C, normal: 70..80 }
      total: { unit: m³/h }
    detectors:
      overheat_of_the_main_bearing_behind_the_gearbox:
        priority: high
        message: Temperature {temp} is above {temp_limit}
        response: Open the valve
        initial: normal
        states:
          normal: { go: [{ when: temp > temp_limit, to: hot }] }
          hot: { enter: [raise], exit: [clear], go: [{ when: temp < temp_limit - 3, to: normal }] }
assets:
  Hall:
    model: hall
    machines:
      Press: { model: press, plc: plc }
  'Row ${LONG}':
    model: row
    machines:
${Array.from({ length: 40 }, (_, index) => `      '${index} ${LONG}': { model: post }`).join("\n")}
`;
let messages, silent, press, post;

before(async () => {
  [messages, silent] = [await run(MESSAGES), await run(SILENT)];
  const assets = await silent.get("/api/assets");
  [press, post] = ["Press", "7 "].map((name) => assets.find((asset) => asset.name.startsWith(name)));
  const path = post.path.replace(/[ ,=]/g, "\\$&");
  const now = Math.floor(Date.now() / 1_000);
  const body = [60, 40, 20].map((ago) => `m,asset=${path} temp=75,total=123456789012 ${now - ago}`).join("\n");
  const answer = await fetch(`${silent.url}/api/write?precision=s`, { method: "POST", body });
  assert.equal(answer.status, 204, await answer.text());
}, { timeout: 600_000 });

after(async () => {
  await messages?.close();
  await silent?.close();
});

test("a plant without machines says on every page what is missing, and where to add it", TEST, async () => {
  const page = await messages.newPage();
  for (const address of ["/", "/oee", "/detectors", "/trend", "/models", "/sources", "/report"]) {
    await page.goto(messages.url + address);
    await page.waitForSelector("[data-testid=none] code");
    assert.equal(await page.locator(".notice a").getAttribute("href"), "/models?tab=file", address);
  }
  await page.goto(`${messages.url}/assets/none`);
  await page.getByRole("alert").getByRole("link").click();
  await page.waitForURL(`${messages.url}/`);
  await page.close();
  messages.problems.splice(0); // the browser reports the 404 that was asked for
});

test("an alarm over messages stands on the overview of a plant without machines, and leads to its story", TEST, async () => {
  const body = JSON.stringify({ id: "gate 4", open: true });
  assert.equal((await fetch(`${messages.url}/api/inputs/door`, { method: "POST", headers: { "content-type": "application/json" }, body })).status, 204);
  const page = await messages.newPage();
  await page.goto(messages.url);
  await page.click("[data-testid=attention-item]");
  await page.waitForFunction(() => /Alarm raised/.test(document.querySelector("[data-testid=log]")?.textContent ?? ""));
  assert.match(await page.textContent("[data-testid=log]"), /gate 4/);
  await page.goto(`${messages.url}/alarms`);
  await page.waitForSelector("[data-testid=alarm-row]");
  assert.equal(await page.locator("[data-testid=alarm-row] .message a").getAttribute("href"), "/log?view=all&find=gate%204");
  await page.close();
});

test("of a machine that says nothing no page says that it ran, or that nothing was lost", TEST, async () => {
  const page = await silent.newPage();
  await page.goto(`${silent.url}/assets/${press.id}?tab=oee`);
  await page.waitForSelector("[data-testid=lanes] .strip .unknown");
  assert.equal(await page.locator("[data-testid=lanes] .strip .running").count(), 0);
  assert.equal(await page.textContent("[data-testid=figure-availability] .pv"), "—");
  assert.match(await page.textContent("[data-testid=pareto]"), /only 0\s% of the time/);
  assert.equal(await page.getByText("It did not stop").count(), 0);
  // A line that only adds up its machines has no stops: that is no failure.
  await page.goto(`${silent.url}/oee?asset=Hall`);
  await page.waitForSelector("[data-testid=waterfall]");
  await page.getByText("It has no stops of its own").waitFor();
  await page.goto(`${silent.url}/sources`);
  await page.getByText("check address, port and cable").waitFor();
  await page.close();
  silent.problems.splice(0); // the browser reports the 404 of the stops
});

test("the limit of a detector is drawn before it ever moved", TEST, async () => {
  const page = await silent.newPage();
  await page.goto(`${silent.url}/detectors/${post.id}/overheat_of_the_main_bearing_behind_the_gearbox`);
  await page.waitForSelector(".legend .pen");
  const limit = page.locator(".legend .pen", { hasText: "temp limit" });
  assert.equal(await limit.locator("path").getAttribute("stroke-dasharray"), "5 3", "a constant reaches from edge to edge");
  await page.close();
});

test("no name is too long for a page, and no number is cut", TEST, async () => {
  const page = await silent.newPage();
  const line = (await silent.get("/api/assets")).find((asset) => asset.name.startsWith("Row")).id;
  const detector = `/detectors/${post.id}/overheat_of_the_main_bearing_behind_the_gearbox`;
  for (const [address, there] of [["/", "[data-testid=machine-tile]"], [`/lines/${line}`, "[data-testid=lanes]"], [`/assets/${post.id}`, "[data-testid=property]"], [detector, "[data-testid=story]"], ["/detectors", "[data-testid=detector-row]"], ["/trend", ".pens li label"]]) {
    await page.goto(silent.url + address);
    await page.waitForSelector(there);
    const beyond = await page.evaluate(() => [document.documentElement.scrollWidth - innerWidth, document.querySelector("main").scrollWidth - document.querySelector("main").clientWidth]);
    assert.deepEqual(beyond, [0, 0], `${address} reaches beyond its page`);
    const clock = await page.locator("[data-testid=clock]").boundingBox();
    assert.ok(clock.x + clock.width <= 1366, `the clock is in sight on ${address}`);
  }
  await page.goto(`${silent.url}/assets/${post.id}`);
  const value = page.locator("[data-key=total] td.value");
  await value.waitFor();
  assert.match(await value.textContent(), /123.456.789.012/);
  assert.ok(await value.evaluate((cell) => cell.scrollWidth <= cell.clientWidth), "the whole number is seen");
  assert.match(await page.title(), /^7 <img/);
  await page.close();
});

test("no page complained", () => assert.deepEqual([...messages.problems, ...silent.problems], []));
