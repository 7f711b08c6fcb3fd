// What a source offers, in the browser: its tree by keyboard, a search, registers read in every way, and a node bound through plan and apply.

import { test, before, after } from "node:test";
import assert from "node:assert/strict";
import { open, until } from "./demo.mjs";

const TEST = { timeout: 900_000 };
let demo, url, page;

before(async () => {
  demo = await open("--no-history");
  url = demo.url;
  page = await demo.newPage();
}, { timeout: 900_000 });

after(() => demo?.close());

const item = (node) => `[data-testid=browse-node][data-node="${node}"]`;
const parameter = (name) => new URL(page.url()).searchParams.get(name);
const FILLER = "nsu=urn:bottling-north:line1;s=Filler";
const STOP = `${FILLER}.StopRequest`;

test("a source opens to its tree, and arrows walk it", TEST, async () => {
  await page.goto(`${url}/sources`);
  await page.click("[data-source=line1_plc] a");
  assert.equal(parameter("source"), "line1_plc");
  await page.waitForSelector(item(FILLER));
  await page.focus("[data-testid=browse-node][tabindex='0']");
  await page.keyboard.press("Home");
  // Down to the filler, whatever stands before it.
  for (let step = 0; step < 50 && (await page.evaluate(() => document.activeElement?.dataset.node)) !== FILLER; step += 1) await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowRight");
  await page.waitForSelector(item(`${FILLER}.Bowl.Temp`));
  assert.equal(await page.getAttribute(item(FILLER), "aria-expanded"), "true");
  const temp = await page.textContent(item(`${FILLER}.Bowl.Temp`));
  assert.match(temp, /\d.*Double.*Line 1\/Filler 1 · fill_temp/s);
  await page.keyboard.press("ArrowRight");
  assert.equal(await page.evaluate(() => document.activeElement?.getAttribute("aria-level")), "2", "the first child has the focus");
  await page.keyboard.press("ArrowLeft");
  assert.equal(await page.evaluate(() => document.activeElement?.dataset.node), FILLER);
  await page.keyboard.press("ArrowLeft");
  await page.waitForSelector(item(`${FILLER}.Bowl.Temp`), { state: "detached" });
});

test("values in sight are read anew", TEST, async () => {
  await page.goto(`${url}/sources?source=line1_plc&find=Bowl.Temp`);
  const value = `${item(`${FILLER}.Bowl.Temp`)} [data-testid=browse-value]`;
  await page.waitForSelector(value);
  const first = await page.textContent(value);
  await page.waitForFunction(([value, first]) => document.querySelector(value)?.textContent !== first, [value, first]);
});

test("a node is bound to a new measurement through plan and apply", TEST, async () => {
  await page.goto(`${url}/sources?source=line1_plc`);
  await page.fill("[data-testid=browse-find]", "StopRequest");
  await page.waitForFunction(() => new URL(location.href).searchParams.get("find") === "StopRequest");
  await page.click(item(STOP));
  await page.click("[data-testid=bind]");
  await page.selectOption("[data-testid=bind-asset]", "Line 1/Filler 1");
  await page.fill("[data-testid=bind-name]", "stop_request");
  assert.ok(await page.isDisabled("[data-testid=bind-confirm]"), "a name that is taken");
  await page.fill("[data-testid=bind-name]", "stop_seen");
  // Written as the model's other addresses are: by number, because each line has a namespace of its own.
  assert.equal(await page.textContent("[data-testid=bind-line]"), "stop_seen: { type: bool, from: ns=2;s=Filler.StopRequest @plc }");
  await page.click("[data-testid=bind-confirm]");
  await page.waitForURL(/\/models\?tab=file&model=filler&of=stop_seen/);
  await page.waitForFunction(() => document.querySelector(".cm-content")?.textContent.includes("stop_seen"));
  await page.waitForFunction(() => document.querySelector("[data-testid=plan]")?.getAttribute("aria-disabled") !== "true");
  await page.click("[data-testid=plan]");
  await page.waitForFunction(() => document.querySelector("[data-testid=plan-result]")?.textContent.includes("stop_seen"));
  await page.waitForFunction(() => document.querySelector("[data-testid=apply]")?.getAttribute("aria-disabled") !== "true");
  await page.click("[data-testid=apply]");
  await page.fill("[data-testid=apply-comment]", "watch the stop request");
  await page.click("[data-testid=apply-confirm]");
  // It runs with it: the node has a value on the asset's page, and the tree says who reads it.
  const asset = (await demo.get("/api/assets")).find((one) => one.path === "Line 1/Filler 1").id;
  await until(async () => (await demo.get(`/api/assets/${asset}`)).properties.some((one) => one.key === "stop_seen" && one.value === false && one.quality === "good"));
  const [node] = (await demo.get("/api/sources/line1_plc/browse?find=StopRequest")).nodes.filter((one) => one.node === STOP);
  demo.problems.splice(0); // the plant starts anew with each definition: the browser reports what it could not reach
  assert.ok(node.bound.some((one) => one.asset === "Line 1/Filler 1" && one.property === "stop_seen"), JSON.stringify(node.bound));
});

test("registers are read in every way, and topics are a tree", TEST, async () => {
  await page.goto(`${url}/sources?source=line1_drives&at=holding%2F0&count=4`);
  await page.click(item("holding/0"));
  await page.waitForSelector(item("holding/0 float32 CDAB"));
  await page.goto(`${url}/sources?source=energy`);
  await page.click(item("bottling"));
  await page.waitForSelector(`${item("bottling")}[aria-expanded=true] + [data-testid=browse-node][aria-level="2"]`);
});

test("a source that is not there says so", TEST, async () => {
  const answer = await fetch(`${url}/api/sources/line1_plx/browse`);
  assert.equal(answer.status, 404);
  assert.match((await answer.json()).error.hint, /line1_plc/);
});

test("no page complained", () => assert.deepEqual(demo.problems, []));
