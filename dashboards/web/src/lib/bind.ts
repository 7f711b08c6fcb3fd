// A node of a source bound to a measurement, as a change of the plant file's text. Pure; the service checks what comes out.
import type { PlantFile } from "./types";
import { locate, outline, scalarText, type Key } from "./yaml";

/** What is bound to what. */
export interface Binding {
  model: string;
  /** The measurement; it may be there already without an address. */
  key: string;
  address: string;
  type: string;
  unit: string;
  /** The path of the asset, the slot, and the source that is to fill it; null when it does. */
  asset: string;
  slot: string;
  source: string;
  fill: boolean;
}

/** The line of a new measurement. */
export function lineOf({ key, address, slot, type, unit }: Pick<Binding, "key" | "address" | "slot" | "type" | "unit">): string {
  const members = [...(type === "double" ? [] : [`type: ${type}`]), ...(unit ? [`unit: ${scalarText(unit, true)}`] : []), from(address, slot)];
  return `${key}: { ${members.join(", ")} }`;
}

const from = (address: string, slot: string) => `from: ${scalarText(`${address} @${slot}`, true)}`;

/** The files with the binding; null when the place is not found as it is written by hand. */
export function bind(files: readonly PlantFile[], binding: Binding): PlantFile[] | null {
  const bound = once(files, (text) => bindIn(text, binding));
  return bound && binding.fill ? once(bound, (text) => fillSlot(text, binding)) : bound;
}

/** Changes the first file that has the place. */
function once(files: readonly PlantFile[], change: (text: string) => string | null): PlantFile[] | null {
  for (const [at, file] of files.entries()) {
    const text = change(file.text);
    if (text !== null) return files.map((other, index) => (index === at ? { name: file.name, text } : other));
  }
  return null;
}

function bindIn(text: string, binding: Binding): string | null {
  const { model, key } = binding;
  const there = locate(text, ["models", model, "measurements", key]);
  if (there) return addMember(text, there, from(binding.address, binding.slot));
  const keys = outline(text);
  const measurements = keyAt(keys, ["models", model, "measurements"]);
  const line = lineOf(binding);
  if (measurements) return addChild(text, keys, measurements, line);
  const owner = keyAt(keys, ["models", model]);
  return owner ? addChild(text, keys, owner, `measurements: { ${line} }`) : null;
}

function fillSlot(text: string, { asset, slot, source }: Binding): string | null {
  const names = asset.split("/");
  // Between two assets stands the name of the hierarchy.
  const leads = ({ path }: Key) => path[0] === "assets" && path.length === names.length * 2 && names.every((name, i) => path[i * 2 + 1] === name);
  const place = outline(text).find(leads);
  return place ? addMember(text, place, `${slot}: ${scalarText(source, true)}`) : null;
}

const keyAt = (keys: readonly Key[], path: readonly string[]): Key | undefined =>
  keys.find((key) => key.path.length === path.length && key.path.every((part, i) => part === path[i]));

const indentAt = (text: string, at: number): number => at - (text.lastIndexOf("\n", at - 1) + 1);
const insert = (text: string, at: number, words: string): string => text.slice(0, at) + words + text.slice(at);

/** Adds a member to what stands behind a key, in braces or in lines of its own. */
function addMember(text: string, place: { from: number; to: number }, member: string): string | null {
  const colon = colonAt(text, place.from);
  if (colon === null) return null;
  const rest = /^[ \t]*(\{|#.*|[^\n]*)/.exec(text.slice(colon + 1, place.to));
  const open = rest?.[1] ?? "";
  if (open === "{") return addInBraces(text, text.indexOf("{", colon), place.to, member);
  if (open !== "" && !open.startsWith("#")) return null;
  const end = text.indexOf("\n", colon);
  const lineEnd = end < 0 ? text.length : end;
  const child = /^\n+( *)\S/.exec(text.slice(lineEnd, place.to));
  if (!child) return open === "" ? insert(text, colon + 1, ` { ${member} }`) : null;
  return insert(text, lineEnd, `\n${child[1]}${member}`);
}

/** Adds a line behind the last child of a block. */
function addChild(text: string, keys: readonly Key[], owner: Key, line: string): string | null {
  const children = keys.filter((key) => key.path.length === owner.path.length + 1 && owner.path.every((part, i) => part === key.path[i]));
  const last = children.at(-1);
  if (!last) return addMember(text, owner, line);
  // Before what stands behind the last child: its own remarks stay with it.
  const end = text.indexOf("\n", last.to);
  return insert(text, end < 0 ? text.length : end, `\n${" ".repeat(indentAt(text, last.from))}${line}`);
}

/** The colon behind a key, which may be in quotes. */
function colonAt(text: string, at: number): number | null {
  const match = /^(?:"[^"]*"|'[^']*'|[^\n"':{}]+)\s*:/.exec(text.slice(at));
  return match ? at + match[0].length - 1 : null;
}

function addInBraces(text: string, open: number, to: number, member: string): string | null {
  let depth = 0;
  let quote = "";
  for (let at = open; at < to; at += 1) {
    const char = text[at] ?? "";
    if (quote) {
      if (char === "\\" && quote === '"') at += 1;
      else if (char === quote) quote = "";
    } else if (char === '"' || (char === "'" && /[\s,{[:]/.test(text[at - 1] ?? ""))) quote = char;
    else if (char === "{" || char === "[") depth += 1;
    else if (char === "}" || char === "]") {
      depth -= 1;
      if (depth > 0) continue;
      const inside = text.slice(open + 1, at);
      if (/(^|[\s,])from\s*:/.test(inside) && member.startsWith("from:")) return null;
      const kept = inside.trimEnd();
      return text.slice(0, open + 1) + (kept.trim() ? `${kept}, ${member} ` : ` ${member} `) + text.slice(at);
    }
  }
  return null;
}
