// What happened, in words: who, what, where. Pure.
import { text } from "../text/pages";
import { label, scalar } from "./format";
import type { AnyEvent } from "./types";

export interface Line {
  /** A person's name; empty for the system. */
  who: string;
  what: string;
  detail: string;
  /** Something is wrong, or was refused. */
  wrong: boolean;
}

const WRONG_COMMAND = ["failed", "unknown", "refused", "expired"];

/** An event as a line of the log. */
export function told(event: AnyEvent): Line {
  switch (event.kind) {
    case "deed":
      return { who: event.by, what: text.log.deeds[event.hour ? "note_hour" : event.verb] ?? label(event.verb), detail: event.detail, wrong: false };
    case "alarm":
      return { who: event.by, what: text.detector.verbs[event.verb] ?? label(event.verb), detail: event.note || event.message, wrong: false };
    case "command":
      return {
        who: "",
        what: text.log.command(`${event.control} = ${scalar(event.value)}`, text.detector.command[event.state] ?? event.state),
        detail: [event.decided_by && text.log.decided(event.decided_by), event.reason].filter(Boolean).join(" · "),
        wrong: WRONG_COMMAND.includes(event.state),
      };
    case "transition":
      return { who: "", what: text.log.moved(event.from, event.to), detail: event.explanation.rule || event.explanation.trigger, wrong: false };
    case "notification":
      return { who: "", what: text.log.notified(event.target, event.state), detail: [event.message, event.reason].filter(Boolean).join(" · "), wrong: event.state === "failed" };
    case "system":
      return { who: "", what: event.subject, detail: event.message, wrong: event.level !== "info" };
    case "revision":
      return { who: "", what: text.log.revised(event.spec, event.number), detail: event.cause, wrong: false };
    case "publication":
      return { who: "", what: text.log.published(event.topic), detail: event.payload, wrong: false };
    case "message":
      return { who: "", what: event.input, detail: event.payload, wrong: false };
    case "row":
      return { who: "", what: text.log.row(event.operation, event.table), detail: event.key || event.payload, wrong: false };
    default:
      return { who: "", what: label((event as { kind: string }).kind), detail: "", wrong: false };
  }
}

/** Whether a person did it: deeds, and what people did about alarms. */
export function byPerson(event: AnyEvent): boolean {
  return event.kind === "deed" || (event.kind === "alarm" && event.by !== "");
}
