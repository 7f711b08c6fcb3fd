// The plant file as it is being edited: it outlives the page that shows it, so that a look elsewhere loses nothing.
import { explain, get, type Failure } from "./api";
import type { Definition, PlantFile } from "./types";
import type { Schema } from "./yaml";

class Draft {
  /** What runs. */
  definition = $state.raw<Definition | null>(null);
  error = $state.raw<Failure | null>(null);
  /** What may stand in a plant file; none while it is not known. */
  schema: Schema | null = null;
  /** The files as edited. */
  files = $state.raw<PlantFile[]>([]);
  /** The hash of the version the edit began with. */
  base = $state("");
  changed = $derived(this.definition !== null && this.files.some((file, i) => file.text !== this.definition?.files[i]?.text || file.name !== this.definition.files[i]?.name));
  /** Somebody else has applied something since the edit began. */
  overtaken = $derived(this.changed && this.definition !== null && this.base !== this.definition.hash);

  /** Reads what runs; an edit that was begun stays. */
  async load(): Promise<void> {
    if (!this.schema) get<Schema>("/api/definition/schema").then((schema) => (this.schema = schema), () => undefined);
    try {
      const definition = await get<Definition>("/api/definition");
      const keep = this.changed;
      this.definition = definition;
      this.error = null;
      if (!keep) this.reset();
    } catch (cause) {
      this.error = explain(cause);
    }
  }

  /** Gives the edit up. */
  reset(): void {
    this.files = this.definition?.files ?? [];
    this.base = this.definition?.hash ?? "";
  }

  /** Takes over the text of a file. */
  write(name: string, text: string): void {
    this.files = this.files.map((file) => (file.name === name ? { name, text } : file));
  }
}

export const draft = new Draft();
addEventListener("beforeunload", (event) => {
  if (draft.changed) event.preventDefault();
});
