// Geometry of the marks: state strips, sparklines, ticks. Pure numbers in, pure numbers out.

/** One stretch of a strip. */
export interface Stretch<S extends string = string> {
  from: number;
  to: number;
  state: S;
  reason?: string;
}

/** Stretches as the API gives them, with instants as numbers. */
export function stretchesOf<S extends string>(parts: readonly { from: string; to: string; state: S; reason?: string }[]): Stretch<S>[] {
  return parts.map((part) => ({ ...part, from: Date.parse(part.from), to: Date.parse(part.to) }));
}

/** What was on at an instant. */
export function stretchAt<S extends string>(stretches: readonly Stretch<S>[], time: number): Stretch<S> | undefined {
  return stretches.find((stretch) => stretch.from <= time && time < stretch.to);
}

/** A stretch placed in a strip whose width is 1. */
export interface Piece<S extends string = string> {
  x: number;
  width: number;
  stretch: Stretch<S>;
}

/** Clips stretches to the window, drops empty ones, joins neighbours that say the same. The order in time is kept. */
export function pieces<S extends string>(stretches: readonly Stretch<S>[], from: number, to: number): Piece<S>[] {
  const whole = to - from;
  if (!(whole > 0)) return [];
  const joined: Stretch<S>[] = [];
  for (const stretch of [...stretches].sort((a, b) => a.from - b.from)) {
    const start = Math.max(stretch.from, from);
    const end = Math.min(stretch.to, to);
    if (!(end > start)) continue;
    const last = joined.at(-1);
    if (last && last.state === stretch.state && last.reason === stretch.reason && start <= last.to) {
      last.to = Math.max(last.to, end);
    } else {
      joined.push({ ...stretch, from: start, to: end });
    }
  }
  return joined.map((stretch) => ({
    x: (stretch.from - from) / whole,
    width: (stretch.to - stretch.from) / whole,
    stretch,
  }));
}

/** How long each state lasted inside the window, longest first. */
export function totals(stretches: readonly Stretch[], from: number, to: number): { state: string; ms: number }[] {
  const sums = new Map<string, number>();
  for (const piece of pieces(stretches, from, to)) {
    const ms = piece.stretch.to - piece.stretch.from;
    sums.set(piece.stretch.state, (sums.get(piece.stretch.state) ?? 0) + ms);
  }
  return [...sums].map(([state, ms]) => ({ state, ms })).sort((a, b) => b.ms - a.ms);
}

/** A point of a sparkline: milliseconds and a number; null breaks the line. */
export type SparkPoint = readonly [number, number | null];

/** The vertical range of a sparkline: its values and, as far as it does not dwarf them, its normal band. */
export function range(points: readonly SparkPoint[], band: readonly [number, number] | null): [number, number] {
  let low = Infinity;
  let high = -Infinity;
  for (const [, value] of points) {
    if (value === null || !Number.isFinite(value)) continue;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  if (band) {
    low = Math.min(low, band[0]);
    high = Math.max(high, band[1]);
  }
  if (!Number.isFinite(low)) return [0, 1];
  if (high === low) {
    const half = Math.abs(high) > 0 ? Math.abs(high) * 0.05 : 0.5;
    return [low - half, high + half];
  }
  const margin = (high - low) * 0.08;
  return [low - margin, high + margin];
}

/** A polyline path through the points; a gap in the values is a gap in the line. */
export function path(
  points: readonly SparkPoint[],
  window: readonly [number, number],
  values: readonly [number, number],
  width: number,
  height: number,
  /** Holds each value until the next, and the last one to the end: states and set-points. */
  step = false,
): string {
  const spanX = window[1] - window[0] || 1;
  const spanY = values[1] - values[0] || 1;
  let out = "";
  let pen = "M";
  for (const [time, value] of points) {
    if (value === null || !Number.isFinite(value)) {
      pen = "M";
      continue;
    }
    const x = ((time - window[0]) / spanX) * width;
    const y = height - ((value - values[0]) / spanY) * height;
    const at = Math.min(height, Math.max(0, y)).toFixed(1);
    out += step && pen === "L" ? `H${x.toFixed(1)}V${at}` : `${pen}${x.toFixed(1)} ${at}`;
    pen = "L";
  }
  return step && pen === "L" ? `${out}H${width.toFixed(1)}` : out;
}

const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400].map(
  (seconds) => seconds * 1000,
);

/** Round instants inside a window, at most `most` of them. `offset` shifts rounding to the plant's midnight. */
export function ticks(from: number, to: number, most: number, offset = 0): number[] {
  const step = STEPS.find((candidate) => (to - from) / candidate <= most) ?? 604_800_000;
  const out: number[] = [];
  for (let at = Math.ceil((from + offset) / step) * step - offset; at <= to; at += step) out.push(at);
  return out;
}
