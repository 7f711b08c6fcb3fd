import { expect, test } from "vitest";
import { asOf, href, keepSeen, parse, seenAt, withParameters } from "./route";

test("every address leads back to its page", () => {
  expect(parse(href.overview())).toEqual({ page: "overview" });
  expect(parse(href.asset("a b/c"))).toEqual({ page: "asset", id: "a b/c" });
  expect(parse(href.detector("id", "over heat"))).toEqual({ page: "detector", asset: "id", detector: "over heat" });
  expect(parse("/detectors")).toEqual({ page: "detectors" });
  expect(parse("/alarms/")).toEqual({ page: "alarms" });
});

test("what is no page is missing, also when it is broken", () => {
  for (const path of ["/nothing", "/assets", "/assets/a/b", "/alarms/x", "/%E0%A4%A", "/detectors/a/b/c"])
    expect(parse(path)).toEqual({ page: "missing" });
});

test("parameters are set and taken away, others stay", () => {
  expect(withParameters("?a=1&b=2", { b: null, c: "x y" })).toBe("?a=1&c=x+y");
  expect(withParameters("?a=1", { a: null })).toBe("");
  expect(href.alarms("active", 2)).toBe("/alarms?priority=2");
});

test("a page of the past asks as of its instant, one of the present never does", () => {
  const seen = (address: string) => seenAt(address.split("?")[0] ?? "", new URLSearchParams(address.split("?")[1]));
  expect(seen("/lines/a?seen=1500")).toBe(1500);
  expect(seen("/assets/a?tab=data&seen=1500")).toBe(1500);
  expect(seen("/alarms?view=history&seen=1500")).toBe(1500);
  for (const present of ["/lines/a", "/lines/a?seen=soon", "/?seen=1500", "/assets/a?tab=alarms&seen=1500", "/alarms?seen=1500", "/sources?seen=1500"]) expect(seen(present), present).toBeNull();
  expect(asOf("/api/lines/a?at=1", 1500)).toBe("/api/lines/a?at=1&as_of=1500");
  expect(asOf("/api/assets/a", 1500)).toBe("/api/assets/a?as_of=1500");
  for (const always of ["/api/assets", "/api/plant", "/api/shifts?at=1", "/api/alarms/measures?from=1"]) expect(asOf(always, 1500), always).toBe(always);
  expect(asOf("/api/oee", null)).toBe("/api/oee");
});

test("links stay at the instant that is looked at, where there is one", () => {
  expect(keepSeen("/lines/a", 1500)).toBe("/lines/a?seen=1500");
  expect(keepSeen("/oee?asset=a", 1500)).toBe("/oee?asset=a&seen=1500");
  expect(keepSeen("/oee?seen=7", 1500)).toBe("/oee?seen=7");
  expect(keepSeen("/lines/a", null)).toBe("/lines/a");
  for (const present of ["/", "/alarms", "/sources", "/assets/a?tab=alarms"]) expect(keepSeen(present, 1500)).toBe(present);
});
