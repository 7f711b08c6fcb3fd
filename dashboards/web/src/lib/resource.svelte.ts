// Data of one address, read again when something hints that it changed. Old data stays while new data is on its way.
import { untrack } from "svelte";
import { explain, get, type Failure } from "./api";
import { clock } from "./clock.svelte";
import { live, type Hint } from "./live.svelte";
import { router } from "./router.svelte";
import { SvelteMap } from "svelte/reactivity";

export interface ResourceOptions<T> {
  /** Hints after which to read again. */
  hints?: readonly Hint[];
  /** Reads again after this long without a hint. */
  everyMs?: number;
  /** How to read; a GET of the address unless told otherwise. */
  read?: (address: string, signal: AbortSignal) => Promise<T>;
}

/** Hints come in bursts (an alarm is three events); one read serves them all. */
const SETTLE_MS = 250;
/** After a failure it is tried again by itself. */
const AGAIN_MS = 5_000;

/** What a page shows although it could not be read again: since when, and why. */
export const outdated = new SvelteMap<symbol, { since: number; why: Failure }>();

/** What was read, and what went wrong last. */
export class Resource<T> {
  data = $state.raw<T | null>(null);
  error = $state.raw<Failure | null>(null);
  loading = $state(true);
  /** Counts what asks for another read. */
  turn = $state(0);
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** Reads again soon. */
  refresh = (): void => this.after(SETTLE_MS);
  after = (ms: number): void => {
    this.rest();
    this.#timer = setTimeout(() => (this.turn += 1), ms);
  };
  /** Does not read again by itself. */
  rest = (): void => clearTimeout(this.#timer);
}

/** Reads `path()` for the life of the calling component, again whenever the path changes. */
export function resource<T>(path: () => string | null, options: ResourceOptions<T> = {}): Resource<T> {
  const of = new Resource<T>();
  let shown: string | null = null;
  let running: AbortController | null = null;
  let again = false;
  let readAt = 0;
  const me = Symbol();

  // One request at a time: an answer that takes longer than the time between two hints still arrives.
  function read(address: string): void {
    const mine = new AbortController();
    running = mine;
    of.loading = true;
    (options.read ?? get<T>)(address, mine.signal)
      .then(
        (answer) => {
          of.data = answer;
          of.error = null;
          readAt = clock.exact();
          outdated.delete(me);
        },
        (cause: unknown) => {
          if (mine.signal.aborted) return;
          of.error = explain(cause);
          if (of.data !== null) outdated.set(me, { since: readAt, why: of.error });
          if (!of.error.forbidden) of.after(AGAIN_MS);
        },
      )
      .finally(() => {
        if (running !== mine) return;
        running = null;
        of.loading = false;
        if (again) read(address);
        again = false;
      });
  }

  // What an address is made of may move with the clock; only another address is read, or the same at another instant of the past.
  const wanted = $derived(path());
  $effect(() => {
    const address = wanted;
    const question = address && `${router.seen ?? ""} ${address}`;
    void of.turn;
    // A new connection after a lost one means that anything may have happened in between.
    void live.returns;
    untrack(() => {
      if (question !== shown) {
        running?.abort();
        running = null;
        again = false;
        shown = question;
        [of.data, of.error] = [null, null];
        outdated.delete(me);
      }
      if (!address) of.loading = false;
      else if (running) again = true;
      else read(address);
    });
  });
  $effect(() => () => {
    running?.abort();
    outdated.delete(me);
  });

  $effect(() => {
    // The past does not change; what people say about it does, and they read it again.
    if (router.seen !== null) return of.rest;
    const stop = live.onHint((hint) => {
      if (options.hints?.includes(hint)) of.refresh();
    });
    const repeat = options.everyMs ? setInterval(of.refresh, options.everyMs) : undefined;
    return () => {
      stop();
      clearInterval(repeat);
      of.rest();
    };
  });

  return of;
}
