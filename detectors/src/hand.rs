//! Writes by hand: prepared and shown first, written when they are confirmed in time, by somebody else where the control says so.
//!
//! Machines whose controls may be written by hand have one more instance, [`HAND`], that has one state and no rules: it knows what
//! the interlocks read, and its commands live as those of detectors do.

use crate::{
    action::Action,
    engine::{Engine, answer},
    explanation,
    policy::{self, Writer},
};
use andon_models::{
    CommandId, Timestamp,
    alarm::{AlarmSettings, Priority},
    command::{CONFIRM_WITHIN, DryRun, HandRole, HandWrite, Prepared},
    definition::AssetModel,
    detector::{DetectorModel, Evaluation, State, StateIndex},
    event::{Deed, EventBody},
    operator::{OperatorRefusal, OperatorRequest},
};
use std::time::Duration;

/// The name of the instance that writes by hand. The plant file allows no such name for a detector.
pub const HAND: &str = "by hand";

/// Most writes that may wait for their confirmation: more people do not stand at one plant's controls.
const MOST_PREPARED: usize = 64;

/// A write that waits to be confirmed.
#[derive(Clone, Debug)]
pub(crate) struct Waiting {
    prepared: Prepared,
    role: HandRole,
    write: HandWrite,
}

/// The model of the instance that writes by hand; none where nobody may.
pub(crate) fn model_of(model: &AssetModel) -> Option<DetectorModel> {
    model.controls.iter().any(|control| control.policy.by_hand.is_some()).then(|| DetectorModel {
        name: HAND.into(),
        priority: Priority::Low,
        message: "".into(),
        response: "".into(),
        states: vec![State {
            name: "ready".into(),
            path: "ready".into(),
            parent: None,
            initial: None,
            history: false,
            enter: Vec::new(),
            exit: Vec::new(),
            rules: Vec::new(),
        }],
        initial: StateIndex(0),
        variables: Vec::new(),
        evaluation: Evaluation::Batch,
        lateness: Duration::ZERO,
        dry_run: DryRun::No,
        alarm: AlarmSettings::default(),
    })
}

impl Engine {
    /// Checks a write by hand and shows what it would do. Nothing is written before [`andon_models::operator::OperatorDeed::Confirm`].
    ///
    /// # Errors
    /// The rule that forbids it.
    pub fn prepare(&mut self, now: Timestamp, write: HandWrite) -> Result<Prepared, OperatorRefusal> {
        self.desk.now = now;
        let refuse = |reason: String| OperatorRefusal::NotNow(reason.into());
        let number = self.number_of(write.asset, HAND).ok_or_else(|| {
            refuse("nothing of this asset is written by hand (`by_hand: operator` at a control in the plant file)".into())
        })?;
        self.in_service(number).map_err(OperatorRefusal::NotNow)?;
        self.wake(number);
        let catalog = self.desk.catalog.clone();
        let body = &self.instances[number as usize].detector.body;
        let model = catalog.plant.model_of(body.index);
        let Some(control) = model.control(&write.control) else {
            let near = andon_models::expression::nearest(&write.control, model.controls.iter().map(|control| &*control.name));
            let hint = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
            return Err(refuse(format!("{} has no control {}{hint}", body.path, write.control)));
        };
        let tag = catalog.control(body.index, &control.name).and_then(|point| catalog.tag(point.tag));
        let tag = tag.ok_or_else(|| refuse(format!("the control {} is not bound to a source", control.name)))?;
        let value = write
            .value
            .clone()
            .coerce(control.value_type)
            .ok_or_else(|| refuse(format!("{} takes {}, and {} is none", control.name, control.value_type, write.value)))?;
        let writer = Writer::Person { by: write.by.clone(), role: write.role };
        policy::check(body, &mut self.desk, control, tag, &value, &writer).map_err(refuse)?;
        policy::check_step(control, &value, write.current.as_ref().ok()).map_err(refuse)?;
        let interlock = body.program.interlocks.iter().find(|(name, _)| *name == control.name).map(|(_, formula)| formula);
        let token = format!("{}/{}/{value}/{}/{}", write.asset, control.name, now.as_nanos(), self.prepared_ever);
        self.prepared_ever += 1;
        let command = CommandId::from_name(&token);
        let prepared = Prepared {
            token: command.to_string().into(),
            command,
            asset: body.path.clone(),
            control: control.name.clone(),
            current: write.current.clone().unwrap_or(andon_models::Value::Null),
            current_unknown: write.current.as_ref().err().cloned().unwrap_or_default(),
            value: value.clone(),
            unit: control.unit.clone(),
            effect: control.policy.effect.clone(),
            interlock: control.interlock.as_ref().map(|interlock| interlock.text.clone()).unwrap_or_default(),
            inputs: interlock.map_or_else(Vec::new, |formula| explanation::inputs(body, &formula.lines)),
            dry_run: body.pretends(control).is_some(),
            by: write.by.clone(),
            second_person: control.policy.second_person,
            until: now + CONFIRM_WITHIN,
        };
        self.prepared.retain(|waiting| waiting.prepared.until > now && waiting.prepared.until <= now + CONFIRM_WITHIN);
        if self.prepared.len() >= MOST_PREPARED {
            return Err(refuse(format!("{MOST_PREPARED} writes wait to be confirmed already; wait half a minute")));
        }
        self.prepared.push(Waiting { prepared: prepared.clone(), role: write.role, write: HandWrite { value, ..write } });
        Ok(prepared)
    }

    /// Writes what was prepared, if all of it still holds and whoever confirms it might have prepared it.
    pub(crate) fn confirm(&mut self, request: &OperatorRequest, token: &str, confirmer: HandRole, actions: &mut Vec<Action>) {
        let refuse = |reason: String| Action::Refuse(OperatorRefusal::NotNow(reason.into()));
        let now = self.desk.now;
        let Some(position) = self.prepared.iter().position(|waiting| *waiting.prepared.token == *token) else {
            return actions
                .push(refuse("nothing is prepared under this token, or it was confirmed already; prepare again".into()));
        };
        let Waiting { prepared, write, .. } = &self.prepared[position];
        if now > prepared.until || now + CONFIRM_WITHIN < prepared.until {
            self.prepared.remove(position);
            let reason = format!("it was to be confirmed within {} s; prepare it again", CONFIRM_WITHIN.as_secs());
            return actions.push(refuse(reason));
        }
        if prepared.second_person && prepared.by == request.by {
            let reason = format!("{} prepared it, so somebody else must confirm it", prepared.by);
            return actions.push(refuse(reason));
        }
        let Some(number) = self.number_of(write.asset, HAND) else { return };
        if let Err(reason) = self.in_service(number) {
            return actions.push(Action::Refuse(OperatorRefusal::NotNow(reason)));
        }
        let model = self.desk.catalog.plant.model_of(self.instances[number as usize].detector.body.index);
        let least = model.control(&write.control).and_then(|control| control.policy.by_hand);
        if let Some(least) = least.filter(|least| confirmer < *least) {
            let reason = policy::role_too_low(&request.by, confirmer, &write.control, least);
            return actions.push(refuse(reason));
        }
        let Waiting { prepared, role, write } = self.prepared.remove(position);
        let by = match prepared.by == request.by {
            true => prepared.by.clone(),
            false => format!("{} and {}", prepared.by, request.by).into(),
        };
        let writer = Writer::Person { by, role: role.min(confirmer) };
        let deed = Deed {
            by: request.by.clone(),
            verb: "write".into(),
            detail: format!("{}/{} = {}, prepared by {}", prepared.asset, prepared.control, prepared.value, prepared.by).into(),
            hour: None,
        };
        actions.push(Action::Record(self.event(&format!("write {token}"), EventBody::Deed(deed))));
        let mut refusal = None;
        let ran = self.run(number, actions, |detector, desk| {
            refusal = detector.write_by_hand(desk, prepared.command, &write.control, &write.value, &writer).err();
        });
        answer(ran, refusal, actions);
    }
}
