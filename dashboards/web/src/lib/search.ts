// Finding by name: every word must occur; names that begin with it come first. Pure.

export interface Entry {
  name: string;
  detail: string;
  kind: "asset" | "detector" | "page";
  to: string;
}

const MOST = 12;

/** The best entries for what was typed so far. */
export function search(entries: readonly Entry[], typed: string): Entry[] {
  const words = typed.toLowerCase().split(/\s+/).filter(Boolean);
  return entries
    .map((entry, order) => ({ entry, order, score: score(entry, words) }))
    .filter((hit) => hit.score >= 0)
    .sort((a, b) => b.score - a.score || a.order - b.order)
    .slice(0, MOST)
    .map((hit) => hit.entry);
}

function score(entry: Entry, words: readonly string[]): number {
  const name = entry.name.toLowerCase();
  const all = `${name} ${entry.detail.toLowerCase()}`;
  let sum = 0;
  for (const word of words) {
    if (name.startsWith(word)) sum += 3;
    else if (name.includes(word)) sum += 2;
    else if (all.includes(word)) sum += 1;
    else return -1;
  }
  return sum;
}
