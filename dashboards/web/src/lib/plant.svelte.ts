// What every page needs to know about the plant: name, zone, shift, alarm counts and the tree of assets.
import { explain, get, type Failure } from "./api";
import { clock } from "./clock.svelte";
import { live } from "./live.svelte";
import { instant } from "./format";
import { router } from "./router.svelte";
import type { AssetSummary, Plant, Role, Shifts } from "./types";
import { toasts } from "./toast.svelte";
import { text } from "../text";

const POLL_MS = 10_000;
const SETTLE_MS = 250;

class PlantState {
  plant = $state.raw<Plant | null>(null);
  assets = $state.raw<AssetSummary[]>([]);
  error = $state.raw<Failure | null>(null);
  #then = $state.raw<Shifts["shift"]>(null);
  /** The shift that is on, at the instant at which the page looks at the plant. */
  shift = $derived(router.seen === null ? (this.plant?.shift ?? null) : this.#then);
  /** The plant's zone; UTC until it is known. */
  zone = $derived(this.plant?.time_zone ?? "UTC");
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** Reads now, then on every hint and every ten seconds. */
  start(): void {
    void this.#read();
    setInterval(() => void this.#read(), POLL_MS);
    live.onHint(() => this.refresh());
    $effect.root(() => {
      $effect(() => {
        const { seen } = router;
        this.#then = null;
        if (seen === null) return;
        const abort = new AbortController();
        get<Shifts>(`/api/shifts?at=${seen}`, abort.signal).then(({ shift }) => (this.#then = shift), () => undefined);
        return () => abort.abort();
      });
    });
  }

  /** Reads again soon. */
  refresh(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#read(), SETTLE_MS);
  }

  /** An asset by id or by path; addresses may hold either. */
  asset(key: string): AssetSummary | undefined {
    return this.assets.find((asset) => asset.id === key || asset.path === key);
  }

  async #read(): Promise<void> {
    try {
      const [plant, assets] = await Promise.all([get<Plant>("/api/plant"), get<AssetSummary[]>("/api/assets")]);
      this.plant = plant;
      this.assets = assets;
      this.error = null;
      const now = instant(plant.now);
      if (now !== null && live.lastMessage === null) clock.synchronise(now);
    } catch (cause) {
      this.error = explain(cause);
    }
  }
}

export const site = new PlantState();

const ROLES: readonly Role[] = ["viewer", "operator", "engineer"];

/** Why the person at this page may not do what a role may; empty if they may, or while that is not known: the server decides. */
export function barred(role: Role): string {
  const you = site.plant?.you;
  return you && ROLES.indexOf(you.role) < ROLES.indexOf(role) ? text.forbidden.needs(you.name, text.roles[you.role], text.roles[role]) : "";
}

/** What a button gets that is shut for a reason; nothing without one. It stays in reach of finger and keyboard: whoever presses it is told
 * why. Goes behind the button's own `onclick`, in whose place it stands. */
export function shut(reason: string): { "aria-disabled"?: true; title?: string; onclick?: (event: Event) => void } {
  const onclick = (event: Event) => (event.preventDefault(), toasts.say(reason, true));
  return reason ? { "aria-disabled": true, title: reason, onclick } : {};
}

/** What a button gets that only a role may press; nobody, while the page looks at the past. */
export const only = (role: Role): ReturnType<typeof shut> => shut(router.seen === null ? barred(role) : text.seen.past);
