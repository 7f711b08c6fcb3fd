// Addresses of pages, both ways. The address is the state of a page; nothing else is.

/** Pages whose address is their name. */
const PLAIN = ["alarms", "oee", "trend", "sql", "models", "sources", "connections", "log", "report"] as const;

export type Route =
  | { page: "overview" | "detectors" | "missing" | (typeof PLAIN)[number] }
  | { page: "asset" | "line"; id: string }
  | { page: "detector"; asset: string; detector: string };

/** The page an address means. */
export function parse(pathname: string): Route {
  let parts: string[];
  try {
    parts = pathname.split("/").filter(Boolean).map(decodeURIComponent);
  } catch {
    return { page: "missing" };
  }
  const [head, first, second, ...rest] = parts;
  if (rest.length > 0) return { page: "missing" };
  if (head === undefined || (head === "overview" && first === undefined)) return { page: "overview" };
  if (head === "assets" && first !== undefined && second === undefined) return { page: "asset", id: first };
  if (head === "lines" && first !== undefined && second === undefined) return { page: "line", id: first };
  if (head === "detectors" && first === undefined) return { page: "detectors" };
  if (head === "detectors" && first !== undefined && second !== undefined)
    return { page: "detector", asset: first, detector: second };
  const plain = PLAIN.find((page) => page === head);
  if (plain && first === undefined) return { page: plain };
  return { page: "missing" };
}

/** Pages that can be looked at as they were at an instant. On the others there is nothing but the present. */
const SEEN: readonly Route["page"][] = ["line", "oee", "trend", "log", "report"];

/** Whether a page can be shared as it is seen now: what alarms and detectors stand is known of the present only. */
export function canBeSeen(pathname: string, parameters: URLSearchParams): boolean {
  const { page } = parse(pathname);
  if (page === "alarms") return parameters.get("view") === "history";
  if (page === "asset") return !["alarms", "detectors"].includes(parameters.get("tab") ?? "");
  return SEEN.includes(page);
}

/** The instant at which an address looks at the plant; null for the present. */
export function seenAt(pathname: string, parameters: URLSearchParams): number | null {
  const said = Number(parameters.get("seen") ?? "");
  return said > 0 && Number.isFinite(said) && canBeSeen(pathname, parameters) ? said : null;
}

/** Where a link leads that is followed while one looks at an instant: to the same instant, unless the page is of the present only. */
export function keepSeen(address: string, seen: number | null): string {
  const [pathname = "", search = ""] = address.split("?");
  const parameters = new URLSearchParams(search);
  if (seen === null || parameters.has("seen") || !canBeSeen(pathname, parameters)) return address;
  return pathname + withParameters(search, { seen: String(seen) });
}

/** What the service is asked for so that it answers as it was at an instant. */
const AS_OF = ["/api/lines/", "/api/assets/", "/api/oee", "/api/stops", "/api/events", "/api/alarms", "/api/notes"];

/** The address of a question to the service, as of an instant. */
export function asOf(address: string, seen: number | null): string {
  if (seen === null || !AS_OF.some((start) => address.startsWith(start)) || address.startsWith("/api/alarms/")) return address;
  return `${address}${address.includes("?") ? "&" : "?"}as_of=${seen}`;
}

const part = encodeURIComponent;

/** Addresses of the pages. */
export const href = {
  overview: () => "/",
  asset: (id: string, tab?: string) => `/assets/${part(id)}${tab ? `?tab=${part(tab)}` : ""}`,
  line: (id: string) => `/lines/${part(id)}`,
  detectors: () => "/detectors",
  /** Where an alarm's story is told: its detector's page; in the log for one over messages, which belongs to a key and has no asset. */
  alarm: (alarm: { asset: string; path: string; detector: string }) =>
    alarm.asset ? href.detector(alarm.asset, alarm.detector) : `/log?view=all&find=${encodeURIComponent(alarm.path)}`,
  detector: (asset: string, detector: string, tab?: string) => `/detectors/${part(asset)}/${part(detector)}${tab && tab !== "now" ? `?tab=${tab}` : ""}`,
  alarms: (view?: string, priority?: number) => {
    const query = new URLSearchParams();
    if (view && view !== "active") query.set("view", view);
    if (priority) query.set("priority", String(priority));
    return `/alarms${query.size ? `?${query}` : ""}`;
  },
  /** What alarmed on a machine before. */
  alarmsOf: (path: string) => `/alarms${withParameters("", { view: "history", find: path })}`,
  oee: (asset?: string, at?: number) => `/oee${withParameters("", { asset: asset ?? null, at: at === undefined ? null : String(at) })}`,
  trend: (pens?: string) => `/trend${pens ? `?pens=${part(pens)}` : ""}`,
  sql: (statement?: string) => `/sql${statement ? `?q=${part(statement)}` : ""}`,
  models: (of: { tab?: string; model?: string; of?: string } = {}) => `/models${withParameters("", { tab: of.tab && of.tab !== "models" ? of.tab : null, model: of.model ?? null, of: of.of ?? null })}`,
  sources: (source?: string) => `/sources${withParameters("", { source: source ?? null })}`,
  connections: () => "/connections",
  log: () => "/log",
  report: () => "/report",
};

/** Changes parameters of an address; `null` takes one away. */
export function withParameters(search: string, changes: Record<string, string | null>): string {
  const query = new URLSearchParams(search);
  for (const [name, value] of Object.entries(changes)) {
    if (value === null) query.delete(name);
    else query.set(name, value);
  }
  const text = query.toString();
  return text ? `?${text}` : "";
}
