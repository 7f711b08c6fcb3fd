import { describe, expect, test } from "vitest";
import { path, pieces, range, stretchAt, stretchesOf, ticks, totals } from "./strip";

describe("state strip", () => {
  const day = [
    { from: 0, to: 40, state: "running" },
    { from: 40, to: 50, state: "stopped", reason: "jam" },
    { from: 50, to: 60, state: "stopped", reason: "no caps" },
    { from: 60, to: 80, state: "running" },
    { from: 80, to: 120, state: "running" },
  ];

  test("pieces tile the window and equal neighbours join", () => {
    const placed = pieces(day, 20, 100);
    expect(placed.map((p) => [p.x, p.width, p.stretch.state])).toEqual([
      [0, 0.25, "running"],
      [0.25, 0.125, "stopped"],
      [0.375, 0.125, "stopped"],
      [0.5, 0.5, "running"],
    ]);
    expect(placed.reduce((sum, p) => sum + p.width, 0)).toBeCloseTo(1);
  });

  test("what lies outside, or lasts no time, is not drawn", () => {
    expect(pieces(day, 200, 300)).toEqual([]);
    expect(pieces([{ from: 5, to: 5, state: "running" }], 0, 10)).toEqual([]);
    expect(pieces(day, 10, 10)).toEqual([]);
  });

  test("totals are longest first", () => {
    expect(totals(day, 0, 120)).toEqual([
      { state: "running", ms: 100 },
      { state: "stopped", ms: 20 },
    ]);
  });
});

describe("sparkline", () => {
  test("range holds values and band, and never collapses", () => {
    expect(range([[0, 5]], null)).toEqual([4.75, 5.25]);
    expect(range([], null)).toEqual([0, 1]);
    const [low, high] = range([[0, 1], [1, 3]], [0, 10]);
    expect(low).toBeCloseTo(-0.8);
    expect(high).toBeCloseTo(10.8);
  });

  test("a state holds until the next, and the last one to the edge", () => {
    expect(path([[0, 0], [2, 10]], [0, 4], [0, 10], 40, 20, true)).toBe("M0.0 20.0H20.0V0.0H40.0");
    expect(path([[0, 0], [2, null]], [0, 4], [0, 10], 40, 20, true)).toBe("M0.0 20.0");
  });

  test("a missing value breaks the line", () => {
    const drawn = path([[0, 0], [1, 10], [2, null], [3, 10]], [0, 4], [0, 10], 40, 20);
    expect(drawn).toBe("M0.0 20.0L10.0 0.0M30.0 0.0");
  });
});

test("ticks are round and few", () => {
  const hour = 3_600_000;
  expect(ticks(1, hour, 6)).toEqual([600_000, 1_200_000, 1_800_000, 2_400_000, 3_000_000, 3_600_000]);
  // Rounded to the hour of a zone 30 minutes off.
  expect(ticks(0, 2 * hour, 2, hour / 2)).toEqual([hour / 2, hour * 1.5]);
  expect(ticks(1, 8 * hour, 8).length).toBeLessThanOrEqual(8);
});

test("strips of the API are read, and an instant finds its stretch", () => {
  const strip = stretchesOf([
    { from: "1970-01-01T00:00:00Z", to: "1970-01-01T00:00:01Z", state: "running", reason: "" },
    { from: "1970-01-01T00:00:01Z", to: "1970-01-01T00:00:03Z", state: "stopped", reason: "Jam" },
  ]);
  expect([0, 999, 1000, 2999, 3000].map((time) => stretchAt(strip, time)?.reason)).toEqual(["", "", "Jam", "Jam", undefined]);
});
