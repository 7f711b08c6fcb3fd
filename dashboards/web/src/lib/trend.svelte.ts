// The columns of a chart: history of a span, read again when it changes, with live values joined at its right edge.
import { untrack } from "svelte";
import { explain, get, type Failure } from "./api";
import { clock } from "./clock.svelte";
import { settled } from "./hosted";
import { live, type Cell } from "./live.svelte";
import { append, columnsOf, trim, type Column, type Pen, type Span } from "./pens";

/** Live values are coalesced; once a minute history says what they were. */
const REREAD_MS = 60_000;
/** A wheel that is turned, or a key that is held, asks for history once it rests. */
const SETTLE_MS = 120;
/** Read beyond both edges, as a part of the width: moving by less shows what is there at once. */
const BEYOND = 0.5;
/** Points of a pixel's column: first, lowest, highest, last. */
const CORNERS = 4;
const LEAST_WIDTH = 300;
/** A line moves by this part of a pixel before it is drawn anew: a month need not be for each second. */
const VISIBLE_PX = 0.25;

class TrendData {
  /** By series; empty before the first answer. */
  columns = $state.raw<Map<number, Column>>(new Map());
  /** Changes whenever there is something new to draw. */
  version = $state(0);
  loading = $state(true);
  error = $state.raw<Failure | null>(null);
  turn = $state(0);
  retry = (): void => void (this.turn += 1);

  show(columns: Map<number, Column>): void {
    this.columns = columns;
    this.version += 1;
    this.loading = false;
    this.error = null;
  }
}

/** Follows pens over a span for the life of the calling component; `width` is that of the chart in pixels. */
export function trendData(pens: () => readonly Pen[], span: () => Span, width: () => number): TrendData {
  const of = new TrendData();
  // Pens are made anew with every value; what is read changes only with their series.
  const series = $derived(pens().map((pen) => pen.series).join());

  $effect(() => {
    const [shown, wanted] = [span(), series];
    void [of.turn, live.returns];
    if (wanted === "") return untrack(() => of.show(new Map()));
    const settle = untrack(() => (of.columns.size > 0 && !shown.live ? SETTLE_MS : 0));
    const query = untrack(() => questionOf(shown, clock.shown(), width()));
    return settled(settle, async (signal) => {
      try {
        of.show(columnsOf(await get<ArrayBuffer>(`/api/trend?series=${wanted}&${query}`, signal)));
      } catch (cause) {
        if (!signal.aborted) [of.error, of.loading] = [explain(cause), false];
      }
    });
  });
  $effect(() => {
    if (!span().live) return;
    const repeat = setInterval(() => (of.turn += 1), REREAD_MS);
    return () => clearInterval(repeat);
  });

  let cells = new Map<number, Cell>();
  $effect(() => {
    if (!span().live || series === "") return;
    const watched = series.split(",").map((one) => [Number(one), ...live.watch(Number(one))] as const);
    cells = new Map(watched.map(([one, cell]) => [one, cell]));
    return () => {
      for (const [, , release] of watched) release();
    };
  });
  let movedAt = 0;
  $effect(() => {
    const [shown, now] = [span(), clock.now];
    if (!shown.live || document.hidden) return;
    untrack(() => {
      for (const [one, { latest }] of cells) {
        const known = of.columns.get(one);
        if (!latest || !known) continue;
        append(known, latest.time, latest.value, latest.quality);
        of.columns.set(one, trim(now - shown.ms, known));
      }
      if (now - movedAt < (shown.ms / width()) * VISIBLE_PX) return;
      movedAt = now;
      of.version += 1;
    });
  });

  return of;
}

/** What of history a chart of so many pixels needs. */
function questionOf(span: Span, now: number, width: number): string {
  const [start, end] = span.live ? [now - span.ms, now] : [span.from, span.to];
  const beyond = span.live ? 0 : (end - start) * BEYOND;
  const stop = Math.max(end, Math.min(now, end + beyond));
  const points = Math.max(LEAST_WIDTH, width) * (span.live ? 1 : 1 + 2 * BEYOND) * CORNERS;
  return `from=${new Date(start - beyond).toISOString()}&to=${new Date(stop).toISOString()}&points=${Math.round(points)}`;
}
