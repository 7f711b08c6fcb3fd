// Opens the demo as a plant engineer would: values move, an incident unfolds, an alarm is acknowledged.

import { test, before, after } from "node:test";
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const ANDON = process.env.ANDON_BIN ?? fileURLToPath(new URL("../../target/debug/andon", import.meta.url));
const CHROMIUM = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(existsSync);
const QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];

let demo, url, browser, page;
const problems = [];

before(async () => {
  assert.ok(CHROMIUM, "Chromium is missing; tests/run installs it");
  demo = spawn(ANDON, ["demo", "--listen", "127.0.0.1:0", "--history", "1h"], { stdio: ["ignore", "pipe", "pipe"] });
  url = await new Promise((resolve, reject) => {
    let text = "";
    const read = (chunk) => {
      text += chunk;
      const found = text.match(/http:\/\/[0-9.:]+/);
      if (found) resolve(found[0]);
    };
    demo.stdout.on("data", read);
    demo.stderr.on("data", read);
    demo.on("exit", (code) => reject(new Error(`the demo ended with ${code}:\n${text}`)));
  });
  browser = await chromium.launch({ executablePath: CHROMIUM, args: QUIET });
  page = await browser.newPage({ viewport: { width: 1366, height: 768 } });
  page.on("pageerror", (error) => problems.push(String(error)));
  page.on("console", (message) => message.type() === "error" && problems.push(message.text()));
}, { timeout: 300_000 });

after(async () => {
  await browser?.close();
  if (demo && demo.exitCode === null) {
    const ended = new Promise((resolve) => demo.on("exit", resolve));
    demo.kill("SIGINT");
    await ended;
  }
});

test("the overview shows fifteen machines whose values move", { timeout: 60_000 }, async () => {
  await page.goto(url);
  await page.waitForFunction(() => document.querySelectorAll("[data-testid=machine-tile]").length === 15);
  const values = () => page.$$eval("[data-testid=machine-value]", (all) => all.map((value) => value.textContent).join("|"));
  const first = await values();
  await page.waitForFunction((before) => {
    const now = [...document.querySelectorAll("[data-testid=machine-value]")].map((value) => value.textContent).join("|");
    return now !== before;
  }, first);
});

test("the incident is seen on the detector page, acknowledged, and seen acknowledged", { timeout: 180_000 }, async () => {
  const detectors = await (await fetch(`${url}/api/detectors`)).json();
  const overheat = detectors.find((one) => one.path === "Line 2/Filler 2" && one.detector === "overheat");
  assert.ok(overheat, "Filler 2 has the detector overheat");
  await page.goto(`${url}/detectors/${overheat.asset}/overheat`);
  await page.waitForFunction(() => /alarm|tripped/.test(document.querySelector("[data-testid=detector-state]")?.textContent ?? ""), null, { timeout: 150_000 });
  await page.click("[data-testid=acknowledge]");
  const confirm = page.locator("[data-testid=acknowledge-confirm]");
  if (await confirm.count()) await confirm.click();
  await page.waitForFunction(() => /acknowledged|handled/i.test(document.querySelector("[data-testid=detector-alarm]")?.textContent ?? ""));
  const after = await (await fetch(`${url}/api/detectors`)).json();
  assert.equal(after.find((one) => one.asset === overheat.asset && one.detector === "overheat").alarm_state, "acknowledged");
});

test("SQL answers in the browser", { timeout: 60_000 }, async () => {
  await page.goto(`${url}/sql`);
  await page.waitForSelector("[data-testid=sql-run]");
  await page.click("[data-testid=sql-run]");
  await page.waitForSelector("[data-testid=sql-result] td");
});

test("no page complained", () => assert.deepEqual(problems, []));
