// A detector that waits longer before it raises its alarm: the usual cure for one that chatters, as an edit to be tried on history. Pure.
import type { ModelState } from "./types";

const UNITS: Record<string, number> = { ms: 0.001, s: 1, m: 60, h: 3_600 };

function seconds(text: string): number | null {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(text.trim());
  return match ? Number(match[1]) * (UNITS[match[2] ?? ""] ?? NaN) : null;
}

/** The names of the states that raise the alarm as soon as they are entered: they themselves, or the child that is entered with them. */
function raising(states: readonly ModelState[]): Set<string> {
  const raises = (state: ModelState | undefined, depth = 0): boolean =>
    state !== undefined && depth < states.length && (state.enter.some((action) => action.startsWith("raise")) || raises(states.find((other) => other.path === state.initial), depth + 1));
  return new Set(states.filter((state) => raises(state)).map((state) => state.name));
}

/** The block of a detector in which each rule that raises holds for `delay` first, or waits that much longer; null where no such rule is
 * found as it is usually written. */
export function delayed(block: string, states: readonly ModelState[], delay: string): string | null {
  const more = seconds(delay);
  const names = raising(states);
  if (more === null) return null;
  let changed = false;
  const rule = (text: string): string => {
    const to = /\bto:\s*["']?([\w/.-]+)/.exec(text)?.[1]?.split("/").at(-1);
    if (!(to !== undefined && names.has(to)) && !/\bdo:\s*\[[^\]]*\braise\b/.test(text)) return text;
    const wait = /\b(?:for|after):\s*(\d[\w.]*)/.exec(text);
    if (wait?.[1]) {
      const before = seconds(wait[1]);
      if (before === null) return text;
      changed = true;
      return text.replace(wait[0], wait[0].replace(wait[1], `${before + more}s`));
    }
    const when = text.search(/\bwhen:/);
    if (when < 0) return text;
    changed = true;
    const column = when - text.lastIndexOf("\n", when) - 1;
    const braces = text.slice(0, when).includes("{");
    return `${text.slice(0, when)}for: ${delay}${braces ? ", " : `\n${" ".repeat(column)}`}${text.slice(when)}`;
  };
  // A rule is an item of a list: from its dash to the next line that is not indented deeper.
  const out: string[] = [];
  let item: string[] | null = null;
  let dash = -1;
  for (const line of block.split("\n")) {
    const indent = line.trim() === "" ? Infinity : line.search(/\S/);
    if (item && indent <= dash) {
      out.push(rule(item.join("\n")));
      item = null;
    }
    if (item) item.push(line);
    else if (/^\s*- /.test(line)) [item, dash] = [[line], indent];
    else out.push(line);
  }
  if (item) out.push(rule(item.join("\n")));
  return changed ? out.join("\n") : null;
}
