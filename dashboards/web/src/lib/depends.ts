// What a property is computed from and what is computed from it, also in the models above and below: as links, and as a net of some steps.
// Found by the words of the formulas. Pure.
import { isRatio } from "./format";
import type { Model, ModelProperty } from "./types";

/** A property or a detector that reads another one, or is read. */
export interface Link {
  model: string;
  key: string;
  detector: boolean;
}

/** One of a net: how many steps it is away, to the left (below zero) what is read, to the right what reads. */
export interface Linked extends Link {
  id: string;
  step: number;
  kind: string;
}

export interface Net {
  nodes: Linked[];
  /** From what is read to what reads it. */
  edges: { from: string; to: string }[];
  /** How many more there are than are drawn. */
  more: number;
}

/** More boxes than these nobody follows with the eye. */
const MOST_NODES = 36;

const idOf = (link: Link) => `${link.model}\u0000${link.detector ? "!" : ""}${link.key}`;
const readable = (model: Model) => model.properties.filter((one) => one.kind !== "control");

/** The names that a formula reads: of the machine itself, of children by hierarchy, of the parent. */
function wordsOf(formula: string): { own: Set<string>; of: [string, string][] } {
  // What stands between quotes is a text, and a name behind a dot belongs to what stands before it.
  const bare = formula.replace(/"[^"]*"|'[^']*'/g, " ");
  const of: [string, string][] = [];
  const rest = bare.replace(/([A-Za-z_]\w*)\s*\.\s*([A-Za-z_]\w*)/g, (_, whose: string, name: string) => (of.push([whose, name]), " "));
  return { own: new Set(rest.match(/[A-Za-z_]\w*/g) ?? []), of };
}

/** The properties that names mean: by key, else by name; of metrics of several windows the one of the reader's window. */
function named(model: Model, words: ReadonlySet<string>, window: string | null): ModelProperty[] {
  const all = readable(model);
  return [...words].flatMap((word) => {
    const alike = all.some((one) => one.key === word) ? all.filter((one) => one.key === word) : all.filter((one) => one.name === word);
    const same = alike.filter((one) => one.window === window);
    return same.length > 0 ? same : alike;
  });
}

function linksOf(models: readonly Model[], model: Model, formula: string, self: string, window: string | null): Link[] {
  const { own, of } = wordsOf(formula);
  const found = (whose: Model, words: ReadonlySet<string>): Link[] => named(whose, words, window).map((one) => ({ model: whose.name, key: one.key, detector: false }));
  const modelOf = (name: string) => models.find((one) => one.name === name);
  const others = of.flatMap(([whose, name]) => {
    const names = whose === "parent" ? model.parents : (model.children.find((link) => link.name === whose)?.models ?? []);
    return names.flatMap((other) => { const known = modelOf(other); return known ? found(known, new Set([name])) : []; });
  });
  // A name that the machine does not have is the parent's.
  const unknown = new Set([...own].filter((word) => !readable(model).some((one) => one.key === word || one.name === word)));
  const above = model.parents.flatMap((name) => { const known = modelOf(name); return known ? found(known, unknown) : []; });
  const all = [...found(model, own), ...above, ...others].filter((link) => !(link.model === model.name && link.key === self));
  return [...new Map(all.map((link) => [idOf(link), link])).values()];
}

/** The formula of a property; of a figure of OEE, whose formula is in words, the parts that the OEE is computed from. */
function formulaOf(model: Model, property: ModelProperty): string {
  const figure = !property.plain && property.kind === "metric" && isRatio(property.name);
  return figure ? model.oee.filter(({ part }) => part !== "target").map(({ value }) => value).join(" ") : (property.formula ?? "");
}

/** The properties that one reads by its formula, and a metric of OEE by the parts of the OEE. */
export function readsOf(models: readonly Model[], model: Model, property: ModelProperty): Link[] {
  return property.formula ? linksOf(models, model, formulaOf(model, property), property.key, property.window) : [];
}

/** What reads a property: formulas, interlocks and the guards of detectors, of its model and of those above and below. */
export function readBy(models: readonly Model[], model: Model, property: ModelProperty): Link[] {
  const target = idOf({ model: model.name, key: property.key, detector: false });
  return models.flatMap((other) => {
    const properties = other.properties.filter((one) => one.formula !== null && linksOf(models, other, formulaOf(other, one), one.key, one.window).some((link) => idOf(link) === target));
    const detectors = other.detectors.filter((detector) => detector.reads.some((read) => linksOf(models, other, read, "", null).some((link) => idOf(link) === target)));
    return [...properties.map((one) => ({ model: other.name, key: one.key, detector: false })), ...detectors.map((one) => ({ model: other.name, key: one.name, detector: true }))];
  });
}

/** What a property reads and what reads it, some steps both ways. */
export function netOf(models: readonly Model[], model: Model, property: ModelProperty, steps: number): Net {
  const start: Linked = { id: idOf({ model: model.name, key: property.key, detector: false }), model: model.name, key: property.key, detector: false, step: 0, kind: property.kind };
  const nodes = new Map([[start.id, start]]);
  const edges = new Map<string, { from: string; to: string }>();
  let more = 0;
  for (const side of [-1, 1] as const) {
    let edge = [start];
    for (let step = 1; step <= steps; step += 1) {
      const next: Linked[] = [];
      for (const at of edge) {
        const own = models.find((one) => one.name === at.model);
        const of = own?.properties.find((one) => one.key === at.key);
        if (!own || !of || at.detector) continue;
        for (const link of side < 0 ? readsOf(models, own, of) : readBy(models, own, of)) {
          const id = idOf(link);
          if (!nodes.has(id)) {
            if (nodes.size >= MOST_NODES) {
              more += 1;
              continue;
            }
            const kind = link.detector ? "detector" : (models.find((one) => one.name === link.model)?.properties.find((one) => one.key === link.key)?.kind ?? "");
            const node = { ...link, id, step: side * step, kind };
            nodes.set(id, node);
            next.push(node);
          }
          const [from, to] = side < 0 ? [id, at.id] : [at.id, id];
          edges.set(`${from}\u0001${to}`, { from, to });
        }
      }
      edge = next;
    }
  }
  return { nodes: [...nodes.values()], edges: [...edges.values()], more };
}
