// What is on the screen. A page may show a thousand values, a screen shows thirty: what nobody sees need not follow.
import { untrack } from "svelte";
import { clock } from "./clock.svelte";

/** Followed before it comes into view, so that scrolling shows values and no gaps. */
const AHEAD = "300px";

const watched = new Map<Element, (here: boolean) => void>();
const nearby: IntersectionObserverInit & { scrollMargin: string } = { rootMargin: AHEAD, scrollMargin: AHEAD };
const observer = new IntersectionObserver((entries) => {
  for (const entry of entries) watched.get(entry.target)?.(entry.isIntersecting);
}, nearby);
// Paper shows all of it.
addEventListener("beforeprint", () => watched.forEach((tell) => tell(true)));

export interface Sight {
  /** On the screen, or near it. */
  readonly here: boolean;
  /** The plant's time; it stands still while nobody looks. */
  readonly now: number;
  /** Belongs on the element: `{@attach sight.of}`. */
  of(element: Element): () => void;
}

/** Says whether the element of the calling component is seen. */
export function sight(): Sight {
  let here = $state(false);
  const now = $derived(here ? clock.now : untrack(() => clock.now));
  return {
    get here() {
      return here;
    },
    get now() {
      return now;
    },
    of(element) {
      watched.set(element, (is) => (here = is));
      observer.observe(element);
      return () => {
        watched.delete(element);
        observer.unobserve(element);
      };
    },
  };
}
