// Timers of detectors, in words. Pure.
import { text } from "../text/pages";
import { instant, span } from "./format";
import type { Timer } from "./types";

/** When a timer goes off. */
export function timerText(timer: Timer, now: number): string {
  const paused = instant(timer.paused);
  if (paused !== null) return text.detector.timerPaused(span(now - paused));
  const left = (instant(timer.due) ?? 0) - now;
  return left > 0 ? text.detector.timerFires(span(Math.ceil(left / 1000) * 1000)) : text.detector.timerDue;
}
