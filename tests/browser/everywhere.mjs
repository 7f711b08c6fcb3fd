// All pages, once: where they are, what must be there before one looks, and the screens they are looked at on.

/** Addresses by the name of a picture; `{name}` is filled in from `names`. The selector is what must be there first. */
export const PAGES = {
  overview: ["/", "[data-testid=machine-value]"],
  kiosk: ["/?kiosk=1", "[data-testid=machine-value]"],
  line: ["/lines/{line}", "[data-testid=hours]"],
  asset: ["/assets/{filler}", "[data-testid=property]"],
  "asset-trend": ["/assets/{filler}?tab=trend", ".u-over"],
  "asset-oee": ["/assets/{filler}?tab=oee", "[data-testid=figure-oee]"],
  "asset-alarms": ["/assets/{filler}?tab=alarms", "table, [data-testid=none], .notice:not(.waiting)"],
  "asset-spc": ["/assets/{filler}?tab=spc", "[data-testid=spc-basis]"],
  "asset-detectors": ["/assets/{filler}?tab=detectors", "a[href*='/detectors/']"],
  "asset-data": ["/assets/{filler}?tab=data", "table"],
  alarms: ["/alarms", "[data-testid=page-alarms] table, [data-testid=none]"],
  "alarms-history": ["/alarms?view=history", "[data-testid=page-alarms] table, .notice:not(.waiting)"],
  "alarms-performance": ["/alarms?view=performance", "[data-testid=findings]"],
  detectors: ["/detectors", "[data-testid=detector-row]"],
  detector: ["/detectors/{filler}/overheat", "[data-testid=story]"],
  "detector-replay": ["/detectors/{filler}/overheat?tab=replay&span=1h", "[data-testid=playhead-slider]"],
  "detector-backtest": ["/detectors/{filler}/overheat?tab=backtest", "[data-testid=backtest-run]"],
  oee: ["/oee", "[data-testid=figure-oee]"],
  "oee-shift": ["/oee?asset=Line%202&at={shift}", "[data-testid=stops]"],
  trend: ["/trend", ".u-over"],
  sql: ["/sql", "[data-testid=sql-run]:not([disabled])"],
  "sql-answer": ["/sql?q={sql}", "[data-testid=sql-result] td"],
  "sql-chart": ["/sql?q={sql}&view=chart", "[data-testid=sql-chart] canvas"],
  models: ["/models", "[data-testid=model-property]"],
  "models-property": ["/models?model=filler&of=overfill", "[data-testid=tried-value]"],
  "models-file": ["/models?tab=file", ".cm-content"],
  "models-versions": ["/models?tab=versions", "table, .notice:not(.waiting)"],
  "models-history": ["/models?tab=history", "table, .notice:not(.waiting)"],
  sources: ["/sources", "[data-testid=source-row]"],
  "sources-opcua": ["/sources?source=line1_plc&find=Bowl", "[data-testid=browse-node]"],
  "sources-modbus": ["/sources?source=line1_drives&at=holding%2F0&count=4", "[data-testid=browse-node]"],
  "sources-mqtt": ["/sources?source=energy", "[data-testid=browse-node]"],
  connections: ["/connections", "[data-testid=snippet]"],
  log: ["/log", "[data-testid=log], .notice:not(.waiting)"],
  "log-system": ["/log?view=system", "[data-testid=log]"],
  report: ["/report?at={shift}", "[data-testid=report-lines]"],
};

/** A desk monitor, a screen on the wall, and a tablet held upright and across. */
export const SCREENS = {
  desk: { viewport: { width: 1366, height: 768 } },
  wall: { viewport: { width: 1920, height: 1080 } },
  tablet: { viewport: { width: 820, height: 1180 }, hasTouch: true },
  across: { viewport: { width: 1180, height: 820 }, hasTouch: true },
};

/** What the addresses speak of, in the demo: a line, a machine, and the end of a shift that is over, for it has figures whatever the time is. */
export async function names(demo) {
  const assets = await demo.get("/api/assets");
  const id = (path) => assets.find((asset) => asset.path === path).id;
  const shifts = await demo.get("/api/oee?window=shift&asset=Line%202");
  const sql = "SELECT time, asset, fill_temp, overfill FROM filler WHERE time > $from ORDER BY time";
  return { line: id("Line 2"), filler: id("Line 2/Filler 2"), shift: Date.parse(shifts.rows.findLast((row) => !row.provisional).end), sql: encodeURIComponent(sql) };
}

/** Opens a page and waits until it shows what it is there for. */
export async function show(page, demo, [address, there], names) {
  await page.goto(demo.url + address.replace(/\{(\w+)\}/g, (_, name) => names[name]));
  await page.waitForSelector(there);
}
