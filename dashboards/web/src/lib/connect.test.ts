import { expect, test } from "vitest";
import { filled, hostAndPort, snippet, type Place } from "./connect";

const place: Place = {
  origin: "http://127.0.0.1:8080",
  sql: { ...hostAndPort("127.0.0.1:5433"), tls: false },
  user: "grafana",
  data: "/var/lib/andon",
  broker: { host: "10.0.2.5", port: "1883", topic: "plant/a b/energy" },
  asset: "Line 2/O'Neill's filler",
  property: "fill_temp",
};

test("snippets carry the addresses of this service, and odd names do no harm", () => {
  expect(snippet("psql", place)).toContain("'host=127.0.0.1 port=5433 user=grafana dbname=andon sslmode=disable'");
  expect(snippet("psql", place)).toContain("asset = 'Line 2/O''Neill''s filler'");
  expect(snippet("psql", { ...place, sql: { host: "h", port: "1", tls: true } })).toContain("sslmode=require");
  expect(snippet("grafana", place)).toContain("url: 127.0.0.1:5433");
  expect(snippet("duckdb", place)).toContain('DeltaTable("/var/lib/andon/history/samples")');
  expect(snippet("line", place)).toContain("asset=Line\\ 2/O'Neill's\\ filler");
  expect(snippet("mqtt", place)).toContain("-h 10.0.2.5 -p 1883 -t 'plant/a b/energy'");
});

test("what this service does not have has no snippet", () => {
  const bare: Place = { ...place, sql: null, data: null, broker: null };
  expect((["psql", "python", "grafana", "duckdb", "mqtt"] as const).map((way) => snippet(way, bare))).toEqual([null, null, null, null, null]);
});

test("a topic is filled in from the asset's path", () => {
  expect(filled("bottling/{line}/{asset}/energy", "Line 1/Filler 1")).toBe("bottling/line_1/filler_1/energy");
});

test("an address of IPv6 loses its brackets", () => {
  expect(hostAndPort("[::1]:5433")).toEqual({ host: "::1", port: "5433" });
});
