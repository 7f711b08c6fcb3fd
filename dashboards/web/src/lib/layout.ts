// The layout engine, in a worker of its own: it may take a while and must never hold up live values.
import type { ElkNode, ELK as Engine } from "elkjs/lib/elk-api";
import Elk from "elkjs/lib/elk-api.js";
import workerAddress from "elkjs/lib/elk-worker.min.js?url";
import { drawing, graph, type Drawing, type Measure } from "./graph";
import type { ModelState } from "./types";

let engine: Engine | undefined;

/** Lays the machine out in both directions and keeps the one that fits the box better. */
export async function layOut(
  states: readonly ModelState[],
  initial: string,
  measure: Measure,
  box: { width: number; height: number },
): Promise<Drawing> {
  engine ??= new Elk({ workerFactory: () => new Worker(workerAddress) });
  const drawn: Drawing[] = [];
  for (const direction of ["RIGHT", "DOWN"] as const) {
    // The engine writes into what it is given, and only plain data may cross to the worker.
    const plain = JSON.parse(JSON.stringify(graph(states, initial, direction, measure))) as ElkNode;
    drawn.push(drawing(await engine.layout(plain), states, initial));
  }
  const scale = (d: Drawing) => Math.min(1, box.width / d.width, box.height / d.height);
  drawn.sort((a, b) => scale(b) - scale(a));
  const best = drawn[0];
  if (!best) throw new Error("the layout engine gave nothing back");
  return best;
}
