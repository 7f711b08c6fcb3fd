import { expect, test } from "vitest";
import { byPerson, told } from "./log";
import type { AnyEvent } from "./types";

const head = { id: "1", time: "2026-01-01T00:00:00Z", asset: null, asset_path: "Line 1", detector: "" };

test("the log says who did what, and marks what went wrong", () => {
  const alarm = { ...head, kind: "alarm", verb: "acknowledge", by: "m.huber", note: "seen", message: "hot" } as unknown as AnyEvent;
  const command = { ...head, kind: "command", control: "stop", value: true, state: "refused", decided_by: "overheat", reason: "interlock" } as unknown as AnyEvent;
  expect(told(alarm)).toMatchObject({ who: "m.huber", detail: "seen", wrong: false });
  expect(told(command)).toMatchObject({ who: "", wrong: true });
  expect(told(command).detail).toContain("interlock");
  expect([alarm, command].map(byPerson)).toEqual([true, false]);
  expect(told({ ...head, kind: "news" } as unknown as AnyEvent).what).toBe("news");
});
