// The story of a detector: moves, alarm changes, commands and notifications in one order, the newest first. Pure.
import { instant } from "./format";
import type { AlarmEvent, CommandEvent, CommandState, NotificationEvent, TransitionEvent } from "./types";

export type StoryEvent = TransitionEvent | AlarmEvent | CommandEvent | NotificationEvent;

/** Within one instant, what comes first in life: the move, the alarm it raised, the command it decided, who was told. */
const ORDER = { transition: 0, alarm: 1, command: 2, notification: 3 } as const;
const COMMAND_ORDER: CommandState[] = ["requested", "sent", "verified", "failed", "unknown", "refused", "expired", "dry_run"];

function rank(event: StoryEvent): number {
  return ORDER[event.kind] * 10 + (event.kind === "command" ? COMMAND_ORDER.indexOf(event.state) : 0);
}

/** All events of a detector, the newest first, none twice. */
export function story(...lists: readonly (readonly StoryEvent[])[]): StoryEvent[] {
  const seen = new Map<string, StoryEvent>();
  for (const list of lists) for (const event of list) seen.set(event.id, event);
  return [...seen.values()].sort(
    (a, b) => (instant(b.time) ?? 0) - (instant(a.time) ?? 0) || rank(b) - rank(a),
  );
}

/** One command with all that happened to it. */
export interface Delivery {
  command: string;
  control: string;
  address: string;
  value: CommandEvent["value"];
  decidedAt: number | null;
  /** States passed, in order, with the time of each. */
  steps: { state: CommandState; time: number | null }[];
  state: CommandState;
  readBack: CommandEvent["value"];
  reason: string;
}

/** Commands with their delivery, the newest first. */
export function deliveries(events: readonly CommandEvent[]): Delivery[] {
  const by = new Map<string, Delivery>();
  const ordered = [...events].sort(
    (a, b) => (instant(a.time) ?? 0) - (instant(b.time) ?? 0) || rank(a) - rank(b),
  );
  for (const event of ordered) {
    const known = by.get(event.command);
    const delivery: Delivery = known ?? {
      command: event.command,
      control: event.control,
      address: event.address,
      value: event.value,
      decidedAt: instant(event.decided_at),
      steps: [],
      state: event.state,
      readBack: null,
      reason: "",
    };
    delivery.steps.push({ state: event.state, time: instant(event.time) });
    delivery.state = event.state;
    delivery.readBack = event.read_back ?? delivery.readBack;
    delivery.reason = event.reason || delivery.reason;
    by.set(event.command, delivery);
  }
  return [...by.values()].sort((a, b) => (b.decidedAt ?? 0) - (a.decidedAt ?? 0));
}

/** The line to draw: what was passed and what is still ahead. */
export function track(delivery: Delivery): { state: CommandState; time: number | null; done: boolean }[] {
  const passed = delivery.steps.map((step) => ({ ...step, done: true }));
  const last = delivery.state;
  if (last === "requested") passed.push({ state: "sent", time: null, done: false });
  if (last === "requested" || last === "sent") passed.push({ state: "verified", time: null, done: false });
  return passed;
}
