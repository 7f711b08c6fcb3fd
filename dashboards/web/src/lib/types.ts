// The shapes of the HTTP API, as far as the pages read them.
import type { Quality, Scalar } from "./format";

export type Time = string;
/** Series are numbers and begin at 0: never test them for truth. */
export type SeriesId = number;
export type PriorityName = "critical" | "high" | "medium" | "low";
export type Priority = 1 | 2 | 3 | 4;
export type RunState = "running" | "waiting" | "stopped" | "planned" | "unknown";
export type AlarmStateName =
  | "normal"
  | "unacknowledged"
  | "acknowledged"
  | "returned_unacknowledged"
  | "latched_unacknowledged"
  | "latched_acknowledged"
  | "shelved"
  | "suppressed"
  | "out_of_service";

export interface Shift {
  name: string;
  start: Time;
  end: Time;
  /** False: none is on now; this is the last one. */
  current?: boolean;
}

/** One step of the demonstration's guide. */
export interface GuideStep {
  text: string;
  page: string | null;
  at_ms: number | null;
}

export interface Plant {
  name: string;
  time_zone: string;
  now: Time;
  demo: boolean;
  version: string;
  armed: boolean;
  shift: Shift | null;
  alarms: Record<PriorityName, number>;
  unacknowledged: number;
  alarms_per_hour: number;
  alarms_per_hour_goal: number;
  sources: { total: number; connected: number };
  guide?: GuideStep[];
}

export interface AlarmMark {
  priority: Priority | PriorityName;
  acknowledged: boolean;
  message?: string;
}

export interface AssetSummary {
  id: string;
  name: string;
  path: string;
  model: string;
  parent: string | null;
  children: string[];
  highest_alarm: AlarmMark | null;
}

export interface Oee {
  availability: number | null;
  performance: number | null;
  quality_rate: number | null;
  oee: number | null;
  target: number | null | { availability?: number; performance?: number; quality_rate?: number; oee?: number };
  coverage: number;
  no_value_reason?: string;
  of?: string;
}

export interface MainValue {
  series: SeriesId;
  key: string;
  name: string;
  unit: string | null;
  value: Scalar;
  quality: string | Quality;
  time: Time | null;
  normal: [number, number] | null;
  stale_after_ms: number | null;
  spark: [number, number | null][];
}

export interface MachineState {
  name: string;
  since: Time | null;
  activity?: RunState;
  reason?: string | null;
}

export interface MachineTile {
  id: string;
  name: string;
  path: string;
  model: string;
  state: MachineState | null;
  main: MainValue | null;
  alarm: AlarmMark | null;
  source_down: string | null;
}

export interface StripPart {
  from: Time;
  to: Time;
  state: string;
  reason?: string | null;
}

export interface OverviewLine {
  id: string;
  name: string;
  path: string;
  description: string | null;
  oee: Oee | null;
  strip: StripPart[];
  machines: MachineTile[];
}

export interface Loss {
  asset: string;
  path: string;
  reason: string;
  duration_ms: number;
}

export interface Overview {
  shift: Shift | null;
  lines: OverviewLine[];
  attention: Alarm[];
  losses: Loss[];
}

export interface Alarm {
  asset: string;
  path: string;
  detector: string;
  priority: Priority | PriorityName;
  state: AlarmStateName;
  since: Time | null;
  message: string;
  response: string;
  count_24h?: number;
  acknowledged_by?: string | null;
  acknowledged_at?: Time | null;
  shelved_until?: Time | null;
  last_change?: Time | null;
  value_inputs?: InputValue[];
}

/** A property that a guard reads, with its value now. */
export interface InputValue {
  series: SeriesId;
  key: string;
  name: string;
  unit: string | null;
  value?: Scalar;
  quality?: string | Quality;
  time?: Time | null;
  normal: [number, number] | null;
  stale_after_ms?: number | null;
}

export type PropertyKind = "attribute" | "measurement" | "transform" | "metric" | "control";

export interface Property {
  series: SeriesId;
  key: string;
  name: string;
  kind: PropertyKind;
  window: string | null;
  unit: string | null;
  type: string;
  value: Scalar;
  quality: string | Quality;
  status: number | string | null;
  time: Time | null;
  normal: [number, number] | null;
  stale_after_ms: number | null;
  target: number | null;
  formula: string | null;
  source: string | null;
  hidden: boolean;
}

export interface DetectorSummary {
  asset: string;
  path: string;
  detector: string;
  state: string;
  since: Time | null;
  priority: Priority | PriorityName;
  alarm_state: AlarmStateName;
  message: string;
}

export interface AssetDetail {
  id: string;
  name: string;
  path: string;
  model: string;
  parent: string | null;
  children: string[];
  state: MachineState | null;
  source_down?: string | null;
  oee: Oee | null;
  properties: Property[];
  detectors: DetectorSummary[];
  alarms: Alarm[];
}

export interface History {
  series: SeriesId;
  points: [number, Scalar, Quality][];
}

export interface ModelRule {
  text: string;
  to: string | null;
  kind: "when" | "after" | "every";
  actions?: string[];
}

export interface ModelState {
  path: string;
  name: string;
  parent: string | null;
  initial: string | null | boolean;
  history: boolean;
  enter: string[];
  exit: string[];
  rules: ModelRule[];
}

export interface ExplainedInput {
  name: string;
  value: Scalar;
  unit: string;
  time: Time | null;
  quality: string;
  source: string;
}

export interface Explanation {
  trigger: string;
  state: string;
  rule: string;
  inputs: ExplainedInput[];
  steps: { expression: string; result: Scalar }[];
  timer: { name: string; started: Time; due: Time } | null;
  actions: string[];
}

export interface Timer {
  state: string;
  rule: number;
  name: string;
  started: Time;
  due: Time;
  paused: Time | null;
  fired?: boolean;
}

export interface Snapshot {
  asset: string;
  asset_path: string;
  detector: string;
  state: string;
  since: Time;
  variables: [string, Scalar][];
  timers: Timer[];
  alarm: {
    state: AlarmStateName;
    active?: boolean;
    priority: PriorityName;
    since: Time | null;
    message: string;
    response: string;
    acknowledged_by: string;
    acknowledged_at: Time | null;
    shelved_until: Time | null;
  };
  commands: { command: { id: string; control: string; value: Scalar; decided_at: Time }; state: CommandState; reason: string }[];
  last_transition: { from: string; to: string; time: Time; explanation: Explanation } | null;
  failures: number;
  last_failure: string;
  seen: Time;
}

export type CommandState = "requested" | "sent" | "verified" | "failed" | "unknown" | "refused" | "expired";

interface EventHead {
  id: string;
  time: Time;
  asset: string | null;
  asset_path: string;
  detector: string;
}

export type TransitionEvent = EventHead & { kind: "transition"; from: string; to: string; explanation: Explanation };
export type AlarmEvent = EventHead & {
  kind: "alarm";
  from: AlarmStateName;
  state: AlarmStateName;
  verb: "raise" | "clear" | "acknowledge" | "shelve" | "unshelve";
  priority: PriorityName;
  message: string;
  response: string;
  since: Time | null;
  by: string;
  note: string;
};
export type CommandEvent = EventHead & {
  kind: "command";
  command: string;
  control: string;
  address: string;
  value: Scalar;
  state: CommandState;
  read_back: Scalar;
  reason: string;
  decided_by: string;
  decided_at: Time;
};
export type SystemEvent = EventHead & { kind: "system"; subject: string; level: string; message: string };
export type AnyEvent = TransitionEvent | AlarmEvent | CommandEvent | SystemEvent;

export interface DetectorDetail {
  asset: string;
  path: string;
  detector: string;
  priority: Priority | PriorityName;
  message: string;
  response: string;
  model: { initial: string; states: ModelState[] };
  /** None until the detector has started. */
  snapshot: Snapshot | null;
  transitions: TransitionEvent[];
  commands: CommandEvent[];
  alarms: AlarmEvent[];
  strip: { from: Time; to: Time; state: string }[];
  inputs: InputValue[];
}

export interface SourceStatus {
  source: string;
  protocol: string;
  endpoint: string;
  state: "connecting" | "connected" | "lost" | "misconfigured";
  since: Time;
  last_value: Time | null;
  tags: number;
  received: number;
  dropped: number;
  connects: number;
  last_error: string;
}

export interface SqlAnswer {
  columns: { name: string; type: string }[];
  rows: unknown[][];
  truncated: boolean;
  elapsed_ms: number;
}

export interface SchemaTable {
  table: string;
  description: string;
  columns: { name: string; type: string; description: string }[];
}
