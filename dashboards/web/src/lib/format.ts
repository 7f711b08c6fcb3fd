// How numbers, spans and instants read on every page. Pure: `now` and the zone are arguments.

/** A value as it travels: what a sample, an input or an attribute may hold. */
export type Scalar = number | string | boolean | null;

/** 0 good, 1 uncertain, 2 bad: the order is the order of trust. */
export type Quality = 0 | 1 | 2;

const THIN = "\u202f"; // narrow no-break space: groups digits and never wraps
const SPACE = "\u00a0"; // keeps a number and its unit on one line
const MISSING = "—";

/** Epoch milliseconds of an instant that came as RFC 3339 text or as milliseconds; none if there is none. */
export function instant(time: string | number | null | undefined): number | null {
  if (time === null || time === undefined || time === "") return null;
  if (typeof time === "number") return time;
  const parsed = Date.parse(time);
  return Number.isNaN(parsed) ? null : parsed;
}

/** Quality as a number, from the word in objects or the digit in arrays. Unknown words are bad. */
export function quality(word: unknown): Quality {
  if (word === 0 || word === "good") return 0;
  if (word === 1 || word === "uncertain") return 1;
  return 2;
}

function grouped(digits: string): string {
  const [whole = "", fraction] = digits.split(".");
  const sign = whole.startsWith("-") ? "−" : "";
  const bare = sign ? whole.slice(1) : whole;
  const spaced = bare.length > 4 ? bare.replace(/\B(?=(\d{3})+$)/g, THIN) : bare;
  return sign + spaced + (fraction === undefined ? "" : `.${fraction}`);
}

/** Decimals that keep about four figures and never make a number jump in width while it moves a little. */
export function decimals(value: number): number {
  const size = Math.abs(value);
  if (size >= 1000) return 0;
  if (size >= 10) return 1;
  if (size >= 1 || size === 0) return 2;
  return 3;
}

/** A number for reading: grouped, about four figures. */
export function number(value: number, type?: string): string {
  if (!Number.isFinite(value)) return MISSING;
  if (type === "integer" || (type === undefined && Number.isInteger(value))) return grouped(value.toFixed(0));
  if (value !== 0 && Math.abs(value) < 0.001) return value.toExponential(1).replace("-", "−");
  return grouped(value.toFixed(decimals(value)));
}

/** A value for reading, without its unit. */
export function scalar(value: Scalar | undefined, type?: string): string {
  if (value === null || value === undefined || value === "") return MISSING;
  if (typeof value === "number") return number(value, type);
  if (typeof value === "boolean") return value ? "true" : "false";
  return value;
}

/** The unit as written behind a number: `1/h` reads `/h` and stands close, `°C` keeps a space. */
export function unit(name: string | null | undefined): string {
  if (!name) return "";
  if (name.startsWith("1/")) return name.slice(1);
  return `${SPACE}${name}`;
}

/** Value and unit; a missing value has no unit. What has a unit is a quantity: 82 °C and 82.4 °C keep one form. */
export function measured(value: Scalar | undefined, unitName?: string | null, type?: string): string {
  const text = scalar(value, type ?? (unitName ? "double" : undefined));
  return text === MISSING || typeof value === "boolean" ? text : text + unit(unitName);
}

/** A normal band: both ends with the same decimals, and no more than they need. */
export function band(low: number, high: number, unitName?: string | null): string {
  const needed = [0, 1, 2].find((digits) => [low, high].every((end) => Math.abs(end - Number(end.toFixed(digits))) < 1e-9)) ?? 3;
  return `${grouped(low.toFixed(needed))} – ${grouped(high.toFixed(needed))}${unit(unitName)}`;
}

const ACRONYM = /\b(?:oee|teep|mtbf|mttr)\b/g;

/** A name of the plant file for reading: `fill_temp` reads "fill temp", `oee_shift` "OEE shift". SQL and addresses keep the name itself. */
export function label(name: string): string {
  return name.replaceAll("_", " ").replace(ACRONYM, (word) => word.toUpperCase());
}

/** Bytes in the unit that keeps the number small: `1.4 GB`. */
export function bytes(count: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  const power = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(1, count)) / 3)));
  return `${number(count / 1000 ** power)}${SPACE}${units[power]}`;
}

/** A ratio 0..1 in percent. */
export function percent(ratio: number | null | undefined, digits = 0): string {
  return ratio === null || ratio === undefined || !Number.isFinite(ratio)
    ? MISSING
    : `${(ratio * 100).toFixed(digits)}${SPACE}%`;
}

/** Whether a figure without a unit is a ratio, and read in percent. */
export const isRatio = (name: string): boolean => /^(availability|performance|quality_rate|oee|teep)/.test(name);

/** A number of pieces: whole ones. */
export const pieces = (count: number | null): string => (count === null ? MISSING : number(Math.round(count), "integer"));

/** With a capital letter at its beginning. */
export const capital = (words: string): string => words.charAt(0).toUpperCase() + words.slice(1);

/** A span in its two largest units: `0.4 s`, `12 s`, `3 m 12 s`, `2 h 48 m`, `3 d 4 h`. */
export function span(ms: number, tenths = false): string {
  const seconds = Math.max(0, ms) / 1000;
  if (tenths && seconds < 10) return `${seconds.toFixed(1)}${THIN}s`;
  const whole = Math.floor(seconds);
  const pair = (a: number, ua: string, b: number, ub: string) =>
    b === 0 ? `${a}${THIN}${ua}` : `${a}${THIN}${ua} ${b}${THIN}${ub}`;
  if (whole < 60) return `${whole}${THIN}s`;
  if (whole < 3600) return pair(Math.floor(whole / 60), "m", whole % 60, "s");
  if (whole < 86_400) return pair(Math.floor(whole / 3600), "h", Math.floor((whole % 3600) / 60), "m");
  return pair(Math.floor(whole / 86_400), "d", Math.floor((whole % 86_400) / 3600), "h");
}

/** A span in its largest unit only, where it stands in a list. */
export function brief(ms: number): string {
  return span(ms).split(" ")[0] ?? "";
}

const formats = new Map<string, Intl.DateTimeFormat>();

function format(zone: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = zone + JSON.stringify(options);
  let found = formats.get(key);
  if (!found) {
    try {
      found = new Intl.DateTimeFormat("en-GB", { ...options, timeZone: zone, hourCycle: "h23" });
    } catch {
      // A browser without this zone still has to show a clock; UTC says so in its zone name.
      found = new Intl.DateTimeFormat("en-GB", { ...options, timeZone: "UTC", hourCycle: "h23" });
    }
    formats.set(key, found);
  }
  return found;
}

/** Hours, minutes and seconds of plant time. */
export function clock(ms: number, zone: string): string {
  return format(zone, { hour: "2-digit", minute: "2-digit", second: "2-digit" }).format(ms);
}

/** Hours and minutes of plant time. */
export function hours(ms: number, zone: string): string {
  return format(zone, { hour: "2-digit", minute: "2-digit" }).format(ms);
}

/** Hours to milliseconds of plant time. */
export function precise(ms: number, zone: string): string {
  return `${clock(ms, zone)}.${String(((ms % 1000) + 1000) % 1000).padStart(3, "0").slice(0, 3)}`;
}

/** The zone's own abbreviation at that instant: `CET`, `CEST`. */
export function zoneName(ms: number, zone: string): string {
  const part = format(zone, { timeZoneName: "short", hour: "2-digit" })
    .formatToParts(ms)
    .find((piece) => piece.type === "timeZoneName");
  return part?.value ?? zone;
}

/** How far the zone is ahead of UTC at that instant, in milliseconds: ticks fall on round plant time. */
export function zoneOffset(ms: number, zone: string): number {
  const wall = (name: string) => Date.parse(`${new Date(ms).toLocaleString("sv-SE", { timeZone: name }).replace(" ", "T")}Z`);
  try {
    return wall(zone) - wall("UTC");
  } catch {
    return 0; // the clock shows UTC as well
  }
}

const HALF_DAY_MS = 43_200_000;

/** An instant as a field of plant time has it: `2026-11-01T06:00`, or with its seconds. */
export function field(ms: number, zone: string, seconds = false): string {
  return new Date(ms + zoneOffset(ms, zone)).toISOString().slice(0, seconds ? 19 : 16);
}

/** The instant that such a field means; when clocks go back, the first of both. */
export function fromField(text: string, zone: string): number {
  const wall = Date.parse(`${text}Z`);
  const [before, after] = [wall - HALF_DAY_MS, wall + HALF_DAY_MS].map((around) => wall - zoneOffset(around, zone)) as [number, number];
  return field(before, zone, text.length > 16) === text ? before : after;
}

/** A day of plant time: `Sat 21 Nov`. */
export function day(ms: number, zone: string): string {
  return format(zone, { weekday: "short", day: "numeric", month: "short" }).format(ms).replace(",", "");
}

/** An instant near `now`: the clock today, day and clock otherwise. */
export function when(ms: number, now: number, zone: string): string {
  return day(ms, zone) === day(now, zone) ? clock(ms, zone) : `${day(ms, zone)} ${hours(ms, zone)}`;
}

/** Text for a comma-separated file: quoted where RFC 4180 asks for it. */
export function csv(columns: readonly string[], rows: readonly (readonly unknown[])[]): string {
  const field = (cell: unknown) => {
    const text = cell === null || cell === undefined ? "" : typeof cell === "object" ? JSON.stringify(cell) : String(cell);
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return [columns, ...rows].map((row) => row.map(field).join(",")).join("\r\n") + "\r\n";
}
