import { expect, test } from "vitest";
import { isRow, press, rowsOf, shown, type Level, type Row } from "./browse";
import type { SourceNode } from "./types";

const node = (name: string, children = false, readings: SourceNode[] = []): SourceNode => ({ node: name, name, children, readings }) as unknown as SourceNode;
const level = (...nodes: SourceNode[]): Level => ({ nodes, next: null, loading: false, problem: "" });
const words = (levels: Map<string, Level>, opened: string[]) =>
  rowsOf(levels, new Set(opened)).map((row) => (isRow(row) ? `${row.level} ${row.node.name} ${row.open} ${row.position}/${row.size}` : `${row.level} … ${row.next} ${row.loading} ${row.problem}`));

const LEVELS = new Map<string, Level>([
  ["", level(node("A", true), node("B"), node("C", false, [node("C1"), node("C2")]))],
  ["\nA", { ...level(node("A1")), next: 100 }],
]);

test("a tree is the rows of its open nodes", () => {
  expect(words(LEVELS, [])).toEqual(["1 A false 1/3", "1 B null 2/3", "1 C false 3/3"]);
  expect(words(LEVELS, ["\nA", "\nC"])).toEqual(["1 A true 1/3", "2 A1 null 1/1", "2 … 100 false ", "1 B null 2/3", "1 C true 3/3", "2 C1 null 1/2", "2 C2 null 2/2"]);
  expect(words(new Map(), [])).toEqual(["1 … null true "]);
  expect(words(new Map([["", level()]]), [])).toEqual(["1 … null false "]);
  expect(words(new Map([["", { ...level(), problem: "gone" }]]), [])).toEqual(["1 … null false gone"]);
});

test("arrows walk, open and close", () => {
  const rows = rowsOf(LEVELS, new Set(["\nA"])).filter(isRow) as Row[];
  expect(press(rows, "\nA", "ArrowDown")).toEqual({ to: "\nA\nA1" });
  expect(press(rows, "\nA", "ArrowRight")).toEqual({ to: "\nA\nA1" });
  expect(press(rows, "\nA", "ArrowLeft")).toEqual({ open: false });
  expect(press(rows, "\nA\nA1", "ArrowLeft")).toEqual({ to: "\nA" });
  expect(press(rows, "\nB", "ArrowRight")).toEqual({});
  expect(press(rows, "\nB", "ArrowLeft")).toEqual({});
  expect(press(rows, "\nC", "ArrowRight")).toEqual({ open: true });
  expect(press(rows, "\nC", "ArrowDown")).toEqual({ to: "\nC" });
  expect(press(rows, "\nC", "Home")).toEqual({ to: "\nA" });
  expect(press(rows, "nowhere", "End")).toEqual({ to: "\nC" });
  expect(press(rows, "\nA", "x")).toBeNull();
  expect(press([], "\nA", "ArrowDown")).toBeNull();
});

test("whole numbers are whole", () => {
  const value = (value: unknown, type: string) => shown({ value, type, unit: "" } as unknown as SourceNode);
  expect([value(6, "int"), value(6, "double"), value(true, "bool"), value(null, "int")]).toEqual(["6", "6.00", "true", ""]);
});
