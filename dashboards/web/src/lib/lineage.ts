// Marks of properties that have to do with other models or machines: inherited ones, and those computed over others. Pure.
import { text } from "../text/pages";
import type { Property } from "./types";

export interface LineageMark {
  kind: "component" | "interfaces" | "over" | "parent";
  sign: string;
  words: string;
}

/** The marks of a property with their words; none of what its model defines of its own machine. */
export function lineageOf({ lineage }: Pick<Property, "lineage">): LineageMark[] {
  if (!lineage) return [];
  const marks: (LineageMark | false)[] = [
    lineage.component !== "" && { kind: "component", sign: "◇", words: text.lineage.component(lineage.component, lineage.component_model) },
    lineage.interfaces.length > 0 && { kind: "interfaces", sign: "≡", words: text.lineage.interfaces(lineage.interfaces.join(", ")) },
    lineage.over.length > 0 && { kind: "over", sign: "Σ", words: text.lineage.over(lineage.over.join(", "), lineage.children) },
    lineage.parent !== "" && { kind: "parent", sign: "↑", words: text.lineage.parent(lineage.parent) },
  ];
  return marks.filter((mark) => mark !== false);
}
