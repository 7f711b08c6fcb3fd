// What a trend draws: pens, their data on one time axis, and the values under the cursor. Pure.
import type { Scalar } from "./format";

/** One line of a trend. */
export interface Pen {
  series: number;
  name: string;
  unit: string;
  /** Holds its value until the next one: states, counters, limits. */
  step: boolean;
  /** The value of a constant: it reaches from edge to edge, however old it is. None for what varies. */
  constant: number | null;
  normal: readonly [number, number] | null;
}

/** The most pens that stay apart on one chart. */
export const MOST_PENS = 8;

/** A column of a chart: times and values; null is a gap. */
export interface Column {
  times: number[];
  values: (number | null)[];
}

/** History as a column: bad and missing values are gaps, truth is 0 or 1, texts are left out. */
export function column(points: readonly (readonly [number, Scalar, number])[]): Column {
  const times: number[] = [];
  const values: (number | null)[] = [];
  for (const [time, value, quality] of points) {
    if (typeof value === "string") continue;
    times.push(time);
    values.push(quality === 2 || value === null ? null : Number(value));
  }
  return { times, values };
}

/** The columns of a trend by series, as `GET /api/trend` sends them: number and count, then times, then values; no number is a gap. */
export function columnsOf(bytes: ArrayBuffer): Map<number, Column> {
  const found = new Map<number, Column>();
  const view = new DataView(bytes);
  for (let at = 0; at + 8 <= bytes.byteLength; ) {
    const [series, count] = [view.getUint32(at, true), view.getUint32(at + 4, true)];
    // Little-endian, as are all machines that browsers run on, and always at a multiple of eight.
    const numbers = (from: number) => new Float64Array(bytes, from, count);
    const values = Array.from<number, number | null>(numbers(at + 8 + count * 8), (value) => (Number.isNaN(value) ? null : value));
    found.set(series, { times: Array.from(numbers(at + 8)), values });
    at += 8 + count * 16;
  }
  return found;
}

/** A value that just came in. Older than the last point: history has it already. */
export function append(to: Column, time: number, value: Scalar, quality: number): boolean {
  const last = to.times.at(-1);
  if (typeof value === "string" || (last !== undefined && time <= last)) return false;
  to.times.push(time);
  to.values.push(quality === 2 || value === null ? null : Number(value));
  return true;
}

/** Drops what lies before the window, but keeps the one point that leads into it. */
export function trim(from: number, data: Column): Column {
  const first = data.times.findIndex((time) => time >= from);
  if (first <= 1) return data;
  return { times: data.times.slice(first - 1), values: data.values.slice(first - 1) };
}

/** Reaches from edge to edge for a constant, and to the right edge for a value that holds. */
export function hold(data: Column, pen: Pen, from: number, to: number): Column {
  if (pen.constant !== null && data.times.every((time) => time > to)) return { times: [from, to], values: [pen.constant, pen.constant] };
  const last = data.values.at(-1);
  const end = data.times.at(-1);
  if (end === undefined || last === undefined || last === null || !(pen.constant !== null || pen.step)) return data;
  const times = [...data.times];
  const values = [...data.values];
  if (pen.constant !== null && (times[0] ?? to) > from) {
    times.unshift(from);
    values.unshift(values[0] ?? null);
  }
  if (end < to) {
    times.push(to);
    values.push(last);
  }
  return { times, values };
}

/** The value at an instant: the last one at or before it. */
export function valueAt(data: Column, time: number): number | null {
  let low = 0;
  let high = data.times.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((data.times[middle] ?? 0) <= time) low = middle + 1;
    else high = middle;
  }
  return low === 0 ? null : (data.values[low - 1] ?? null);
}

/** How many decimals tell the marks of an axis apart: steps of 2.5 need one, steps of 5 none. */
export function axisDecimals(step: number): number {
  for (let digits = 0; digits < 6; digits += 1) {
    const scaled = Math.abs(step) * 10 ** digits;
    if (Math.abs(scaled - Math.round(scaled)) < 1e-6) return digits;
  }
  return 6;
}

/** How a pen is named in an address: `fill_temp`, `oee@shift`, or `Line 2/Filler 2:fill_temp` where no asset is understood. */
export interface PenName {
  asset: string;
  key: string;
  window: string | null;
}

/** Reads names of pens; `home` is the asset that is understood. */
export function penNames(text: string, home: string): PenName[] {
  return text.split("|").filter(Boolean).map((name) => {
    const colon = name.lastIndexOf(":");
    const [key = "", window = null] = name.slice(colon + 1).split("@");
    return { asset: colon < 0 ? home : name.slice(0, colon), key, window };
  });
}

/** Writes names of pens. */
export function writePens(pens: readonly PenName[], home: string): string {
  return pens.map((pen) => `${pen.asset === home ? "" : `${pen.asset}:`}${pen.key}${pen.window ? `@${pen.window}` : ""}`).join("|");
}

/** The shortest span that is shown: below a few samples there is nothing to see. */
const SHORTEST_MS = 1_000;
/** The longest: ten years. */
const LONGEST_MS = 10 * 365 * 86_400_000;

/** Zooms a window by `factor` (below 1 comes nearer) around `anchor`, and keeps it out of the future. */
export function zoomed(from: number, to: number, factor: number, anchor: number, now: number): [number, number] {
  const ms = Math.min(LONGEST_MS, Math.max(SHORTEST_MS, (to - from) * factor));
  return moved(anchor - ((anchor - from) / (to - from)) * ms, ms, now);
}

/** Moves a window by a part of its width. */
export function panned(from: number, to: number, part: number, now: number): [number, number] {
  return moved(from + (to - from) * part, to - from, now);
}

function moved(from: number, ms: number, now: number): [number, number] {
  const end = Math.min(now, from + ms);
  return [Math.round(end - ms), Math.round(end)];
}

/** Columns on one axis of time: all instants, then the values of each column at that very instant, undefined where it has none. */
export function aligned(columns: readonly Column[]): [number[], ...(number | null | undefined)[][]] {
  const times: number[] = [];
  const lines = columns.map((column) => ({ column, place: 0, values: [] as (number | null | undefined)[] }));
  for (;;) {
    let next = Infinity;
    for (const { column, place } of lines) next = Math.min(next, column.times[place] ?? Infinity);
    if (next === Infinity) return [times, ...lines.map((line) => line.values)];
    times.push(next);
    for (const line of lines) {
      let value: number | null | undefined;
      // Of several at one instant the last one counts.
      while (line.column.times[line.place] === next) value = line.column.values[line.place++];
      line.values.push(value);
    }
  }
}

/** The span a trend shows, from its address: `range=1h` is live, `from` and `to` are frozen. */
export type Span = { live: true; ms: number; name: string } | { live: false; from: number; to: number };

const RANGES: Record<string, number> = { "15m": 900_000, "1h": 3_600_000, "8h": 28_800_000, "1d": 86_400_000, "7d": 604_800_000, "30d": 2_592_000_000 };

/** Names of the ranges, shortest first. */
export const RANGE_NAMES = Object.keys(RANGES);

/** Reads the span; whatever is not understood is the last hour, or what the page begins with, live: up to the present, or to the instant at
 * which the page looks at the plant. */
export function spanOf(parameters: URLSearchParams, usual = "1h"): Span {
  const from = Number(parameters.get("from"));
  const to = Number(parameters.get("to"));
  if (from > 0 && to > from) return { live: false, from, to };
  const wanted = parameters.get("range") ?? usual;
  const name = RANGES[wanted] === undefined ? usual : wanted;
  const ms = RANGES[name] ?? 3_600_000;
  const seen = Number(parameters.get("seen") ?? "");
  return seen > 0 ? { live: false, from: seen - ms, to: seen } : { live: true, ms, name };
}
