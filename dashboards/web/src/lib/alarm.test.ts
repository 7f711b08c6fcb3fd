import { expect, test } from "vitest";
import { priority, ranked } from "./alarm";
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
