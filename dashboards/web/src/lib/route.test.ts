import { expect, test } from "vitest";
import { href, parse, withParameters } from "./route";

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
