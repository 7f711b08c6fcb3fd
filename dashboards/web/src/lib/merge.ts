// What the live stream does to what the page already shows. Pure.
import { quality, type Quality, type Scalar } from "./format";
import type { SparkPoint } from "./strip";

/** The newest known value of a series. */
export interface LiveValue {
  time: number;
  value: Scalar;
  quality: Quality;
}

/** One value as it travels: series, epoch milliseconds, value, quality. */
export type WireValue = [number, number, Scalar, 0 | 1 | 2];

/** Whether a value replaces the one shown. An older one never does: a late sample belongs to history, not to "now". */
export function newer(shown: LiveValue | null, incoming: LiveValue): boolean {
  return shown === null || incoming.time >= shown.time;
}

/** A wire value as the page keeps it. */
export function unpack(wire: WireValue): LiveValue {
  return { time: wire[1], value: wire[2], quality: quality(wire[3]) };
}

/** What is known about the connection to the server. */
export type LinkState = "connecting" | "live" | "lost";

/** The server beats once a second; three missed beats are a lost link, not a slow one. */
export const LINK_LOST_AFTER_MS = 3_500;

/** The state of the link from the age of the last message; none has come yet while connecting. */
export function linkState(lastMessage: number | null, now: number, open: boolean): LinkState {
  if (lastMessage === null) return open ? "connecting" : "lost";
  return now - lastMessage > LINK_LOST_AFTER_MS || !open ? "lost" : "live";
}

/** Wait before the next attempt: doubles from half a second to ten, with jitter so that tabs do not come back in step. */
export function backOff(attempt: number, random: number): number {
  const base = Math.min(10_000, 500 * 2 ** Math.min(attempt, 10));
  return base * (0.75 + random * 0.5);
}

/** Why a value must not be read as the present. */
export type Doubt = "link" | "source" | "bad" | "uncertain" | "stale" | "missing" | null;

/** What is wrong with a value, the gravest first. A value with doubt is hatched and shows its age. */
export function doubt(
  shown: LiveValue | null,
  now: number,
  staleAfterMs: number | null | undefined,
  link: LinkState,
  sourceDown: boolean,
): Doubt {
  if (link === "lost") return "link";
  if (sourceDown) return "source";
  if (shown === null) return "missing";
  if (shown.quality === 2) return "bad";
  if (staleAfterMs && now - shown.time > staleAfterMs) return "stale";
  if (shown.quality === 1) return "uncertain";
  return shown.value === null ? "missing" : null;
}

/** Adds a live value to a sparkline: at most one point per `step`, old ones leave the window, bad data breaks the line. */
export function extendSpark(
  points: readonly SparkPoint[],
  incoming: LiveValue,
  windowMs: number,
  step: number,
): SparkPoint[] {
  const value = incoming.quality === 2 || typeof incoming.value !== "number" ? null : incoming.value;
  const last = points.at(-1);
  if (last && incoming.time < last[0]) return [...points];
  const before = points.at(-2);
  // Inside a step the newest value replaces the last point, so the tip of the line is always the number shown.
  const kept = last && before && incoming.time - before[0] < step ? points.slice(0, -1) : points;
  const start = incoming.time - windowMs;
  const first = kept.findIndex(([time]) => time >= start);
  return [...(first < 0 ? [] : kept.slice(first)), [incoming.time, value]];
}
