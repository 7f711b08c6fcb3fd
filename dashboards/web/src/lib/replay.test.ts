import { expect, test } from "vitest";
import { nextMove, placedTimers, putBack, stepAt, stripOf, taken } from "./replay";
import type { ReplayStep } from "./types";
import { locate } from "./yaml";

const at = (seconds: number) => new Date(seconds * 1000).toISOString();
const step = (seconds: number, state: string, moved = true): ReplayStep => ({ time: at(seconds), state, trigger: "", moved, alarm: "normal", variables: [], timers: [], inputs: [] });
const steps = [step(0, "normal", false), step(10, "hot/warming"), step(20, "hot/warming", false), step(45, "hot/alarm")];

test("the step that holds at an instant", () => {
  expect([-5, 0, 9, 10, 44, 45, 99].map((seconds) => stepAt(steps, seconds * 1000))).toEqual([0, 0, 0, 1, 2, 3, 3]);
  expect(stepAt([], 5)).toBe(0);
});

test("a strip reaches from step to step and to the end", () => {
  expect(stripOf({ to: at(60), steps }).map((part) => [part.from, part.to, part.state])).toEqual([
    [0, 10_000, "normal"],
    [10_000, 20_000, "hot/warming"],
    [20_000, 45_000, "hot/warming"],
    [45_000, 60_000, "hot/alarm"],
  ]);
});

test("moves are found either way", () => {
  expect(nextMove(steps, 10_000, 1)).toBe(45_000);
  expect(nextMove(steps, 45_000, -1)).toBe(10_000);
  expect(nextMove(steps, 45_000, 1)).toBe(null);
});

test("a timer finds its rule", () => {
  const states = [{ path: "hot", name: "hot", parent: null, initial: null, history: false, enter: [], exit: [], rules: [{ text: "when x", to: null, kind: "when" as const, actions: [] }, { text: "after 35s", to: null, kind: "after" as const, actions: [] }] }];
  const timer = { name: "after 35s", state: "hot", started: at(0), due: at(35), paused: null, fired: false };
  expect(placedTimers([timer], states)[0]?.rule).toBe(1);
});

test("a detector is taken out of its file and put back", () => {
  const text = "models:\n  filler:\n    detectors:\n      overheat:\n        priority: high\n\n        initial: normal\n      other:\n        priority: low\n";
  const place = locate(text, ["models", "filler", "detectors", "overheat"]);
  if (!place) throw new Error("not found");
  const { block, indent } = taken(text, place);
  expect([block, indent]).toEqual(["overheat:\n  priority: high\n\n  initial: normal", 6]);
  expect(putBack(text, place, block)).toBe(text);
  expect(putBack(text, place, block.replace("high", "low"))).toContain("        priority: low\n\n        initial: normal\n      other:");
});
