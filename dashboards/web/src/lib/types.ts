// The shapes of the HTTP API under the names the pages use. They are made from the service's own description, `openapi.json`
// (`npm run types`); what follows only gives names and tells kinds of events apart.
import type { components } from "./openapi";

type Schemas = components["schemas"];

export type Priority = 1 | 2 | 3 | 4;
export type PriorityName = Schemas["Priority"];
export type AlarmStateName = Schemas["AlarmState"];
export type RunState = Schemas["Activity"];
export type CommandState = Schemas["CommandState"];

export type Plant = Schemas["PlantView"];
export type Shifts = Schemas["Shifts"];
export type Role = Schemas["Role"];
export type GuideStep = Schemas["GuideStep"];
export type AssetSummary = Schemas["AssetSummary"];
export type AssetDetail = Schemas["AssetView"];
export type Property = Schemas["PropertyView"];
export type PropertyKind = Schemas["Kind"];
export type MachineTile = Schemas["MachineView"];
export type Overview = Schemas["Overview"];
export type Oee = Schemas["OeeView"];
export type Alarm = Schemas["AlarmView"];
export type History = Schemas["History"];
export type AuditState = Schemas["AuditState"];
export type SourceStatus = Schemas["SourceStatus"];
export type SourceNode = Schemas["SourceNode"];
export type Browse = Schemas["Browse"];
export type SqlAnswer = Schemas["Answer"];
export type SchemaTable = Schemas["Table"];

export type AnyEvent = Schemas["Event"];
export type TransitionEvent = Extract<AnyEvent, { kind: "transition" }>;
export type AlarmEvent = Extract<AnyEvent, { kind: "alarm" }>;
export type CommandEvent = Extract<AnyEvent, { kind: "command" }>;
export type NotificationEvent = Extract<AnyEvent, { kind: "notification" }>;
export type Explanation = Schemas["Explanation"];

export type DetectorSummary = Schemas["DetectorSummary"];
export type Timer = Schemas["Timer"];
export type ModelState = Schemas["StateModel"];
export type ModelRule = Schemas["RuleModel"];
/** A detector; its three lists hold events of one kind each. */
export type DetectorDetail = Omit<Schemas["DetectorView"], "transitions" | "alarms" | "commands"> & {
  transitions: TransitionEvent[];
  alarms: AlarmEvent[];
  commands: CommandEvent[];
};
export type Replayed = Schemas["ReplayView"];
export type ReplayStep = Schemas["ReplayStep"];
export type BackTest = Schemas["BacktestView"];
export type LineReport = Schemas["LineReport"];
export type Note = Schemas["NoteView"];
export type Samples = Schemas["Samples"];

export type OeeBoard = Schemas["OeeBoard"];
export type OeeRow = Schemas["OeeRow"];
export type OeeLoss = Schemas["ReasonLoss"];
export type Stops = Schemas["Stops"];
export type Stop = Schemas["StopView"];
export type Explained = Schemas["Explained"];

export type Model = Schemas["ModelView"];
export type ModelProperty = Schemas["ModelProperty"];
export type Tried = Schemas["Tried"];
export type Connections = Schemas["ConnectionsView"];
export type ListenerView = Schemas["ListenerView"];

interface Counted {
  /** The path of its asset. */
  asset: string;
  detector: string;
  count: number;
  share: number;
}
/** How the alarm system did; the service describes it in words only. */
export interface Measures {
  complete: boolean;
  annunciations: number;
  per_hour: number;
  peak_per_10_min: number;
  share_in_flood: number;
  floods: { from: string; to: string | null; annunciations: number; peak_per_10_min: number }[];
  chattering: Counted[];
  fleeting: Counted[];
  stale: { asset: string; detector: string; since: string; seconds: number }[];
  bad_actors: Counted[];
  share_of_bad_actors: number;
  priorities: { priority: PriorityName; count: number; share: number }[];
  standing: number;
  findings: string[];
}

export type Backfill = Schemas["BackfillView"];

export type PlantFile = Schemas["FileText"];
export type Version = Schemas["Version"];
export type Definition = Schemas["Definition"];
export type FileDiagnostic = Schemas["DiagnosticView"];
export type Change = Schemas["ChangeView"];
export type Plan = Schemas["Planned"];
export type Applied = Schemas["Applied"];
