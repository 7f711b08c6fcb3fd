// History API routing. Links are plain anchors; this makes them cheap without taking "open in a new tab" away.
import { keepSeen, parse, seenAt, withParameters, type Route } from "./route";

class Router {
  pathname = $state(location.pathname);
  search = $state(location.search);
  route: Route = $derived(parse(this.pathname));
  parameters = $derived(new URLSearchParams(this.search));
  /** The instant at which the page looks at the plant, in epoch milliseconds; null for the present. */
  seen = $derived(seenAt(this.pathname, this.parameters));

  constructor() {
    addEventListener("popstate", () => this.#read());
    document.addEventListener("click", (event) => this.#click(event));
  }

  /** Goes to an address of this site, and stays at the instant that is looked at. */
  go(address: string): void {
    this.#move(keepSeen(address, this.seen), false);
  }

  /** Changes parameters of this page's address; `replace` leaves no step behind for "back". */
  set(changes: Record<string, string | null>, replace = true): void {
    this.#move(this.pathname + withParameters(this.search, changes), replace);
  }

  #move(address: string, replace: boolean): void {
    if (address === location.pathname + location.search) return;
    history[replace ? "replaceState" : "pushState"](null, "", address);
    const moved = this.pathname !== location.pathname;
    this.#read();
    if (moved) {
      scrollTo(0, 0);
      // Keyboard and screen reader start at the new page, not at the link that is gone.
      requestAnimationFrame(() => document.querySelector<HTMLElement>("main")?.focus({ preventScroll: true }));
    }
  }

  /** The number a parameter says; null when it says none. */
  number(name: string): number | null {
    const said = this.parameters.get(name);
    return said === null || said === "" || !Number.isFinite(Number(said)) ? null : Number(said);
  }

  #read(): void {
    this.pathname = location.pathname;
    this.search = location.search;
  }

  #click(event: MouseEvent): void {
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const link = (event.target as Element | null)?.closest?.("a[href]");
    if (!(link instanceof HTMLAnchorElement) || link.target || link.hasAttribute("download")) return;
    if (link.origin !== location.origin || link.pathname.startsWith("/api/")) return;
    event.preventDefault();
    this.go(link.pathname + link.search);
  }
}

export const router = new Router();
