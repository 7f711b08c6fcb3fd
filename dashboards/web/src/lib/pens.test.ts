import { describe, expect, test } from "vitest";
import { append, axisDecimals, column, hold, spanOf, trim, valueAt, type Pen } from "./pens";

const pen = (over: Partial<Pen>): Pen => ({ series: 0, name: "n", unit: "", step: false, constant: false, normal: null, ...over });

describe("columns", () => {
  test("bad data is a gap, truth is a number, texts are no line", () => {
    expect(column([[1, 5, 0], [2, 6, 2], [3, true, 0], [4, "x", 0], [5, null, 0]])).toEqual({
      times: [1, 2, 3, 5],
      values: [5, null, 1, null],
    });
  });

  test("live values join at the end only", () => {
    const data = column([[1, 5, 0]]);
    expect(append(data, 1, 9, 0)).toBe(false);
    expect(append(data, 2, 9, 0)).toBe(true);
    expect(append(data, 3, 9, 2)).toBe(true);
    expect(data).toEqual({ times: [1, 2, 3], values: [5, 9, null] });
  });

  test("the point that leads into the window stays", () => {
    expect(trim(25, { times: [10, 20, 30], values: [1, 2, 3] })).toEqual({ times: [20, 30], values: [2, 3] });
    expect(trim(5, { times: [10, 20], values: [1, 2] }).times).toEqual([10, 20]);
  });

  test("a limit reaches from edge to edge, a measurement never beyond its last value", () => {
    const data = { times: [50], values: [82] };
    expect(hold(data, pen({ constant: true }), 0, 100)).toEqual({ times: [0, 50, 100], values: [82, 82, 82] });
    expect(hold(data, pen({ step: true }), 0, 100)).toEqual({ times: [50, 100], values: [82, 82] });
    expect(hold(data, pen({}), 0, 100)).toBe(data);
    expect(hold({ times: [1], values: [null] }, pen({ step: true }), 0, 9).times).toEqual([1]);
  });

  test("under the cursor stands the last value before it", () => {
    const data = { times: [10, 20], values: [1, 2] };
    expect([valueAt(data, 5), valueAt(data, 10), valueAt(data, 15), valueAt(data, 99)]).toEqual([null, 1, 1, 2]);
  });
});

test("marks of an axis are never rounded", () => {
  expect([axisDecimals(5), axisDecimals(2.5), axisDecimals(0.25), axisDecimals(0.1 + 0.2 - 0.2)]).toEqual([0, 1, 2, 1]);
});

test("the span comes from the address", () => {
  expect(spanOf(new URLSearchParams("range=8h"))).toEqual({ live: true, ms: 28_800_000, name: "8h" });
  expect(spanOf(new URLSearchParams("from=1000&to=2000&range=8h"))).toEqual({ live: false, from: 1000, to: 2000 });
  expect(spanOf(new URLSearchParams("range=soon&from=5&to=1"))).toEqual({ live: true, ms: 3_600_000, name: "1h" });
});
