import { expect, test } from "vitest";
import { lineageOf } from "./lineage";
import type { Property } from "./types";

const none: NonNullable<Property["lineage"]> = { component: "", component_model: "", interfaces: [], over: [], children: 0, parent: "" };
const told = (lineage: Partial<typeof none>) => lineageOf({ lineage: { ...none, ...lineage } }).map((mark) => `${mark.sign} ${mark.words}`);

test("a mark says in words where a value comes from", () => {
  expect(lineageOf({ lineage: null })).toEqual([]);
  expect(told({ component: "Motor / Bearing", component_model: "bearing" })).toEqual(["◇ Inherited from the component Motor / Bearing, which is the component model bearing."]);
  expect(told({ interfaces: ["pump.pressure"] })).toEqual(["≡ Stands for pump.pressure of an interface that its model fulfils."]);
  expect(told({ over: ["machines"], children: 5, parent: "Line 2" })).toEqual(["Σ Rolled up: computed over the 5 children in machines.", "↑ Uses values of Line 2, which it belongs to."]);
  expect(told({ over: ["machines"], children: 1 })).toEqual(["Σ Rolled up: computed over the one child in machines."]);
});
