// All words, for pages with code of their own: the first page does without them.
import { text as common } from "../text";
import { engineering } from "./engineering";
import { machines } from "./machines";

export const text = { ...common, ...machines, ...engineering };
