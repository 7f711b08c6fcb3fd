// A chart of pens over plant time: axes, normal band, marks. Here is all that is said to uPlot.
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { clock, day, hours, measured, number, zoneOffset } from "./format";
import { axisDecimals, type Pen } from "./pens";
import { ticks } from "./strip";
import { colour } from "./theme.svelte";

/** An instant worth a line in the chart. */
export interface Mark {
  time: number;
  label: string;
  /** Priority of the alarm; 0 for a plain mark. */
  priority: 0 | 1 | 2 | 3 | 4;
}

/** What a chart shows besides its data, and whom it tells what is done to it. */
export interface Picture {
  pens: readonly Pen[];
  zone: string;
  width: number;
  height: number;
  /** Over more than a day the axis has a second row, for the dates. */
  wide: boolean;
  window: () => [number, number];
  marks: () => readonly Mark[];
  oncursor: (time: number | null) => void;
  onzoom: ((from: number, to: number) => void) | undefined;
}

/** How the lines of the pens are broken: what differs in colour alone is one for some eyes. */
export const DASHES: (number[] | undefined)[] = [undefined, undefined, undefined, undefined, [8, 3], [8, 3], [3, 3], [3, 3]];

const DAY_MS = 86_400_000;
const AXIS_PX = 62;
const EDGE_PX = 14;
const TICK_PX = 95;
/** A drag that is no longer than this was a click. */
const LEAST_DRAG_PX = 4;
/** Free room above and below the lines, as a part of their height. */
const MARGIN = 0.08;

/** The units of pens: each has a scale of its own, the first two an axis. */
export const unitsOf = (pens: readonly Pen[]): string[] => [...new Set(pens.map((pen) => pen.unit))];

/** Where the plot lies inside the chart. */
export const insetsOf = (pens: readonly Pen[]): { left: number; right: number } => ({ left: AXIS_PX, right: unitsOf(pens).length > 1 ? AXIS_PX : EDGE_PX });

/** The page's colours and letters as a canvas takes them. */
export function inkOf(box: HTMLElement) {
  const paint = (name: string) => colour(box, name);
  const { fontFamily: family, fontSize } = getComputedStyle(box);
  // As small print of the page, also on a wall screen whose letters are larger.
  const letters = Math.round(Number.parseFloat(fontSize) * 0.86);
  const soft = paint("--line-soft");
  return { paint, family, letters, axis: { stroke: paint("--ink2"), font: `${letters}px ${family}`, grid: { stroke: soft, width: 1 }, ticks: { stroke: soft, size: 4 } } };
}
type Ink = ReturnType<typeof inkOf>;

/** Puts a chart into an element. */
export function createChart(box: HTMLElement, of: Picture, data: uPlot.AlignedData): uPlot {
  const ink = inkOf(box);
  const units = unitsOf(of.pens);
  const scales = units.map((unit, index) => [scaleName(index), { range: (_: uPlot, low: number | null, high: number | null) => reach(of.pens, unit, low, high) }]);
  const options: uPlot.Options = {
    width: of.width,
    height: of.height,
    ms: 1,
    padding: [6, units.length > 1 ? 0 : EDGE_PX, 0, 0],
    legend: { show: false },
    cursor: { drag: { x: of.onzoom !== undefined, y: false, setScale: false }, points: { size: 7 } },
    scales: { x: { time: true, auto: false, range: of.window }, ...Object.fromEntries(scales) },
    axes: [timeAxis(of, ink), ...units.slice(0, 2).map((unit, index) => valueAxis(unit, index, ink))],
    series: [{}, ...of.pens.map((pen, index) => line(pen, index, units, ink))],
    hooks: {
      drawAxes: [bandOf(of.pens, units, ink)],
      draw: [marksOf(of, ink)],
      setCursor: [({ cursor, posToVal }) => of.oncursor(cursor.left === undefined || cursor.left < 0 ? null : posToVal(cursor.left, "x"))],
      setSelect: [
        (chart) => {
          const { left, width } = chart.select;
          if (width <= LEAST_DRAG_PX) return;
          chart.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
          of.onzoom?.(Math.round(chart.posToVal(left, "x")), Math.round(chart.posToVal(left + width, "x")));
        },
      ],
    },
  };
  return new uPlot(options, data, box);
}

const scaleName = (index: number) => `u${index}`;

/** The values a scale spans. The normal band belongs to the picture as long as it does not squeeze the line. */
function reach(pens: readonly Pen[], unit: string, low: number | null, high: number | null): [number, number] {
  // Before there are values their normal band says more than from 0 to 1.
  let [min, max] = low === null ? (pens.find((pen) => pen.unit === unit && pen.normal)?.normal ?? [0, 1]) : [low, high ?? 1];
  for (const { unit: own, normal } of pens) {
    if (own !== unit || !normal) continue;
    const size = Math.max(max - min, normal[1] - normal[0]);
    if (normal[0] < min && min - normal[0] < size) min = normal[0];
    if (normal[1] > max && normal[1] - max < size) max = normal[1];
  }
  const margin = (max - min || Math.abs(max) || 1) * MARGIN;
  return [min - margin, max + margin];
}

function line(pen: Pen, index: number, units: readonly string[], ink: Ink): uPlot.Series {
  const constant = pen.constant !== null;
  const stepped = pen.step || constant ? uPlot.paths.stepped?.({ align: 1 }) : undefined;
  return {
    label: pen.name,
    scale: scaleName(units.indexOf(pen.unit)),
    stroke: ink.paint(`--pen${index + 1}`),
    width: constant ? 1.5 : 1.75,
    dash: constant ? [6, 4] : DASHES[index],
    points: { show: false },
    ...(stepped ? { paths: stepped } : {}),
  };
}

function valueAxis(unit: string, index: number, ink: Ink): uPlot.Axis {
  return {
    ...ink.axis,
    scale: scaleName(index),
    side: index === 0 ? 3 : 1,
    size: AXIS_PX,
    grid: index === 0 ? ink.axis.grid : { show: false },
    values: (_, splits) => {
      // Twelve digits do not fit beside a chart: from a million on in thousands of thousands, as `131.5e9`.
      const most = Math.max(...splits.map(Math.abs));
      const power = most >= 1e6 ? Math.floor(Math.log10(most) / 3) * 3 : 0;
      const digits = axisDecimals(((splits[1] ?? 1) - (splits[0] ?? 0)) / 10 ** power);
      const short = (value: number) => (value === 0 ? "0" : `${(value / 10 ** power).toFixed(digits).replace("-", "−")}e${power}`);
      const words = (value: number) => (power > 0 ? short(value) : Math.abs(value) >= 10_000 ? number(value) : value.toFixed(digits).replace("-", "−"));
      return splits.map((value, i) => (i === splits.length - 1 && unit ? measured(words(value), unit) : words(value)));
    },
  };
}

function timeAxis({ zone, wide, width }: Picture, ink: Ink): uPlot.Axis {
  return {
    ...ink.axis,
    size: wide ? 46 : 30,
    splits: (_, __, from, to) => ticks(from, to, Math.max(2, Math.floor(width / TICK_PX)), zoneOffset(from, zone)),
    values: ({ scales }, splits) => {
      const step = (splits[1] ?? 0) - (splits[0] ?? 0);
      const dated = (scales.x?.max ?? 0) - (scales.x?.min ?? 0) > DAY_MS && step < DAY_MS;
      return splits.map((at, i) => {
        const today = day(at, zone);
        const label = step >= DAY_MS ? today : step < 60_000 ? clock(at, zone) : hours(at, zone);
        const before = splits[i - 1];
        return dated && (before === undefined || day(before, zone) !== today) ? `${label}\n${today}` : label;
      });
    },
  };
}

/** Draws the first normal band behind the lines. */
function bandOf(pens: readonly Pen[], units: readonly string[], ink: Ink): (chart: uPlot) => void {
  const first = pens.find((pen) => pen.normal);
  const colour = ink.paint("--band");
  return ({ ctx, bbox, valToPos }) => {
    if (!first?.normal) return;
    const scale = scaleName(units.indexOf(first.unit));
    const high = Math.max(bbox.top, valToPos(first.normal[1], scale, true));
    const low = Math.min(bbox.top + bbox.height, valToPos(first.normal[0], scale, true));
    if (!(low > high)) return;
    ctx.fillStyle = colour;
    ctx.fillRect(bbox.left, high, bbox.width, low - high);
  };
}

/** Draws the marks above the lines; a label that would cover another is left out. */
function marksOf(of: Picture, ink: Ink): (chart: uPlot) => void {
  const colours = ["--ink2", "--p1", "--p2", "--p3", "--p4"].map(ink.paint);
  const words = ink.paint("--ink");
  return ({ ctx, bbox, valToPos }) => {
    const [ratio, right] = [devicePixelRatio, bbox.left + bbox.width];
    ctx.save();
    ctx.font = `${ink.letters * ratio}px ${ink.family}`;
    ctx.textBaseline = "top";
    ctx.textAlign = "left";
    ctx.fillStyle = words;
    let free = -Infinity;
    for (const mark of of.marks()) {
      const x = Math.round(valToPos(mark.time, "x", true));
      if (x < bbox.left || x > right) continue;
      ctx.strokeStyle = colours[mark.priority] ?? words;
      ctx.lineWidth = (mark.priority ? 2 : 1) * ratio;
      ctx.setLineDash(mark.priority ? [] : [4 * ratio, 3 * ratio]);
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
      const size = ctx.measureText(mark.label).width;
      const start = x + 4 * ratio + size > right ? x - 4 * ratio - size : x + 4 * ratio;
      if (start <= free) continue;
      ctx.fillText(mark.label, start, bbox.top + 2 * ratio);
      free = start + size + 6 * ratio;
    }
    ctx.restore();
  };
}
