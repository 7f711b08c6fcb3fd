import { describe, expect, test } from "vitest";
import { band, brief, bytes, csv, field, fromField, instant, label, measured, number, percent, precise, quality, span, unit, when, zoneName, zoneOffset } from "./format";

const plain = (text: string) => text.replace(/[\u202f\u00a0]/g, " ");

describe("numbers", () => {
  test.each([
    [14820, undefined, "14 820"],
    [1234.5, "double", "1235"],
    [83.4449, "double", "83.4"],
    [3.1, "double", "3.10"],
    [0.1234, "double", "0.123"],
    [0, "double", "0.00"],
    [-12, "integer", "−12"],
    [1_234_567.8, "double", "1 234 568"],
    [0.00012, "double", "1.2e−4"],
    [Number.NaN, "double", "—"],
  ])("%d as %s reads %s", (value, type, expected) => expect(plain(number(value, type))).toBe(expected));

  test("a rate stands close to its number, a unit keeps its space", () => {
    expect(plain(measured(14820, "1/h"))).toBe("14 820/h");
    expect(plain(measured(83.4, "°C", "double"))).toBe("83.4 °C");
    expect(unit(null)).toBe("");
  });

  test("no value has no unit", () => {
    expect(measured(null, "°C")).toBe("—");
    expect(measured(true, "°C")).toBe("true");
  });

  test("a quantity keeps its form when it happens to be whole", () => {
    expect(plain(measured(82, "°C"))).toBe("82.0 °C");
    expect(measured(82, "", "integer")).toBe("82");
  });

  test("both ends of a band have the same decimals", () => {
    expect(plain(band(3, 3.8, "bar"))).toBe("3.0 – 3.8 bar");
    expect(plain(band(74, 80, "°C"))).toBe("74 – 80 °C");
    expect(plain(band(1.08, 1.16, "mm"))).toBe("1.08 – 1.16 mm");
    expect(plain(band(13000, 16000, "1/h"))).toBe("13 000 – 16 000/h");
  });

  test("names read as words", () => expect(["fill_temp", "oee_shift", "floee"].map(label)).toEqual(["fill temp", "OEE shift", "floee"]));

  test("percent", () => {
    expect(plain(percent(0.634))).toBe("63 %");
    expect(percent(null)).toBe("—");
  });
});

describe("spans", () => {
  test.each([
    [400, true, "0.4 s"],
    [12_400, true, "12 s"],
    [192_000, false, "3 m 12 s"],
    [60_000, false, "1 m"],
    [10_080_000, false, "2 h 48 m"],
    [273_600_000, false, "3 d 4 h"],
    [-5, false, "0 s"],
  ])("%d ms", (ms, tenths, expected) => expect(plain(span(ms, tenths))).toBe(expected));
});

test("a brief span has one unit", () => {
  expect([brief(12_000), brief(192_000), brief(10_080_000)].map(plain)).toEqual(["12 s", "3 m", "2 h"]);
});

describe("instants", () => {
  const winter = Date.parse("2026-01-15T10:12:07.042Z");

  test("plant time names its zone, also over daylight saving", () => {
    expect(precise(winter, "Europe/Berlin")).toBe("11:12:07.042");
    expect(zoneName(winter, "Europe/Berlin")).toMatch(/CET|GMT\+1/);
    expect(zoneName(Date.parse("2026-07-15T10:00:00Z"), "Europe/Berlin")).toMatch(/CEST|GMT\+2/);
  });

  test("another day says which", () => {
    expect(when(winter, winter + 1000, "Europe/Berlin")).toBe("11:12:07");
    expect(when(winter, winter + 86_400_000, "Europe/Berlin")).toBe("Thu 15 Jan 11:12");
  });

  test("text and milliseconds are both understood, rubbish is none", () => {
    expect(instant("2026-01-15T10:12:07.042Z")).toBe(winter);
    expect(instant(winter)).toBe(winter);
    expect(instant(null)).toBeNull();
    expect(instant("yesterday")).toBeNull();
  });
});

test("an unknown quality is not trusted", () => {
  expect([quality("good"), quality(1), quality("bad"), quality("?")]).toEqual([0, 1, 2, 2]);
});

test("csv quotes what needs quotes", () => {
  expect(csv(["a", "b"], [["x,y", null], ['say "hi"', 2]])).toBe('a,b\r\n"x,y",\r\n"say ""hi""",2\r\n');
});

test("a zone is ahead of UTC by its own clock, in summer and in winter", () => {
  const hours = (time: string, zone: string) => zoneOffset(Date.parse(time), zone) / 3_600_000;
  expect(hours("2026-01-15T12:00:00Z", "Europe/Berlin")).toBe(1);
  expect(hours("2026-07-15T12:00:00Z", "Europe/Berlin")).toBe(2);
  expect(hours("2026-07-15T12:00:00Z", "Asia/Kolkata")).toBe(5.5);
  expect(hours("2026-07-15T12:00:00Z", "Nowhere/Atall")).toBe(0);
});

test("bytes keep their number small", () => {
  expect([0, 999, 12_345_678, 1_400_000_000].map(bytes)).toEqual(["0\u00a0B", "999\u00a0B", "12.3\u00a0MB", "1.40\u00a0GB"]);
});

test("a field of plant time means the instant it was made of, also when clocks change", () => {
  for (const time of ["2026-01-05T12:30:00Z", "2026-07-05T12:30:00Z", "2026-03-29T00:30:00Z", "2026-03-29T01:30:00Z", "2026-10-25T00:30:00Z", "2026-10-25T03:30:00Z"]) {
    const ms = Date.parse(time);
    expect(fromField(field(ms, "Europe/Berlin"), "Europe/Berlin"), time).toBe(ms);
  }
  expect(field(Date.parse("2026-07-05T12:30:00Z"), "Europe/Berlin")).toBe("2026-07-05T14:30");
});
