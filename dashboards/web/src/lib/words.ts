// Words for facts that several pages state. Pure.
import { text } from "../text";
import type { Doubt } from "./merge";

/** Why a value is not to be read as the present, with its age; empty if it is. */
export function doubtText(why: Doubt, age: string): string {
  if (why === null) return "";
  const words = text.doubt[why];
  return typeof words === "string" ? words : words(age);
}
