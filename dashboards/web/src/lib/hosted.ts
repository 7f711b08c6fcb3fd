// Work that belongs to what a page shows, and ends with it.
import { untrack } from "svelte";

/** Puts an editor into an element: `{@attach hosted(make, tell)}`. Its code may come later than the element, or not before that is gone. */
export function hosted<E extends { destroy(): void }>(make: (host: HTMLElement) => Promise<E>, tell: (editor: E | null) => void) {
  return (host: HTMLElement) => {
    let gone = false;
    const made = untrack(() => make(host));
    void made.then((editor) => gone || tell(editor));
    return () => {
      gone = true;
      tell(null);
      void made.then((editor) => editor.destroy());
    };
  };
}

/** Does something once what an effect looks at rests for so long, and gives it up when that moves on. */
export function settled(ms: number, run: (signal: AbortSignal) => Promise<void>): () => void {
  const abort = new AbortController();
  const timer = setTimeout(() => void run(abort.signal), ms);
  return () => {
    clearTimeout(timer);
    abort.abort();
  };
}
