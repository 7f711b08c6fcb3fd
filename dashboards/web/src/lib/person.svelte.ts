// The person at this screen, for what stands in the log beside what they do.
import { clock } from "./clock.svelte";
import { instant } from "./format";
import { kept, recalled } from "./person";
import { site } from "./plant.svelte";

const KEY = "andon.person";

class Person {
  name = $state("");

  /** Reads what was kept, when a form that needs it opens: the shift may have ended since. */
  recall(): void {
    try {
      this.name = recalled(localStorage.getItem(KEY), clock.exact());
    } catch {
      // storage may be forbidden; then the name is asked for each time
    }
  }

  /** Keeps the name for the rest of the shift. */
  keep(): void {
    try {
      if (this.name.trim()) localStorage.setItem(KEY, kept(this.name, clock.exact(), instant(site.plant?.shift?.end)));
    } catch {
      // see above
    }
  }
}

export const person = new Person();
