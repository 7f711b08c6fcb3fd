// The one WebSocket of this tab: live values by subscription, hints to read something again, and an honest link state.
import { untrack } from "svelte";
import { clock } from "./clock.svelte";
import { instant } from "./format";
import { router } from "./router.svelte";
import { backOff, linkState, newer, unpack, type LinkState, type LiveValue, type WireValue } from "./merge";

/** What the server may hint at. */
export type Hint = "alarms" | "detector" | "sources" | "plant";

type Message =
  | { type: "hello"; now: number | string }
  | { type: "values"; seq: number; now: number | string; values: WireValue[] }
  | { type: "alarms" | "sources" | "plant" }
  | { type: "detector"; asset: string; detector: string }
  | { type: "heartbeat"; now: number | string };

/** A silent socket is closed after this, so that a half-open connection does not stay for ever. */
const GIVE_UP_MS = 8_000;

/** The live value of one series; components read `latest`. */
export class Cell {
  latest = $state.raw<LiveValue | null>(null);
  /** How many components show it. */
  users = 0;
}

class Live {
  /** When the last message came, on the monotonic clock. */
  lastMessage = $state<number | null>(null);
  open = $state(false);
  /** Counts returns of a lost link: pages read their data again. */
  returns = $state(0);
  #connectedBefore = false;
  link: LinkState = $derived(linkState(this.lastMessage, clock.monotonic, this.open));
  #cells = new Map<number, Cell>();
  #hints = new Set<(hint: Hint, asset?: string, detector?: string) => void>();
  #socket: WebSocket | null = null;
  #attempt = 0;
  #pending = false;

  /** Connects, and keeps the connection for as long as the page lives. */
  start(): void {
    this.#connect();
    setInterval(() => {
      const silent = this.lastMessage !== null && performance.now() - this.lastMessage > GIVE_UP_MS;
      if (silent && this.#socket?.readyState === WebSocket.OPEN) this.#socket.close();
    }, 1_000);
  }

  /** The cell of a series for as long as the returned function is not called. */
  watch(series: number): [Cell, () => void] {
    let cell = this.#cells.get(series);
    if (!cell) {
      cell = new Cell();
      this.#cells.set(series, cell);
    }
    const shared = cell;
    shared.users += 1;
    this.#announce();
    return [
      shared,
      () => {
        shared.users -= 1;
        if (shared.users === 0) this.#cells.delete(series);
        this.#announce();
      },
    ];
  }

  /** Calls back on hints until the returned function is called. */
  onHint(callback: (hint: Hint, asset?: string, detector?: string) => void): () => void {
    this.#hints.add(callback);
    return () => this.#hints.delete(callback);
  }

  /** The age of the last message in milliseconds; none before the first. */
  age(): number | null {
    return this.lastMessage === null ? null : Math.max(0, clock.monotonic - this.lastMessage);
  }

  #connect(): void {
    const socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/api/live`);
    this.#socket = socket;
    socket.onopen = () => {
      this.open = true;
      this.#attempt = 0;
      if (this.#connectedBefore) this.returns += 1;
      this.#connectedBefore = true;
      this.#subscribe();
    };
    socket.onmessage = (event) => this.#receive(event.data as string);
    socket.onclose = () => {
      this.open = false;
      this.#socket = null;
      setTimeout(() => this.#connect(), backOff(this.#attempt, Math.random()));
      this.#attempt += 1;
    };
  }

  #receive(data: string): void {
    let message: Message;
    try {
      message = JSON.parse(data) as Message;
    } catch {
      return;
    }
    this.lastMessage = performance.now();
    if ("now" in message) {
      const now = instant(message.now);
      if (now !== null) clock.synchronise(now);
    }
    switch (message.type) {
      case "values":
        for (const wire of message.values) {
          const cell = this.#cells.get(wire[0]);
          const value = unpack(wire);
          if (cell && newer(cell.latest, value)) cell.latest = value;
        }
        break;
      case "alarms":
      case "sources":
      case "plant":
        for (const hint of this.#hints) hint(message.type);
        break;
      case "detector":
        for (const hint of this.#hints) hint("detector", message.asset, message.detector);
        break;
      case "hello":
      case "heartbeat":
        break; // their time was taken above
    }
  }

  /** Components come and go in bursts; the server hears the sum once per turn. */
  #announce(): void {
    if (this.#pending) return;
    this.#pending = true;
    setTimeout(() => {
      this.#pending = false;
      this.#subscribe();
    }, 30);
  }

  #subscribe(): void {
    if (this.#socket?.readyState !== WebSocket.OPEN) return;
    this.#socket.send(JSON.stringify({ subscribe: { series: [...this.#cells.keys()] } }));
  }
}

export const live = new Live();

/** Follows one series for the life of the calling component; `series` may change, and none of it keeps what was there last. */
export function follow(series: () => number | null | undefined): { readonly latest: LiveValue | null } {
  let cell = $state.raw<Cell | null>(null);
  let known: number | undefined;
  $effect(() => {
    const id = series();
    if (id === null || id === undefined) return;
    if (router.seen !== null) {
      cell = null;
      return;
    }
    const [shared, release] = live.watch(id);
    // Until the first value of this turn comes, the last one of the turn before is the newest that is known.
    if (id === known) untrack(() => (shared.latest ??= cell?.latest ?? null));
    known = id;
    cell = shared;
    return release;
  });
  return {
    get latest() {
      return cell?.latest ?? null;
    },
  };
}
