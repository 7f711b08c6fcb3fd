// A detector played again, and an edit of it tried on history: what a page makes of the answers. Pure.
import type { Stretch } from "./strip";
import type { ModelState, Replayed, ReplayStep, Timer } from "./types";

/** What the two sides of a back-test are compared by. */
export const COUNTS = ["transitions", "raised", "cleared", "notifications", "commands", "refused", "failures"] as const;

/** The position of the step that holds at an instant: the last one not after it; the first before all. */
export function stepAt(steps: readonly { time: string }[], at: number): number {
  let [low, high] = [0, steps.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (Date.parse(steps[middle]?.time ?? "") <= at) low = middle + 1;
    else high = middle;
  }
  return Math.max(0, low - 1);
}

/** The states of a replay as a strip. */
export function stripOf(replayed: Pick<Replayed, "to" | "steps">): Stretch[] {
  const end = Date.parse(replayed.to);
  return replayed.steps.map((step, index, all) => ({
    from: Date.parse(step.time),
    to: Date.parse(all[index + 1]?.time ?? "") || end,
    state: step.state,
  }));
}

/** The instant of the next move (`by` 1) or the one before (-1); none at the end. */
export function nextMove(steps: readonly ReplayStep[], at: number, by: 1 | -1): number | null {
  const moves = steps.filter((step) => step.moved).map((step) => Date.parse(step.time));
  const found = by === 1 ? moves.find((time) => time > at) : moves.findLast((time) => time < at);
  return found ?? null;
}

/** Timers with the rule of the drawing that each belongs to. */
export function placedTimers(timers: ReplayStep["timers"], states: readonly ModelState[]): Timer[] {
  return timers.map((timer) => {
    const rules = states.find((state) => state.path === timer.state)?.rules ?? [];
    return { ...timer, rule: rules.findIndex((rule) => rule.text === timer.name || rule.text.endsWith(timer.name)) };
  });
}

/** A block of a file, moved to the left edge, and how far it stood in. */
export function taken(text: string, place: { from: number; to: number }): { block: string; indent: number } {
  const start = text.lastIndexOf("\n", place.from - 1) + 1;
  const indent = place.from - start;
  const lines = text.slice(start, place.to).split("\n");
  return { block: lines.map((line) => line.slice(Math.min(indent, line.length - line.trimStart().length))).join("\n"), indent };
}

/** The file with a block put back where it was taken. */
export function putBack(text: string, place: { from: number; to: number }, block: string): string {
  const start = text.lastIndexOf("\n", place.from - 1) + 1;
  const space = " ".repeat(place.from - start);
  const lines = block.replace(/\s+$/, "").split("\n").map((line) => (line.trim() === "" ? "" : space + line));
  return text.slice(0, start) + lines.join("\n") + text.slice(place.to);
}
