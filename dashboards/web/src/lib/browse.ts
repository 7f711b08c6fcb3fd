// The tree of a source as rows, and where its arrows lead. Pure.
import { measured, type Scalar } from "./format";
import type { SourceNode } from "./types";

/** What was read of the children of a node. */
export interface Level {
  nodes: readonly SourceNode[];
  next: number | null;
  loading: boolean;
  problem: string;
}
export interface Row {
  /** The nodes that lead here: a node may stand below several. */
  id: string;
  parent: string;
  level: number;
  position: number;
  size: number;
  node: SourceNode;
  /** Whether it is open; null when nothing can be below it. */
  open: boolean | null;
}
/** What stands below a level instead of a node: more of it, that it is coming, or why it is not. */
export interface Tail {
  id: string;
  parent: string;
  level: number;
  next: number | null;
  loading: boolean;
  problem: string;
}

/** The value of a node as it is shown; empty when it has none. */
export function shown({ value, unit, type }: SourceNode): string {
  return value === null ? "" : measured(value as Scalar, unit, type === "int" ? "integer" : (type ?? undefined));
}

/** The rows that are seen: `levels` and `opened` by the id of the row they belong to, the root's is empty. */
export function rowsOf(levels: ReadonlyMap<string, Level>, opened: ReadonlySet<string>): (Row | Tail)[] {
  const rows: (Row | Tail)[] = [];
  const add = (nodes: readonly SourceNode[], parent: string, level: number) => {
    nodes.forEach((node, index) => {
      const id = `${parent}\n${node.node}`;
      const given = node.readings.length > 0;
      const open = given || node.children ? opened.has(id) : null;
      rows.push({ id, parent, level, position: index + 1, size: nodes.length, node, open });
      if (!open) return;
      if (given) add(node.readings, id, level + 1);
      else below(id, level + 1);
    });
  };
  const below = (parent: string, level: number) => {
    const known = levels.get(parent);
    if (known) add(known.nodes, parent, level);
    const { next, loading, problem } = known ?? { next: null, loading: true, problem: "" };
    if (next !== null || loading || problem || known?.nodes.length === 0) rows.push({ id: `${parent}\n\n`, parent, level, next, loading, problem });
  };
  below("", 1);
  return rows;
}

export const isRow = (one: Row | Tail): one is Row => "node" in one;

/** The row a key of the tree leads to from a row, or what it does there. */
export function press(rows: readonly Row[], id: string, key: string): { to?: string; open?: boolean } | null {
  const at = Math.max(0, rows.findIndex((row) => row.id === id));
  const row = rows[at];
  const to = (index: number) => {
    const other = rows[Math.min(Math.max(index, 0), rows.length - 1)];
    return other ? { to: other.id } : {};
  };
  if (!row) return null;
  switch (key) {
    case "ArrowDown":
      return to(at + 1);
    case "ArrowUp":
      return to(at - 1);
    case "Home":
      return to(0);
    case "End":
      return to(rows.length - 1);
    case "ArrowRight":
      if (row.open === false) return { open: true };
      return row.open && rows[at + 1]?.parent === row.id ? to(at + 1) : {};
    case "ArrowLeft":
      if (row.open) return { open: false };
      return rows.some((other) => other.id === row.parent) ? { to: row.parent } : {};
    default:
      return null;
  }
}
