import { expect, test } from "vitest";
import { properties, search, type Entry } from "./search";
import type { Model } from "./types";

const entries: Entry[] = [
  { name: "Line 2", detail: "Line 2", kind: "asset", to: "a" },
  { name: "Filler 2", detail: "Line 2/Filler 2", kind: "asset", to: "b" },
  { name: "overheat", detail: "Line 2/Filler 2", kind: "detector", to: "c" },
  { name: "Alarms", detail: "", kind: "page", to: "d" },
];

test("every word must occur, beginnings come first", () => {
  expect(search(entries, "fil 2").map((e) => e.to)).toEqual(["b", "c"]);
  expect(search(entries, "filler_2")[0]?.to).toBe("b");
  expect(search(entries, "OVER").map((e) => e.to)).toEqual(["c"]);
  expect(search(entries, "").length).toBe(4);
  expect(search(entries, "nothing")).toEqual([]);
});

test("a property is found by its own name and its machine's", () => {
  const property = { key: "fill_temp", name: "fill_temp", kind: "measurement", type: "double", unit: "°C", window: null, formula: null, plain: false, address: null, default: null, hidden: false } as const;
  const model: Model = { name: "filler", description: "", parents: [], children: [], oee: [], detectors: [], assets: [{ id: "a", path: "Line 1/Filler 1" }, { id: "b", path: "Line 2/Filler 2" }], properties: [property] };
  expect(properties([model], "fill_temp line 2").map((entry) => entry.to)).toEqual(["/assets/b?tab=trend&pens=fill_temp"]);
  expect(properties([model], "temp").length).toBe(2);
  expect(properties([model], "line 2")).toEqual([]);
  expect(properties([model], "")).toEqual([]);
});
