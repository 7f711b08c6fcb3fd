// The editors of plant files and of formulas, with completion and with what the service says about the text.
import { autocompletion, type CompletionContext, type CompletionResult } from "@codemirror/autocomplete";
import { yaml } from "@codemirror/lang-yaml";
import { indentUnit } from "@codemirror/language";
import { lintGutter, setDiagnostics, type Diagnostic } from "@codemirror/lint";
import { EditorState } from "@codemirror/state";
import { EditorView, highlightActiveLine, lineNumbers } from "@codemirror/view";
import { createView, setText } from "./editor";
import { choices, namesOf, placeAt, type Schema } from "./yaml";

/** A remark of the service, placed in the text. */
export interface Remark {
  from: number;
  to: number;
  severity: "error" | "warning";
  message: string;
  hint: string;
}
export interface Name {
  label: string;
  detail: string;
}
export interface PlantEditor {
  set(text: string): void;
  remark(remarks: readonly Remark[]): void;
  show(from: number): void;
  focus(): void;
  destroy(): void;
}

/** Functions of formulas, as the documentation groups them. */
const FUNCTIONS = {
  number: "abs ceil floor round sqrt cbrt exp ln log10 pow sin cos tan".split(" "),
  choice: "min max coalesce approx if".split(" "),
  text: "len upper lower find contains starts_with ends_with join format".split(" "),
  time: "timestamp year month day weekday hour minute second".split(" "),
  unit: ["convert"],
  window: "avg sum min max count stdev first last latest earliest before statetime increase time_weighted_avg".split(" "),
};
const CALLS: Name[] = Object.entries(FUNCTIONS).flatMap(([detail, names]) => names.map((label) => ({ label, detail })));

function formulaWords(names: readonly Name[]): { label: string; detail: string; type: string; apply?: string }[] {
  return [
    ...names.map((name) => ({ ...name, type: "property" })),
    ...CALLS.map((call) => ({ ...call, type: "function", apply: `${call.label}(` })),
    ...["and", "or", "not", "in"].map((label) => ({ label, detail: "", type: "keyword" })),
  ];
}

function build(parent: HTMLElement, start: string, label: string, testid: string, onchange: (text: string) => void, extensions: Parameters<typeof createView>[1]["extensions"]): PlantEditor {
  const view = createView(parent, { start, label, testid, hint: "", onchange, extensions });
  return {
    set: (text) => setText(view, text),
    remark: (remarks) => {
      const size = view.state.doc.length;
      const placed = remarks.map(({ from, to, severity, message, hint }): Diagnostic => ({
        from: Math.min(from, size),
        to: Math.min(Math.max(to, from), size),
        severity,
        message: hint ? `${message}\n${hint}` : message,
      }));
      view.dispatch(setDiagnostics(view.state, placed));
    },
    show: (from) => {
      const at = Math.min(from, view.state.doc.length);
      view.dispatch({ selection: { anchor: at }, effects: EditorView.scrollIntoView(at, { y: "center" }) });
      view.focus();
    },
    focus: () => view.focus(),
    destroy: () => view.destroy(),
  };
}

/** An editor of a plant file. `schema` and `names` are asked each time something is completed. */
export function createPlantEditor(
  parent: HTMLElement,
  start: string,
  label: string,
  onchange: (text: string) => void,
  schema: () => Schema | null,
  names: (model: string) => readonly Name[],
  /** The keys that lead to what the text is, where it is a part of a file. */
  above: readonly string[] = [],
): PlantEditor {
  const complete = (context: CompletionContext): CompletionResult | null => {
    const text = context.state.doc.toString();
    const place = placeAt(text, context.pos, above);
    if (!context.explicit && place.typed === "") return null;
    const root = schema();
    const offered = root ? choices(root, text, context.pos, above) : [];
    const options = offered.map((choice) => ({
      label: choice.label,
      detail: choice.detail,
      type: choice.key ? "property" : "enum",
      ...(choice.key ? { apply: `${choice.label}: ` } : {}),
    }));
    const model = place.path[0] === "models" ? place.path[1] : undefined;
    // Words of the schema are all there are; elsewhere a value may name what the file defines, or be a formula.
    if (place.value && offered.length === 0) {
      const own = namesOf(text, model);
      const known = model ? names(model).filter((name) => !own.some((one) => one.label === name.label)) : [];
      const all = [...own, ...known];
      return { from: context.pos - place.typed.length, options: model ? formulaWords(all) : all, validFor: /^[\w.]*$/ };
    }
    return options.length ? { from: context.pos - place.typed.length, options, validFor: /^[\w.]*$/ } : null;
  };
  return build(parent, start, label, "plant-editor", onchange, [
    lineNumbers(),
    lintGutter(),
    highlightActiveLine(),
    indentUnit.of("  "),
    yaml(),
    autocompletion({ override: [complete] }),
  ]);
}

/** An editor of one formula, in one line. */
export function createFormulaEditor(parent: HTMLElement, start: string, label: string, onchange: (text: string) => void, names: () => readonly Name[]): PlantEditor {
  const complete = (context: CompletionContext): CompletionResult | null => {
    const word = context.matchBefore(/[\w.]+/);
    if (!word && !context.explicit) return null;
    return { from: word?.from ?? context.pos, options: formulaWords(names()), validFor: /^[\w.]*$/ };
  };
  const oneLine = EditorState.transactionFilter.of((transaction) => (transaction.newDoc.lines > 1 ? [] : [transaction]));
  return build(parent, start, label, "formula-editor", onchange, [EditorView.lineWrapping, oneLine, autocompletion({ override: [complete] })]);
}
