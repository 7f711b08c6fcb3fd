import { expect, test } from "vitest";
import { kept, recalled } from "./person";

const NOON = Date.UTC(2026, 0, 5, 12);
const HOUR = 3_600_000;

test("a name holds until the shift ends, and not for the next one", () => {
  const text = kept(" Mara ", NOON, NOON + 2 * HOUR);
  expect(recalled(text, NOON + 2 * HOUR - 1)).toBe("Mara");
  expect(recalled(text, NOON + 2 * HOUR)).toBe("");
});

test("without a shift it holds for eight hours", () => {
  for (const end of [null, NOON - 1]) {
    const text = kept("Mara", NOON, end);
    expect(recalled(text, NOON + 8 * HOUR - 1)).toBe("Mara");
    expect(recalled(text, NOON + 8 * HOUR)).toBe("");
  }
});

test("what is not understood is nobody", () => {
  for (const text of [null, "", "Mara", "{}", '{"name":1,"until":9e15}']) expect(recalled(text, NOON)).toBe("");
});
