// Details of several assets at once, each read when it is first needed.
import { SvelteMap } from "svelte/reactivity";
import { explain, get, type Failure } from "./api";
import type { AssetDetail } from "./types";

/** Details by the name asked for (id or path), for the life of the calling component. */
export function details(wanted: () => readonly string[]): { of(name: string): AssetDetail | undefined; readonly failures: ReadonlyMap<string, Failure> } {
  const known = new SvelteMap<string, AssetDetail>();
  const failures = new SvelteMap<string, Failure>();
  const asked = new Set<string>();
  const abort = new AbortController();
  $effect(() => {
    for (const name of wanted()) {
      if (asked.has(name)) continue;
      asked.add(name);
      get<AssetDetail>(`/api/assets/${encodeURIComponent(name)}`, abort.signal).then(
        (detail) => known.set(name, detail),
        (cause: unknown) => abort.signal.aborted || failures.set(name, explain(cause)),
      );
    }
  });
  $effect(() => () => abort.abort());
  return { of: (name) => known.get(name), failures };
}
