// Pictures of every page on every screen, light and dark, and of the shift report on paper, to be looked at by a person:
//
//   ANDON_BIN=… node screens.mjs FOLDER [pages…]      the demo, whose incident stands by then
//   ANDON_URL=… node screens.mjs FOLDER [pages…]      a plant that runs
//
// `whole` pictures show what lies below the edge of a desk monitor as well.
import { mkdir } from "node:fs/promises";
import { chromium } from "playwright-core";
import { CHROMIUM, DEADLINE, QUIET, open, until } from "./demo.mjs";
import { names as named, PAGES, SCREENS, show } from "./everywhere.mjs";

const [folder, ...wanted] = process.argv.slice(2);
const unknown = wanted.filter((name) => !(name in PAGES));
if (!folder || unknown.length > 0) {
  console.error(`node screens.mjs FOLDER [pages…]; pages: ${Object.keys(PAGES).join(", ")}`);
  process.exit(2);
}
await mkdir(folder, { recursive: true });
const demo = await (process.env.ANDON_URL ? running(process.env.ANDON_URL) : open("--history", "3d", "--sql-listen", "127.0.0.1:0"));
try {
  const names = await named(demo);
  if (!process.env.ANDON_URL) await until(async () => (await demo.get("/api/alarms")).length > 0);
  for (const [screen, options] of Object.entries({ ...SCREENS, whole: SCREENS.desk })) {
    for (const colorScheme of ["light", "dark"]) {
      const page = await demo.newPage({ ...options, colorScheme });
      // The guide of the first five minutes is a part of every page until it is closed: once is enough.
      await page.addInitScript(() => sessionStorage.setItem("andon.guide.closed", "1"));
      for (const [name, where] of Object.entries(PAGES)) {
        if (wanted.length > 0 && !wanted.includes(name)) continue;
        await page.setViewportSize(options.viewport);
        await show(page, demo, where, names);
        await page.waitForTimeout(1_500); // what slides and fades has come to rest
        if (screen === "whole") {
          const height = await page.evaluate(() => document.querySelector("main").scrollHeight + 60);
          if (height > options.viewport.height) await page.setViewportSize({ ...options.viewport, height: Math.min(height, 6_000) });
          await page.waitForTimeout(700);
        }
        await page.screenshot({ path: `${folder}/${name}-${screen}-${colorScheme}.png` });
        if (name === "report" && screen === "desk" && colorScheme === "light") await page.pdf({ path: `${folder}/report.pdf`, preferCSSPageSize: true, printBackground: true });
      }
      await page.close();
      console.log(`${screen} ${colorScheme}`);
    }
  }
} finally {
  await demo.close();
}

/** A plant that somebody else has started. */
async function running(url) {
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: QUIET });
  return {
    url,
    newPage: async (options) => {
      const page = await browser.newPage(options);
      page.setDefaultTimeout(DEADLINE);
      return page;
    },
    get: async (path) => (await fetch(url + path)).json(),
    close: () => browser.close(),
  };
}
