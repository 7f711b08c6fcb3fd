// Opens the demo as a plant engineer would: values move, an incident unfolds, an alarm is acknowledged.

import { test, before, after } from "node:test";
import assert from "node:assert/strict";
import { open } from "./demo.mjs";

let demo, url, page, problems;

before(async () => {
  demo = await open("--history", "1h");
  ({ url, problems } = demo);
  page = await demo.newPage({ stranger: true });
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
  // Nobody is logged in: without a name nothing is done, and the name stands beside the deed.
  const name = page.locator("[data-testid=person]");
  await name.waitFor();
  assert.equal(await name.evaluate((field) => field === document.activeElement), true, "the cursor stands where something is missing");
  await page.keyboard.press("Enter");
  assert.equal(await name.isVisible(), true, "the form stays");
  await page.keyboard.type("Mara");
  await page.fill("[data-testid=acknowledge-note]", "valve closed by hand");
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => /acknowledged|handled/i.test(document.querySelector("[data-testid=detector-alarm]")?.textContent ?? ""));
  const after = await demo.get("/api/detectors");
  assert.equal(after.find((one) => one.asset === overheat.asset && one.detector === "overheat").alarm_state, "acknowledged");
  await page.goto(`${url}/log`);
  await page.waitForFunction(() => /Mara.*Acknowledged.*Filler 2.*valve closed by hand/s.test(document.querySelector("[data-testid=log]")?.textContent ?? ""));
  // For the rest of the shift the device knows who sits there.
  await page.goto(`${url}/alarms?view=active`);
  await page.locator("[data-testid=shelve]").first().click();
  assert.equal(await page.inputValue("[data-testid=person]"), "Mara");
  await page.keyboard.press("Escape");
  await page.waitForSelector("[data-testid=person]", { state: "detached" });
});

test("an alarm is taken out of service and put back, and stands where such alarms stand", { timeout: 300_000 }, async () => {
  await page.goto(`${url}/alarms`);
  const row = page.locator("[data-testid=alarm-row][data-detector=overheat]");
  await row.locator("[data-testid=shelve]").click();
  await page.click("[data-testid=choose-out-of-service]");
  await page.fill("[data-testid=shelve-note]", "sensor is changed");
  await page.click("[data-testid=out-of-service-confirm]");
  await row.waitFor({ state: "detached" });
  await page.click("[data-testid=view-out]");
  await page.click("[data-testid=alarm-row][data-state=out_of_service] [data-testid=return-to-service]");
  await page.click("[data-testid=return-to-service-confirm]");
  await page.waitForSelector("[data-testid=none]");
  await page.click("[data-testid=view-performance]");
  await page.waitForSelector("[data-testid=findings]");
  assert.ok((await page.locator("[data-testid=bad-actors] tbody tr").count()) >= 1);
  await page.locator("[data-testid=try-delay]").first().click();
  await page.waitForFunction(() => /tab=backtest.*delay=10s/.test(location.search));
});

test("SQL answers in the browser", { timeout: 300_000 }, async () => {
  await page.goto(`${url}/sql`);
  await page.waitForSelector("[data-testid=sql-run]");
  await page.click("[data-testid=sql-run]");
  await page.waitForSelector("[data-testid=sql-result] td");
});

test("no page complained", () => assert.deepEqual(problems, []));
