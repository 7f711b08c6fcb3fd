// The same query elsewhere: on the command line, over HTTP, in Python. Pure.

/** Wraps a text for a POSIX shell. */
export function shell(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** Ways to take a query along. */
export const COPY_AS = {
  andon: (sql: string, url: string) => `andon query ${shell(sql)} --url ${url}`,
  curl: (sql: string, url: string) =>
    `curl -sS ${url}/api/sql -H 'content-type: application/json' -d ${shell(JSON.stringify({ sql }))}`,
  python: (sql: string, url: string) =>
    [
      "import json, urllib.request",
      "",
      `request = urllib.request.Request("${url}/api/sql",`,
      `    json.dumps({"sql": ${JSON.stringify(sql)}}).encode(),`,
      `    {"content-type": "application/json"})`,
      "answer = json.load(urllib.request.urlopen(request))",
      `columns = [column["name"] for column in answer["columns"]]`,
      `rows = [dict(zip(columns, row)) for row in answer["rows"]]`,
    ].join("\n"),
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
