//! Running actions: they only write down what is asked for; the caller performs it later.

use super::{Body, Scene};
use crate::{
    action::Action,
    command::{CommandLife, DEFAULT_VERIFY, SEND_WITHIN},
    message::{Filling, Template},
    policy::{self, Desk, Writer},
    program::{Formula, Step},
};
use andon_models::{
    CommandId, EventId, Point, Tqv, Value,
    alarm::AlarmState,
    command::{Command, CommandState, REMEMBERED_COMMANDS},
    definition::Control,
    detector::ActionKind,
    event::{CommandChange, Event, EventBody, Publication, SystemNotice},
};
use std::sync::Arc;

impl Scene<'_> {
    /// Runs actions in order.
    pub fn run(&mut self, steps: &[Step]) {
        for step in steps {
            if let Some(moving) = &mut self.body.moving {
                moving.actions.push(step.text.clone());
            }
            self.run_one(step);
        }
    }

    fn run_one(&mut self, step: &Step) {
        let Self { body, desk } = self;
        match &step.kind {
            ActionKind::Raise => {
                let message = body.message();
                body.condition_came(desk, message);
            }
            ActionKind::Clear => body.condition_went(desk),
            ActionKind::Notify { target } | ActionKind::Webhook { target } => body.notify(desk, target),
            ActionKind::Publish { topic, .. } => body.publish(topic, step.payload.as_ref()),
            ActionKind::Send { detector } => body.out.sends.push(detector.clone()),
            ActionKind::Set { variable, .. } => {
                if let (Some(line), Some(value)) = (step.variable, body.value_of(desk, step.value.as_ref())) {
                    body.set_variable(line, variable, value);
                }
            }
            ActionKind::Put { property, .. } => {
                if let Some(value) = body.value_of(desk, step.value.as_ref()) {
                    body.put(desk, property, value);
                }
            }
            ActionKind::Write { control, .. } => {
                let value = body.value_of(desk, step.value.as_ref()).unwrap_or(Value::Null);
                body.write(desk, control, value);
            }
        }
    }
}

impl Body {
    fn value_of(&self, desk: &mut Desk, formula: Option<&Formula>) -> Option<Value> {
        let formula = formula?;
        Some(self.evaluate(formula, self.gather(formula, &mut desk.scratch)).value)
    }

    /// Writes down an event with an id that a replay derives again.
    pub fn record(&mut self, body: EventBody) -> EventId {
        let position = self.out.records.len();
        self.record_at(position, body)
    }

    /// The same, before events that were written down already.
    pub fn record_at(&mut self, position: usize, body: EventBody) -> EventId {
        let number = self.events_recorded;
        self.events_recorded += 1;
        let id = EventId::of_decision(self.asset, self.program.id, number, self.instant);
        let event = Event {
            id,
            time: self.instant,
            asset: Some(self.asset),
            asset_path: self.path.clone(),
            detector: self.program.model.name.clone(),
            body,
        };
        self.out.records.insert(position, event);
        self.out.dirty = true;
        id
    }

    /// The detector's message with its values.
    pub fn message(&self) -> Arc<str> {
        if self.program.message.is_empty() {
            return format!("{}: {}", self.program.model.name, self.state_path()).into();
        }
        self.fill(&self.program.message, Some(&|line| &*self.origins[line].unit))
    }

    fn fill<'a>(&'a self, template: &Template, unit: Option<&'a dyn Fn(usize) -> &'a str>) -> Arc<str> {
        let state = self.leaf.map_or("", |leaf| &self.program.nodes[leaf].path);
        let filling = Filling { values: &self.values, unit, asset: &self.path, detector: &self.program.model.name, state };
        template.fill(&filling).into()
    }

    fn publish(&mut self, topic: &Arc<str>, payload: Option<&Template>) {
        let payload = payload.map_or_else(|| "".into(), |template| self.fill(template, None));
        self.record(EventBody::Publication(Publication { topic: topic.clone(), payload: payload.clone() }));
        self.out.deferred.push(Action::Publish { topic: topic.clone(), payload });
    }

    fn set_variable(&mut self, line: usize, name: &str, value: Value) {
        if value == Value::Null {
            self.fail(format!("variable {name} keeps its value: the formula has none"));
            return;
        }
        if self.program.serial() {
            self.change_variable(line, value);
        } else {
            self.staged.push((line, value));
        }
    }

    fn put(&mut self, desk: &Desk, property: &str, value: Value) {
        let series = desk.catalog.series_named(self.index, property);
        let fitting =
            series.and_then(|series| desk.catalog.entry(series)).map(|entry| (entry.id, value.coerce(entry.value_type)));
        match fitting {
            Some((series, Some(value))) if value != Value::Null => {
                self.out.deferred.push(Action::Put(Point { series, tqv: Tqv::good(self.instant, value) }));
            }
            _ => self.fail(format!("nothing was put into {property}: no value, or one of another type")),
        }
    }

    fn write(&mut self, desk: &mut Desk, name: &Arc<str>, value: Value) {
        let number = self.commands_decided;
        let id = CommandId::from_name(&format!("{}/{}/{number}", self.asset, self.program.model.name));
        // What was refused is recorded, and nobody waits for an answer.
        let _ = self.decide(desk, id, name, value, &Writer::Detector);
    }

    /// Decides a write, records it and asks for it.
    ///
    /// # Errors
    /// Why it was refused, which is recorded too.
    pub(super) fn decide(
        &mut self,
        desk: &mut Desk,
        id: CommandId,
        name: &Arc<str>,
        value: Value,
        writer: &Writer,
    ) -> Result<(), String> {
        let catalog = desk.catalog.clone();
        let control = catalog.plant.model_of(self.index).control(name);
        let point = catalog.control(self.index, name);
        self.commands_decided += 1;
        self.out.dirty = true;
        let Some(((control, point), tag)) = control.zip(point).and_then(|bound| Some((bound, catalog.tag(bound.1.tag)?)))
        else {
            let reason = format!("control {name} is not bound: the asset fills no source into its slot");
            self.command_event(id, name, "".into(), &value, CommandState::Refused, Value::Null, &reason);
            self.fail(format!("write {name} refused: {reason}"));
            return Err(reason);
        };
        let value = value.coerce(control.value_type).unwrap_or(Value::Null);
        let decided_by = match writer {
            Writer::Detector => self.program.model.name.clone(),
            Writer::Person { by, .. } => by.clone(),
        };
        let command = Command {
            id,
            asset: self.asset,
            control: name.clone(),
            tag: point.tag,
            series: point.series,
            value: value.clone(),
            decided_by,
            decided_at: self.instant,
            // By the clock of who sends it: the device whose values led here may be minutes ahead.
            deadline: desk.now + SEND_WITHIN,
            verify: control.verify.unwrap_or(DEFAULT_VERIFY),
        };
        let permitted = policy::permit(self, desk, control, tag, &value, writer);
        let pretence = self.pretends(control);
        self.count_pretence(desk.now, pretence.is_some(), permitted.is_ok());
        match (&permitted, pretence) {
            (Ok(()), None) => {
                desk.count(self.asset, control, self.instant);
                self.commands.push(CommandLife::new(command.clone()));
                self.out.deferred.push(Action::Write(command));
            }
            (Ok(()), Some(reason)) => {
                desk.count(self.asset, control, self.instant);
                self.commands.push(CommandLife::unsent(command, CommandState::DryRun, reason.into()));
            }
            (Err(reason), _) => {
                self.fail(format!("write {name} = {value} refused: {reason}"));
                self.commands.push(CommandLife::unsent(command, CommandState::Refused, reason.as_str().into()));
            }
        }
        self.command_changed(desk, self.commands.len() - 1, Value::Null);
        self.forget_commands(desk);
        permitted
    }

    /// Writes down where a command stands now.
    pub fn command_changed(&mut self, desk: &Desk, position: usize, read_back: Value) {
        let life = &self.commands[position];
        let tag = desk.catalog.tag(life.command.tag);
        let address = tag.map_or_else(String::new, |tag| format!("{} @{}", tag.address, tag.source));
        let (state, reason) = (life.state(), life.reason.clone());
        let Command { id, control, value, .. } = life.command.clone();
        self.command_event(id, &control, address, &value, state, read_back, &reason);
    }

    #[allow(clippy::too_many_arguments, reason = "one per field of the event")]
    fn command_event(
        &mut self,
        command: CommandId,
        control: &Arc<str>,
        address: String,
        value: &Value,
        state: CommandState,
        read_back: Value,
        reason: &str,
    ) {
        let known = self.commands.iter().find(|life| life.command.id == command).map(|life| &life.command);
        let decided_at = known.map_or(self.instant, |known| known.decided_at);
        let decided_by = known.map_or_else(|| self.program.model.name.clone(), |known| known.decided_by.clone());
        self.record(EventBody::Command(CommandChange {
            command,
            control: control.clone(),
            address: address.into(),
            value: value.clone(),
            state,
            read_back,
            reason: reason.into(),
            decided_by,
            decided_at,
        }));
    }

    /// A write that should have worked did not: tells the log, and raises the detector's alarm if it has one.
    pub fn escalate(&mut self, desk: &Desk, position: usize) {
        let life = &self.commands[position];
        let Command { control, value, .. } = &life.command;
        let state = life.state();
        let because = if life.reason.is_empty() { String::new() } else { format!(": {}", life.reason) };
        let text = format!("write {control} = {value} is {state}{because}");
        let advice = "look at the machine before anything is written again";
        self.record(EventBody::System(SystemNotice {
            subject: format!("{}/{control}", self.path).into(),
            level: "error".into(),
            message: format!("{text}; {advice}").into(),
        }));
        if self.program.raises {
            self.raise_at_once(desk, format!("{text} ({})", self.program.model.name).into());
        }
    }

    /// Forgets commands that nothing depends on: all but unfinished ones, the last final one, and those that count for a rate.
    pub fn forget_commands(&mut self, desk: &Desk) {
        let model = desk.catalog.plant.model_of(self.index);
        let now = self.instant;
        let last = self.commands.len().saturating_sub(1);
        let counts = |life: &CommandLife| {
            let limit = model.control(&life.command.control).and_then(|control: &Control| control.at_most);
            life.state() != CommandState::Refused
                && limit.is_some_and(|(_, span)| policy::counts_at(life.command.decided_at, span, now))
        };
        let mut position = 0;
        let mut spare = self.commands.len().saturating_sub(REMEMBERED_COMMANDS as usize);
        self.commands.retain(|life| {
            let final_one = life.state().is_final();
            let keep = position == last || !final_one || (counts(life) && spare == 0);
            if !keep {
                spare = spare.saturating_sub(1);
            }
            position += 1;
            keep
        });
    }

    /// Brings the alarm's flags into the table; gives the lines that changed.
    pub fn refresh_flags(&mut self) -> Vec<usize> {
        use andon_models::expression::{AlarmFlag, Reference};
        let state = self.alarm.state();
        let mut changed = Vec::new();
        for (line, entry) in self.program.table.iter().enumerate() {
            let Reference::Alarm(flag) = entry.reference else { continue };
            let raised = match flag {
                AlarmFlag::Acknowledged => state == AlarmState::Acknowledged,
                AlarmFlag::Shelved => state == AlarmState::Shelved,
                AlarmFlag::Suppressed => state == AlarmState::Suppressed,
            };
            if self.values[line].value != Value::Boolean(raised) {
                self.values[line].value = Value::Boolean(raised);
                changed.push(line);
            }
        }
        changed
    }
}
