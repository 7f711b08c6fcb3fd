import { expect, test } from "vitest";
import { currentStep } from "./guide";

test("the guide follows what happens", () => {
  const steps = [null, 100, 200, null].map((at_ms) => ({ text: "", page: "", at_ms }));
  expect([0, 99, 100, 250].map((now) => currentStep(steps, now))).toEqual([0, 0, 1, 2]);
  expect(currentStep([], 5)).toBe(0);
});
