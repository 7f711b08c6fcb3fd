// Every page on every screen: all can read it, nothing runs off its side, and a finger finds what it may press.

import { test, before, after } from "node:test";
import assert from "node:assert/strict";
import { serious } from "./axe.mjs";
import { open } from "./demo.mjs";
import { names as named, PAGES, SCREENS, show } from "./everywhere.mjs";

const TEST = { timeout: 900_000 };
/** What a finger needs on touch screens, in CSS pixels. */
const FINGER = 44;
let demo, names;

before(async () => {
  demo = await open("--history", "10h", "--calm", "--sql-listen", "127.0.0.1:0");
  names = await named(demo);
}, { timeout: 600_000 });

after(() => demo?.close());

/** What is wrong with how a page lies on its screen. */
function misplaced(finger) {
  const found = [];
  const main = document.querySelector("main");
  for (const box of [document.documentElement, main]) if (box.scrollWidth > box.clientWidth + 1) found.push(`${box.tagName} is ${box.scrollWidth - box.clientWidth} px too wide`);
  const name = (element) => `${element.tagName.toLowerCase()}${element.dataset.testid ? `[${element.dataset.testid}]` : ""} “${(element.textContent || element.getAttribute("aria-label") || "").trim().slice(0, 40)}”`;
  for (const element of finger ? document.querySelectorAll("button, select, input:not([type=checkbox]), summary, nav a") : []) {
    const { width, height } = element.getBoundingClientRect();
    if (width > 0 && height > 0 && height < finger - 0.5 && getComputedStyle(element).visibility === "visible") found.push(`${name(element)} is ${Math.round(height)} px tall`);
  }
  return found;
}

for (const [screen, options] of Object.entries(SCREENS)) {
  test(`every page fits: ${screen}`, TEST, async () => {
    const page = await demo.newPage(options);
    const found = [];
    for (const [name, where] of Object.entries(PAGES)) {
      await show(page, demo, where, names);
      for (const wrong of await page.evaluate(misplaced, options.hasTouch ? FINGER : 0)) found.push(`${name}: ${wrong}`);
    }
    await page.close();
    assert.deepEqual(found, []);
  });
}

for (const colorScheme of ["light", "dark"]) {
  test(`no page keeps anybody out: ${colorScheme}`, TEST, async () => {
    const page = await demo.newPage({ colorScheme });
    const found = [];
    for (const [name, where] of Object.entries(PAGES)) {
      await show(page, demo, where, names);
      for (const wrong of await serious(page)) found.push(`${name}: ${wrong}`);
    }
    await page.close();
    assert.deepEqual(found, []);
  });
}

test("no page complained", () => assert.deepEqual(demo.problems, []));
