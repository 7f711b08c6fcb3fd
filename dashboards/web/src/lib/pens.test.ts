import { describe, expect, test } from "vitest";
import { append, axisDecimals, column, columnsOf, hold, spanOf, trim, valueAt, type Pen, aligned, panned, penNames, writePens, zoomed } from "./pens";

const pen = (over: Partial<Pen>): Pen => ({ series: 0, name: "n", unit: "", step: false, constant: null, normal: null, ...over });

describe("columns", () => {
  test("bad data is a gap, truth is a number, texts are no line", () => {
    expect(column([[1, 5, 0], [2, 6, 2], [3, true, 0], [4, "x", 0], [5, null, 0]])).toEqual({
      times: [1, 2, 3, 5],
      values: [5, null, 1, null],
    });
  });

  test("a trend's columns are read as the server writes them", () => {
    const bytes = new DataView(new ArrayBuffer(8 + 2 * 16 + 8));
    [[0, 7], [4, 2], [40, 9], [44, 0]].forEach(([at, number]) => bytes.setUint32(at ?? 0, number ?? 0, true));
    [1_500, 2_500, 82.5, Number.NaN].forEach((number, index) => bytes.setFloat64(8 + index * 8, number, true));
    expect([...columnsOf(bytes.buffer)]).toEqual([
      [7, { times: [1_500, 2_500], values: [82.5, null] }],
      [9, { times: [], values: [] }],
    ]);
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
    expect(hold(data, pen({ constant: 82 }), 0, 100)).toEqual({ times: [0, 50, 100], values: [82, 82, 82] });
    // It was set before the window, and again within it; and only before it.
    expect(hold({ times: [-7, 50], values: [80, 82] }, pen({ constant: 82 }), 0, 100)).toEqual({ times: [-7, 50, 100], values: [80, 82, 82] });
    expect(hold({ times: [-7], values: [80] }, pen({ constant: 82 }), 0, 100)).toEqual({ times: [-7, 100], values: [80, 80] });
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

test("names of pens read back as they were written, with and without a home", () => {
  const text = "fill_temp|oee@shift|Line 2/Filler: 2:fill_temp";
  const names = penNames(text, "Line 1/Filler 1");
  expect(names).toEqual([
    { asset: "Line 1/Filler 1", key: "fill_temp", window: null },
    { asset: "Line 1/Filler 1", key: "oee", window: "shift" },
    { asset: "Line 2/Filler: 2", key: "fill_temp", window: null },
  ]);
  expect(writePens(names, "Line 1/Filler 1")).toBe(text);
  expect(penNames("", "a")).toEqual([]);
});

test("zooming keeps what is under the cursor, and nothing shows the future", () => {
  expect(zoomed(0, 10_000, 0.5, 2_500, 20_000)).toEqual([1_250, 6_250]);
  expect(zoomed(0, 10_000, 2, 5_000, 12_000)).toEqual([-8_000, 12_000]);
  expect(zoomed(0, 2_000, 0.1, 1_000, 9_000)).toEqual([500, 1_500]);
  expect(panned(0, 1_000, 0.5, 9_000)).toEqual([500, 1_500]);
  expect(panned(0, 1_000, 0.5, 1_200)).toEqual([200, 1_200]);
});

test("columns share one axis of time, with nothing where a pen has no sample", () => {
  expect(aligned([{ times: [1, 3], values: [10, null] }, { times: [2, 3, 3], values: [20, 25, 30] }])).toEqual([
    [1, 2, 3],
    [10, undefined, null],
    [undefined, 20, 30],
  ]);
  expect(aligned([])).toEqual([[]]);
});
