// The SQL editor. A chunk of its own: only the SQL page needs it.
import { sql, SQLDialect, PostgreSQL } from "@codemirror/lang-sql";
import { Compartment } from "@codemirror/state";
import { EditorView, lineNumbers } from "@codemirror/view";
import { createView, setText } from "./editor";
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
  onchange: (text: string) => void,
): SqlEditor {
  const language = new Compartment();
  const view = createView(parent, {
    start,
    label,
    hint,
    testid: "sql-editor",
    onrun,
    onchange,
    extensions: [lineNumbers(), language.of(sql({ dialect, upperCaseKeywords: true })), EditorView.lineWrapping],
  });
  return {
    text: () => view.state.doc.toString(),
    set: (text) => setText(view, text),
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
