// What the pages cost in a browser: `node measure.mjs <what> <address of the page> [seconds]` writes figures as JSON.
//
//   first-page   bytes and time until the overview can be used, with an empty cache
//   renderer     CPU of the browser's processes while the page is open, in per cent of a core
//   trend        from a press of "30d" to the last stroke of the chart, and how much of it was waiting for the server
//
// benches/peers/pages.py starts the service that is measured.
import { readFile, readdir } from "node:fs/promises";
import { chromium } from "playwright-core";
import { CHROMIUM, QUIET } from "./demo.mjs";

/** Of /proc: the clock ticks of a second. */
const TICKS = 100;
const WARM_MS = 10_000;
/** A chart that was not touched for so long is drawn. */
const STILL_MS = 600;
const TRENDS = 7;

const [what, address, seconds = "60"] = process.argv.slice(2);
const measured = { "first-page": firstPage, renderer, trend };
if (!measured[what] || !address) {
  console.error(`node measure.mjs ${Object.keys(measured).join(" | ")} <address> [seconds]`);
  process.exit(2);
}
const server = await chromium.launchServer({ executablePath: CHROMIUM, args: QUIET });
const browser = await chromium.connect(server.wsEndpoint());
try {
  console.log(JSON.stringify(await measured[what]()));
} finally {
  await browser.close();
  await server.close();
}

/** A page in a context of its own: nothing is cached. */
async function fresh() {
  const context = await browser.newContext({ viewport: { width: 1366, height: 768 } });
  return context.newPage();
}

async function firstPage() {
  const found = [];
  for (let turn = 0; turn < TRENDS; turn += 1) {
    const page = await fresh();
    const session = await page.context().newCDPSession(page);
    await session.send("Network.enable");
    const kinds = new Map();
    const bytes = { code: 0, data: 0 };
    const encodings = new Set();
    session.on("Network.responseReceived", ({ requestId, response, type }) => {
      kinds.set(requestId, ["Document", "Script", "Stylesheet", "Image", "Other"].includes(type) ? "code" : "data");
      if (type === "Script") encodings.add(response.headers["content-encoding"] ?? "none");
    });
    session.on("Network.loadingFinished", ({ requestId, encodedDataLength }) => {
      bytes[kinds.get(requestId) ?? "data"] += encodedDataLength;
    });
    const began = performance.now();
    await page.goto(address, { waitUntil: "commit" });
    // Usable: machines with values, and the search answers its key.
    await page.waitForFunction(() => {
      const values = [...document.querySelectorAll("[data-testid=machine-value], [data-testid=value]")];
      return values.length > 0 && values.every((value) => value.textContent.trim() !== "");
    }, null, { polling: "raf" });
    const usable = performance.now() - began;
    await page.waitForTimeout(2_000);
    found.push({ usable_ms: usable, code_bytes: bytes.code, data_bytes: bytes.data, encodings: [...encodings] });
    await page.context().close();
  }
  return found;
}

/** CPU seconds so far, by type of process. */
async function spent() {
  const found = {};
  for (const pid of (await readdir("/proc")).filter((name) => /^\d+$/.test(name))) {
    try {
      const line = await readFile(`/proc/${pid}/cmdline`, "utf8");
      if (!line.includes(server.process().spawnargs.find((one) => one.startsWith("--user-data-dir"))) && !(await descends(pid))) continue;
      const kind = line.match(/--type=([a-z-]+)/)?.[1] ?? "browser";
      const stat = (await readFile(`/proc/${pid}/stat`, "utf8")).split(") ")[1].split(" ");
      found[kind] = (found[kind] ?? 0) + (Number(stat[11]) + Number(stat[12])) / TICKS;
    } catch {
      // It ended meanwhile.
    }
  }
  return found;
}

async function descends(pid) {
  for (let at = pid; at !== "1" && at !== "0"; ) {
    if (at === String(server.process().pid)) return true;
    at = (await readFile(`/proc/${at}/stat`, "utf8")).split(") ")[1].split(" ")[1];
  }
  return false;
}

async function renderer() {
  const page = await fresh();
  await page.goto(address);
  await page.waitForSelector("[data-testid=value], [data-testid=machine-value]");
  const shown = await page.locator("[data-testid=value]").count();
  // What is out of sight is not followed: it is fresh when it comes into view.
  const moving = () =>
    page.$$eval("[data-testid=value]", (all) => all.filter((one) => one.getBoundingClientRect().top < innerHeight).map((one) => one.textContent));
  await page.waitForTimeout(WARM_MS);
  const [before, first] = [await spent(), await moving()];
  const began = performance.now();
  await page.waitForTimeout(Number(seconds) * 1_000);
  const [after, last] = [await spent(), await moving()];
  const took = (performance.now() - began) / 1_000;
  const share = Object.fromEntries(Object.entries(after).map(([kind, cpu]) => [kind, ((cpu - (before[kind] ?? 0)) / took) * 100]));
  return { shown, in_view: last.length, changed: last.filter((value, index) => value !== first[index]).length, seconds: took, per_cent: share };
}

async function trend() {
  const page = await fresh();
  await page.addInitScript(() => {
    const stroke = CanvasRenderingContext2D.prototype.stroke;
    globalThis.lastStroke = 0;
    CanvasRenderingContext2D.prototype.stroke = function (...all) {
      globalThis.lastStroke = performance.now();
      return stroke.apply(this, all);
    };
    globalThis.pressed = 0;
    addEventListener("click", () => (globalThis.pressed = performance.now()), true);
  });
  await page.goto(address);
  await page.waitForSelector(".u-over");
  const found = [];
  for (let turn = 0; turn <= TRENDS; turn += 1) {
    await page.getByRole("button", { name: "15 min", exact: true }).click();
    await page.waitForFunction((still) => performance.now() - globalThis.lastStroke > still || null, STILL_MS, { polling: 50 });
    await page.evaluate(() => performance.clearResourceTimings());
    await page.getByRole("button", { name: "30 days", exact: true }).click();
    await page.waitForFunction(
      (still) =>
        performance.getEntriesByType("resource").some((one) => /trend\?|history\?/.test(one.name) && one.responseEnd > globalThis.pressed) &&
        performance.now() - globalThis.lastStroke > still,
      STILL_MS,
      { polling: 50 },
    );
    found.push(
      await page.evaluate(() => {
        const asked = performance.getEntriesByType("resource").filter((one) => /trend\?|history\?/.test(one.name) && one.startTime >= globalThis.pressed);
        const answered = Math.max(...asked.map((one) => one.responseEnd));
        return {
          drawn_ms: globalThis.lastStroke - globalThis.pressed,
          before_ms: Math.min(...asked.map((one) => one.startTime)) - globalThis.pressed,
          server_ms: answered - Math.min(...asked.map((one) => one.startTime)),
          page_ms: globalThis.lastStroke - answered,
          requests: asked.length,
          bytes: asked.reduce((sum, one) => sum + one.transferSize, 0),
        };
      }),
    );
  }
  // The first was to warm the query.
  return found.slice(1);
}
