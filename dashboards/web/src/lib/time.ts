// Instants as the pages write them: in the plant's zone, beside the time that is shown. They are taken as they come, and none is a dash.
import { clock } from "./clock.svelte";
import * as format from "./format";
import { site } from "./plant.svelte";

export type Time = string | number | null | undefined;

const written = (write: (ms: number, zone: string) => string) => (time: Time): string => {
  const ms = format.instant(time);
  return ms === null ? "—" : write(ms, site.zone);
};
export const clockAt = written(format.clock);
export const hours = written(format.hours);
export const precise = written(format.precise);
export const day = written(format.day);
export const zoneName = written(format.zoneName);
export const field = (time: Time, seconds = false): string => written((ms, zone) => format.field(ms, zone, seconds))(time);

/** Beside what the page shows: the clock today, day and clock otherwise. */
export const when = written((ms, zone) => format.when(ms, clock.now, zone));
/** Day and clock always. */
export const dated = (time: Time): string => `${day(time)} ${hours(time)}`;
/** From one instant to another of the same day. */
export const between = (from: Time, to: Time): string => `${hours(from)}–${hours(to)}`;
/** The instant that a field of plant time means. */
export const fromField = (text: string): number => format.fromField(text, site.zone);

/** How long it is since an instant; nothing since none. */
export function since(time: Time): string {
  const ms = format.instant(time);
  return ms === null ? "" : format.span(clock.now - ms);
}
