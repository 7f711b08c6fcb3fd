import { expect, test } from "vitest";
import { deliveries, story, track } from "./story";
import type { CommandEvent, CommandState, TransitionEvent } from "./types";

const head = (id: string, time: string) => ({ id, time, asset: null, asset_path: "", detector: "d" });
const command = (id: string, time: string, state: CommandState, of = "c1"): CommandEvent => ({
  ...head(id, time), kind: "command", command: of, control: "stop", address: "", value: true, state,
  read_back: state === "verified" ? true : null, reason: state === "failed" ? "refused by the PLC" : "",
  decided_by: "d", decided_at: time,
});
const move: TransitionEvent = {
  ...head("t", "2026-01-01T00:00:01Z"), kind: "transition", from: "a", to: "b",
  explanation: { trigger: "", state: "a", rule: "", inputs: [], steps: [], timer: null, actions: [] },
};

test("the newest first; in one instant the command comes after the move that decided it", () => {
  const order = story([move], [command("r", "2026-01-01T00:00:01Z", "requested"), command("v", "2026-01-01T00:00:02Z", "verified")], [move]);
  expect(order.map((e) => e.id)).toEqual(["v", "r", "t"]);
});

test("a delivery gathers its states in order, also when they come in one instant and mixed up", () => {
  const at = "2026-01-01T00:00:01Z";
  const [first, second] = deliveries([
    command("3", at, "verified"), command("1", at, "requested"), command("2", at, "sent"),
    command("4", "2026-01-01T00:00:00Z", "failed", "c0"),
  ]);
  expect(first?.steps.map((s) => s.state)).toEqual(["requested", "sent", "verified"]);
  expect(first?.readBack).toBe(true);
  expect(second?.reason).toBe("refused by the PLC");
});

test("what is ahead of a command is shown as not done", () => {
  const [sent] = deliveries([command("1", "2026-01-01T00:00:00Z", "requested"), command("2", "2026-01-01T00:00:01Z", "sent")]);
  expect(sent && track(sent).map((s) => [s.state, s.done])).toEqual([["requested", true], ["sent", true], ["verified", false]]);
});
