// The pictures of README and docs, of the demo as it is now: `ANDON_BIN=… node pictures.mjs [names]`. Takes some minutes: an incident
// has to unfold.
import { fileURLToPath } from "node:url";
import { open, until } from "./demo.mjs";

const DOCS = fileURLToPath(new URL("../../docs/", import.meta.url));
const TREND_MS = 4 * 3_600_000;

const demo = await open("--history", "7d");
const page = await demo.newPage({ colorScheme: "light" });
const asset = async (path) => (await demo.get("/api/assets")).find((one) => one.path === path).id;
const filler = await asset("Line 2/Filler 2");
const overheat = async () => (await demo.get("/api/detectors")).find((one) => one.asset === filler && one.detector === "overheat");
const go = async (address, there) => {
  await page.goto(demo.url + address);
  await page.waitForSelector(there);
};
const PICTURES = {
  // While the incident unfolds.
  overview: () => go("/", "[data-testid=machine-value]"),
  detector: () => go(`/detectors/${filler}/overheat`, "[data-testid=story]"),
  replay: async () => {
    await go(`/detectors/${filler}/overheat?tab=replay&span=15m`, "[data-testid=playhead-slider]");
    await page.click("[data-testid=move-before]");
    await page.waitForSelector("[data-testid=replayed-state]");
  },
  oee: async () => {
    const ended = (await demo.get("/api/oee?window=shift&asset=Line%202")).rows.findLast((row) => !row.provisional).end;
    await go(`/oee?asset=${encodeURIComponent("Line 2")}&at=${Date.parse(ended)}`, "[data-testid=waterfall]");
  },
  models: async () => {
    await go("/models?model=filler&of=overfill", "[data-testid=tried-value]");
  },
  trend: async () => {
    const pens = ["Line 1/Filler 1:fill_temp", "Line 2/Filler 2:fill_temp", "Line 2/Filler 2:temp_limit"].join("|");
    const now = Date.now();
    await go(`/trend?pens=${encodeURIComponent(pens)}&from=${now - TREND_MS}&to=${now}`, ".u-over");
  },
};

const wanted = process.argv.slice(2);
try {
  await until(async () => (await overheat())?.alarm_state === "unacknowledged");
  for (const [name, show] of Object.entries(PICTURES)) {
    if (wanted.length > 0 && !wanted.includes(name)) continue;
    await show();
    const guide = page.getByRole("button", { name: /close/i }).first();
    if (await guide.isVisible().catch(() => false)) await guide.click();
    await page.waitForLoadState("networkidle").catch(() => undefined);
    await page.waitForTimeout(3_000); // what slides and fades has come to rest
    await page.screenshot({ path: `${DOCS}${name}.png` });
    console.log(`docs/${name}.png`);
  }
} finally {
  await demo.close();
}
