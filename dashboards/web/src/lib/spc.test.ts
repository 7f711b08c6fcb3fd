import { describe, expect, test } from "vitest";
import { capability, countQuery, everyFor, grouped, nelson, outside, running, signals, SIZES, study, valuesQuery, type Control, type Rule } from "./spc";

const single = (values: readonly number[]) => values.map((value, time) => ({ time, values: [value] }));
/** A chart with its centre at 0 and one standard deviation at 1. */
const standard = (values: readonly number[]): Control => ({ values, centre: 0, upper: 3, lower: -3 });
/** Which points complete a rule. */
const hits = (rule: Rule, values: readonly number[]) => nelson(standard(values)).flatMap((rules, i) => (rules.includes(rule) ? [i] : []));

describe("limits", () => {
  test("individuals and moving ranges are those of the flow rates in NIST/SEMATECH 6.3.2.2", () => {
    const found = study("imr", single([49.6, 47.6, 49.9, 51.3, 47.8, 51.2, 52.6, 52.4, 53.6, 52.1]));
    expect(found?.location.centre).toBeCloseTo(50.81, 4);
    expect(found?.spread.centre).toBeCloseTo(1.8778, 4);
    expect(found?.location.upper).toBeCloseTo(55.8041, 3);
    expect(found?.location.lower).toBeCloseTo(45.8159, 3);
    expect(found?.spread.upper).toBeCloseTo(3.267 * 1.8778, 3);
    expect(found?.spread.values[0]).toBeNull();
    expect(nelson(found!.location).flat()).toEqual([]);
  });

  test("means and ranges are those of the hard-bake process in Montgomery, Introduction to Statistical Quality Control, 6.2", () => {
    // 25 wafers' flow widths in fives: a grand mean of 1.5056 and a mean range of 0.32521 say all that the limits need.
    const five = [-0.5, -0.25, 0, 0.25, 0.5].map((part) => 1.5056 + part * 0.32521);
    const found = study("xbar", Array.from({ length: 25 }, (_, time) => ({ time, values: five })));
    expect(found?.location.upper).toBeCloseTo(1.69325, 4);
    expect(found?.location.lower).toBeCloseTo(1.31795, 4);
    expect(found?.within).toBeCloseTo(0.1398, 4);
    expect(found?.spread.lower).toBe(0);
    expect(capability(1.5056, found!.within, 1, 2).p).toBeCloseTo(1.192, 3);
  });

  test("A2 is three standard deviations of a mean, by d2, for each size", () => {
    for (const size of SIZES) {
      const values = Array.from({ length: size }, (_, i) => i / (size - 1)); // a range of one
      const found = study("xbar", [{ time: 0, values }, { time: 1, values }])!;
      expect((found.location.upper - found.location.centre) / ((3 * found.within) / Math.sqrt(size)), `size ${size}`).toBeCloseTo(1, 2);
    }
  });

  test("limits that are held do not move with the values", () => {
    const found = study("imr", single([5, 6, 5, 9]), { centre: 0, within: 1 });
    expect([found?.location.centre, found?.location.upper, found?.location.lower]).toEqual([0, 3, -3]);
    expect(nelson(found!.location).map((rules) => rules.includes(1))).toEqual([true, true, true, true]);
  });

  test("one value has no spread", () => {
    expect(study("imr", single([5]))).toBeNull();
    expect(study("xbar", [])).toBeNull();
  });
});

describe("Nelson's rules", () => {
  test("1: beyond three standard deviations, not upon them", () => expect(hits(1, [0, 3, 3.1, -3.1])).toEqual([2, 3]));
  test("2: nine in a row on one side; one upon the centre breaks them", () => {
    expect(hits(2, [-1, ...Array(9).fill(0.5)])).toEqual([9]);
    expect(hits(2, [...Array(8).fill(0.5), 0, ...Array(8).fill(0.5)])).toEqual([]);
  });
  test("3: six in a row that rise or fall, none equal", () => {
    expect(hits(3, [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6])).toEqual([5, 6]);
    expect(hits(3, [0.5, 0.4, 0.3, 0.2, 0.1, 0])).toEqual([5]);
    expect(hits(3, [0, 0.1, 0.2, 0.2, 0.4, 0.5])).toEqual([]);
  });
  test("4: fourteen in a row up and down", () => {
    const zigzag = Array.from({ length: 14 }, (_, i) => (i % 2 ? 0.2 : -0.2));
    expect(hits(4, zigzag)).toEqual([13]);
    expect(hits(4, [...zigzag.slice(0, 13), -0.2])).toEqual([]);
  });
  test("5: two of three beyond two, on one side", () => {
    expect(hits(5, [0, 2.1, 0, 2.1, 0])).toEqual([3]);
    expect(hits(5, [2.1, 2.1])).toEqual([1]);
    expect(hits(5, [0, 2.1, -2.1])).toEqual([]);
  });
  test("6: four of five beyond one, on one side", () => {
    expect(hits(6, [1.1, 1.1, 0, 1.1, 1.1])).toEqual([4]);
    expect(hits(6, [1.1, -1.1, 0, 1.1, 1.1])).toEqual([]);
  });
  test("7: fifteen in a row within one", () => {
    const close = Array.from({ length: 15 }, (_, i) => [0.5, -0.5, 0][i % 3]!);
    expect(hits(7, close)).toEqual([14]);
    expect(hits(7, [...close.slice(0, 14), 1.2])).toEqual([]);
  });
  test("8: eight in a row beyond one, on either side", () => {
    expect(hits(8, [1.1, -1.1, 1.1, 1.1, -1.1, -1.1, 1.1, -1.1])).toEqual([7]);
    expect(hits(8, [1.1, -1.1, 1.1, 0.9, -1.1, -1.1, 1.1, -1.1])).toEqual([]);
  });
  test("nothing varies, nothing is told", () => expect(nelson({ values: [1, 1, 1], centre: 1, upper: 1, lower: 1 }).flat()).toEqual([]));
  test("ranges are judged by their limits", () => expect(outside({ values: [null, 1, 4, 0.1], centre: 1, upper: 3, lower: 0.2 })).toEqual([[], [], [1], [1]]));
  test("hits in a row are one signal, the newest first", () => {
    expect(signals([[1], [], [2], [1, 2], [2]])).toEqual([
      { rule: 2, first: 2, last: 4 },
      { rule: 1, first: 3, last: 3 },
      { rule: 1, first: 0, last: 0 },
    ]);
  });
});

describe("capability", () => {
  test("is that of the example in NIST/SEMATECH 6.1.6: limits 8 and 20, mean 16, deviation 2", () => {
    const { p, pk } = capability(16, 2, 8, 20);
    expect(p).toBeCloseTo(1);
    expect(pk).toBeCloseTo(0.6667, 4);
  });
  test("with one limit there is only the side it is on", () => expect(capability(10, 1, null, 16)).toEqual({ p: null, pk: 2 }));
  test("without limits or variation there is none", () => {
    expect(capability(10, 1, null, null)).toEqual({ p: null, pk: null });
    expect(capability(10, 0, 1, 2)).toEqual({ p: null, pk: null });
  });
});

describe("subgroups", () => {
  const row = (bin: number | null, time: number) => ({ bin, time, value: time });
  test("belong to one stretch; what lacks values is counted", () => {
    const { groups, incomplete } = grouped([row(0, 1), row(0, 2), row(10, 11), row(20, 21), row(20, 22)], 2);
    expect(groups.map((group) => group.values)).toEqual([[1, 2], [21, 22]]);
    expect(incomplete).toBe(1);
  });
  test("values of stops are no part of the process; a stop has what lies after its start and not after its end", () => {
    const rows = [0, 10, 20, 30, 40, 50].map((time) => row(null, time));
    expect(running(rows, [{ from: 0, to: 10 }, { from: 25, to: 40 }]).map((one) => one.time)).toEqual([0, 20, 50]);
    expect(running(rows, [])).toHaveLength(6);
  });
  test("follow one another where each value is taken", () => {
    expect(grouped([1, 2, 3, 4, 5].map((time) => row(null, time)), 2)).toMatchObject({ groups: [{ time: 1 }, { time: 3 }], incomplete: 1 });
  });
  test("the distance follows the span", () => {
    expect([everyFor(900_000, "imr"), everyFor(28_800_000, "imr"), everyFor(28_800_000, "xbar"), everyFor(1e12, "imr")]).toEqual([10, 300, 600, 14_400]);
  });
  test("only good values are asked for, and all qualities counted", () => {
    const query = valuesQuery(7, { from: 0, to: 1000 }, 60, 5);
    expect(query).toContain("series = 7 AND value IS NOT NULL AND time >= '1970-01-01T00:00:00.000Z' AND time < '1970-01-01T00:00:01.000Z' AND quality = 'good'");
    expect(query).toContain("place <= 5 ORDER BY time DESC LIMIT 10000");
    expect(countQuery(7, { ms: 3_600_000 })).toContain("now() - INTERVAL '3600 seconds'");
  });
});
