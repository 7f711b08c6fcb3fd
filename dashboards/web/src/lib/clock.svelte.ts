// One clock for the page: the server's time as the heartbeat tells it, ticking by the browser's monotonic clock.
// Ages are differences to the server's clock, so a wrong clock on a tablet ages nothing.

import { router } from "./router.svelte";

const TICK_MS = 1_000;
/** Past the full second, so that a timer that comes a little early still shows the new one. */
const PAST_MS = 20;

class Clock {
  /** The server's time in epoch milliseconds; moves with the full second. */
  present = $state(Date.now());
  /** The time a page shows: the present, or the instant at which it looks at the plant. */
  now = $derived(router.seen ?? this.present);
  /** Milliseconds of the monotonic clock at the last tick. */
  monotonic = $state(performance.now());
  #offset = Date.now() - performance.now();
  #synchronised = false;

  constructor() {
    this.tick();
  }

  /** Takes the server's time from a message. Delays only ever make it look older, so the newest estimate wins slowly. */
  synchronise(serverNow: number): void {
    const measured = serverNow - performance.now();
    const difference = measured - this.#offset;
    this.#offset = !this.#synchronised || Math.abs(difference) > 2_000 || difference > 0 ? measured : this.#offset + difference * 0.1;
    this.#synchronised = true;
  }

  /** The server's time at this very moment, without waiting for a tick. */
  exact(): number {
    return performance.now() + this.#offset;
  }

  /** The time a page shows at this very moment: the instant at which it looks at the plant, else the server's time. */
  shown(): number {
    return router.seen ?? this.exact();
  }

  private tick(): void {
    this.monotonic = performance.now();
    this.present = this.monotonic + this.#offset;
    setTimeout(() => this.tick(), TICK_MS + PAST_MS - (this.present % TICK_MS));
  }
}

export const clock = new Clock();
