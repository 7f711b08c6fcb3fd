// What belongs to what in a model, by the words of its formulas. Pure.
import type { Model, ModelProperty } from "./types";

export interface Link {
  key: string;
  detector: boolean;
}

const wordsOf = (formula: string) => new Set(formula.match(/[A-Za-z_]\w*/g) ?? []);

/** The properties of the model that a formula reads. */
export function readsOf(model: Model, property: ModelProperty): Link[] {
  if (!property.formula) return [];
  const words = wordsOf(property.formula);
  const read = model.properties.filter((other) => other.key !== property.key && other.kind !== "control" && (words.has(other.key) || words.has(other.name)));
  return read.map((other) => ({ key: other.key, detector: false }));
}

/** What reads a property: formulas, interlocks and the guards of detectors. */
export function readBy(model: Model, property: ModelProperty): Link[] {
  const properties = model.properties.filter((other) => other.key !== property.key && other.formula !== null && wordsOf(other.formula).has(property.key));
  const detectors = model.detectors.filter((detector) => detector.reads.includes(property.key));
  return [...properties.map((other) => ({ key: other.key, detector: false })), ...detectors.map((detector) => ({ key: detector.name, detector: true }))];
}

/** Where a property stands in the plant file. */
export function yamlPath(model: string, property: ModelProperty): string[] {
  const base = ["models", model, `${property.kind}s`];
  return property.window ? [...base, property.window, property.name] : [...base, property.name];
}
