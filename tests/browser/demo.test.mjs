// Opens the demo as a plant engineer would: values move, an incident unfolds, an alarm is acknowledged.

import { test, before, after } from "node:test";
import assert from "node:assert/strict";
import { open } from "./demo.mjs";

let demo, url, page, problems;

before(async () => {
  demo = await open("--history", "1h");
  ({ url, problems } = demo);
  page = await demo.newPage();
}, { timeout: 300_000 });

after(() => demo?.close());

test("the overview shows fifteen machines whose values move", { timeout: 300_000 }, async () => {
  await page.goto(url);
  await page.waitForFunction(() => document.querySelectorAll("[data-testid=machine-tile]").length === 15);
  const values = () => page.$$eval("[data-testid=machine-value]", (all) => all.map((value) => value.textContent).join("|"));
  const first = await values();
  await page.waitForFunction((before) => {
    const now = [...document.querySelectorAll("[data-testid=machine-value]")].map((value) => value.textContent).join("|");
    return now !== before;
  }, first);
});

test("the incident is seen on the detector page, acknowledged, and seen acknowledged", { timeout: 600_000 }, async () => {
  const detectors = await demo.get("/api/detectors");
  const overheat = detectors.find((one) => one.path === "Line 2/Filler 2" && one.detector === "overheat");
  assert.ok(overheat, "Filler 2 has the detector overheat");
  await page.goto(`${url}/detectors/${overheat.asset}/overheat`);
  await page.waitForFunction(() => /alarm|tripped/.test(document.querySelector("[data-testid=detector-state]")?.textContent ?? ""), null, { timeout: 400_000 });
  await page.click("[data-testid=acknowledge]");
  const confirm = page.locator("[data-testid=acknowledge-confirm]");
  if (await confirm.count()) await confirm.click();
  await page.waitForFunction(() => /acknowledged|handled/i.test(document.querySelector("[data-testid=detector-alarm]")?.textContent ?? ""));
  const after = await demo.get("/api/detectors");
  assert.equal(after.find((one) => one.asset === overheat.asset && one.detector === "overheat").alarm_state, "acknowledged");
});

test("SQL answers in the browser", { timeout: 300_000 }, async () => {
  await page.goto(`${url}/sql`);
  await page.waitForSelector("[data-testid=sql-run]");
  await page.click("[data-testid=sql-run]");
  await page.waitForSelector("[data-testid=sql-result] td");
});

test("no page complained", () => assert.deepEqual(problems, []));
