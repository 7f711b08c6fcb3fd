//! Every key of the plant file, once: the loader refuses what is not listed here, and the JSON Schema is made from it.

/// One key of a map.
pub(super) struct Key {
    pub name: &'static str,
    pub form: Form,
    pub doc: &'static str,
}

/// What stands behind a key.
#[derive(Clone, Copy)]
pub(super) enum Form {
    /// Any text.
    Text,
    /// A text, number or truth value.
    Scalar,
    /// A number.
    Number,
    /// `true` or `false`.
    Flag,
    /// A span of time: `30s`.
    Span,
    /// A formula.
    Formula,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A list of scalars.
    Scalars,
    /// One text, or a list of texts.
    Texts,
    /// A list of things of that name in the schema.
    ListOf(&'static str),
    /// A map from names to things of that name in the schema.
    MapOf(&'static str),
    /// A thing of that name in the schema.
    Of(&'static str),
}

const fn key(name: &'static str, form: Form, doc: &'static str) -> Key {
    Key { name, form, doc }
}

pub(super) const FILE: &[Key] = &[
    key("plant", Form::Of("plant"), "The plant's name and time zone."),
    key("shifts", Form::MapOf("shift"), "Shifts in plant time: `early: Mon-Fri 06:00-14:00`."),
    key("exceptions", Form::MapOf("exception"), "Days on which the shifts are others: `2026-12-25: closed`."),
    key("reasons", Form::MapOf("reason"), "What stop reasons mean for OEE: `cleaning: { class: schedule_loss }`."),
    key("sources", Form::MapOf("source"), "Connections to devices and brokers."),
    key("notify", Form::MapOf("target"), "Where notifications go."),
    key("models", Form::MapOf("model"), "The kinds of machines."),
    key("assets", Form::MapOf("asset"), "The machines."),
    key("inputs", Form::MapOf("input"), "Messages for `detectors`."),
    key("targets", Form::MapOf("scalar"), "The `notify` target that stands for an ARN, a URL or a stream in `detectors`."),
    key(
        "detectors",
        Form::MapOf("keyed_detector"),
        "State machines over messages, an instance per key, in the terms of IoT Events.",
    ),
];

pub(super) const PLANT: &[Key] =
    &[key("name", Form::Text, "The plant's name."), key("timezone", Form::Text, "The plant's time zone: `Europe/Berlin`.")];

pub(super) const SOURCE: &[Key] = &[
    key("opcua", Form::Text, "OPC UA server: `opc.tcp://host:4840`."),
    key("modbus", Form::Text, "Modbus TCP device: `tcp://host:502`."),
    key("mqtt", Form::Text, "MQTT broker: `mqtt://host:1883`."),
    key("user", Form::Text, "User name; `$NAME` reads the environment."),
    key("password", Form::Text, "Password; `$NAME` reads the environment."),
    key("security", Form::Choice(&["sign_and_encrypt", "none"]), "Security of an OPC UA connection."),
    key("unit", Form::Number, "Modbus unit id."),
    key("topic", Form::Text, "MQTT topic; `{line}` and `{asset}` capture the asset's path."),
    key("version", Form::Choice(&["3", "5"]), "MQTT protocol version."),
    key("time", Form::Text, "Where the time stamp stands in MQTT payloads."),
    key("every", Form::Span, "Polling or publishing interval."),
    key("writes", Form::Choice(&["allow", "refuse"]), "Whether anything may ever be written to it."),
];

/// The kinds of notification targets; one of them is given.
pub(super) const CHANNELS: &[&str] = &["log", "webhook", "teams", "slack", "email", "pagerduty", "mqtt", "file", "program"];

pub(super) const TARGET: &[Key] = &[
    key("log", Form::Text, "Into the log only."),
    key("webhook", Form::Text, "HTTP POST of a CloudEvent to a URL."),
    key("secret", Form::Text, "What a webhook is signed with; `$NAME` reads the environment."),
    key("teams", Form::Text, "URL of a Microsoft Teams workflow."),
    key("slack", Form::Text, "URL of a Slack webhook."),
    key("email", Form::Texts, "E-mail address, or a list of them."),
    key("server", Form::Text, "Mail server: `smtps://mail.example.com`, or `smtp://…` for STARTTLS."),
    key("user", Form::Text, "User name at the mail server."),
    key("password", Form::Text, "Password at the mail server; `$NAME` reads the environment."),
    key("from", Form::Text, "Sender of e-mails."),
    key("security", Form::Choice(&["encrypted", "none"]), "`none` lets e-mail go to a server without encryption."),
    key("pagerduty", Form::Text, "Integration key of a PagerDuty service; `$NAME` reads the environment."),
    key("url", Form::Text, "Address of PagerDuty's Events API, where it is not the usual one."),
    key("file", Form::Text, "Name of a file of JSON lines in the folder `notifications` of the data folder."),
    key(
        "program",
        Form::Texts,
        "Name of a program and its arguments; it must lie in the folder that `--allow-programs` names.",
    ),
    key("mqtt", Form::Text, "The MQTT source to publish through."),
    key("topic", Form::Text, "Topic to publish to, with `{asset}` and others filled in."),
    key("template", Form::Text, "The text, with `{message}`, `{asset}`, `{priority}`, `{link}` and others filled in."),
    key("link", Form::Text, "Address of Andon's pages, for links in messages."),
    key("updates", Form::Flag, "Whether it hears as well of acknowledgement and end."),
    key("group", Form::Flag, "Whether many at once become one message."),
];

pub(super) const MODEL: &[Key] = &[
    key("was", Form::Text, "Its first name, after a renaming: history stays."),
    key("children", Form::MapOf("child_models"), "Named links to child models: `machines: filler`."),
    key("attributes", Form::MapOf("attribute"), "Constants of each asset."),
    key("measurements", Form::MapOf("measurement"), "Values from devices."),
    key("controls", Form::MapOf("control"), "The only points that may ever be written."),
    key("transforms", Form::MapOf("computed"), "Values computed per sample."),
    key("metrics", Form::MapOf("metrics_of_window"), "Values computed per window: `5m`, `1h`, `shift`, `day`, `week`."),
    key("oee", Form::Of("oee"), "Availability, performance, quality rate and OEE for 5m, 1h and shift."),
    key("detectors", Form::MapOf("detector"), "State machines over the asset's properties."),
    key("name", Form::Text, "Its name in AWS IoT SiteWise, where that cannot be a name here."),
    key("id", Form::Text, "The id it keeps (UUID), instead of one derived from its name."),
    key("external_id", Form::Text, "The id its owner gave it."),
    key("description", Form::Text, "What it is, in words."),
    key("type", Form::Choice(&["component", "interface"]), "What it is for, if no assets are made of it."),
    key("composites", Form::MapOf("composite"), "Groups of its properties with names of their own: components and alarms."),
    key("implements", Form::MapOf("mapping"), "The interfaces it fulfils: `pump: { pressure: outlet_pressure }`."),
];

pub(super) const TYPES: &[&str] = &["double", "int", "bool", "string", "counter"];

pub(super) const ATTRIBUTE: &[Key] = &[
    key("default", Form::Scalar, "Its value where the asset gives none."),
    key(
        "type",
        Form::Choice(&["double", "int", "bool", "string"]),
        "The type of its values; taken from the default if not given.",
    ),
    key("unit", Form::Text, "Its unit."),
    key("was", Form::Text, "Its first name, after a renaming."),
    key("name", Form::Text, "Its name in AWS IoT SiteWise, where that cannot be a name here."),
    key("id", Form::Text, "The id it keeps (UUID), instead of one derived from its name."),
    key("external_id", Form::Text, "The id its owner gave it."),
    key("composite", Form::Text, "The composite of the model that it belongs to."),
];

pub(super) const MEASUREMENT: &[Key] = &[
    key(
        "from",
        Form::Text,
        "Address and slot: `ns=2;s=Filler.Temp @plc`, `holding/0 float32 CDAB @scale`, `power.kw @energy`.",
    ),
    key("type", Form::Choice(TYPES), "The type of its values; a counter only rises, until it starts over."),
    key("unit", Form::Text, "Its unit."),
    key("normal", Form::Text, "Normal band: `74..80`."),
    key("stale", Form::Span, "Silent longer than this, it turns Uncertain."),
    key("scale", Form::Number, "Factor from the raw number to the unit."),
    key("offset", Form::Number, "Added after the factor."),
    key("min", Form::Number, "Values below are Uncertain."),
    key("max", Form::Number, "Values above are Uncertain."),
    key("counter", Form::Text, "How a counter starts over: `reset`, `rollover(65536)` or `monotonic`."),
    key("target", Form::Number, "Target drawn with it."),
    key("was", Form::Text, "Its first name, after a renaming."),
    key("name", Form::Text, "Its name in AWS IoT SiteWise, where that cannot be a name here."),
    key("id", Form::Text, "The id it keeps (UUID), instead of one derived from its name."),
    key("external_id", Form::Text, "The id its owner gave it."),
    key("composite", Form::Text, "The composite of the model that it belongs to."),
];

pub(super) const CONTROL: &[Key] = &[
    key("to", Form::Text, "Address and slot it is written to."),
    key("type", Form::Choice(&["double", "int", "bool", "string"]), "The type of its values."),
    key("unit", Form::Text, "Its unit."),
    key("allow", Form::Scalars, "The only values that may be written."),
    key("min", Form::Number, "Lowest value."),
    key("max", Form::Number, "Highest value."),
    key("interlock", Form::Formula, "Must be true, on fresh good values, when it is written."),
    key("verify", Form::Span, "How long the read-back may take to show the value."),
    key("at_most", Form::Text, "At most so many writes per span: `4 per 1h`."),
    key("step", Form::Number, "Largest change by one write; the present value is read from the device just before."),
    key("feedback", Form::Text, "Address and slot where the value shows, when it is not the one written; MQTT needs it."),
    key("detectors", Form::Texts, "The detectors that may write it; all of the model if not given."),
    key("by_hand", Form::Choice(&["operator", "engineer"]), "The lowest role that may write it by hand; nobody if not given."),
    key("second_person", Form::Flag, "A write by hand needs somebody else to confirm it."),
    key("dry_run", Form::Flag, "Do everything but send."),
    key("effect", Form::Text, "What a write does, for whoever is about to confirm it."),
    key(
        "heartbeat",
        Form::Span,
        "Toggle it so often while writes are armed, so that the controller notices when nobody watches.",
    ),
    key("was", Form::Text, "Its first name, after a renaming."),
];

pub(super) const COMPUTED: &[Key] = &[
    key("value", Form::Formula, "The formula."),
    key("unit", Form::Text, "Its unit."),
    key("normal", Form::Text, "Normal band: `74..80`."),
    key("target", Form::Number, "Target drawn with it."),
    key("was", Form::Text, "Its first name, after a renaming."),
    key("formula", Form::Text, "The formula as AWS IoT SiteWise writes it, instead of `value`."),
    key("type", Form::Choice(TYPES), "Of `formula`: what the property keeps of its result."),
    key("variables", Form::MapOf("scalar"), "What the variables of `formula` stand for: `{ x: good_count, y: machines.oee }`."),
    key("name", Form::Text, "Its name in AWS IoT SiteWise, where that cannot be a name here."),
    key("id", Form::Text, "The id it keeps (UUID), instead of one derived from its name."),
    key("external_id", Form::Text, "The id its owner gave it."),
    key("composite", Form::Text, "The composite of the model that it belongs to."),
];

pub(super) const OEE: &[Key] = &[
    key("running", Form::Formula, "Whether the machine runs."),
    key("planned_stop", Form::Formula, "Whether a stop is planned and no loss."),
    key("good", Form::Text, "The counter of good pieces."),
    key("bad", Form::Text, "The counter of bad pieces."),
    key("rework", Form::Text, "The counter of pieces to be worked on again."),
    key("startup", Form::Formula, "Whether the machine is starting up: scrap of then is a start-up loss."),
    key("ideal_rate", Form::Text, "The property with the ideal rate; its unit is 1/h, 1/min or 1/s."),
    key("product", Form::Text, "The property with the product that is made."),
    key("ideal_rates", Form::MapOf("scalar"), "Ideal rates of products, in the unit of `ideal_rate`; others have that rate."),
    key("reason", Form::Texts, "The property with the stop reason, or several."),
    key("micro_stop", Form::Span, "Shorter unplanned stops are losses of performance."),
    key("max_hold", Form::Span, "A state holds at most so long without a sample."),
    key("target", Form::Number, "Target of OEE in percent."),
    key("windows", Form::Texts, "Windows it is computed for: 5m, 1h and shift if not given; 1h and shift always."),
    key("of", Form::Texts, "For a line or an area: the hierarchies whose children it is made of."),
    key(
        "form",
        Form::Choice(&["weighted", "bottleneck"]),
        "For a line: all machines by planned time, or the one that paces it.",
    ),
];

pub(super) const REASON: &[Key] = &[
    key("class", Form::Choice(&["schedule_loss", "availability", "performance"]), "What its stops take away from."),
    key("planned", Form::Flag, "Whether its stops are planned: with `class: availability` they are set-ups."),
    key("priority", Form::Number, "Where two reasons are given at once, the higher wins; 0 if not given."),
    key("codes", Form::Scalars, "What controllers send for it, beside its name."),
];

pub(super) const DETECTOR: &[Key] = &[
    key("priority", Form::Choice(PRIORITIES), "How urgent its alarm is."),
    key("message", Form::Text, "Text of its alarm, with `{property}` filled in."),
    key("response", Form::Text, "What the operator should do."),
    key("alarm", Form::Of("alarm"), "How its alarm behaves: delays, latch, repetition, escalation, suppression."),
    key("initial", Form::Text, "The state it starts in."),
    key("states", Form::MapOf("state"), "Its states."),
    key("variables", Form::MapOf("scalar"), "Variables with their first values."),
    key(
        "evaluation",
        Form::Choice(&["batch", "serial"]),
        "Whether guards see values from before the step, or each action at once.",
    ),
    key("lateness", Form::Span, "Late samples within this span are re-ordered."),
    key("dry_run", Form::Text, "`true`: only pretend to write. `24h`: pretend so long, and until somebody releases it."),
];

pub(super) const PRIORITIES: &[&str] = &["critical", "high", "medium", "low"];

pub(super) const ALARM: &[Key] = &[
    key("on_delay", Form::Span, "The condition must stand so long before it is annunciated."),
    key("off_delay", Form::Span, "The condition must be gone so long before it clears."),
    key("latch", Form::Flag, "After the condition went it stays until it is acknowledged and reset."),
    key("acknowledge", Form::Flag, "Whether somebody must acknowledge it; true if not given."),
    key("re_alarm", Form::Span, "Annunciated again after so long without acknowledgement."),
    key("re_alarm_standing", Form::Span, "Annunciated again after so long acknowledged and still standing."),
    key("escalate", Form::ListOf("escalation"), "Whom to tell, or how urgent it becomes, while nobody acknowledges it."),
    key("suppress_when", Form::Formula, "It is suppressed by design while this holds."),
    key("notify", Form::Texts, "Targets told when it is annunciated."),
    key("out_of_service", Form::Flag, "It begins out of service, and an engineer returns it."),
    key(
        "life_cycle",
        Form::Choice(&["isa", "iot_events"]),
        "Whose rules its states follow: ISA-18.2, or AWS IoT Events as imported alarm models expect.",
    ),
];

pub(super) const ESCALATION: &[Key] = &[
    key("after", Form::Span, "Counts from the annunciation."),
    key("notify", Form::Texts, "Targets told then."),
    key("priority", Form::Choice(PRIORITIES), "Its priority from then on."),
];

pub(super) const STATE: &[Key] = &[
    key("initial", Form::Text, "For a group: the state entered with it."),
    key("history", Form::Flag, "For a group: enter the last state again."),
    key("enter", Form::Texts, "Actions when it is entered."),
    key("exit", Form::Texts, "Actions when it is left."),
    key("go", Form::ListOf("rule"), "Rules, tried in order."),
    key("states", Form::MapOf("state"), "The states inside."),
];

pub(super) const RULE: &[Key] = &[
    key("when", Form::Formula, "The guard."),
    key("for", Form::Span, "The guard must hold so long without a break."),
    key("on_bad", Form::Choice(&["pause", "reset", "ignore"]), "What a Bad or stale input does to `for`."),
    key("after", Form::Span, "Counts from entering the state."),
    key("every", Form::Span, "Repeats while in the state."),
    key("on", Form::Text, "Only this property, or a message of this detector, sets the rule off."),
    key("to", Form::Text, "The state to go to."),
    key("do", Form::Texts, "Actions."),
    key("set", Form::MapOf("scalar"), "Sets variables: `{ count: count + 1 }`."),
];

pub(super) const ASSET: &[Key] = &[
    key("model", Form::Text, "Its model."),
    key("attributes", Form::MapOf("scalar"), "Its own attribute values."),
    key("was", Form::Text, "Its first name, after a renaming."),
    key("name", Form::Text, "Its name in AWS IoT SiteWise, where that cannot be a name here."),
    key("id", Form::Text, "The id it keeps (UUID), instead of one derived from its name."),
    key("external_id", Form::Text, "The id its owner gave it."),
    key("description", Form::Text, "What it is, in words."),
    key("aliases", Form::MapOf("scalar"), "Names that programs know its properties by: `{ speed: /park/1/speed }`."),
];

pub(super) const CHILD: &[Key] = &[
    key("model", Form::Texts, "The child model, or a list of those possible."),
    key("name", Form::Text, "Its name in AWS IoT SiteWise, where that cannot be a name here."),
    key("id", Form::Text, "The id it keeps (UUID), instead of one derived from its name."),
    key("external_id", Form::Text, "The id its owner gave it."),
];

pub(super) const COMPOSITE: &[Key] = &[
    key("type", Form::Text, "`AWS/ALARM` for alarms, `CUSTOM` otherwise."),
    key("model", Form::Text, "The component model that it repeats."),
    key("in", Form::Text, "The composite that it is part of."),
    key("name", Form::Text, "Its name in AWS IoT SiteWise, where that cannot be a name here."),
    key("id", Form::Text, "The id it keeps (UUID), instead of one derived from its name."),
    key("external_id", Form::Text, "The id its owner gave it."),
    key("description", Form::Text, "What it is, in words."),
];

/// Whether a word has a meaning of its own in assets, so that neither slots nor hierarchies can be called so.
pub(super) fn is_of_assets(word: &str) -> bool {
    ASSET.iter().any(|key| key.name == word)
}

pub(super) const INPUT: &[Key] = &[
    key("description", Form::Text, "What it is for."),
    key("attributes", Form::Texts, "Places in its messages that expressions read: `sensor.pressure`."),
    key("topic", Form::Text, "Topic and MQTT source of its messages: `motors/{motorid}/pressure @broker`."),
];

pub(super) const KEYED_DETECTOR: &[Key] = &[
    key("description", Form::Text, "What it is for."),
    key("key", Form::Text, "Where a message says which instance it is for: `motor.id`; without it there is one instance."),
    key(
        "evaluation",
        Form::Choice(&["batch", "serial"]),
        "Whether conditions see variables from before their group, or each assignment at once.",
    ),
    key("alarm", Form::Of("keyed_alarm"), "Makes it an alarm; its states are those of IoT Events."),
    key("initial", Form::Text, "The state an instance starts in."),
    key("states", Form::MapOf("keyed_state"), "Its states."),
];

pub(super) const KEYED_ALARM: &[Key] = &[
    key("priority", Form::Choice(&["critical", "high", "medium", "low"]), "How urgent it is."),
    key("message", Form::Text, "What it says."),
    key("input", Form::Text, "The input of what people do to it."),
];

pub(super) const KEYED_STATE: &[Key] = &[
    key("initial", Form::Text, "For a group: the state entered with it."),
    key("enter", Form::ListOf("keyed_event"), "Events when it is entered."),
    key("input", Form::ListOf("keyed_event"), "Events at each message and timer."),
    key("go", Form::ListOf("keyed_transition"), "Transitions, tried in order after the events."),
    key("exit", Form::ListOf("keyed_event"), "Events when it is left."),
    key("states", Form::MapOf("keyed_state"), "The states inside."),
];

pub(super) const KEYED_EVENT: &[Key] = &[
    key("event", Form::Text, "Its name."),
    key("when", Form::Formula, "The condition, an expression of IoT Events; without it the event acts always."),
    key(
        "do",
        Form::ListOf("keyed_action"),
        "Actions of IoT Events: `{ setVariable: { variableName: n, value: $variable.n + 1 } }`.",
    ),
];

pub(super) const KEYED_TRANSITION: &[Key] = &[
    key("event", Form::Text, "Its name."),
    key("when", Form::Formula, "The condition, an expression of IoT Events."),
    key("to", Form::Text, "The state to go to."),
    key("do", Form::ListOf("keyed_action"), "Actions between leaving and entering."),
];
