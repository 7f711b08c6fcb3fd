import { describe, expect, test } from "vitest";
import { backOff, doubt, extendSpark, linkState, newer, type LiveValue } from "./merge";
import type { SparkPoint } from "./strip";

const good = (time: number, value: number): LiveValue => ({ time, value, quality: 0 });

describe("live values", () => {
  test("a late sample never replaces a newer one", () => {
    expect(newer(good(10, 1), good(9, 2))).toBe(false);
    expect(newer(good(10, 1), good(10, 2))).toBe(true);
    expect(newer(null, good(0, 2))).toBe(true);
  });

  test("the gravest doubt wins", () => {
    expect(doubt(good(0, 1), 5, 100, "live", false)).toBeNull();
    expect(doubt(good(0, 1), 101, 100, "live", false)).toBe("stale");
    expect(doubt(good(0, 1), 1e9, null, "live", false)).toBeNull();
    expect(doubt({ ...good(0, 1), quality: 2 }, 0, null, "live", false)).toBe("bad");
    expect(doubt({ ...good(0, 1), quality: 1 }, 0, null, "live", false)).toBe("uncertain");
    expect(doubt(good(0, 1), 0, null, "live", true)).toBe("source");
    expect(doubt(good(0, 1), 0, null, "lost", true)).toBe("link");
    expect(doubt(null, 0, null, "live", false)).toBe("missing");
  });
});

describe("link", () => {
  test("silence is a lost link even while the socket claims to be open", () => {
    expect(linkState(null, 0, true)).toBe("connecting");
    expect(linkState(1000, 2000, true)).toBe("live");
    expect(linkState(1000, 5000, true)).toBe("lost");
    expect(linkState(1000, 1100, false)).toBe("lost");
  });

  test("attempts are spread and bounded", () => {
    expect(backOff(0, 0.5)).toBe(500);
    expect(backOff(3, 0)).toBe(3000);
    expect(backOff(99, 1)).toBe(12_500);
  });
});

describe("sparkline", () => {
  const base: SparkPoint[] = [[0, 1], [10, 2], [20, 3]];

  test("inside a step the tip moves, after it a point is added", () => {
    expect(extendSpark(base, good(19.5, 9), 100, 10)).toEqual(base);
    expect(extendSpark([[0, 1], [10, 2], [12, 3]], good(15, 9), 100, 10)).toEqual([[0, 1], [10, 2], [15, 9]]);
    expect(extendSpark(base, good(31, 4), 100, 10)).toEqual([...base, [31, 4]]);
  });

  test("old points leave, bad data breaks the line", () => {
    expect(extendSpark(base, good(115, 4), 100, 10)).toEqual([[20, 3], [115, 4]]);
    expect(extendSpark(base, { ...good(40, 4), quality: 2 }, 100, 10).at(-1)).toEqual([40, null]);
    expect(extendSpark([], good(5, 4), 100, 10)).toEqual([[5, 4]]);
  });
});
