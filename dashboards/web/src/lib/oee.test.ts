import { expect, test } from "vitest";
import { falls, pareto, rowAt, sameBefore, stripOf } from "./oee";
import type { OeeLoss, OeeRow, Stop } from "./types";

const row = (start: string, end: string) => ({ start: `2026-${start}:00Z`, end: `2026-${end}:00Z` }) as OeeRow;
const rows = [row("10-23T12:00", "10-23T20:00"), row("10-24T04:00", "10-24T12:00"), row("10-24T12:00", "10-24T20:00"), row("10-25T05:00", "10-25T13:00"), row("10-25T13:00", "10-25T15:00")];

test("a window has its end and not its start", () => {
  expect(rowAt(rows, Date.parse("2026-10-24T12:00:00Z"))).toBe(rows[1]);
  expect(rowAt(rows, Date.parse("2026-10-24T12:00:00.001Z"))).toBe(rows[2]);
  expect(rowAt(rows, null)).toBe(rows[4]);
  expect(rowAt(rows, 0)).toBeUndefined();
});

test("a shift is compared with the same one before, also when the clocks change in between", () => {
  expect(sameBefore(rows, rows[4]!)).toBe(rows[2]);
  expect(sameBefore(rows, rows[3]!)).toBe(rows[1]);
  expect(sameBefore(rows, rows[0]!)).toBeUndefined();
});

test("between its stops a machine ran", () => {
  const stop = (start: number, end: number, reason = "", planned = false) => ({ start: new Date(start).toISOString(), end: new Date(end).toISOString(), reason, planned }) as Stop;
  const strip = stripOf({ stops: [stop(50, 60, "Blocked"), stop(-10, 20, "Jam"), stop(90, 120, "", true)], unknown: [{ start: stop(70, 80).start, end: stop(70, 80).end }] }, 0, 100);
  expect(strip.map((part) => [part.from, part.to, part.state])).toEqual([
    [0, 20, "stopped"], [20, 50, "running"], [50, 60, "waiting"], [60, 70, "running"], [70, 80, "unknown"], [80, 90, "running"], [90, 100, "planned"],
  ]);
  expect(stripOf({ stops: [], unknown: [] }, 0, 10)).toHaveLength(1);
});

test("the waterfall hangs each loss between what was and what is left", () => {
  const bars = falls({ calendar_ns: 100, good_ns: 55, steps: [{ loss: "breakdowns", lost_ns: 30, left_ns: 70 }, { loss: "setup", lost_ns: 0, left_ns: 70 }, { loss: "slow_cycles", lost_ns: -5, left_ns: 75 }] });
  expect(bars.map(({ loss, from, width }) => [loss, from, width])).toEqual([["breakdowns", 0.7, 0.3], ["slow_cycles", 0.7, 0.05]]);
});

test("a Pareto adds up to all, the dearest first", () => {
  const loss = (reason: string, lost_ns: number) => ({ reason, lost_ns }) as OeeLoss;
  const bars = pareto([loss("b", 30), loss("none", 0), loss("a", 60), loss("c", 10)], 2);
  expect(bars.map((bar) => [bar.loss.reason, bar.share, bar.running])).toEqual([["a", 1, 0.6], ["b", 0.5, 0.9]]);
});
