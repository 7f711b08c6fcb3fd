//! What a detector does about its alarm: hands it the condition, writes down its changes with their reason, tells people.

use super::{Body, Detector};
use crate::{
    action::Action,
    alarm::{Due, Hand, Moved},
    explanation::{Truth, explain_formula},
    policy::Desk,
};
use andon_models::{
    Timestamp,
    alarm::{AlarmState, AlarmVerb},
    event::{AlarmChange, EventBody, Explanation, Notification},
    notice::NoticeAbout,
};
use std::sync::Arc;

impl Body {
    /// The condition came, by the rule of the move under way.
    pub(super) fn condition_came(&mut self, desk: &Desk, message: Arc<str>) {
        let why = self.why();
        let moved = self.alarm.condition_came(self.instant, message, &why);
        self.alarm_moved(desk, moved, AlarmVerb::Raise, why);
    }

    /// The condition went, by the rule of the move under way.
    pub(super) fn condition_went(&mut self, desk: &Desk) {
        let why = self.why();
        let moved = self.alarm.condition_went(self.instant, &why);
        self.alarm_moved(desk, moved, AlarmVerb::Clear, why);
    }

    /// Raises without the delay, for what is wrong already.
    pub(super) fn raise_at_once(&mut self, desk: &Desk, message: Arc<str>) {
        let moved = self.alarm.raise(self.instant, message);
        let why = Explanation { trigger: "a write that failed".into(), ..Arc::unwrap_or_clone(self.why()) };
        self.alarm_moved(desk, moved, AlarmVerb::Raise, why);
    }

    /// Why the machine moves now; nothing if it does not.
    fn why(&self) -> Arc<Explanation> {
        self.moving.as_ref().map(|moving| moving.explanation.clone()).unwrap_or_default()
    }

    fn alarm_moved(&mut self, desk: &Desk, moved: Option<Moved>, verb: AlarmVerb, why: impl Into<Arc<Explanation>>) {
        if let Some(moved) = moved {
            self.alarm_changed(desk, moved, verb, &Hand::default(), "", why);
        }
        self.out.dirty = true;
    }

    /// Writes down that the alarm changed, and tells those who are to know.
    pub(super) fn alarm_changed(
        &mut self,
        desk: &Desk,
        moved: Moved,
        verb: AlarmVerb,
        hand: &Hand,
        note: &str,
        why: impl Into<Arc<Explanation>>,
    ) {
        let change = AlarmChange {
            from: moved.from,
            state: moved.to,
            verb,
            priority: self.alarm.priority(),
            message: self.alarm.message(),
            response: self.program.model.response.clone(),
            since: self.alarm.since(),
            by: hand.by.clone(),
            note: note.into(),
            explanation: why.into(),
        };
        self.record(EventBody::Alarm(change));
        if moved.annunciates() || verb == AlarmVerb::ReAlarm {
            self.tell_of(desk, verb, &self.program.model.alarm.notify.clone());
        } else if moved.resolves() {
            self.follow_up(desk, verb);
            self.alarm.forget_told();
        } else if moved.from != moved.to && moved.to == AlarmState::Acknowledged {
            self.follow_up(desk, verb);
        }
    }

    fn tell_of(&mut self, desk: &Desk, verb: AlarmVerb, targets: &[Arc<str>]) {
        let message = self.alarm.message();
        for target in targets {
            self.tell(desk, target, message.clone(), verb);
        }
    }

    /// Tells those who keep a record of the alarm what became of it.
    fn follow_up(&mut self, desk: &Desk, verb: AlarmVerb) {
        let message = self.alarm.message();
        for target in self.alarm.whom_it_told().to_vec() {
            self.tell(desk, &target, message.clone(), verb);
        }
    }

    /// The `notify` and `webhook` actions.
    pub(super) fn notify(&mut self, desk: &Desk, target: &Arc<str>) {
        let message = self.message();
        self.tell(desk, target, message, AlarmVerb::Raise);
    }

    fn tell(&mut self, desk: &Desk, target: &Arc<str>, message: Arc<str>, verb: AlarmVerb) {
        let known = desk.catalog.plant.notify.iter().find(|known| known.name == *target);
        if known.is_some_and(|known| known.updates) {
            self.alarm.told(target);
        }
        let notification =
            Notification { target: target.clone(), message: message.clone(), state: "requested".into(), reason: "".into() };
        let event = self.record(EventBody::Notification(notification));
        let about = NoticeAbout {
            asset: Some(self.asset),
            priority: self.alarm.priority(),
            verb,
            state: self.alarm.state(),
            since: self.alarm.since(),
            response: self.program.model.response.clone(),
        };
        self.out.deferred.push(Action::Notify {
            target: target.clone(),
            message,
            asset_path: self.path.clone(),
            detector: self.program.model.name.clone(),
            event,
            about,
        });
    }

    /// Whether the alarm is suppressed by design as things stand; none if that cannot be known, or is as it was.
    pub(super) fn new_design(&self, desk: &mut Desk) -> Option<bool> {
        let formula = self.program.suppress_when.as_ref()?;
        let suppressed = match Truth::of(&formula.expression.evaluate(self.gather(formula, &mut desk.scratch))) {
            Truth::Holds => true,
            Truth::Fails => false,
            Truth::Unknown => return None,
        };
        (suppressed != self.alarm.is_suppressed_by_design()).then_some(suppressed)
    }

    /// Follows `suppress_when`, as far as it has come to be `suppressed`. What begins to be suppressed is so before its condition is
    /// looked at, and what ends after it: then neither is seen for an instant.
    pub(super) fn follow_design(&mut self, desk: &mut Desk, suppressed: bool) {
        if self.new_design(desk) != Some(suppressed) {
            return;
        }
        let program = self.program.clone();
        let Some(formula) = &program.suppress_when else { return };
        let verb = if suppressed { AlarmVerb::Suppress } else { AlarmVerb::Unsuppress };
        let why = explain_formula(self, desk, formula, "suppress_when");
        let moved = self.alarm.design(self.instant, suppressed);
        self.alarm_moved(desk, moved, verb, why);
    }

    /// Shows what a model without `suppress_when` has left suppressed.
    pub(super) fn uncover(&mut self, desk: &Desk) {
        if self.alarm.is_left_suppressed() {
            let moved = self.alarm.design(self.instant, false);
            let why = Explanation { trigger: "its model has no suppress_when any more".into(), ..Explanation::default() };
            self.alarm_moved(desk, moved, AlarmVerb::Unsuppress, why);
        }
    }
}

impl Detector {
    /// Lets what is due of the alarm happen, if it comes first.
    pub(super) fn run_alarm(&mut self, desk: &mut Desk, limit: Timestamp) -> bool {
        let Some((at, done)) = self.body.alarm.go_off(limit) else { return false };
        self.body.be_at(at);
        match done {
            Due::Delayed(verb, moved, why) => self.body.alarm_moved(desk, moved, verb, why),
            Due::Again(moved, why) => {
                self.body.alarm_changed(desk, moved, AlarmVerb::ReAlarm, &Hand::default(), "", why);
            }
            Due::Escalated(step, why) => {
                let here = self.body.alarm.state();
                let moved = Moved { from: here, to: here };
                self.body.alarm_changed(desk, moved, AlarmVerb::Escalate, &Hand::default(), "", why);
                self.body.tell_of(desk, AlarmVerb::Escalate, &step.notify);
            }
        }
        self.body.out.dirty = true;
        self.follow_changes(desk);
        true
    }
}
