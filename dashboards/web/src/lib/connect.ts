// How other programs reach this service, ready to be copied, with its own addresses. Pure.
import { shell } from "./sql";

export interface Place {
  /** Address of the pages: `http://127.0.0.1:8080`. */
  origin: string;
  sql: { host: string; port: string; tls: boolean } | null;
  user: string;
  /** Folder of the data, if it is told. */
  data: string | null;
  /** A broker that is listened to, and a topic. */
  broker: { host: string; port: string; topic: string } | null;
  /** A property of a machine, for examples. */
  asset: string;
  property: string;
}

export type Way = "psql" | "python" | "grafana" | "duckdb" | "line" | "mqtt";

const quoted = (text: string) => text.replaceAll("'", "''");
/** Escapes of the line protocol in tag values. */
const tag = (text: string) => text.replace(/[ ,=]/g, (char) => `\\${char}`);

/** A topic pattern with its captures filled in by an asset's path, from the right: case, spaces and `_` do not matter there. */
export function filled(topic: string, path: string): string {
  const names = path.split("/").map((name) => name.toLowerCase().replace(/\s+/g, "_"));
  const levels = topic.split("/").reverse();
  return levels.map((level) => (level === "+" || /^\{.*\}$/.test(level) ? (names.pop() ?? "any") : level)).reverse().join("/");
}

/** The snippet of a way; null where this service does not have it. */
export function snippet(way: Way, place: Place): string | null {
  const { sql, origin, user, data, broker, asset, property } = place;
  const statement = `SELECT time, value FROM samples WHERE asset = '${quoted(asset)}' AND property = '${quoted(property)}' ORDER BY time DESC LIMIT 10`;
  const mode = sql?.tls ? "require" : "disable";
  switch (way) {
    case "psql":
      return sql && `psql ${shell(`host=${sql.host} port=${sql.port} user=${user} dbname=andon sslmode=${mode}`)} \\\n  -c ${JSON.stringify(statement)}`;
    case "python":
      return (
        sql &&
        [
          "import os, psycopg",
          "",
          `with psycopg.connect("host=${sql.host} port=${sql.port} user=${user} dbname=andon sslmode=${mode}",`,
          `                     password=os.environ["ANDON_PASSWORD"], autocommit=True) as connection:`,
          `    for time, value in connection.execute(`,
          `        ${JSON.stringify(statement)}`,
          `    ):`,
          `        print(time, value)`,
        ].join("\n")
      );
    case "grafana":
      return (
        sql &&
        [
          "apiVersion: 1",
          "datasources:",
          "  - name: Andon",
          "    type: postgres",
          `    url: ${sql.host}:${sql.port}`,
          `    user: ${user}`,
          "    secureJsonData: { password: $ANDON_PASSWORD }",
          `    jsonData: { database: andon, sslmode: ${mode}, postgresVersion: 1500 }`,
        ].join("\n")
      );
    case "duckdb":
      return (
        data &&
        [
          "import duckdb",
          "from deltalake import DeltaTable",
          "",
          `samples = DeltaTable(${JSON.stringify(`${data}/history/samples`)}).to_pyarrow_dataset()`,
          `print(duckdb.sql("""`,
          `    SELECT asset, avg(double) FROM samples`,
          `    WHERE property = '${quoted(property)}' AND quality = 0 GROUP BY asset`,
          `"""))`,
        ].join("\n")
      );
    case "line":
      return [
        `curl -i ${shell(`${origin}/api/write?precision=ms`)} --data-binary ${shell("boiler,site=a pressure=4.2")}`,
        "# a measurement of an asset that comes from no source:",
        `# press,asset=${tag(asset)} temp=82.1`,
      ].join("\n");
    case "mqtt":
      return broker && `mosquitto_pub -h ${broker.host} -p ${broker.port} -t ${shell(filled(broker.topic, asset))} -m '{"power_kw": 12.5}'`;
  }
}

/** Host and port of an address; an IPv6 address without its brackets. */
export function hostAndPort(address: string): { host: string; port: string } {
  const at = address.lastIndexOf(":");
  return { host: address.slice(0, at).replace(/^\[|\]$/g, ""), port: address.slice(at + 1) };
}
