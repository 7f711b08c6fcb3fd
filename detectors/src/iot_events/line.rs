//! An evaluation as a line of JSON: the output of `andon simulate`.

use super::{
    evaluation::{Condition, Evaluation, Failure, Performed, Trigger},
    payload::value_json,
};
use serde_json::{Map, Value as Json, json};

impl Evaluation<'_> {
    /// The line. With conditions traced it also has `conditionEvaluationResults`, in the words of AWS's debug log.
    pub fn to_json(&self) -> Json {
        let variables: Map<String, Json> =
            self.variables().map(|(name, value)| (name.to_string(), value_json(value))).collect();
        let timers: Map<String, Json> = self.timers().map(|(name, due)| (name.to_string(), due.to_string().into())).collect();
        let mut line = json!({
            "time": self.time.to_string(),
            "key": self.key().map(|key| &**key),
            "trigger": self.trigger.to_json(),
            "from": self.from.map(|state| &**state),
            "state": &*self.state(),
            "variables": variables,
            "timers": timers,
            "actions": self.actions().iter().map(Performed::to_json).collect::<Vec<_>>(),
            "failures": self.failures().iter().map(Failure::to_json).collect::<Vec<_>>(),
        });
        if !self.conditions().is_empty() {
            line["conditionEvaluationResults"] = self.conditions().iter().map(Condition::to_json).collect();
        }
        line
    }
}

impl Trigger {
    /// `{"message": …}` or `{"timer": …}`.
    pub fn to_json(&self) -> Json {
        match self {
            Self::Message { input, .. } => json!({ "message": &**input }),
            Self::Timer(name) => json!({ "timer": &**name }),
        }
    }
}

impl Performed {
    /// The action with its evaluated fields.
    pub fn to_json(&self) -> Json {
        json!({ "at": self.at.name(), "event": &*self.event, "action": self.kind.name(), "fields": self.fields_json() })
    }

    /// The fields as an object, inner members inside; the payload as JSON, or as text if it is a STRING.
    pub fn fields_json(&self) -> Json {
        let mut fields = Map::new();
        for (name, value) in &self.fields {
            nest(&mut fields, name, value);
        }
        if let Some(payload) = &self.payload {
            fields.insert("payload".into(), payload.to_json());
        }
        fields.into()
    }
}

fn nest(fields: &mut Map<String, Json>, name: &str, value: &Json) {
    let Some((outer, inner)) = name.split_once('.') else {
        fields.insert(name.into(), value.clone());
        return;
    };
    if let Json::Object(inside) = fields.entry(outer).or_insert_with(|| Map::new().into()) {
        nest(inside, inner, value);
    }
}

impl Failure {
    /// The failure with its place.
    pub fn to_json(&self) -> Json {
        let mut failure = json!({ "at": self.at.name(), "event": &*self.event });
        if let Some(action) = self.action {
            failure["action"] = action.name().into();
        }
        failure["field"] = self.field.into();
        failure["expression"] = Json::from(&*self.text);
        failure["reason"] = Json::from(&*self.reason);
        failure
    }
}

impl Condition {
    /// The result in the words of AWS's debug log.
    fn to_json(&self) -> Json {
        use super::evaluation::Moment;
        let result = match self.result {
            Some(true) => "True",
            Some(false) => "False",
            None => "Skipped",
        };
        let life_cycle = match self.at {
            Moment::OnInput | Moment::Transition => "OnInput",
            Moment::OnEnter => "OnEnter",
            Moment::OnExit => "OnExit",
        };
        json!({
            "result": result,
            "eventName": &*self.event,
            "state": &*self.state,
            "lifeCycle": life_cycle,
            "hasTransition": self.at == Moment::Transition,
            "resultDetails": self.details,
        })
    }
}
