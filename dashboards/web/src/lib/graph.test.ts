import { describe, expect, test } from "vitest";
import { drawing, graph, gravity, isActive, leafOf, rounded, wrap } from "./graph";
import type { ModelState } from "./types";

const state = (path: string, over: Partial<ModelState> = {}): ModelState => ({
  path,
  name: path.split("/").at(-1) ?? path,
  parent: path.includes("/") ? path.slice(0, path.lastIndexOf("/")) : null,
  initial: null,
  history: false,
  enter: [],
  exit: [],
  rules: [],
  ...over,
});

const states: ModelState[] = [
  state("normal", { rules: [{ text: "when temp > 82", to: "hot", kind: "when", actions: [] }] }),
  state("hot", { initial: "hot/warming", rules: [{ text: "when temp < 79 for 1m", to: "normal", kind: "when", actions: [] }] }),
  state("hot/warming", { rules: [{ text: "after 30s", to: "hot/alarm", kind: "after", actions: [] }, { text: "every 5s", to: null, kind: "every", actions: ["set n = n + 1"] }] }),
  state("hot/alarm", { enter: ["raise", "notify lead"] }),
];
const measure = (text: string) => text.length * 7;

describe("graph", () => {
  const made = graph(states, "normal", "RIGHT", measure);

  test("groups hold their states, and a rule into a group leads to its initial leaf", () => {
    expect(made.children?.map((node) => node.id)).toEqual(["\u0000start", "normal", "hot"]);
    expect(made.children?.[2]?.children?.map((node) => node.id)).toEqual(["hot/warming", "hot/alarm"]);
    expect(made.edges?.map((edge) => [edge.sources[0], edge.targets[0]])).toEqual([
      ["\u0000start", "normal"],
      ["normal", "hot/warming"],
      ["hot", "normal"],
      ["hot/warming", "hot/alarm"],
    ]);
  });

  test("a state is as wide as its longest line and as high as its actions", () => {
    const [warming, alarm] = made.children?.[2]?.children ?? [];
    expect(warming?.width).toBe("every 5s → set n = n + 1".length * 7 + 28);
    expect((alarm?.height ?? 0) - (warming?.height ?? 0)).toBe(14);
  });

  test("the layout becomes shapes again", () => {
    const laid = {
      ...made,
      width: 100,
      height: 50,
      edges: made.edges?.map((edge) => ({ ...edge, sections: [{ id: edge.id, startPoint: { x: 0, y: 0 }, endPoint: { x: 0, y: 9 } }] })),
    };
    const shapes = drawing(laid, states);
    expect(shapes.boxes.map((box) => [box.path, box.group])).toEqual([["", false], ["normal", false], ["hot", true], ["hot/warming", false], ["hot/alarm", false]]);
    expect(shapes.arrows[1]).toMatchObject({ state: "normal", rule: 0, text: "when temp > 82", to: "hot/warming", angle: 90 });
    expect(shapes.arrows[1]?.label.lines).toEqual(["temp > 82"]);
  });
});

test("entering a group means its initial leaf, at any depth", () => {
  expect(leafOf("hot", states)).toBe("hot/warming");
  expect(leafOf("normal", states)).toBe("normal");
  expect(leafOf("a", [state("a", { initial: "a/b" }), state("a/x"), state("a/b"), state("a/b/c")])).toBe("a/b/c");
});

test("a group is active with its leaf, a name that only begins alike is not", () => {
  expect([isActive("hot", "hot/alarm"), isActive("hot/alarm", "hot/alarm"), isActive("ho", "hot/alarm")]).toEqual([true, true, false]);
});

test("gravity grows from rest to alarm", () => {
  const look = gravity(states, "normal");
  expect([look("normal"), look("hot/warming"), look("hot/alarm")]).toEqual(["step0", "step1", "step2"]);
});

test("labels break between words only, and never after an operator", () => {
  expect(wrap("reject_rate < reject_limit - 0.3", 28)).toEqual(["reject_rate < reject_limit", "- 0.3"]);
  expect(wrap("temp > temp_limit and running", 18)).toEqual(["temp > temp_limit", "and running"]);
});

test("corners are round, ends are sharp", () => {
  expect(rounded([{ x: 0, y: 0 }, { x: 20, y: 0 }, { x: 20, y: 20 }])).toBe("M0 0L14 0Q20 0 20 6L20 20");
});
