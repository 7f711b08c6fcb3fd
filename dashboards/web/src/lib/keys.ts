// Keys, as several pages read them. Pure.

const ARROWS: Record<string, 1 | -1> = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };

/** Onward (1) or back (-1), by the arrows of a direction; 0 for any other key. */
export function arrow(event: KeyboardEvent, along: "row" | "column" = "row"): 1 | 0 | -1 {
  const fits = along === "row" ? /^Arrow(Left|Right)$/ : /^Arrow(Up|Down)$/;
  return fits.test(event.key) ? (ARROWS[event.key] ?? 0) : 0;
}
