//! Detector models from text.

use super::plant::PROPERTIES;
use andon_models::{
    Value, ValueType,
    alarm::{AlarmSettings, Priority},
    command::DryRun,
    detector::{self, ActionKind, DetectorModel, Evaluation, OnBad, StateIndex},
    expression::{AlarmFlag, Expression, Reference, Resolved, Scope, Type},
    time::parse_duration,
};
use std::{collections::HashMap, sync::Arc, time::Duration};

/// What expressions of tests may name.
pub struct Names<'a> {
    /// The variables of the detector.
    pub variables: &'a [(Arc<str>, Value)],
}

impl Scope for Names<'_> {
    fn resolve(&self, path: &[&str]) -> Option<Resolved> {
        let resolved = |reference, node_type, unit: &str| Some(Resolved { reference, node_type, unit: unit.into() });
        let number_or = |value_type| match value_type {
            ValueType::Boolean => Type::Boolean,
            ValueType::String => Type::String,
            ValueType::Integer | ValueType::Double => Type::Number,
        };
        match path {
            ["acknowledged"] => resolved(Reference::Alarm(AlarmFlag::Acknowledged), Type::Boolean, ""),
            ["shelved"] => resolved(Reference::Alarm(AlarmFlag::Shelved), Type::Boolean, ""),
            ["parent", "speed"] => resolved(Reference::Parent("speed".into()), Type::Number, ""),
            [name] => {
                if let Some((variable, value)) = self.variables.iter().find(|(variable, _)| **variable == **name) {
                    return resolved(
                        Reference::Variable(variable.clone()),
                        value.value_type().map_or(Type::Number, number_or),
                        "",
                    );
                }
                let (key, value_type, unit) = PROPERTIES.iter().find(|(property, ..)| property == name)?;
                resolved(Reference::Own((*key).into()), number_or(*value_type), unit)
            }
            _ => None,
        }
    }
    fn candidates(&self) -> Vec<String> {
        Vec::new()
    }
    fn aggregates(&self) -> bool {
        false
    }
}

/// A detector model from its text. A first line `variables a=1 b=true` gives variables; `serial` and `lateness 5s` may follow it.
pub fn detector(name: &str, text: &str) -> DetectorModel {
    let mut model = DetectorModel {
        name: name.into(),
        priority: Priority::High,
        message: "Bowl {temp} is above {temp_limit}".into(),
        response: "Check valve V12.".into(),
        alarm: AlarmSettings::default(),
        states: Vec::new(),
        initial: StateIndex(0),
        variables: Vec::new(),
        evaluation: Evaluation::Batch,
        lateness: Duration::ZERO,
        dry_run: DryRun::No,
    };
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let margin = lines.iter().map(|line| line.len() - line.trim_start().len()).min().unwrap_or(0);
    let lines: Vec<&str> = lines.iter().map(|line| &line[margin..]).collect();
    for line in lines.iter().filter(|line| !line.starts_with(' ')) {
        declare(&mut model, line);
    }
    for line in lines.iter().filter(|line| line.contains(" initial ")) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let child = words[1 + words.iter().position(|word| *word == "initial").unwrap()];
        let group = model.state_at(words[0]).unwrap();
        model.states[group.0].initial = model.state_at(&format!("{}/{child}", words[0]));
    }
    let paths: Vec<Arc<str>> = model.states.iter().map(|state| state.path.clone()).collect();
    let mut current = 0;
    for line in &lines {
        let words: Vec<&str> = line.split_whitespace().collect();
        if !line.starts_with(' ') {
            current = paths.iter().position(|path| &**path == words[0]).unwrap_or(current);
            continue;
        }
        let rest = line.trim().split_once(' ').map_or("", |(_, rest)| rest);
        match words[0] {
            "enter" => model.states[current].enter = actions(&model, rest),
            "exit" => model.states[current].exit = actions(&model, rest),
            "go" => {
                let rule = rule(&model, rest);
                model.states[current].rules.push(rule);
            }
            other => panic!("no line {other}"),
        }
    }
    let mut first = 0;
    while let Some(initial) = model.states[first].initial {
        first = initial.0;
    }
    model.initial = StateIndex(first);
    model
}

fn declare(model: &mut DetectorModel, line: &str) {
    let words: Vec<&str> = line.split_whitespace().collect();
    match words[0] {
        "variables" => {
            for assignment in &words[1..] {
                let (name, value) = assignment.split_once('=').unwrap();
                model.variables.push((name.into(), value_of(value)));
            }
        }
        "serial" => model.evaluation = Evaluation::Serial,
        "lateness" => model.lateness = parse_duration(words[1]).unwrap(),
        path => {
            let parent =
                path.rsplit_once('/').map(|(parent, _)| model.state_at(parent).expect("groups stand before their states"));
            let name = path.rsplit('/').next().unwrap();
            model.states.push(detector::State {
                name: name.into(),
                path: path.into(),
                parent,
                initial: None,
                history: words.contains(&"history"),
                enter: Vec::new(),
                exit: Vec::new(),
                rules: Vec::new(),
            });
        }
    }
}

fn rule(model: &DetectorModel, text: &str) -> detector::Rule {
    let mut parts: HashMap<&str, String> = HashMap::new();
    let mut key = "";
    for word in text.split_whitespace() {
        if ["on", "when", "for", "after", "every", "bad", "to", "do"].contains(&word) && key != "do" {
            key = word;
            parts.entry(key).or_default();
        } else {
            let part = parts.get_mut(key).expect("a rule begins with a key word");
            part.push_str(if part.is_empty() { "" } else { " " });
            part.push_str(word);
        }
    }
    let span = |key: &str| parts.get(key).map(|text| parse_duration(text).unwrap());
    let written = parts.get("to").map(|path| model.state_at(path).unwrap_or_else(|| panic!("no state {path}")));
    let mut leaf = written;
    while let Some(initial) = leaf.and_then(|leaf| model.states[leaf.0].initial) {
        leaf = Some(initial);
    }
    detector::Rule {
        text: text.into(),
        when: parts.get("when").map(|when| expression(model, when)),
        hold: span("for"),
        on_bad: match parts.get("bad").map(String::as_str) {
            Some("reset") => OnBad::Reset,
            Some("ignore") => OnBad::Ignore,
            _ => OnBad::Pause,
        },
        after: span("after"),
        every: span("every"),
        on: parts.get("on").map(|on| on.as_str().into()),
        to: leaf,
        to_written: written,
        actions: parts.get("do").map(|text| actions(model, text)).unwrap_or_default(),
    }
}

fn actions(model: &DetectorModel, text: &str) -> Vec<detector::Action> {
    text.split("; ").map(|text| detector::Action { text: text.into(), kind: action(model, text) }).collect()
}

fn action(model: &DetectorModel, text: &str) -> ActionKind {
    let (verb, rest) = text.split_once(' ').unwrap_or((text, ""));
    let assignment = || rest.split_once(" = ").map(|(name, value)| (Arc::from(name), expression(model, value))).unwrap();
    match verb {
        "raise" => ActionKind::Raise,
        "clear" => ActionKind::Clear,
        "notify" => ActionKind::Notify { target: rest.into() },
        "webhook" => ActionKind::Webhook { target: rest.into() },
        "send" => ActionKind::Send { detector: rest.into() },
        "publish" => {
            let (topic, payload) = rest.split_once(' ').unwrap();
            ActionKind::Publish { topic: topic.into(), payload: payload.into() }
        }
        "write" => {
            let (control, value) = assignment();
            ActionKind::Write { control, value }
        }
        "set" => {
            let (variable, value) = assignment();
            ActionKind::Set { variable, value }
        }
        "put" => {
            let (property, value) = assignment();
            ActionKind::Put { property, value }
        }
        other => panic!("no action {other}"),
    }
}

/// An expression as a model's guards have them.
pub fn expression(model: &DetectorModel, text: &str) -> Arc<Expression> {
    let names = Names { variables: &model.variables };
    Arc::new(Expression::parse(text, &names).unwrap_or_else(|error| panic!("{text}: {error}")))
}

/// A value as written in a script.
pub fn value_of(text: &str) -> Value {
    match text {
        "true" => Value::Boolean(true),
        "false" => Value::Boolean(false),
        "null" => Value::Null,
        text => match (text.parse::<i64>(), text.parse::<f64>()) {
            (Ok(number), _) => Value::Integer(number),
            (_, Ok(number)) => Value::Double(number),
            _ => Value::from(text),
        },
    }
}
