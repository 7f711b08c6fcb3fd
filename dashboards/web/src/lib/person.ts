// Who sits here, where nobody logs in: asked once and kept on this device until the shift ends. Pure.

/** Kept for so long where there are no shifts. */
const SHIFT_MS = 8 * 3_600_000;

/** A name as it is kept: the next shift is somebody else. */
export function kept(name: string, now: number, shiftEnd: number | null): string {
  return JSON.stringify({ name: name.trim(), until: shiftEnd !== null && shiftEnd > now ? shiftEnd : now + SHIFT_MS });
}

/** The name that was kept, if it still holds. */
export function recalled(text: string | null, now: number): string {
  try {
    const { name, until } = JSON.parse(text ?? "") as { name?: unknown; until?: unknown };
    return typeof name === "string" && typeof until === "number" && now < until ? name : "";
  } catch {
    return "";
  }
}
