// A plant file as text: which keys lead to a place, what may stand there, and how one formula is exchanged. Pure.
//
// It reads indentation and braces, not YAML: a file that is being typed is rarely YAML, and the service checks it anyway.

import type { ModelProperty } from "./types";

export interface Key {
  /** Keys from the root. */
  path: string[];
  /** Offset of the key. */
  from: number;
  /** Offset of the end of all that belongs to it. */
  to: number;
}

const KEY = /^(\s*)((?:- )*)("[^"]*"|'[^']*'|[^\s#:"'{}[\],][^#:{}[\],]*?)\s*:(?=\s|$)/;
const bare = (key: string) => key.replace(/^["']|["']$/g, "");

/** The keys of the block structure, in file order; keys inside of braces are not among them. */
export function outline(text: string): Key[] {
  const found: Key[] = [];
  const open: { indent: number; key: Key }[] = [];
  let offset = 0;
  let end = 0;
  for (const line of text.split("\n")) {
    const match = KEY.exec(line);
    const indent = /^\s*/.exec(line)?.[0].length ?? 0;
    const empty = line.trim() === "" || line.trimStart().startsWith("#");
    if (!empty) {
      while (open.length > 0 && (open.at(-1)?.indent ?? 0) >= indent) {
        const done = open.pop();
        if (done) done.key.to = end;
      }
      if (match && !match[2]) {
        const key = { path: [...(open.at(-1)?.key.path ?? []), bare(match[3] ?? "")], from: offset + indent, to: 0 };
        found.push(key);
        open.push({ indent, key });
      }
      end = offset + line.length;
    }
    offset += line.length + 1;
  }
  for (const { key } of open) key.to = end;
  return found;
}

/** The keys that lead to a property of a model. */
export const yamlPath = (model: string, { kind, window, name }: ModelProperty): string[] => ["models", model, `${kind}s`, ...(window ? [window] : []), name];

/** Where a key stands, if it does. Inside of braces it is looked for by name in the text of the last key that is found. */
export function locate(text: string, path: readonly string[]): { from: number; to: number } | null {
  const keys = outline(text);
  for (let length = path.length; length > 0; length -= 1) {
    const key = keys.find((one) => one.path.length === length && one.path.every((part, i) => part === path[i]));
    if (!key) continue;
    if (length === path.length) return key;
    const rest = text.slice(key.from, key.to);
    const name = path.at(-1) ?? "";
    const inside = new RegExp(`[{,\\s]${name.replace(/[^\w]/g, "\\$&")}\\s*:`).exec(rest);
    return inside ? { from: key.from + inside.index + 1, to: key.to } : null;
  }
  return null;
}

/** What is typed at an offset: the keys that lead there, whether a key or a value stands there, and what is there so far. */
export function placeAt(text: string, offset: number, above: readonly string[] = []): { path: string[]; value: boolean; typed: string } {
  const start = text.lastIndexOf("\n", offset - 1) + 1;
  const line = text.slice(start, offset);
  let indent = /^\s*/.exec(line)?.[0].length ?? 0;
  const item = /^(\s*)((?:- )+)/.exec(line);
  if (item) indent = item[0].length;
  const path: string[] = [];
  let below = indent;
  for (const before of text.slice(0, Math.max(0, start - 1)).split("\n").reverse()) {
    if (start === 0 || below === 0) break;
    const match = KEY.exec(before);
    if (!match || before.trimStart().startsWith("#")) continue;
    // A key behind a dash stands where the key itself stands.
    const depth = (match[1]?.length ?? 0) + (match[2]?.length ?? 0);
    const owner = match[1]?.length ?? 0;
    if (depth < below) {
      path.unshift(bare(match[3] ?? ""));
      below = match[2] ? owner : depth;
    } else if (match[2] && owner < below) {
      below = owner;
    }
  }
  return within([...above, ...path], line.slice(item ? item[0].length : indent));
}

/** Follows the keys of one line, braces included. */
function within(path: string[], line: string): { path: string[]; value: boolean; typed: string } {
  const stack: { path: string[]; key: string | null }[] = [{ path, key: null }];
  let word = "";
  let quote = "";
  for (const [i, char] of [...line].entries()) {
    const top = stack.at(-1) ?? { path, key: null };
    if (quote) {
      word += char;
      if (char === quote) quote = "";
    } else if ((char === '"' || char === "'") && word.trim() === "") {
      quote = char;
      word += char;
    } else if (char === ":" && top.key === null && /^(\s|$)/.test(line.slice(i + 1))) {
      top.key = bare(word.trim());
      word = "";
    } else if (char === "{" && word.trim() === "") {
      stack.push({ path: top.key === null ? top.path : [...top.path, top.key], key: null });
      word = "";
    } else if (char === "[" && word.trim() === "") {
      word = "";
    } else if (char === "," && stack.length > 1) {
      top.key = null;
      word = "";
    } else if (char === "}" && stack.length > 1) {
      stack.pop();
      word = "";
    } else {
      word += char;
    }
  }
  const top = stack.at(-1) ?? { path, key: null };
  return {
    path: top.key === null ? top.path : [...top.path, top.key],
    value: top.key !== null,
    typed: /[\w.$°]*$/.exec(word)?.[0] ?? "",
  };
}

export interface Schema {
  $ref?: string;
  $defs?: Record<string, Schema>;
  description?: string;
  type?: string | string[];
  enum?: unknown[];
  properties?: Record<string, Schema>;
  additionalProperties?: boolean | Schema;
  items?: Schema;
  anyOf?: Schema[];
}

/** What the schema says about a place; several where it leaves a choice. */
export function schemasAt(root: Schema, path: readonly string[]): Schema[] {
  const plain = (schema: Schema): Schema[] => {
    const target = schema.$ref ? root.$defs?.[schema.$ref.replace("#/$defs/", "")] : undefined;
    const all = target ? [target] : [schema];
    return all.flatMap((one) => [one, ...(one.anyOf ?? []).flatMap(plain), ...(one.items ? plain(one.items) : [])]);
  };
  let here = plain(root);
  for (const key of path) {
    here = here.flatMap((schema) => {
      const own = schema.properties?.[key];
      if (own) return plain(own);
      return typeof schema.additionalProperties === "object" ? plain(schema.additionalProperties) : [];
    });
  }
  return here;
}

export interface Choice {
  label: string;
  detail: string;
  /** A key is followed by its colon. */
  key: boolean;
}

/** What may stand at an offset by the schema: keys, or the words of a value. */
export function choices(root: Schema, text: string, offset: number, above: readonly string[] = []): Choice[] {
  const place = placeAt(text, offset, above);
  const schemas = schemasAt(root, place.path);
  const found = new Map<string, Choice>();
  for (const schema of schemas) {
    if (!place.value) {
      for (const [label, key] of Object.entries(schema.properties ?? {})) found.set(label, { label, detail: key.description ?? "", key: true });
    } else {
      for (const word of schema.enum ?? []) found.set(String(word), { label: String(word), detail: "", key: false });
      if (schema.type === "boolean") for (const label of ["true", "false"]) found.set(label, { label, detail: "", key: false });
    }
  }
  return [...found.values()];
}

/** The names the text itself defines: what formulas, `model:` and `@` speak of. */
export function namesOf(text: string, model: string | undefined): { label: string; detail: string }[] {
  const KINDS = ["attributes", "measurements", "transforms", "controls"];
  return outline(text).flatMap(({ path }) => {
    const [head, owner, kind] = path;
    const label = path.at(-1) ?? "";
    if ((head === "models" || head === "sources" || head === "notify") && path.length === 2) return [{ label, detail: head }];
    if (head !== "models" || owner !== model || kind === undefined) return [];
    if (KINDS.includes(kind) && path.length === 4) return [{ label, detail: kind.replace(/s$/, "") }];
    if (kind === "metrics" && path.length === 5) return [{ label, detail: `metric per ${path[3]}` }];
    return [];
  });
}

/** A formula as a YAML value; in quotes where it would be read as something else. */
export function scalarText(formula: string, braces: boolean): string {
  const odd = /^[\s&*!|>%@`"'#{}[\],?-]|: |:$| #|^$|^(true|false|null|yes|no|~|[\d.+-]+)$/i.test(formula) || (braces && /[{}[\],]/.test(formula));
  return odd ? `"${formula.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"` : formula;
}

/** The text with the formula of one property exchanged; null where it is not found as it was. */
export function replaceFormula(text: string, path: readonly string[], before: string, after: string): string | null {
  const place = locate(text, path);
  if (!place) return null;
  const colon = text.indexOf(":", place.from);
  const part = text.slice(colon + 1, place.to);
  for (const old of [scalarText(before, true), scalarText(before, false), `'${before.replaceAll("'", "''")}'`]) {
    const at = part.indexOf(old);
    if (at < 0) continue;
    const start = colon + 1 + at;
    const line = text.slice(text.lastIndexOf("\n", start - 1) + 1, start);
    return text.slice(0, start) + scalarText(after, line.includes("{")) + text.slice(start + old.length);
  }
  return null;
}

/** The offset of a line and column as people count them: from 1, characters, not UTF-16 units. */
export function offsetOf(text: string, line: number, column: number): number {
  let start = 0;
  for (let at = 1; at < line; at += 1) {
    const next = text.indexOf("\n", start);
    if (next < 0) return text.length;
    start = next + 1;
  }
  const end = text.indexOf("\n", start);
  const whole = text.slice(start, end < 0 ? text.length : end);
  return start + [...whole].slice(0, Math.max(0, column - 1)).join("").length;
}
