// Which step of the guide is on. Pure.
import type { GuideStep } from "./types";

/** The last step whose time has come; steps without a time follow the one before them. The first, before anything happens. */
export function currentStep(steps: readonly GuideStep[], now: number): number {
  let at = 0;
  steps.forEach((step, index) => {
    if (step.at_ms !== null && step.at_ms <= now) at = index;
  });
  return at;
}
