// Whether pages keep nobody out: axe, light and dark, without a serious finding.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";

const RULES = ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"];

/** Looks at pages: their addresses, each with what must be there first. `{name}` in an address is filled in from `names`. */
export async function look(demo, pages, names, colorScheme) {
  const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
  const page = await demo.newPage({ colorScheme });
  const found = [];
  for (const [address, there] of Object.entries(pages)) {
    await page.goto(demo.url + address.replace(/\{(\w+)\}/g, (_, name) => names[name]));
    await page.waitForSelector(there);
    await page.evaluate(axe);
    const result = await page.evaluate((rules) => globalThis.axe.run(document, { runOnly: rules }), RULES);
    for (const violation of result.violations.filter(({ impact }) => impact === "serious" || impact === "critical"))
      found.push(`${address}: ${violation.id}: ${violation.nodes.map((node) => node.target.join(" ")).join(", ")}`);
  }
  await page.close();
  assert.deepEqual(found, []);
}
