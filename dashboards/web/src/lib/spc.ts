// Control charts: limits, Nelson's rules, capability. Pure.
//
// Sources: constants and limits from the NIST/SEMATECH e-Handbook of Statistical Methods, 6.3.2.1 (mean and range) and 6.3.2.2
// (individuals), d2 from the same handbook's individuals chart and ASTM's tables; capability from 6.1.6; the eight rules from
// L. S. Nelson, "The Shewhart Control Chart: Tests for Special Causes", Journal of Quality Technology 16 (1984).

/** What turns a mean range of subgroups of `n` into limits and a standard deviation. */
interface Constants {
  d2: number;
  A2: number;
  D3: number;
  D4: number;
}
const CONSTANTS: Record<number, Constants> = {
  2: { d2: 1.128, A2: 1.88, D3: 0, D4: 3.267 },
  3: { d2: 1.693, A2: 1.023, D3: 0, D4: 2.575 },
  4: { d2: 2.059, A2: 0.729, D3: 0, D4: 2.282 },
  5: { d2: 2.326, A2: 0.577, D3: 0, D4: 2.115 },
  6: { d2: 2.534, A2: 0.483, D3: 0, D4: 2.004 },
  7: { d2: 2.704, A2: 0.419, D3: 0.076, D4: 1.924 },
  8: { d2: 2.847, A2: 0.373, D3: 0.136, D4: 1.864 },
  9: { d2: 2.97, A2: 0.337, D3: 0.184, D4: 1.816 },
  10: { d2: 3.078, A2: 0.308, D3: 0.223, D4: 1.777 },
};

/** Sizes of subgroups that the range serves well; above ten it wastes what the values say. */
export const SIZES = Object.keys(CONSTANTS).map(Number);

export type ChartKind = "imr" | "xbar";

/** A value, or a subgroup of values taken together. */
export interface Group {
  time: number;
  values: readonly number[];
}

/** Values in order of time as groups of `size`: those of one stretch (`bin`) belong together. A group that lacks values is left out and counted. */
export function grouped(rows: readonly { bin: number | null; time: number; value: number }[], size: number): { groups: Group[]; incomplete: number } {
  const groups: Group[] = [];
  let incomplete = 0;
  for (let at = 0; at < rows.length; ) {
    const first = rows[at];
    let end = at;
    while (end < rows.length && end - at < size && rows[end]?.bin === first?.bin) end += 1;
    if (first && end - at === size) groups.push({ time: first.time, values: rows.slice(at, end).map((row) => row.value) });
    else incomplete += 1;
    at = end;
  }
  return { groups, incomplete };
}

/** Values taken while the machine ran: none of its stops, in order of time, has them. */
export function running<T extends { time: number }>(rows: readonly T[], stops: readonly { from: number; to: number }[]): T[] {
  let next = 0;
  return rows.filter((row) => {
    while (next < stops.length && (stops[next]?.to ?? 0) < row.time) next += 1;
    return !(row.time > (stops[next]?.from ?? Infinity));
  });
}

/** One chart of the two: what it draws and within what. */
export interface Control {
  values: readonly (number | null)[];
  centre: number;
  upper: number;
  lower: number;
}

export interface Study {
  /** Individuals, or means of subgroups. */
  location: Control;
  /** Moving ranges, or ranges of subgroups. */
  spread: Control;
  /** Standard deviation within subgroups: the mean range by d2. */
  within: number;
  /** Standard deviation of all values. */
  overall: number;
  /** All values. */
  count: number;
}

/** Limits that were found at another time and hold now. */
export interface Held {
  centre: number;
  within: number;
}

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
const rangeOf = (values: readonly number[]) => Math.max(...values) - Math.min(...values);

/** Computes both charts; nothing when there are fewer than two groups, which give no spread. */
export function study(kind: ChartKind, groups: readonly Group[], held: Held | null = null): Study | null {
  const first = groups[0];
  if (!first || groups.length < 2) return null;
  const size = kind === "imr" ? 2 : first.values.length;
  const constants = CONSTANTS[size];
  if (!constants) return null;
  const centres = groups.map((group) => mean(group.values));
  const ranges = kind === "imr" ? centres.map((value, i) => (i === 0 ? null : Math.abs(value - (centres[i - 1] ?? value)))) : groups.map((group) => rangeOf(group.values));
  const found = mean(ranges.filter((range) => range !== null));
  const range = held ? held.within * constants.d2 : found;
  const centre = held?.centre ?? mean(centres);
  const within = range / constants.d2;
  const reach = kind === "imr" ? 3 * within : constants.A2 * range;
  const all = groups.flatMap((group) => group.values);
  const grand = mean(all);
  return {
    location: { values: centres, centre, upper: centre + reach, lower: centre - reach },
    spread: { values: ranges, centre: range, upper: constants.D4 * range, lower: constants.D3 * range },
    within,
    overall: Math.sqrt(all.reduce((sum, value) => sum + (value - grand) ** 2, 0) / (all.length - 1)),
    count: all.length,
  };
}

/** Nelson's rules by number. */
export type Rule = 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8;
/** How many points in a row each rule looks at, and with how few of them it can speak. */
const LENGTHS: Record<Rule, number> = { 1: 1, 2: 9, 3: 6, 4: 14, 5: 3, 6: 5, 7: 15, 8: 8 };
const LEAST: Record<Rule, number> = { ...LENGTHS, 5: 2, 6: 4 };
export const RULES: readonly Rule[] = [1, 2, 3, 4, 5, 6, 7, 8];

/** Whether the points that end here make the rule's pattern; `z` are distances from the centre in standard deviations. */
const PATTERNS: Record<Rule, (z: readonly number[]) => boolean> = {
  1: ([z = 0]) => Math.abs(z) > 3,
  2: (z) => oneSide(z, 0, LEAST[2]),
  3: (z) => steps(z).every((step) => step > 0) || steps(z).every((step) => step < 0),
  4: (z) => steps(z).every((step, i, all) => step * (all[i + 1] ?? -step) < 0),
  5: (z) => oneSide(z, 2, LEAST[5]),
  6: (z) => oneSide(z, 1, LEAST[6]),
  7: (z) => z.every((value) => Math.abs(value) < 1),
  8: (z) => z.every((value) => Math.abs(value) > 1),
};
const steps = (z: readonly number[]) => z.slice(1).map((value, i) => value - (z[i] ?? value));
/** So many of them beyond a distance on one side, with the last one among them: it is the one that completes the pattern. */
function oneSide(z: readonly number[], beyond: number, least: number): boolean {
  const side = Math.sign(z.at(-1) ?? 0);
  const far = (value: number) => value * side > beyond;
  return far(z.at(-1) ?? 0) && z.filter(far).length >= least;
}

/** The rules each point completes: the pattern ends with it. Where nothing varies there is no rule. */
export function nelson(chart: Control, rules: readonly Rule[] = RULES): Rule[][] {
  const sigma = (chart.upper - chart.centre) / 3;
  if (!(sigma > 0)) return chart.values.map(() => []);
  const z = chart.values.map((value) => ((value ?? chart.centre) - chart.centre) / sigma);
  return z.map((_, i) =>
    rules.filter((rule) => i + 1 >= LEAST[rule] && PATTERNS[rule](z.slice(Math.max(0, i + 1 - LENGTHS[rule]), i + 1))),
  );
}

/** Points outside of limits that do not lie evenly about the centre, as those of ranges do. */
export function outside(chart: Control): Rule[][] {
  return chart.values.map((value) => (value !== null && (value > chart.upper || value < chart.lower) ? [1] : []));
}

/** A rule that one or several points in a row complete. */
export interface Signal {
  rule: Rule;
  first: number;
  last: number;
}

/** Hits of one rule in a row are one signal; the newest first. */
export function signals(hits: readonly (readonly Rule[])[]): Signal[] {
  const found = RULES.flatMap((rule) => {
    const out: Signal[] = [];
    hits.forEach((rules, i) => {
      if (!rules.includes(rule)) return;
      const before = out.at(-1);
      if (before?.last === i - 1) before.last = i;
      else out.push({ rule, first: i, last: i });
    });
    return out;
  });
  return found.sort((a, b) => b.last - a.last || a.rule - b.rule);
}

/** How well a process fits its limits: the width alone (p), and with its place (pk). Null where a limit is missing or nothing varies. */
export function capability(centre: number, sigma: number, lower: number | null, upper: number | null): { p: number | null; pk: number | null } {
  if (!(sigma > 0)) return { p: null, pk: null };
  const sides = [...(upper === null ? [] : [(upper - centre) / (3 * sigma)]), ...(lower === null ? [] : [(centre - lower) / (3 * sigma)])];
  return {
    p: upper === null || lower === null ? null : (upper - lower) / (6 * sigma),
    pk: sides.length > 0 ? Math.min(...sides) : null,
  };
}

/** The most subgroups that are drawn: beyond a few points per pixel nothing more is seen. Times ten values each it is what an answer to SQL may hold. */
export const MOST_GROUPS = 2_000;

/** How far subgroups lie apart, in seconds; 0 takes each value. */
export const EVERY: readonly number[] = [0, 10, 60, 300, 600, 1_800, 3_600, 14_400];

/** A distance that gives about a hundred individuals or some fifty subgroups. */
export function everyFor(ms: number, kind: ChartKind): number {
  const most = kind === "imr" ? 150 : 50;
  return EVERY.find((seconds) => seconds > 0 && ms / 1000 / seconds <= most) ?? 14_400;
}

/** Which values of a series: of the last `ms` until now, or between two instants. */
export type Stretch = { ms: number } | { from: number; to: number };

const condition = (series: number, of: Stretch) =>
  `series = ${series} AND value IS NOT NULL AND ` +
  ("ms" in of
    ? `time > now() - INTERVAL '${Math.round(of.ms / 1000)} seconds'`
    : `time >= '${new Date(of.from).toISOString()}' AND time < '${new Date(of.to).toISOString()}'`);

/** Asks for the first `size` good values of each stretch of `every` seconds, the newest first. */
export function valuesQuery(series: number, of: Stretch, every: number, size: number): string {
  const good = `${condition(series, of)} AND quality = 'good'`;
  const most = MOST_GROUPS * size;
  if (every === 0) return `SELECT NULL AS bin, time, value FROM samples WHERE ${good} ORDER BY time DESC LIMIT ${most}`;
  const bin = `date_bin(INTERVAL '${every} seconds', time)`;
  return (
    `SELECT bin, time, value FROM (SELECT ${bin} AS bin, time, value, row_number() OVER (PARTITION BY ${bin} ORDER BY time) AS place ` +
    `FROM samples WHERE ${good}) WHERE place <= ${size} ORDER BY time DESC LIMIT ${most}`
  );
}

/** Asks how many values there are of each quality. */
export const countQuery = (series: number, of: Stretch): string => `SELECT quality, count(*) FROM samples WHERE ${condition(series, of)} GROUP BY quality`;
