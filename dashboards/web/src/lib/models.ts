// Where things stand in the plant file. Pure.
import type { ModelProperty } from "./types";

/** Where a property stands in the plant file. */
export function yamlPath(model: string, property: ModelProperty): string[] {
  const base = ["models", model, `${property.kind}s`];
  return property.window ? [...base, property.window, property.name] : [...base, property.name];
}
