// Finding by name: every word must occur; names that begin with it come first. Pure.
import { label } from "./format";
import { href } from "./route";
import type { Model } from "./types";

export interface Entry {
  name: string;
  detail: string;
  kind: "asset" | "detector" | "page" | "property" | "alarm";
  to: string;
}

const MOST = 12;

/** The best entries for what was typed so far. */
export function search(entries: readonly Entry[], typed: string): Entry[] {
  const words = fold(typed).split(/\s+/).filter(Boolean);
  return entries
    .map((entry, order) => ({ entry, order, score: score(entry, words) }))
    .filter((hit) => hit.score >= 0)
    .sort((a, b) => b.score - a.score || a.order - b.order)
    .slice(0, MOST)
    .map((hit) => hit.entry);
}

/** `fill_temp` and "Fill temp" are the same to whoever looks for it. */
const fold = (text: string) => text.toLowerCase().replaceAll("_", " ");

function score(entry: Entry, words: readonly string[]): number {
  const name = fold(entry.name);
  const all = `${name} ${fold(entry.detail)}`;
  let sum = 0;
  for (const word of words) {
    if (name.startsWith(word)) sum += 3;
    else if (name.includes(word)) sum += 2;
    else if (all.includes(word)) sum += 1;
    else return -1;
  }
  return sum;
}

/** Enough of them to choose the best from; a large plant has a million properties. */
const MOST_PROPERTIES = 400;

/** The properties of all machines for what was typed so far: those in whose name, or whose machine's path, each word occurs. */
export function properties(models: readonly Model[], typed: string): Entry[] {
  const words = fold(typed).split(/\s+/).filter(Boolean);
  if (words.length === 0) return [];
  const found: Entry[] = [];
  for (const model of models) {
    for (const property of model.properties) {
      const name = fold(property.key);
      // At least one word is of the property; else the machine itself is what is looked for.
      if (property.hidden || property.kind === "control" || !words.some((word) => name.includes(word))) continue;
      for (const asset of model.assets) {
        if (found.length >= MOST_PROPERTIES) return found;
        const path = fold(asset.path);
        if (!words.every((word) => name.includes(word) || path.includes(word))) continue;
        const drawn = property.type !== "string";
        const to = drawn ? `${href.asset(asset.id, "trend")}&pens=${encodeURIComponent(property.window ? `${property.key}@${property.window}` : property.key)}` : href.asset(asset.id);
        found.push({ name: label(property.key), detail: asset.path, kind: "property", to });
      }
    }
  }
  return found;
}

/** Whether one of the texts has the words in it; no words are in all. */
export const mentions = (texts: readonly (string | null | undefined)[], words: string): boolean => texts.join(" ").toLowerCase().includes(words.toLowerCase());
