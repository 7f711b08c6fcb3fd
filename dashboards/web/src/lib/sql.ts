// The same query elsewhere: on the command line, over HTTP, in Python; its answer as lines. Pure.
import { instant } from "./format";
import { MOST_PENS } from "./pens";

/** Wraps a text for a POSIX shell. */
export function shell(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** What stands between quotes or in a comment, or is a parameter. */
const PARTS = /'(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*|\/\*[\s\S]*?\*\/|\$(?:from|to)\b/g;

/** The statement with other words in the place of its parameters `$from` and `$to`; texts and comments stay. */
export function placed(sql: string, of: (name: "from" | "to") => string): string {
  return sql.replace(PARTS, (part) => (part === "$from" ? of("from") : part === "$to" ? of("to") : part));
}

/** Whether a statement asks for a span. */
export function asksForSpan(sql: string): boolean {
  let asks = false;
  placed(sql, () => ((asks = true), ""));
  return asks;
}

/** The span of a statement as RFC 3339 texts. */
export interface SqlSpan {
  from: string;
  to: string;
}

/** Where Andon listens for PostgreSQL's clients. */
export interface SqlDoor {
  host: string;
  port: string;
  tls: boolean;
  user: string;
}

/** What a copy is made of. */
export interface Copied {
  sql: string;
  /** None for a statement without parameters. */
  span: SqlSpan | null;
  /** Where the pages come from: `http://127.0.0.1:8080`. */
  url: string;
  /** None when the port is not open. */
  door: SqlDoor | null;
}

/** A line that ends a text of the shell and does not stand in the statement. */
function ending(sql: string): string {
  let word = "SQL";
  while (sql.split("\n").includes(word)) word += "_";
  return word;
}

/** PostgreSQL reads a parameter's place as a text; this says that it is an instant. */
const INSTANT = "::timestamptz";

function psql({ sql, span, door }: Copied): string {
  const to = door ?? { host: "127.0.0.1", port: "5433", tls: false, user: "NAME" };
  const place = `host=${to.host} port=${to.port} dbname=andon user=${to.user}${to.tls ? " sslmode=require" : ""}`;
  const given = span ? ` -v from=${shell(span.from)} -v to=${shell(span.to)}` : "";
  const statement = placed(sql, (name) => `:'${name}'${INSTANT}`).replace(/;\s*$/, "");
  const end = ending(statement);
  const shut = door ? "" : "# The port for PostgreSQL's clients is not open: start Andon with --sql-listen 127.0.0.1:5433.\n";
  return `${shut}psql ${shell(place)}${given} <<'${end}'\n${statement};\n${end}`;
}

/** Ways to take a query along. */
export const COPY_AS = {
  psql,
  python: ({ sql, span, url }: Copied) =>
    [
      "import json, urllib.request",
      "",
      `request = urllib.request.Request("${url}/api/sql",`,
      `    json.dumps(${JSON.stringify({ sql, ...span })}).encode(),`,
      `    {"content-type": "application/json"})`,
      "answer = json.load(urllib.request.urlopen(request))",
      `columns = [column["name"] for column in answer["columns"]]`,
      `rows = [dict(zip(columns, row)) for row in answer["rows"]]`,
    ].join("\n"),
  grafana: ({ sql }: Copied) => placed(sql, (name) => `$__time${name === "from" ? "From" : "To"}()${INSTANT}`).replace(/;\s*$/, ""),
  andon: ({ sql, span, url }: Copied) => `andon query ${shell(sql)}${span ? ` --from ${span.from} --to ${span.to}` : ""} --url ${url}`,
  curl: ({ sql, span, url }: Copied) =>
    `curl -sS ${url}/api/sql -H 'content-type: application/json' -d ${shell(JSON.stringify({ sql, ...span }))}`,
} as const;

export type CopyFormat = keyof typeof COPY_AS;

/** The statement with EXPLAIN in front, unless it is there already. */
export function explained(sql: string): string {
  return /^\s*explain\b/i.test(sql) ? sql : `EXPLAIN ${sql}`;
}

/** Whether a column holds instants, by its type's name or its values. */
export function isTime(type: string, sample: unknown): boolean {
  return /^(timestamp|date)/i.test(type) || (typeof sample === "string" && /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d/.test(sample));
}

/** What a quick chart can be made of: the first column of time and up to eight of numbers. */
export function chartable(
  columns: readonly { name: string; type: string }[],
  rows: readonly (readonly unknown[])[],
): { time: number; values: number[] } | null {
  const sample = (index: number) => rows.find((row) => row[index] !== null && row[index] !== undefined)?.[index];
  const time = columns.findIndex((column, index) => isTime(column.type, sample(index)));
  if (time < 0 || rows.length < 2) return null;
  const values = columns.flatMap((_, index) => (index !== time && typeof sample(index) === "number" ? [index] : [])).slice(0, 8);
  return values.length > 0 ? { time, values } : null;
}

/** The lines of a quick chart over its instants: for each column of numbers one per machine, or whatever else the texts of a row tell apart. */
export function linesOf(
  columns: readonly { name: string; type: string }[],
  rows: readonly (readonly unknown[])[],
): { times: number[]; lines: { name: string; values: (number | null)[] }[] } | null {
  const plan = chartable(columns, rows);
  if (!plan) return null;
  const placed = rows.flatMap((row) => {
    const at = instant(row[plan.time] as string | number);
    return at === null ? [] : [{ at, row, of: row.filter((cell, index) => index !== plan.time && typeof cell === "string").join(" ") }];
  });
  placed.sort((a, b) => a.at - b.at);
  // Texts of which nearly every row has its own say something; they tell nothing apart.
  const found = new Set(placed.map(({ of }) => of));
  const kinds = found.size * 2 > placed.length ? [null] : [...found].sort();
  const lines = kinds.flatMap((kind) =>
    plan.values.map((index) => ({
      name: [kind, columns[index]?.name].filter(Boolean).join(" "),
      values: placed.map(({ row, of }) => (typeof row[index] === "number" && (kind === null || kind === of) ? row[index] : null)),
    })),
  );
  return { times: placed.map(({ at }) => at), lines: lines.filter((line) => line.values.some((value) => value !== null)).slice(0, MOST_PENS) };
}
