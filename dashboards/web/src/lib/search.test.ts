import { expect, test } from "vitest";
import { search, type Entry } from "./search";

const entries: Entry[] = [
  { name: "Line 2", detail: "Line 2", kind: "asset", to: "a" },
  { name: "Filler 2", detail: "Line 2/Filler 2", kind: "asset", to: "b" },
  { name: "overheat", detail: "Line 2/Filler 2", kind: "detector", to: "c" },
  { name: "Alarms", detail: "", kind: "page", to: "d" },
];

test("every word must occur, beginnings come first", () => {
  expect(search(entries, "fil 2").map((e) => e.to)).toEqual(["b", "c"]);
  expect(search(entries, "OVER").map((e) => e.to)).toEqual(["c"]);
  expect(search(entries, "").length).toBe(4);
  expect(search(entries, "nothing")).toEqual([]);
});
