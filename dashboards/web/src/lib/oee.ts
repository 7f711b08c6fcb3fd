// What the OEE board makes of the answers: which window, compared with which, and the shapes of its pictures. Pure.
import type { Stretch } from "./strip";
import type { OeeLoss, OeeRow, RunState, Stop, Stops } from "./types";

const DAY_MS = 86_400_000;

/** The window an instant lies in (after its start, not after its end); the newest without one. */
export function rowAt(rows: readonly OeeRow[], at: number | null): OeeRow | undefined {
  if (at === null) return rows.at(-1);
  return rows.find((row) => Date.parse(row.start) < at && at <= Date.parse(row.end));
}

/** The same shift of an earlier day: the last that began at the same time of day, an hour more or less when clocks change. */
export function sameBefore(rows: readonly OeeRow[], row: OeeRow): OeeRow | undefined {
  const apart = (other: OeeRow) => (Date.parse(row.start) - Date.parse(other.start)) % DAY_MS;
  return rows.findLast((other) => Date.parse(other.start) < Date.parse(row.start) && Math.min(apart(other), DAY_MS - apart(other)) <= 3_600_000);
}

/** Whether a reason says that the machine waits for its neighbours. */
export const waits = (reason: string): boolean => /starved|blocked|waiting/i.test(reason);

/** A stop as a stretch of the strip. */
export function stopState(stop: Pick<Stop, "planned" | "reason">): RunState {
  return stop.planned ? "planned" : waits(stop.reason) ? "waiting" : "stopped";
}

/** A figure, unless nothing at all is known that it could be made of: then nought is no figure. */
export const founded = (value: number | null, coverage: number): number | null => (coverage > 0 ? value : null);

/** The strip of a machine from its stops and from when nothing is known: the rest of the time it ran. */
export function stripOf({ stops, unknown }: Pick<Stops, "stops" | "unknown">, from: number, to: number): Stretch<RunState>[] {
  const parts = [
    ...stops.map((stop) => ({ ...stop, state: stopState(stop) })),
    ...unknown.map((span) => ({ ...span, state: "unknown" as const, reason: "" })),
  ];
  const out: Stretch<RunState>[] = [];
  let at = from;
  for (const part of parts.sort((a, b) => Date.parse(a.start) - Date.parse(b.start))) {
    const [start, end] = [Math.max(from, Date.parse(part.start)), Math.min(to, Date.parse(part.end))];
    if (end <= start) continue;
    if (start > at) out.push({ from: at, to: start, state: "running" });
    out.push({ from: start, to: end, state: part.state, reason: part.reason });
    at = end;
  }
  if (at < to) out.push({ from: at, to, state: "running" });
  return out;
}

/** A bar of the waterfall, in parts of the whole. */
export interface Fall {
  loss: string;
  from: number;
  width: number;
  ms: number;
}

/** The bars from calendar time to good time; losses of nothing are left out. */
export function falls(waterfall: NonNullable<OeeRow["losses"]>["waterfall"]): Fall[] {
  const whole = waterfall.calendar_ns || 1;
  const steps = waterfall.steps.filter((step) => step.lost_ns !== 0);
  return steps.map((step) => ({
    loss: step.loss,
    from: Math.min(step.left_ns, step.left_ns + step.lost_ns) / whole,
    width: Math.abs(step.lost_ns) / whole,
    ms: step.lost_ns / 1e6,
  }));
}

/** Losses with their share and the share of all up to and with them. */
export function pareto(losses: readonly OeeLoss[], most: number): { loss: OeeLoss; share: number; running: number }[] {
  const sorted = losses.filter((loss) => loss.lost_ns > 0).sort((a, b) => b.lost_ns - a.lost_ns);
  const whole = sorted.reduce((sum, loss) => sum + loss.lost_ns, 0) || 1;
  let running = 0;
  return sorted.slice(0, most).map((loss) => {
    running += loss.lost_ns;
    return { loss, share: loss.lost_ns / (sorted[0]?.lost_ns ?? 1), running: running / whole };
  });
}
