import { expect, test } from "vitest";
import { asksForSpan, chartable, COPY_AS, explained, linesOf, placed, shell } from "./sql";

const sql = `SELECT "time" FROM filler WHERE asset = 'Line 2/Filler 2'`;

const url = "http://h:1";
const span = { from: "2026-03-02T05:00:00.000Z", to: "2026-03-02T13:00:00.000Z" };
const door = { host: "h", port: "5433", tls: false, user: "ann" };
const spanned = "SELECT '$from' -- $to\nFROM filler WHERE time > $from AND time <= $to;";

test("quotes survive the shell and JSON", () => {
  expect(shell("it's")).toBe(`'it'\\''s'`);
  expect(COPY_AS.andon({ sql, span: null, url, door })).toBe(
    `andon query 'SELECT "time" FROM filler WHERE asset = '\\''Line 2/Filler 2'\\''' --url http://h:1`,
  );
  const body = /-d '(.*)'$/s.exec(COPY_AS.curl({ sql, span, url, door }))?.[1]?.replaceAll(`'\\''`, "'");
  expect(JSON.parse(body ?? "")).toEqual({ sql, ...span });
});

test("parameters are told from texts and comments", () => {
  expect(asksForSpan(spanned)).toBe(true);
  expect(asksForSpan(`SELECT '$from', "$to" /* $from */ -- $to`)).toBe(false);
  expect(asksForSpan("SELECT $fromage")).toBe(false);
  expect(placed(spanned, (name) => `<${name}>`)).toBe("SELECT '$from' -- $to\nFROM filler WHERE time > <from> AND time <= <to>;");
});

test("psql gets the span as variables, and Grafana its own", () => {
  const asked = { sql: spanned, span, url, door };
  expect(COPY_AS.psql(asked)).toBe(
    "psql 'host=h port=5433 dbname=andon user=ann' -v from='2026-03-02T05:00:00.000Z' -v to='2026-03-02T13:00:00.000Z' <<'SQL'\n" +
      "SELECT '$from' -- $to\nFROM filler WHERE time > :'from'::timestamptz AND time <= :'to'::timestamptz;\nSQL",
  );
  expect(COPY_AS.psql({ ...asked, sql: "SELECT 1\nSQL", span: null, door: { ...door, tls: true } })).toBe(
    "psql 'host=h port=5433 dbname=andon user=ann sslmode=require' <<'SQL_'\nSELECT 1\nSQL;\nSQL_",
  );
  expect(COPY_AS.psql({ ...asked, door: null })).toMatch(/^# The port .*--sql-listen/);
  expect(COPY_AS.grafana(asked)).toContain("time > $__timeFrom()::timestamptz AND time <= $__timeTo()::timestamptz");
  expect(COPY_AS.andon(asked)).toContain(" --from 2026-03-02T05:00:00.000Z --to 2026-03-02T13:00:00.000Z");
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

test("machines of one answer are lines of their own, whatever their rows leave out", () => {
  const columns = [{ name: "time", type: "Timestamp" }, { name: "asset", type: "Utf8" }, { name: "temp", type: "Float64" }, { name: "speed", type: "Float64" }];
  const at = (second: number) => `2026-01-01T00:00:0${second}Z`;
  const rows = [[at(4), "B", 7, null], [at(1), "A", 1, null], [at(2), "A", null, 90], [at(3), "B", 5, null]];
  expect(linesOf(columns, rows)).toEqual({
    times: [1, 2, 3, 4].map((second) => Date.parse(at(second))),
    lines: [
      { name: "A temp", values: [1, null, null, null] },
      { name: "A speed", values: [null, 90, null, null] },
      { name: "B temp", values: [null, null, 5, 7] },
    ],
  });
  const noted = [{ name: "time", type: "Timestamp" }, { name: "note", type: "Utf8" }, { name: "n", type: "Int64" }];
  expect(linesOf(noted, [[at(1), "one", 1], [at(2), "two", 2]])?.lines).toEqual([{ name: "n", values: [1, 2] }]);
});
