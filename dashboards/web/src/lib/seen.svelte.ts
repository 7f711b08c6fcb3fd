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

/** Whether an element is seen, from when it is told which: `{@attach sight.of}`. */
export class Sight {
  /** On the screen, or near it. */
  here = $state(false);
  /** The plant's time; it stands still while nobody looks. */
  now = $derived(this.here ? clock.now : untrack(() => clock.now));

  of = (element: Element): (() => void) => {
    watched.set(element, (is) => (this.here = is));
    observer.observe(element);
    return () => {
      watched.delete(element);
      observer.unobserve(element);
    };
  };
}
