// Alarms as the pages rank them. Pure.
import { instant } from "./format";
import type { Alarm, AlarmStateName, Priority, PriorityName, Role } from "./types";

const NUMBERS: Record<PriorityName, Priority> = { critical: 1, high: 2, medium: 3, low: 4 };

/** 1 to 4, from either way of writing a priority: answers about now have the number, events the word. */
export function priority(from: number | PriorityName): Priority {
  return typeof from === "number" ? (from as Priority) : NUMBERS[from];
}

/** Whether somebody still has to acknowledge it. */
export function unseen(state: AlarmStateName): boolean {
  return state === "unacknowledged" || state === "returned_unacknowledged" || state === "latched_unacknowledged";
}

/** What people do about an alarm, by the last part of its address. */
export type Verb = "acknowledge" | "reset" | "shelve" | "out-of-service" | "unshelve" | "unsuppress" | "return-to-service";

/** Who may. Taking an alarm out of the operators' sight for good, and bringing it back, is for engineers. */
export const NEEDS: Record<Verb, Role> = {
  acknowledge: "operator",
  reset: "operator",
  shelve: "operator",
  unshelve: "operator",
  "out-of-service": "engineer",
  unsuppress: "engineer",
  "return-to-service": "engineer",
};

/** What can be done about an alarm in a state, the first thing first. */
export function verbsOf(state: AlarmStateName): Verb[] {
  if (state === "normal") return [];
  if (state === "shelved") return ["unshelve"];
  if (state === "suppressed") return ["unsuppress"];
  if (state === "out_of_service") return ["return-to-service"];
  if (unseen(state)) return ["acknowledge", "shelve"];
  return state === "latched_acknowledged" ? ["reset", "shelve"] : ["shelve"];
}

/** So many within so long are more than a person can answer (ISA-18.2, EEMUA 191). */
const FLOOD = 10;
const FLOOD_MS = 600_000;

/** Whether a flood is on: more alarms than a person can answer were raised within ten minutes, and they stand. */
export function flooded(alarms: readonly Alarm[]): boolean {
  const times = alarms.map((alarm) => instant(alarm.since) ?? 0).sort((a, b) => a - b);
  return times.some((time, index) => (times[index + FLOOD] ?? Infinity) - time <= FLOOD_MS);
}

export interface Cause {
  /** The first alarm of the place, and what may have led to the others. */
  first: Alarm;
  /** What stands by itself: the first, and every one of priority 1. */
  shown: Alarm[];
  /** What came after it in the same place. */
  behind: Alarm[];
}

/** Alarms by their first cause: those of one place (a line), each raised within ten minutes of the one before, after the first of them.
 * No alarm of priority 1 is behind another. Causes keep the order of the alarms that are shown. */
export function causes(alarms: readonly Alarm[], place: (alarm: Alarm) => string): Cause[] {
  const open = new Map<string, { cause: Cause; last: number }>();
  const found: Cause[] = [];
  for (const alarm of [...alarms].sort((a, b) => (instant(a.since) ?? 0) - (instant(b.since) ?? 0))) {
    const at = instant(alarm.since) ?? 0;
    const known = open.get(place(alarm));
    if (known && at - known.last <= FLOOD_MS) {
      known.last = at;
      (priority(alarm.priority) === 1 ? known.cause.shown : known.cause.behind).push(alarm);
    } else {
      const cause = { first: alarm, shown: [alarm], behind: [] };
      found.push(cause);
      open.set(place(alarm), { cause, last: at });
    }
  }
  const rank = new Map(ranked(alarms).map((alarm, index) => [alarm, index]));
  const best = ({ shown }: Cause) => Math.min(...shown.map((alarm) => rank.get(alarm) ?? 0));
  return found.sort((a, b) => best(a) - best(b));
}

/** Unacknowledged first, then by urgency, then the newest. */
export function ranked(alarms: readonly Alarm[]): Alarm[] {
  return [...alarms].sort(
    (a, b) =>
      Number(unseen(b.state)) - Number(unseen(a.state)) ||
      priority(a.priority) - priority(b.priority) ||
      (instant(b.since) ?? 0) - (instant(a.since) ?? 0),
  );
}
