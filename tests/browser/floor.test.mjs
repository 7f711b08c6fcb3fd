// On the floor: a tablet, fingers, and a network that comes and goes.

import { test, before, after } from "node:test";
import assert from "node:assert/strict";
import net from "node:net";
import { open, until } from "./demo.mjs";

const TEST = { timeout: 900_000 };
const TABLET = { viewport: { width: 1024, height: 768 }, hasTouch: true };
/** What a finger needs, in pixels. */
const FINGER = 44;
let demo, url, page;

before(async () => {
  demo = await open("--history", "10h");
  url = demo.url;
  page = await demo.newPage(TABLET);
}, { timeout: 600_000 });

after(() => demo?.close());

const says = (selector, words) => page.waitForFunction(([selector, words]) => document.querySelector(selector)?.textContent.includes(words), [selector, words]);
const parameter = (name) => new URL(page.url()).searchParams.get(name);
/** The end of a shift that is over: it has stops, whatever the time is now. */
const shift = async () => Date.parse((await demo.get("/api/oee?window=shift&asset=Line%202")).rows.findLast((row) => !row.provisional).end);

test("a stop is split, given a reason and a comment by touch", TEST, async () => {
  await page.goto(`${url}/oee?asset=${encodeURIComponent("Line 2")}&at=${await shift()}&micro=1`);
  await page.waitForSelector("[data-testid=stops]");
  const stops = () => page.locator("[data-testid=stop]").count();
  const before = await stops();
  const edit = page.locator("[data-testid=stop-edit]").first();
  const box = await edit.boundingBox();
  assert.ok(Math.min(box.width, box.height) >= FINGER, `a button of ${box.width} × ${box.height}`);
  await edit.tap();
  await page.locator("[data-testid=stop-split]").tap();
  await page.fill("[data-testid=stop-reason]", "Film torn");
  await page.fill("[data-testid=stop-comment]", "second roll");
  await page.locator("[data-testid=stop-save]").tap();
  await says("[data-testid=stops]", "second roll");
  await page.waitForFunction((before) => document.querySelectorAll("[data-testid=stop]").length === before + 1, before);
  // A reason that was given once is one touch away for the next stop.
  await page.locator("[data-testid=stop-edit]").last().tap();
  await page.getByRole("button", { name: "Film torn", exact: true }).tap();
  await page.locator("[data-testid=stop-save]").tap();
  await page.waitForFunction(() => [...document.querySelectorAll("[data-testid=stop-said]")].filter((one) => one.textContent === "Film torn").length === 2);
  await says("[data-testid=pareto]", "Film torn");
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true, "nothing reaches beyond the tablet");
});

test("the search finds a machine, a value, an alarm and a page", TEST, async () => {
  const alarm = await until(async () => (await demo.get("/api/alarms?view=active"))[0]);
  await page.goto(url);
  await page.waitForSelector("[data-testid=overview-line]");
  for (const [words, first, address] of [
    ["seamer 3", /Seamer 3/, /\/assets\/[^?]+$/],
    ["bowl pressure", /bowl pressure/i, /tab=trend.*pens=bowl_pressure/],
    [`${alarm.detector} ${alarm.path.split("/").at(-1)}`, new RegExp(alarm.detector), new RegExp(`/detectors/.*/${alarm.detector}|/alarms`)],
    ["shift report", /report/i, /\/report$/],
  ]) {
    await page.keyboard.press("Control+K");
    await page.fill("[data-testid=search-input]", words);
    await page.waitForFunction((first) => new RegExp(first, "i").test(document.querySelector("#found-0")?.textContent ?? ""), first.source);
    await page.keyboard.press("Enter");
    await page.waitForURL(address);
  }
});

test("a lost link is said, and the values go on when it is back", TEST, async () => {
  const wire = await proxy(Number(new URL(url).port));
  const away = await demo.newPage();
  try {
    await away.goto(`http://127.0.0.1:${wire.port}/`);
    await away.waitForSelector("[data-testid=link-state][data-state=live]");
    await away.waitForSelector("[data-testid=machine-value]");
    wire.cut();
    await away.waitForSelector("[data-testid=link-lost]");
    await away.waitForSelector("[data-testid=link-state][data-state=lost]");
    await away.waitForFunction(() => document.querySelectorAll("[data-testid=machine-tile].hatch").length > 10);
    const stood = await away.$$eval("[data-testid=machine-value]", (all) => all.map((one) => one.textContent).join());
    wire.mend();
    await away.waitForSelector("[data-testid=link-state][data-state=live]");
    await away.waitForSelector("[data-testid=link-lost]", { state: "detached" });
    await away.waitForFunction((stood) => [...document.querySelectorAll("[data-testid=machine-value]")].map((one) => one.textContent).join() !== stood, stood);
    await away.waitForFunction(() => document.querySelectorAll("[data-testid=machine-tile].hatch").length < 5);
  } finally {
    await away.close();
    wire.close();
    demo.problems.splice(0); // the browser reports what it could not reach meanwhile
  }
});

test("no page complained", () => assert.deepEqual(demo.problems, []));

/** A wire to a port of this machine that can be cut. */
async function proxy(to) {
  const open = new Set();
  let whole = true;
  const server = net.createServer((near) => {
    if (!whole) return near.destroy();
    const far = net.connect(to, "127.0.0.1");
    for (const [one, other] of [[near, far], [far, near]]) {
      open.add(one);
      one.on("error", () => other.destroy());
      one.on("close", () => (open.delete(one), other.destroy()));
      one.pipe(other);
    }
  });
  await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
  const cut = () => {
    whole = false;
    open.forEach((one) => one.destroy());
  };
  return { port: server.address().port, cut, mend: () => (whole = true), close: () => (cut(), server.close()) };
}
