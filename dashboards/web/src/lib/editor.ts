// What every text editor of the pages has: look, keys, history. In chunks of the pages that need it only.
import { autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { bracketMatching, HighlightStyle, syntaxHighlighting } from "@codemirror/language";
import { EditorState, type Extension } from "@codemirror/state";
import { drawSelection, EditorView, keymap, placeholder } from "@codemirror/view";
import { tags } from "@lezer/highlight";

export interface EditorOptions {
  start: string;
  label: string;
  testid: string;
  hint: string;
  /** Ctrl+Enter. */
  onrun?: () => void;
  onchange: (text: string) => void;
  extensions: Extension[];
}

const theme = EditorView.theme({
  "&": { height: "100%", fontSize: "1rem", color: "var(--ink)", backgroundColor: "var(--raised)", border: "2px solid transparent" },
  ".cm-content": { fontFamily: "var(--mono)", caretColor: "var(--ink)", padding: "0.5rem 0" },
  ".cm-gutters": { backgroundColor: "var(--raised)", color: "var(--ink2)", border: "0" },
  ".cm-cursor": { borderLeftColor: "var(--ink)" },
  // No outline: the numbers of the lines would cover a part of it.
  "&.cm-focused": { outline: "none", borderColor: "var(--focus)" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": { background: "var(--band)" },
  ".cm-tooltip": { backgroundColor: "var(--panel)", color: "var(--ink)", border: "1px solid var(--line)" },
  ".cm-tooltip-autocomplete ul li[aria-selected]": { backgroundColor: "var(--band)", color: "var(--ink)" },
  ".cm-matchingBracket": { backgroundColor: "var(--band) !important", color: "inherit" },
  ".cm-placeholder": { color: "var(--ink2)" },
  ".cm-activeLine": { backgroundColor: "color-mix(in srgb, var(--band) 35%, transparent)" },
  // A mistake is no alarm: plum as every loss, waved as everybody knows it. A data: image would be against the page's rules.
  ".cm-lintRange": { backgroundImage: "none !important", textDecoration: "underline wavy var(--stop)", textDecorationSkipInk: "none" },
  ".cm-lintRange-warning": { textDecorationStyle: "dotted", textDecorationColor: "var(--ink2)" },
  ".cm-lint-marker": { content: '"" !important', width: "0.55rem", height: "0.55rem", marginTop: "0.4rem", background: "var(--stop)" },
  ".cm-lint-marker-warning": { background: "transparent", border: "2px solid var(--ink2)", borderRadius: "50%" },
  ".cm-diagnostic": { borderLeft: "4px solid var(--stop)", fontFamily: "var(--font)" },
  ".cm-diagnostic-warning": { borderLeftColor: "var(--ink2)" },
});
const colours = HighlightStyle.define([
  { tag: [tags.keyword, tags.definition(tags.propertyName)], color: "var(--pv)", fontWeight: "600" },
  { tag: [tags.string, tags.special(tags.string)], color: "color-mix(in srgb, var(--pen2) 75%, var(--ink))" },
  { tag: [tags.number, tags.bool, tags.null], color: "var(--pen3)" },
  { tag: tags.comment, color: "var(--ink2)", fontStyle: "italic" },
]);

/** Puts an editor into an element. */
export function createView(parent: HTMLElement, options: EditorOptions): EditorView {
  return new EditorView({
    parent,
    state: EditorState.create({
      doc: options.start,
      extensions: [
        keymap.of([{ key: "Mod-Enter", run: () => (options.onrun?.(), true), preventDefault: true }]),
        history(),
        drawSelection(),
        bracketMatching(),
        closeBrackets(),
        autocompletion(),
        // Tab stays with the page: a keyboard must be able to leave the editor.
        keymap.of([...closeBracketsKeymap, ...completionKeymap, ...defaultKeymap, ...historyKeymap]),
        syntaxHighlighting(colours),
        theme,
        placeholder(options.hint),
        EditorView.contentAttributes.of({ "aria-label": options.label, "data-testid": options.testid, tabindex: "0" }),
        EditorView.updateListener.of((update) => {
          if (update.docChanged) options.onchange(update.state.doc.toString());
        }),
        ...options.extensions,
      ],
    }),
  });
}

/** Exchanges the whole text. */
export function setText(view: EditorView, text: string): void {
  if (view.state.doc.toString() !== text) view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: text } });
}
