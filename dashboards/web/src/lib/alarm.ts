// Alarms as the pages rank them. Pure.
import { instant } from "./format";
import type { Alarm, AlarmStateName, Priority, PriorityName } from "./types";

const NUMBERS: Record<PriorityName, Priority> = { critical: 1, high: 2, medium: 3, low: 4 };

/** 1 to 4, from either way of writing a priority: answers about now have the number, events the word. */
export function priority(from: number | PriorityName): Priority {
  return typeof from === "number" ? (from as Priority) : NUMBERS[from];
}

/** Whether somebody still has to acknowledge it. */
export function unseen(state: AlarmStateName): boolean {
  return state === "unacknowledged" || state === "returned_unacknowledged";
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
