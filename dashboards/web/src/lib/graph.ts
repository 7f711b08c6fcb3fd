// A state machine, or a net of properties, as a graph to lay out, and the layout as shapes to draw. Pure: text is measured by the caller.
import type { ElkExtendedEdge, ElkNode, ElkPoint } from "elkjs/lib/elk-api";
import type { Linked, Net } from "./depends";
import type { ModelRule, ModelState } from "./types";

/** A state as drawn. */
export interface Box {
  path: string;
  name: string;
  group: boolean;
  lines: string[];
  x: number;
  y: number;
  width: number;
  height: number;
}

/** A rule as drawn. */
export interface Arrow {
  id: string;
  state: string;
  rule: number;
  text: string;
  to: string;
  path: string;
  /** Direction at the tip, in degrees. */
  angle: number;
  tip: ElkPoint;
  label: { lines: string[]; x: number; y: number };
}

export interface Drawing {
  width: number;
  height: number;
  boxes: Box[];
  arrows: Arrow[];
}

/** Width of a text in pixels at the size of names (`true`) or of labels. */
export type Measure = (text: string, name: boolean) => number;

export const LABEL_LINE = 14;
const LABEL_COLUMNS = 28;
const PADDING = 14;
const MIN_WIDTH = 92;
/** The widest countdown in practice. */
const COUNTDOWN = "59 m 59 s";
const START = "\u0000start";

/** Words that belong to what follows them. */
const BINDING = /^(and|or|not|in|for|[-+*/<>=!]+)$/;

/** Breaks a text into short lines between words; an operator stays with its right side. */
export function wrap(text: string, columns: number): string[] {
  const lines: string[][] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last && last.join(" ").length + word.length < columns) {
      last.push(word);
      continue;
    }
    const carried: string[] = [];
    while (last && last.length > 1 && BINDING.test(last.at(-1) ?? "")) carried.unshift(last.pop() ?? "");
    lines.push([...carried, word]);
  }
  return lines.map((words) => words.join(" "));
}

/** `when` says nothing on an arrow that already reads as a condition. */
export function ruleLabel(text: string): string {
  return text.replace(/^when /, "");
}

/** What stands inside a state besides its name: actions on entry and exit, and rules that only act. */
export function linesOf(state: ModelState): string[] {
  return [
    ...state.enter.map((action) => `▸ ${action}`),
    ...state.exit.map((action) => `◂ ${action}`),
    ...state.rules.filter((rule) => rule.to === null).map((rule) => `${rule.text}${rule.actions?.length ? ` → ${rule.actions.join(", ")}` : ""}`),
  ];
}

/** The leaf that entering a state leads to. */
export function leafOf(path: string, states: readonly ModelState[]): string {
  let at = path;
  for (let depth = 0; depth < states.length; depth += 1) {
    const children = states.filter((state) => state.parent === at);
    if (children.length === 0) return at;
    const own = states.find((state) => state.path === at)?.initial;
    const chosen = children.find((child) => child.path === own);
    at = (chosen ?? children[0])?.path ?? at;
  }
  return at;
}

const edgeId = (state: string, rule: number) => `${state}\u0000${rule}`;

/** The graph to lay out. */
export function graph(
  states: readonly ModelState[],
  initial: string,
  direction: "RIGHT" | "DOWN",
  measure: Measure,
): ElkNode {
  const node = (state: ModelState): ElkNode => {
    const children = states.filter((child) => child.parent === state.path);
    if (children.length > 0) {
      const lines = linesOf(state);
      return {
        id: state.path,
        children: children.map(node),
        layoutOptions: {
          "elk.padding": `[top=${30 + lines.length * LABEL_LINE},left=16,bottom=16,right=16]`,
          "elk.nodeSize.constraints": "MINIMUM_SIZE",
          "elk.nodeSize.minimum": `(${measure(state.name, true) + 40},60)`,
        },
      };
    }
    const lines = linesOf(state);
    const width = Math.max(MIN_WIDTH, measure(state.name, true) + 2 * PADDING, ...lines.map((line) => measure(line, false) + 2 * PADDING));
    return { id: state.path, width: Math.ceil(width), height: 36 + lines.length * LABEL_LINE + (lines.length ? 4 : 0) };
  };
  const edges: ElkExtendedEdge[] = [];
  for (const state of states) {
    state.rules.forEach((rule, index) => {
      if (rule.to === null) return;
      const lines = wrap(ruleLabel(rule.text), LABEL_COLUMNS);
      // Room for the time that is left while the rule's timer runs.
      const timed = /\b(after|for|every)\b/.test(rule.text);
      edges.push({
        id: edgeId(state.path, index),
        sources: [state.path],
        targets: [leafOf(rule.to, states)],
        labels: [
          {
            text: lines.join("\n"),
            width: Math.ceil(Math.max(timed ? measure(COUNTDOWN, false) : 0, ...lines.map((line) => measure(line, false)))) + 6,
            height: (lines.length + (timed ? 1 : 0)) * LABEL_LINE + 2,
          },
        ],
      });
    });
  }
  edges.unshift({ id: START, sources: [START], targets: [leafOf(initial, states)] });
  return {
    id: "root",
    layoutOptions: {
      "elk.algorithm": "layered",
      "elk.direction": direction,
      "elk.hierarchyHandling": "INCLUDE_CHILDREN",
      "elk.edgeRouting": "ORTHOGONAL",
      "elk.json.shapeCoords": "ROOT",
      "elk.json.edgeCoords": "ROOT",
      "elk.padding": "[top=4,left=4,bottom=4,right=4]",
      "elk.spacing.nodeNode": "18",
      "elk.spacing.edgeNode": "14",
      "elk.spacing.edgeEdge": "12",
      "elk.spacing.edgeLabel": "3",
      "elk.layered.spacing.nodeNodeBetweenLayers": "18",
      "elk.layered.spacing.edgeNodeBetweenLayers": "12",
      "elk.layered.considerModelOrder.strategy": "NODES_AND_EDGES",
      "elk.layered.crossingMinimization.forceNodeModelOrder": "false",
      "elk.layered.cycleBreaking.strategy": "MODEL_ORDER",
      "elk.edgeLabels.placement": "CENTER",
    },
    children: [{ id: START, width: 10, height: 10 }, ...states.filter((state) => state.parent === null).map(node)],
    edges,
  };
}

/** The laid-out graph as shapes. */
export function drawing(layout: ElkNode, states: readonly ModelState[]): Drawing {
  const boxes: Box[] = [];
  const visit = (node: ElkNode): void => {
    const state = states.find((candidate) => candidate.path === node.id);
    if (state) {
      boxes.push({
        path: state.path,
        name: state.name,
        group: (node.children?.length ?? 0) > 0,
        lines: linesOf(state),
        x: node.x ?? 0,
        y: node.y ?? 0,
        width: node.width ?? 0,
        height: node.height ?? 0,
      });
    } else if (node.id === START) {
      boxes.push({ path: "", name: "", group: false, lines: [], x: node.x ?? 0, y: node.y ?? 0, width: 10, height: 10 });
    }
    node.children?.forEach(visit);
  };
  layout.children?.forEach(visit);
  const arrows: Arrow[] = [];
  for (const edge of layout.edges ?? []) {
    const line = lineOf(edge);
    if (!line) continue;
    const [state = "", index = "0"] = edge.id === START ? ["", "0"] : edge.id.split("\u0000");
    const rule: ModelRule | undefined = states.find((candidate) => candidate.path === state)?.rules[Number(index)];
    const label = edge.labels?.[0];
    arrows.push({
      id: edge.id,
      state,
      rule: Number(index),
      text: rule?.text ?? "",
      to: edge.targets[0] ?? "",
      ...line,
      label: { lines: label?.text?.split("\n") ?? [], x: (label?.x ?? 0) + 3, y: label?.y ?? 0 },
    });
  }
  return { width: layout.width ?? 0, height: layout.height ?? 0, boxes, arrows };
}

/** A net of properties to lay out, what is read on the left. */
export function netGraph(net: Net, measure: Measure): ElkNode {
  return {
    id: "root",
    layoutOptions: {
      "elk.algorithm": "layered",
      "elk.direction": "RIGHT",
      "elk.edgeRouting": "ORTHOGONAL",
      "elk.padding": "[top=4,left=4,bottom=4,right=4]",
      "elk.spacing.nodeNode": "10",
      "elk.layered.spacing.nodeNodeBetweenLayers": "44",
    },
    children: net.nodes.map((node) => ({ id: node.id, width: Math.ceil(Math.max(MIN_WIDTH, measure(node.key, true), measure(`${node.model} · ${node.kind}`, false)) + 2 * PADDING), height: 44 })),
    edges: net.edges.map(({ from, to }) => ({ id: `${from}\u0001${to}`, sources: [from], targets: [to] })),
  };
}

/** A laid-out net as shapes. */
export interface NetDrawing {
  width: number;
  height: number;
  boxes: (Linked & { x: number; y: number; width: number; height: number })[];
  arrows: { id: string; path: string; angle: number; tip: ElkPoint }[];
}

export function netDrawing(layout: ElkNode, net: Net): NetDrawing {
  const boxes = net.nodes.flatMap((node) => {
    const placed = layout.children?.find((child) => child.id === node.id);
    return placed ? [{ ...node, x: placed.x ?? 0, y: placed.y ?? 0, width: placed.width ?? 0, height: placed.height ?? 0 }] : [];
  });
  const arrows = (layout.edges ?? []).flatMap((edge) => {
    const line = lineOf(edge);
    return line ? [{ id: edge.id, ...line }] : [];
  });
  return { width: layout.width ?? 0, height: layout.height ?? 0, boxes, arrows };
}

/** The line of an edge with its tip. */
function lineOf(edge: ElkExtendedEdge): { path: string; tip: ElkPoint; angle: number } | null {
  const section = edge.sections?.[0];
  if (!section) return null;
  const points = [section.startPoint, ...(section.bendPoints ?? []), section.endPoint];
  const tip = section.endPoint;
  const before = points.at(-2) ?? section.startPoint;
  return { path: rounded(points), tip, angle: (Math.atan2(tip.y - before.y, tip.x - before.x) * 180) / Math.PI };
}

/** A path through points with small round corners. */
export function rounded(points: readonly ElkPoint[], radius = 6): string {
  const [first] = points;
  if (!first) return "";
  let out = `M${first.x} ${first.y}`;
  for (let i = 1; i < points.length; i += 1) {
    const at = points[i] as ElkPoint;
    const next = points[i + 1];
    const last = points[i - 1] as ElkPoint;
    if (!next) {
      out += `L${at.x} ${at.y}`;
      continue;
    }
    const into = Math.hypot(at.x - last.x, at.y - last.y) || 1;
    const outOf = Math.hypot(next.x - at.x, next.y - at.y) || 1;
    const r = Math.min(radius, into / 2, outOf / 2);
    out += `L${at.x - ((at.x - last.x) / into) * r} ${at.y - ((at.y - last.y) / into) * r}`;
    out += `Q${at.x} ${at.y} ${at.x + ((next.x - at.x) / outOf) * r} ${at.y + ((next.y - at.y) / outOf) * r}`;
  }
  return out;
}

/** Whether a state is active: the leaf itself or a group around it. */
export function isActive(path: string, active: string): boolean {
  return active === path || active.startsWith(`${path}/`);
}

/** How grave a state is on a strip: 0 at rest, 1 on the way, 2 from where the alarm is raised. */
export function gravity(states: readonly ModelState[], initial: string): (state: string) => "step0" | "step1" | "step2" {
  const rest = leafOf(initial, states);
  const order = states.map((state) => state.path);
  const raising = states.findIndex((state) => state.enter.some((action) => action.startsWith("raise")));
  return (path) => {
    if (path === rest) return "step0";
    const place = order.indexOf(path);
    return raising >= 0 && place >= raising && !path.startsWith(`${rest}/`) ? "step2" : "step1";
  };
}
