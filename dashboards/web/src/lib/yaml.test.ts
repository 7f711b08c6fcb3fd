import { expect, test } from "vitest";
import { choices, locate, namesOf, offsetOf, outline, placeAt, replaceFormula, scalarText, type Schema } from "./yaml";

const TEXT = `plant: { name: Testville }
sources:
  plc: { opcua: "opc.tcp://x", security: none }
models:
  filler:
    measurements:
      fill_temp: { unit: °C, from: ns=2;s=Temp @plc }
    transforms:
      running: state == 6
      overfill: { value: net_weight - nominal, unit: g }
    metrics:
      5m: { temp_avg: avg(fill_temp) }
    detectors:
      overheat:
        priority: high
        states:
          normal:
            go:
              - { when: fill_temp > 80, to: hot }
  # a comment: not a key
  line:
    children: { machines: filler }
`;

const at = (marker: string, by = marker.length) => placeAt(TEXT, TEXT.indexOf(marker) + by);

test("the outline has block keys with all that belongs to them", () => {
  const paths = outline(TEXT).map((key) => key.path.join("."));
  expect(paths).toContain("models.filler.transforms.running");
  expect(paths).toContain("models.line.children");
  expect(paths).not.toContain("models.a comment");
  const filler = outline(TEXT).find((key) => key.path.join(".") === "models.filler");
  expect(TEXT.slice(filler?.from, filler?.to).trimEnd().endsWith("to: hot }")).toBe(true);
});

test("a place knows the keys that lead to it", () => {
  expect(at("priority: hi")).toEqual({ path: ["models", "filler", "detectors", "overheat", "priority"], value: true, typed: "hi" });
  expect(at("fill_temp: { un")).toEqual({ path: ["models", "filler", "measurements", "fill_temp"], value: false, typed: "un" });
  expect(at("security: no")).toEqual({ path: ["sources", "plc", "security"], value: true, typed: "no" });
  expect(at("- { when: fill_t").path).toEqual(["models", "filler", "detectors", "overheat", "states", "normal", "go", "when"]);
  expect(at("    tra")).toEqual({ path: ["models", "filler"], value: false, typed: "tra" });
  expect(placeAt("pl", 2)).toEqual({ path: [], value: false, typed: "pl" });
});

const SCHEMA: Schema = {
  properties: { models: { additionalProperties: { $ref: "#/$defs/model" } } },
  $defs: {
    model: { properties: { detectors: { additionalProperties: { $ref: "#/$defs/detector" } }, transforms: { description: "Computed." } } },
    detector: { properties: { priority: { enum: ["low", "high"] }, dry_run: { type: "boolean" } } },
  },
};

test("what may stand there comes from the schema", () => {
  const offered = (marker: string) => choices(SCHEMA, TEXT, TEXT.indexOf(marker) + marker.length).map((choice) => choice.label);
  expect(offered("    tra")).toEqual(["detectors", "transforms"]);
  expect(offered("priority: hi")).toEqual(["low", "high"]);
  expect(choices(SCHEMA, "", 0)).toEqual([{ label: "models", detail: "", key: true }]);
});

test("the names of a file and of one model", () => {
  const names = namesOf(TEXT, "filler").map((name) => name.label);
  expect(names).toEqual(["plc", "filler", "fill_temp", "running", "overfill", "line"]);
});

test("a formula is found and exchanged where it stands, in braces too", () => {
  const of = (path: string[], before: string, after: string) => replaceFormula(TEXT, path, before, after);
  const running = ["models", "filler", "transforms", "running"];
  expect(of(running, "state == 6", "state in (6, 7)")).toContain("running: state in (6, 7)\n");
  const overfill = ["models", "filler", "transforms", "overfill"];
  expect(of(overfill, "net_weight - nominal", "max(net_weight, nominal)")).toContain('value: "max(net_weight, nominal)", unit: g');
  expect(of(["models", "filler", "metrics", "5m", "temp_avg"], "avg(fill_temp)", "max(fill_temp)")).toContain("5m: { temp_avg: max(fill_temp) }");
  expect(of(running, "state == 7", "x")).toBe(null);
  expect(locate(TEXT, ["models", "nothing"])).toBe(null);
  expect(scalarText("a ? ': b' : c", false)).toBe('"a ? \': b\' : c"');
});

test("columns are characters", () => {
  expect(offsetOf("a\n😀b\n", 2, 2)).toBe(4);
  expect(offsetOf("a", 9, 9)).toBe(1);
});
