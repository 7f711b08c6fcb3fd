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
export type GuideStep = Schemas["GuideStep"];
export type AssetSummary = Schemas["AssetSummary"];
export type AssetDetail = Schemas["AssetView"];
export type Property = Schemas["PropertyView"];
export type PropertyKind = Schemas["Kind"];
/** A property that a guard reads, with its value now. */
export type InputValue = Schemas["PropertyValue"];
export type MachineTile = Schemas["MachineView"];
export type Overview = Schemas["Overview"];
export type OverviewLine = Schemas["LineView"];
export type Oee = Schemas["OeeView"];
export type StripPart = Schemas["ActivitySpan"];
export type Alarm = Schemas["AlarmView"];
export type History = Schemas["History"];
export type SourceStatus = Schemas["SourceStatus"];
export type SqlAnswer = Schemas["Answer"];
export type SchemaTable = Schemas["Table"];

export type AnyEvent = Schemas["Event"];
export type TransitionEvent = Extract<AnyEvent, { kind: "transition" }>;
export type AlarmEvent = Extract<AnyEvent, { kind: "alarm" }>;
export type CommandEvent = Extract<AnyEvent, { kind: "command" }>;
export type Explanation = Schemas["Explanation"];

export type DetectorSummary = Schemas["DetectorSummary"];
export type Snapshot = Schemas["DetectorSnapshot"];
export type Timer = Schemas["Timer"];
export type ModelState = Schemas["StateModel"];
export type ModelRule = Schemas["RuleModel"];
/** A detector; its three lists hold events of one kind each. */
export type DetectorDetail = Omit<Schemas["DetectorView"], "transitions" | "alarms" | "commands"> & {
  transitions: TransitionEvent[];
  alarms: AlarmEvent[];
  commands: CommandEvent[];
};
export type LineReport = Schemas["LineReport"];

export interface OeeLoss {
  reason: string;
  class: string;
  planned: boolean;
  lost_ns: number;
  units: number | null;
  count: number;
}
export interface OeeRow {
  asset_id: string;
  asset: string;
  start: string;
  end: string;
  provisional: boolean;
  figures: { availability: number | null; performance: number | null; quality_rate: number | null; oee: number | null; good: number | null; bad: number | null; total: number | null; mtbf_s: number | null; mttr_s: number | null; coverage: number; no_value_reason: string; ideal_rate_suspect: boolean };
  losses: {
    waterfall: { calendar_ns: number; good_ns: number | null; steps: { loss: string; lost_ns: number; left_ns: number }[] };
    by_reason: OeeLoss[];
  } | null;
}
export interface Stop {
  id: string;
  start: string;
  end: string;
  seconds: number;
  reason: string;
  class: string;
  planned: boolean;
  micro: boolean;
  continued: boolean;
  open: boolean;
  comment: string;
  by: string;
}
export interface Stops {
  asset_id: string;
  asset: string;
  reasons: { name: string; class: string; planned: boolean }[];
  stops: Stop[];
}
export interface Explained {
  asset: string;
  property: string;
  kind: string;
  unit: string;
  window: { start: string; end: string } | null;
  provisional: boolean;
  value: import("./format").Scalar;
  stored: import("./format").Scalar;
  quality: string;
  time: string | null;
  formula: string;
  steps: string[];
  coverage: number | null;
  flags: string[];
  inputs: { asset: string; property: string; unit: string; good: number; not_good: number; carried: number | null; carried_time: string | null; first: number | null; last: number | null }[];
  revision: { number: number; time: string; cause: string } | null;
  sql: string;
}
