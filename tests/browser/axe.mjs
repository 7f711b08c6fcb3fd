// Whether a page keeps nobody out: what axe finds serious.
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";

const RULES = ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"];
const source = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** Looks at a page as it is; one line for each serious finding, with where it is. */
export async function serious(page) {
  await page.evaluate(source);
  const result = await page.evaluate((rules) => globalThis.axe.run(document, { runOnly: rules }), RULES);
  const bad = result.violations.filter(({ impact }) => impact === "serious" || impact === "critical");
  return bad.map((violation) => `${violation.id}: ${violation.nodes.map((node) => node.target.join(" ")).join(", ")}`);
}
