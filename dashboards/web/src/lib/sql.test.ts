import { expect, test } from "vitest";
import { chartable, COPY_AS, explained, shell } from "./sql";

const sql = `SELECT "time" FROM filler WHERE asset = 'Line 2/Filler 2'`;

test("quotes survive the shell and JSON", () => {
  expect(shell("it's")).toBe(`'it'\\''s'`);
  expect(COPY_AS.andon(sql, "http://h:1")).toBe(
    `andon query 'SELECT "time" FROM filler WHERE asset = '\\''Line 2/Filler 2'\\''' --url http://h:1`,
  );
  const body = /-d '(.*)'$/s.exec(COPY_AS.curl(sql, "http://h:1"))?.[1]?.replaceAll(`'\\''`, "'");
  expect(JSON.parse(body ?? "")).toEqual({ sql });
});

test("a query is explained once", () => {
  expect(explained("SELECT 1")).toBe("EXPLAIN SELECT 1");
  expect(explained(" explain analyze SELECT 1")).toBe(" explain analyze SELECT 1");
});

test("a chart needs time and numbers", () => {
  const columns = [{ name: "asset", type: "Utf8" }, { name: "time", type: "Timestamp(µs)" }, { name: "v", type: "Float64" }];
  expect(chartable(columns, [["a", "2026-01-01T00:00:00Z", null], ["a", "2026-01-01T00:01:00Z", 5]])).toEqual({ time: 1, values: [2] });
  expect(chartable(columns, [["a", "2026-01-01T00:00:00Z", 1]])).toBeNull();
  expect(chartable([{ name: "n", type: "Int64" }], [[1], [2]])).toBeNull();
});
