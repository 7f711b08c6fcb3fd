import { describe, expect, test } from "vitest";
import { netOf, readBy, readsOf } from "./depends";
import type { Model, ModelProperty } from "./types";

const property = (key: string, formula: string | null = null, over: Partial<ModelProperty> = {}): ModelProperty => ({
  key, name: key, kind: formula === null ? "measurement" : "transform", type: "double", unit: "", window: null, formula, plain: formula !== null, address: null, default: null, hidden: false, ...over,
});
const model = (name: string, over: Partial<Model>): Model => ({ name, description: "", assets: [], parents: [], children: [], properties: [], oee: [], detectors: [], ...over });

const filler = model("filler", {
  parents: ["line"],
  properties: [property("temp"), property("power"), property("hot", "temp > limit and note == \"power\""), ...["5m", "shift"].map((window) => property(`oee_${window}`, "availability × performance", { name: "oee", kind: "metric", plain: false, window })), property("stop", "not hot", { kind: "control", plain: false })],
  oee: [{ part: "running", value: "hot" }, { part: "target", value: "75 %" }],
  detectors: [{ name: "overheat", priority: 1, message: "", states: [], reads: ["hot", "temp"] }],
});
const line = model("line", {
  children: [{ name: "machines", models: ["filler"] }],
  properties: [property("limit", null, { kind: "attribute" }), property("power", "sum(machines.power)", { kind: "metric" }), property("weakest", "min(machines.oee) + power", { kind: "metric", window: "5m" })],
  detectors: [{ name: "sum_high", priority: 2, message: "", states: [], reads: ["machines.power"] }],
});
const models = [filler, line];
const of = (whose: Model, key: string) => whose.properties.find((one) => one.key === key) as ModelProperty;
const told = (links: readonly { model: string; key: string }[]) => links.map((link) => `${link.model}.${link.key}`);

describe("dependencies", () => {
  test("a formula reads its own machine, its parent where it has no such name, and children by hierarchy", () => {
    expect(told(readsOf(models, filler, of(filler, "hot")))).toEqual(["filler.temp", "line.limit"]);
    expect(told(readsOf(models, line, of(line, "weakest")))).toEqual(["line.power", "filler.oee_5m"]);
    expect(told(readsOf(models, line, of(line, "power")))).toEqual(["filler.power"]);
    expect(told(readsOf(models, filler, of(filler, "oee_5m")))).toEqual(["filler.hot"]);
    expect(readsOf(models, filler, of(filler, "temp"))).toEqual([]);
  });

  test("a property is read by formulas, interlocks and detectors, also of other models", () => {
    expect(told(readBy(models, filler, of(filler, "power")))).toEqual(["line.power", "line.sum_high"]);
    expect(told(readBy(models, line, of(line, "limit")))).toEqual(["filler.hot"]);
    expect(told(readBy(models, filler, of(filler, "hot")))).toEqual(["filler.oee_5m", "filler.oee_shift", "filler.stop", "filler.overheat"]);
  });

  test("a net goes as many steps as it is asked for, both ways", () => {
    const steps = (count: number) => netOf(models, filler, of(filler, "hot"), count).nodes.map((node) => `${node.step} ${node.model}.${node.key}`);
    expect(steps(1)).toEqual(["0 filler.hot", "-1 filler.temp", "-1 line.limit", "1 filler.oee_5m", "1 filler.oee_shift", "1 filler.stop", "1 filler.overheat"]);
    expect(steps(2).slice(7)).toEqual(["2 line.weakest"]);
    const net = netOf(models, filler, of(filler, "temp"), 1);
    expect(net.edges.map(({ from, to }) => [from, to].map((id) => id.split("\u0000")[1]))).toEqual([["temp", "hot"], ["temp", "!overheat"]]);
  });

  test("a net has a bound, and says what is missing", () => {
    const many = model("many", { properties: [property("a"), ...Array.from({ length: 50 }, (_, i) => property(`b${i}`, "a + 1"))] });
    const net = netOf([many], many, of(many, "a"), 2);
    expect([net.nodes.length, net.more]).toEqual([36, 15]);
  });
});
