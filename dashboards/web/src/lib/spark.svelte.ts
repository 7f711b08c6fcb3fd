// Short histories for sparklines, read a few at a time so that a page with fifty tags does not ask for all at once.
import { get } from "./api";
import { clock } from "./clock.svelte";
import { column } from "./pens";
import type { SparkPoint } from "./strip";
import type { History } from "./types";

const AT_ONCE = 4;
const POINTS = 60;
const waiting: (() => void)[] = [];
let running = 0;

function next(): void {
  while (running < AT_ONCE) {
    const job = waiting.shift();
    if (!job) return;
    running += 1;
    job();
  }
}

/** The last `ms` of a series as points of a sparkline; empty if it cannot be read: the value beside it says why. */
export function recent(series: number, ms: number, signal: AbortSignal): Promise<SparkPoint[]> {
  return new Promise((resolve) => {
    waiting.push(() => {
      const to = clock.shown();
      const query = `from=${new Date(to - ms).toISOString()}&to=${new Date(to).toISOString()}&points=${POINTS}`;
      (signal.aborted ? Promise.reject(new Error("gone")) : get<History>(`/api/series/${series}/history?${query}`, signal))
        .then((history) => {
          const { times, values } = column(history.points);
          resolve(times.map((time, index) => [time, values[index] ?? null]));
        })
        .catch(() => resolve([]))
        .finally(() => {
          running -= 1;
          next();
        });
    });
    next();
  });
}
