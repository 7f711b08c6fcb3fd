import { expect, test } from "vitest";
import { bind, lineOf, type Binding } from "./bind";

const TEXT = `plant: P
sources:
  plc: { opcua: "opc.tcp://h" }
models:
  filler:
    attributes:
      limit: 82
    measurements:               # from the PLC
      fill_temp: { unit: °C, from: ns=2;s=Temp @plc }   # the bowl
      weight: { unit: g, normal: 1..2 }
      level:
        unit: "%"
      empty: {}
      bare:
      # a remark about what follows
    transforms:
      hot: fill_temp > limit
  capper: { attributes: { a: 1 } }
  labeller:
    attributes:
      a: 1
assets:
  Line 1:
    model: line
    machines:
      Filler 1: { model: filler, plc: plc }
      "Filler 2":
        model: filler
`;
const BINDING: Binding = { model: "filler", key: "pressure", address: "ns=2;s=Pressure", type: "double", unit: "bar", asset: "Line 1/Filler 1", slot: "plc", source: "plc", fill: false };
const bound = (change: Partial<Binding>, text = TEXT) => bind([{ name: "p.yaml", text }], { ...BINDING, ...change })?.[0]?.text ?? null;
/** The lines that are new, each with the one before it. */
const added = (after: string | null, text = TEXT) => {
  const before = text.split("\n");
  const lines = after?.split("\n") ?? [];
  return lines.filter((line) => !before.includes(line));
};

test("a line is what the plant file takes", () => {
  expect(lineOf(BINDING)).toBe("pressure: { unit: bar, from: ns=2;s=Pressure @plc }");
  expect(lineOf({ ...BINDING, type: "int", unit: "" })).toBe("pressure: { type: int, from: ns=2;s=Pressure @plc }");
  expect(lineOf({ ...BINDING, unit: "%", address: 'ns=3;s="DB"."a[1]"' })).toBe('pressure: { unit: "%", from: "ns=3;s=\\"DB\\".\\"a[1]\\" @plc" }');
});

test("a new measurement stands behind the last one", () => {
  const text = bound({});
  expect(added(text)).toEqual(["      pressure: { unit: bar, from: ns=2;s=Pressure @plc }"]);
  expect(text).toContain("      bare:\n      pressure: { unit: bar");
  expect(added(bound({ model: "labeller" }))).toEqual(["    measurements: { pressure: { unit: bar, from: ns=2;s=Pressure @plc } }"]);
  expect(added(bound({ model: "capper" }))).toEqual(["  capper: { attributes: { a: 1 }, measurements: { pressure: { unit: bar, from: ns=2;s=Pressure @plc } } }"]);
  expect(bound({ model: "nowhere" })).toBeNull();
});

test("a measurement without an address gets it, and one with an address keeps it", () => {
  expect(added(bound({ key: "weight" }))).toEqual(["      weight: { unit: g, normal: 1..2, from: ns=2;s=Pressure @plc }"]);
  expect(added(bound({ key: "level" }))).toEqual(["        from: ns=2;s=Pressure @plc"]);
  expect(added(bound({ key: "empty" }))).toEqual(["      empty: { from: ns=2;s=Pressure @plc }"]);
  expect(added(bound({ key: "bare" }))).toEqual(["      bare: { from: ns=2;s=Pressure @plc }"]);
  expect(bound({ key: "fill_temp" })).toBeNull();
});

test("an asset that does not name the source yet gets a slot", () => {
  const slot = { slot: "scale", source: "scale2", fill: true };
  expect(added(bound(slot))).toEqual(["      pressure: { unit: bar, from: ns=2;s=Pressure @scale }", "      Filler 1: { model: filler, plc: plc, scale: scale2 }"]);
  expect(added(bound({ ...slot, asset: "Line 1/Filler 2" }))).toEqual(["      pressure: { unit: bar, from: ns=2;s=Pressure @scale }", "        scale: scale2"]);
  expect(bound({ ...slot, asset: "Line 1/Filler 3" })).toBeNull();
});

test("model and asset may stand in different files", () => {
  const [models, assets] = [TEXT.slice(0, TEXT.indexOf("assets:")), TEXT.slice(TEXT.indexOf("assets:"))];
  const files = bind([{ name: "a.yaml", text: assets }, { name: "m.yaml", text: models }], { ...BINDING, slot: "x", source: "s", fill: true });
  expect(added(files?.[0]?.text ?? null, assets)).toEqual(["      Filler 1: { model: filler, plc: plc, x: s }"]);
  expect(added(files?.[1]?.text ?? null, models)).toHaveLength(1);
});
