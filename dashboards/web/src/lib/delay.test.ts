import { expect, test } from "vitest";
import { delayed } from "./delay";
import type { ModelState } from "./types";

const state = (path: string, more: Partial<ModelState> = {}): ModelState => ({ path, name: path.split("/").at(-1) ?? "", parent: null, initial: null, enter: [], exit: [], history: false, rules: [], ...more });

test("what raises holds first: straight, by a group's first state, and by an action", () => {
  const states = [state("normal"), state("hot", { initial: "hot/alarm" }), state("hot/alarm", { enter: ["raise"] }), state("odd")];
  const block = ["overheat:", "  states:", "    normal:", "      go:", "        - { when: temp > limit and x, to: hot }", "        - when: a > 1", "          to: odd", "        - { when: b, do: [raise] }", "    odd: {}"].join("\n");
  expect(delayed(block, states, "10s")).toBe(block.replace("{ when: temp", "{ for: 10s, when: temp").replace("{ when: b", "{ for: 10s, when: b"));
  const long = block.replace("to: odd", "to: hot");
  expect(delayed(long, states, "10s")).toContain("        - for: 10s\n          when: a > 1\n          to: hot\n");
});

test("what waits already waits longer", () => {
  const states = [state("warming"), state("alarm", { enter: ["raise"] })];
  expect(delayed("      - { after: 1m, to: alarm }", states, "10s")).toBe("      - { after: 70s, to: alarm }");
  expect(delayed("      - { when: a, for: 5s, to: alarm }", states, "10s")).toBe("      - { when: a, for: 15s, to: alarm }");
});

test("what is written otherwise is left to the person", () => {
  expect(delayed("go: [{ when: a, to: alarm }]", [state("alarm", { enter: ["raise"] })], "10s")).toBeNull();
  expect(delayed("  - { when: a, to: normal }", [state("normal")], "10s")).toBeNull();
  expect(delayed("  - { when: a, to: alarm }", [state("alarm", { enter: ["raise"] })], "soon")).toBeNull();
});
