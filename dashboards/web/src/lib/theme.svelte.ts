// Light or dark: the system's choice unless this browser was told otherwise.

export type Theme = "auto" | "light" | "dark";
const KEY = "andon.theme";
const ORDER: Theme[] = ["auto", "light", "dark"];

function stored(): Theme {
  try {
    const value = localStorage.getItem(KEY);
    return ORDER.includes(value as Theme) ? (value as Theme) : "auto";
  } catch {
    return "auto"; // storage may be forbidden; the system's choice is fine
  }
}

class ThemeChoice {
  choice = $state<Theme>(stored());
  /** Counts changes, for canvases that have to be drawn again. */
  version = $state(0);

  constructor() {
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => (this.version += 1));
  }

  apply(): void {
    document.documentElement.style.colorScheme = this.choice === "auto" ? "light dark" : this.choice;
    this.version += 1;
  }

  next(): void {
    this.choice = ORDER[(ORDER.indexOf(this.choice) + 1) % ORDER.length] ?? "auto";
    try {
      localStorage.setItem(KEY, this.choice);
    } catch {
      // see above
    }
    this.apply();
  }
}

export const theme = new ThemeChoice();

/** A colour of the token file as a canvas takes it: custom properties keep `light-dark()` unresolved, a real colour resolves it. */
export function colour(element: HTMLElement, name: string): string {
  element.style.color = `var(${name})`;
  const resolved = getComputedStyle(element).color;
  element.style.color = "";
  return resolved;
}
