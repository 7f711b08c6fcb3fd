// Words for facts that several pages state. Pure.
import { text } from "../text";
import { instant, span } from "./format";
import type { Doubt } from "./merge";
import type { Timer } from "./types";

/** Why a value is not to be read as the present, with its age; empty if it is. */
export function doubtText(why: Doubt, age: string): string {
  if (why === null) return "";
  const words = text.doubt[why];
  return typeof words === "string" ? words : words(age);
}

/** When a timer goes off. */
export function timerText(timer: Timer, now: number): string {
  const paused = instant(timer.paused);
  if (paused !== null) return text.detector.timerPaused(span(now - paused));
  const left = (instant(timer.due) ?? 0) - now;
  return left > 0 ? text.detector.timerFires(span(Math.ceil(left / 1000) * 1000)) : text.detector.timerDue;
}
