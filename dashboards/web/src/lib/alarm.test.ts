import { expect, test } from "vitest";
import { causes, flooded, priority, ranked, unseen, verbsOf } from "./alarm";
import type { Alarm } from "./types";

const alarm = (detector: string, state: Alarm["state"], urgency: Alarm["priority"], since: string): Alarm => ({
  asset: "a", path: "Line 1/Filler 1", detector, priority: urgency, state, since, message: "", response: "",
  value_inputs: [], count_24h: 1, acknowledged_by: "", acknowledged_at: null, shelved_until: null, last_change: null,
});

test("what nobody has seen comes first, then urgency, then the newest", () => {
  const order = ranked([
    alarm("seen-critical", "acknowledged", 1, "2026-01-01T10:00:00Z"),
    alarm("old-high", "unacknowledged", 2, "2026-01-01T08:00:00Z"),
    alarm("new-high", "returned_unacknowledged", 2, "2026-01-01T09:00:00Z"),
    alarm("critical", "unacknowledged", 1, "2026-01-01T07:00:00Z"),
  ]).map((a) => a.detector);
  expect(order).toEqual(["critical", "new-high", "old-high", "seen-critical"]);
});

test("both ways of writing a priority mean the same", () => {
  expect([priority("critical"), priority("low"), priority(3)]).toEqual([1, 4, 3]);
});

const MINUTE = 60_000;
const raised = (path: string, minute: number, rank: 1 | 2 | 3 | 4 = 3): Alarm => ({ path, priority: rank, state: "unacknowledged", since: new Date(minute * MINUTE).toISOString() }) as Alarm;

test("what can be done follows the state, what is due first", () => {
  expect(verbsOf("unacknowledged")).toEqual(["acknowledge", "shelve"]);
  expect(verbsOf("latched_unacknowledged")).toEqual(["acknowledge", "shelve"]);
  expect(verbsOf("latched_acknowledged")).toEqual(["reset", "shelve"]);
  expect(verbsOf("out_of_service")).toEqual(["return-to-service"]);
  expect(verbsOf("normal")).toEqual([]);
  expect(["latched_unacknowledged", "latched_acknowledged", "shelved"].map((state) => unseen(state as Alarm["state"]))).toEqual([true, false, false]);
});

test("more than ten within ten minutes are a flood", () => {
  const slow = Array.from({ length: 11 }, (_, index) => raised("A/1", index * 1.1));
  expect(flooded(slow)).toBe(false);
  expect(flooded([...slow, raised("A/2", 3)])).toBe(true);
});

test("alarms stand behind the first of their line, and priority 1 behind nothing", () => {
  const all = [raised("A/3", 2), raised("A/1", 0), raised("B/1", 1), raised("A/2", 1, 1), raised("A/4", 30)];
  const found = causes(all, (one) => one.path.split("/")[0] ?? "").map(({ first, shown, behind }) => [first.path, shown.map((one) => one.path), behind.map((one) => one.path)]);
  expect(found).toEqual([
    ["A/1", ["A/1", "A/2"], ["A/3"]],
    ["A/4", ["A/4"], []],
    ["B/1", ["B/1"], []],
  ]);
});
