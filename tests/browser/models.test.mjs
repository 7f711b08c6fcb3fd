// Changing a plant in the browser: its file edited, planned, applied and taken back; a detector played again and tried with other limits.

import { test, before, after } from "node:test";
import assert from "node:assert/strict";
import { PERSON, run, until } from "./demo.mjs";

const TEST = { timeout: 900_000 };
/** Names as a device may bring them: they are shown, never obeyed. */
const HOSTILE = '<img src=x onerror="document.title=1">';
const PLANT = `
plant: { name: Testville, timezone: Europe/Berlin }
models:
  press:
    attributes:
      temp_limit: { default: 82, unit: °C }
    measurements:
      temp: { unit: °C, normal: 70..80, name: '${HOSTILE}' }
    metrics:
      10s: { temp_avg: avg(temp) }
    detectors:
      overheat:
        priority: high
        message: Temperature {temp} is above {temp_limit}
        response: Open the valve
        initial: normal
        states:
          normal:
            go:
              - { when: temp > temp_limit, to: hot }
          hot:
            initial: warming
            go:
              - { when: temp < temp_limit - 3, to: normal }
            states:
              warming:
                go:
                  - { after: 30s, to: alarm }
              alarm:
                enter: [raise]
                exit: [clear]
assets:
  Press A: { model: press }
  '${HOSTILE}': { model: press }
`;
/** Two hours ago: a warm minute that comes to nothing, and three hot ones. */
const BEGIN = Math.floor(Date.now() / 1_000) - 7_200;
const HOT = [[600, 615], [1_800, 1_980]];
let service, url, page;

before(async () => {
  service = await run(PLANT);
  url = service.url;
  const hot = (second) => HOT.some(([from, to]) => from <= second && second < to);
  const line = (second) => `m,asset=Press\\ A temp=${hot(second) ? 90 : 75} ${BEGIN + second}`;
  const body = Array.from({ length: 720 }, (_, index) => line(index * 5)).join("\n");
  const answer = await fetch(`${url}/api/write?precision=s`, { method: "POST", body });
  assert.equal(answer.status, 204, await answer.text());
  page = await service.newPage();
}, { timeout: 600_000 });

after(() => service?.close());

const seen = (selector) => page.waitForSelector(selector);
const says = (selector, words) => page.waitForFunction(([selector, words]) => document.querySelector(selector)?.textContent.includes(words), [selector, words]);
const parameter = (name) => new URL(page.url()).searchParams.get(name);
const asset = async (path) => (await service.get("/api/assets")).find((one) => one.path === path).id;
/** Exchanges the text of an editor by the keyboard. */
async function type(editor, words) {
  await page.click(editor);
  await page.keyboard.press("Control+A");
  await page.keyboard.insertText(words);
}

test("the plant file is edited, its mistake told, the change planned, applied with a comment and taken back", TEST, async () => {
  await page.goto(`${url}/models?tab=file`);
  await says(".cm-content", "temp_limit");
  await type(".cm-content", PLANT.replace("default: 82, unit: °C", "default: 82, unti: °C"));
  await says("[data-testid=remarks]", "unti");
  assert.equal(await page.getAttribute("[data-testid=apply]", "aria-disabled"), "true", "what is wrong is not applied");
  await type(".cm-content", PLANT.replace("default: 82", "default: 85"));
  await page.waitForFunction(() => document.querySelectorAll("[data-testid=remarks]").length === 0);
  await page.click("[data-testid=plan]");
  await says("[data-testid=plan-result]", "82 °C→85 °C");
  const limit = async () => (await service.get(`/api/assets/${await asset("Press A")}`)).properties.find((one) => one.key === "temp_limit").value;
  assert.equal(await limit(), 82, "planned is not applied");
  await page.click("[data-testid=apply]");
  await page.fill("[data-testid=apply-comment]", "spring settings");
  await page.click("[data-testid=apply-confirm]");
  await until(async () => (await limit()) === 85);
  await page.goto(`${url}/models?tab=versions`);
  await says("[data-testid=versions]", "spring settings");
  await page.locator("[data-testid=version]").last().click();
  await says("[data-testid=changes]", "85 °C→82 °C");
  await page.click("[data-testid=revert]");
  await page.fill("[data-testid=revert-comment]", "too late in spring");
  await page.click("[data-testid=revert-confirm]");
  await says("[data-testid=versions]", "too late in spring");
  await until(async () => (await limit()) === 82);
  await page.goto(`${url}/log`);
  await says("[data-testid=log]", "spring settings");
  service.problems.splice(0); // the service starts anew with each definition: the browser reports what it could not reach
});

test("a detector is played again: the playhead moves by keys, state and inputs follow, the address keeps the instant", TEST, async () => {
  await page.goto(`${url}/detectors/${await asset("Press A")}/overheat?tab=replay&span=8h`);
  await seen("[data-testid=playhead-slider]");
  const state = () => page.textContent("[data-testid=replayed-state]");
  const visited = [];
  for (let move = 0; move < 4; move += 1) {
    const before = parameter("at");
    await page.click("[data-testid=move-before]");
    await page.waitForFunction((before) => new URLSearchParams(location.search).get("at") !== before, before);
    visited.unshift(`${await state()} ${Number(parameter("at")) / 1_000 - BEGIN}`);
  }
  // The second heat: warming, thirty seconds later the alarm, and back when it cools. Before it: back from the first.
  assert.deepEqual(visited, ["normal 615", "hot/warming 1800", "hot/alarm 1830", "normal 1980"]);
  await page.click("[data-testid=move-next]");
  await says("[data-testid=replayed-state]", "hot/warming");
  assert.match(await page.textContent("[data-testid=replayed]"), /temp\s*90/);
  await page.focus("[data-testid=playhead-slider]");
  await page.keyboard.press("Shift+ArrowRight");
  await says("[data-testid=replayed-state]", "hot/alarm");
  await page.reload();
  await says("[data-testid=replayed-state]", "hot/alarm");
  assert.equal(Number(parameter("at")) / 1_000 - BEGIN, 1_830);
});

test("an edit of a detector is tried on history: counts and strips of both sides, the difference in a sentence", TEST, async () => {
  await page.goto(`${url}/detectors/${await asset("Press A")}/overheat?tab=backtest`);
  await says(".cm-content", "after: 30s");
  const block = await page.evaluate(() => [...document.querySelectorAll(".cm-line")].map((line) => line.textContent).join("\n"));
  await type(".cm-content", block.replace("after: 30s", "after: 10s"));
  await page.click("[data-testid=backtest-run]");
  await seen("[data-testid=backtest-verdict]");
  const sides = await page.$$eval("[data-testid=backtest-counts] thead th.number", (all) => all.length);
  assert.equal(sides, 2, await page.textContent("[data-testid=backtest-verdict]"));
  const counts = await page.$$eval("[data-testid=backtest-counts] tbody tr", (rows) => rows.map((row) => [...row.children].map((cell) => cell.textContent).join(" ")));
  assert.ok(counts.includes("Alarms cleared 1 2"), counts.join("; "));
  assert.match(await page.textContent("[data-testid=backtest-verdict]"), /\d/);
  assert.ok(parameter("run"), "a reload goes on with it");
  await page.reload();
  await seen("[data-testid=backtest-verdict]");
});

test("what is defined is computed over history, followed to its end, and stands in the log", TEST, async () => {
  await page.goto(`${url}/models?model=press&of=temp_avg`);
  await page.click("[data-testid=backfill]");
  await page.click("[data-testid=backfill-own]");
  await page.fill("[data-testid=backfill-from]", "2999-01-01T00:00");
  assert.ok(await page.isDisabled("[data-testid=backfill-start]"), "a span that ends before it begins is not asked for");
  await page.click("[data-testid=backfill-1d]");
  await page.click("[data-testid=backfill-start]");
  await page.waitForURL(/tab=history/);
  await says("[data-testid=backfills]", "press.temp_avg");
  assert.match(await page.textContent("[data-testid=backfills]"), new RegExp(PERSON));
  await seen("[data-testid=backfill-row][data-state=done]");
  await page.goto(`${url}/log`);
  await says("[data-testid=log]", "press.temp_avg");
});

test("a delay is put where the alarm is raised, and tried", TEST, async () => {
  await page.goto(`${url}/detectors/${await asset("Press A")}/overheat?tab=backtest&delay=10s`);
  await says(".cm-content", "after: 40s");
  assert.match(await page.textContent("[data-testid=backtest-run]"), /Compare/);
});

test("a back-test under way is cancelled, and says so", TEST, async () => {
  // A machine with three weeks of values: it takes longer than a click.
  const values = 120_000;
  const line = (index) => `m,asset=Press\\ A temp=${70 + (index % 17)} ${BEGIN - 1_900_000 + index * 15}`;
  for (let part = 0; part < values; part += 20_000) {
    const body = Array.from({ length: 20_000 }, (_, index) => line(part + index)).join("\n");
    assert.equal((await fetch(`${url}/api/write?precision=s`, { method: "POST", body })).status, 204);
  }
  await page.goto(`${url}/detectors/${await asset("Press A")}/overheat?tab=backtest&span=30d`);
  await says(".cm-content", "after: 30s");
  await page.click("[data-testid=backtest-run]");
  await page.click("[data-testid=backtest-cancel]");
  await says("[data-testid=backtest-verdict]", "Cancelled");
  await seen("[data-testid=backtest-run]");
  const run = await service.get(`/api/backtests/${parameter("run")}`);
  assert.equal(run.state, "cancelled");
});

test("a back-fill is taken back", TEST, async () => {
  // It waits behind the late values of the back-test that was cancelled: it goes on for sure.
  await page.goto(`${url}/models?model=press`);
  await page.click("[data-testid=backfill]");
  await page.click("[data-testid=backfill-30d]");
  await page.click("[data-testid=backfill-start]");
  await page.click("[data-testid=backfill-cancel]");
  await page.click("[data-testid=backfill-cancel-confirm]");
  await page.waitForFunction(() => /cancel/.test(document.querySelector("[data-testid=backfill-row]")?.dataset.state ?? ""));
  const [newest] = await service.get("/api/backfills");
  assert.match(newest.state, /^cancel/);
  assert.equal(await page.locator("[data-testid=backfill-cancel]").count(), 0, "once is enough");
});

test("a name from a device is shown as it is", TEST, async () => {
  const hostile = await asset(HOSTILE);
  for (const [address, there] of [
    ["/", "main"],
    [`/assets/${hostile}`, "[data-testid=property]"],
    [`/trend?pens=${encodeURIComponent(`${HOSTILE}:temp`)}`, ".legend"],
    ["/detectors", "[data-testid=detector-row]"],
    ["/models", "[data-testid=model-property]"],
    [`/detectors/${hostile}/overheat`, "[data-testid=story]"],
  ]) {
    await page.goto(url + address);
    await seen(there);
    await page.waitForFunction((name) => document.body.textContent.includes(name), HOSTILE);
    assert.equal(await page.locator("img").count(), 0, address);
  }
  await page.keyboard.press("Control+K");
  await page.fill("[data-testid=search-input]", "<img");
  await says("#found-0", HOSTILE);
  assert.doesNotMatch(await page.title(), /^1/);
});

test("no page complained", () => assert.deepEqual(service.problems, []));
