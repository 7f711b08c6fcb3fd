// The SQL editor. A chunk of its own: only the SQL page needs it.
import { autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { sql, SQLDialect, PostgreSQL } from "@codemirror/lang-sql";
import { bracketMatching, HighlightStyle, syntaxHighlighting } from "@codemirror/language";
import { Compartment, EditorState } from "@codemirror/state";
import { drawSelection, EditorView, keymap, lineNumbers, placeholder } from "@codemirror/view";
import { tags } from "@lezer/highlight";
import type { SchemaTable } from "./types";

/** What the page may do with the editor. */
export interface SqlEditor {
  text(): string;
  set(text: string): void;
  insert(text: string): void;
  complete(tables: readonly SchemaTable[]): void;
  focus(): void;
  destroy(): void;
}

const theme = EditorView.theme({
  "&": { height: "100%", fontSize: "1rem", color: "var(--ink)", backgroundColor: "var(--raised)" },
  ".cm-content": { fontFamily: "var(--mono)", caretColor: "var(--ink)", padding: "0.5rem 0" },
  ".cm-gutters": { backgroundColor: "var(--raised)", color: "var(--ink2)", border: "0" },
  ".cm-cursor": { borderLeftColor: "var(--ink)" },
  "&.cm-focused": { outline: "2px solid var(--focus)", outlineOffset: "-1px" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": { background: "var(--band)" },
  ".cm-tooltip": { backgroundColor: "var(--panel)", color: "var(--ink)", border: "1px solid var(--line)" },
  ".cm-tooltip-autocomplete ul li[aria-selected]": { backgroundColor: "var(--band)", color: "var(--ink)" },
  ".cm-matchingBracket": { backgroundColor: "var(--band) !important", color: "inherit" },
  ".cm-placeholder": { color: "var(--ink2)" },
});
const colours = HighlightStyle.define([
  { tag: tags.keyword, color: "var(--pv)", fontWeight: "600" },
  { tag: [tags.string, tags.special(tags.string)], color: "var(--pen2)" },
  { tag: [tags.number, tags.bool, tags.null], color: "var(--pen3)" },
  { tag: tags.comment, color: "var(--ink2)", fontStyle: "italic" },
]);
// DataFusion reads PostgreSQL's dialect; these are words of its own.
const dialect = SQLDialect.define({
  ...PostgreSQL.spec,
  builtin: `${PostgreSQL.spec.builtin ?? ""} approx_percentile_cont date_bin date_trunc first_value last_value median now to_timestamp`,
});

/** Puts an editor into an element. */
export function createEditor(
  parent: HTMLElement,
  start: string,
  label: string,
  hint: string,
  onrun: () => void,
  onchange: () => void,
): SqlEditor {
  const language = new Compartment();
  const view = new EditorView({
    parent,
    state: EditorState.create({
      doc: start,
      extensions: [
        keymap.of([{ key: "Mod-Enter", run: () => (onrun(), true), preventDefault: true }]),
        lineNumbers(),
        history(),
        drawSelection(),
        bracketMatching(),
        closeBrackets(),
        autocompletion(),
        // Tab stays with the page: a keyboard must be able to leave the editor.
        keymap.of([...closeBracketsKeymap, ...completionKeymap, ...defaultKeymap, ...historyKeymap]),
        language.of(sql({ dialect, upperCaseKeywords: true })),
        syntaxHighlighting(colours),
        theme,
        placeholder(hint),
        EditorView.lineWrapping,
        EditorView.contentAttributes.of({ "aria-label": label, "data-testid": "sql-editor" }),
        EditorView.updateListener.of((update) => {
          if (update.docChanged) onchange();
        }),
      ],
    }),
  });
  return {
    text: () => view.state.doc.toString(),
    set: (text) => view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: text } }),
    insert: (text) => {
      view.dispatch(view.state.replaceSelection(text));
      view.focus();
    },
    complete: (tables) => {
      const schema = Object.fromEntries(
        tables.map((table) => [
          table.table,
          table.columns.map((column) => ({ label: column.name, detail: column.type, info: column.description, type: "property" })),
        ]),
      );
      view.dispatch({ effects: language.reconfigure(sql({ dialect, schema, upperCaseKeywords: true })) });
    },
    focus: () => view.focus(),
    destroy: () => view.destroy(),
  };
}
