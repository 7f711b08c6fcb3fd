// The layout engine, in a worker of its own: it may take a while and must never hold up live values.
import type { ElkNode, ELK as Engine } from "elkjs/lib/elk-api";
import Elk from "elkjs/lib/elk-api.js";
import workerAddress from "elkjs/lib/elk-worker.min.js?url";
import type { Net } from "./depends";
import { drawing, graph, netDrawing, netGraph, type Drawing, type Measure, type NetDrawing } from "./graph";
import type { ModelState } from "./types";

let engine: Engine | undefined;

/** The engine writes into what it is given, and only plain data may cross to the worker. */
async function placed(graph: ElkNode): Promise<ElkNode> {
  engine ??= new Elk({ workerFactory: () => new Worker(workerAddress) });
  return engine.layout(JSON.parse(JSON.stringify(graph)) as ElkNode);
}

/** Lays a net of properties out, from what is read to what reads. */
export const layOutNet = async (net: Net, measure: Measure): Promise<NetDrawing> => netDrawing(await placed(netGraph(net, measure)), net);

/** Measures texts in the fonts of drawings, as an element shows them. */
export function measurer(of: Element): Measure {
  const context = document.createElement("canvas").getContext("2d");
  const family = getComputedStyle(of).fontFamily;
  return (line, name) => {
    if (!context) return line.length * 7.5;
    context.font = name ? `600 14px ${family}` : `12px ${family}`;
    return context.measureText(line).width;
  };
}

/** Lays the machine out in both directions and keeps the one that fits the box better. */
export async function layOut(
  states: readonly ModelState[],
  initial: string,
  measure: Measure,
  box: { width: number; height: number },
): Promise<Drawing> {
  const drawn: Drawing[] = [];
  for (const direction of ["RIGHT", "DOWN"] as const) {
    drawn.push(drawing(await placed(graph(states, initial, direction, measure)), states));
  }
  const scale = (d: Drawing) => Math.min(1, box.width / d.width, box.height / d.height);
  drawn.sort((a, b) => scale(b) - scale(a));
  const best = drawn[0];
  if (!best) throw new Error("the layout engine gave nothing back");
  return best;
}
