//! Alarm models of AWS IoT Events become detectors of the asset models they watch.
//!
//! One detector per alarm: its rule as a guard, its life cycle as that of IoT Events (`life_cycle: iot_events`), so that it does what
//! AWS documents. One whose rule reads messages of an input becomes a detector over messages ([`over_messages`]). Whom an alarm model tells stands in AWS's directory of people and in functions, which a file does not hold: that is said.

mod over_messages;

use super::{Findings, iot_events::Keyed};
use serde_json::{Map, Value, json};
use std::collections::HashSet;

/// Most alarm models of one import.
const MAX_ALARM_MODELS: usize = 10_000;

/// Letters of an alarm model's name in the key of its detector: with what makes it a key it is no longer than keys may be.
const LONGEST_NAME: usize = 48;

/// An alarm model with the place it was read at.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct AlarmModel {
    file: usize,
    path: String,
    name: String,
    description: String,
    severity: Option<i64>,
    input: String,
    operator: &'static str,
    threshold: String,
    acknowledge: bool,
    disabled: bool,
    /// Where messages say which of its instances they are for.
    key: Option<String>,
    /// What it does when its state changes.
    actions: Vec<Value>,
}

/// Alarm models of all files so far, by name: a later one takes the place of an earlier one.
#[derive(Debug, Default)]
pub(super) struct AlarmModels(Vec<AlarmModel>);

/// The detector of an alarm model in the plant file.
#[derive(Debug)]
pub(super) struct Attached {
    /// Its place among the alarm models.
    pub alarm: usize,
    pub model: String,
    pub detector: String,
}

/// Whether a document, members in camel case, is an alarm model.
pub(super) fn is_alarm_model(document: &Value) -> bool {
    document.get("alarmRule").is_some() || document.get("alarmModelName").is_some()
}

impl AlarmModels {
    /// Takes the body of a create request, the answer to a describe call, or the properties of a template's resource.
    pub fn add(&mut self, document: &Value, otherwise: &str, (file, path): (usize, &str), findings: &mut Findings) {
        let Some(model) = read(document, otherwise, (file, path), findings) else { return };
        self.0.retain(|known| known.name != model.name);
        if self.0.len() >= MAX_ALARM_MODELS {
            return findings.error(path, format!("these are more than {MAX_ALARM_MODELS} alarm models"));
        }
        self.0.push(model);
    }

    /// Gives those whose rules read messages to the detectors over messages.
    pub fn over_messages(&self, keyed: &mut Keyed, findings: &mut Findings) {
        for model in self.0.iter().filter(|model| model.reads_messages()) {
            findings.turn_to(model.file);
            over_messages::add(model, keyed, findings);
        }
    }

    /// Puts the detectors into `models:`, but for those that are skipped, and says where each is. An alarm may lose its property in any
    /// round, and is told once.
    pub fn attach(&self, models: &mut Map<String, Value>, skipped: &HashSet<usize>, findings: &mut Findings) -> Vec<Attached> {
        let mut attached = Vec::new();
        let watching = self.0.iter().enumerate().filter(|(_, model)| !model.reads_messages());
        for (alarm, model) in watching.filter(|(alarm, _)| !skipped.contains(alarm)) {
            let put = detector(model, models).and_then(|(asset_model, detector)| {
                let key = insert(models, &asset_model, &model.name, detector);
                key.map(|detector| Attached { alarm, model: asset_model, detector })
                    .ok_or_else(|| "its asset model is gone".into())
            });
            match put {
                Ok(put) => attached.push(put),
                Err(reason) => self.leave_out(alarm, &reason, findings),
            }
        }
        attached
    }

    /// Says why an alarm model is not in the plant file.
    pub fn leave_out(&self, alarm: usize, reason: &str, findings: &mut Findings) {
        let AlarmModel { file, path, name, .. } = &self.0[alarm];
        findings.turn_to(*file);
        findings.not_carried(path, format!("the alarm model {name} is left out: {reason}"));
    }
}

impl AlarmModel {
    fn reads_messages(&self) -> bool {
        self.input.starts_with("$input.")
    }
}

fn text<'v>(document: &'v Value, pointer: &str) -> Option<&'v str> {
    document.pointer(pointer).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty())
}

fn read(document: &Value, otherwise: &str, (file, path): (usize, &str), findings: &mut Findings) -> Option<AlarmModel> {
    let name = text(document, "/alarmModelName").unwrap_or(otherwise).to_owned();
    if name.is_empty() {
        findings.error(path, "this alarm model has no name");
        return None;
    }
    let rule = |member: &str| {
        let value = document.pointer(&format!("/alarmRule/simpleRule/{member}"))?;
        value.as_str().map(|text| text.trim().to_owned()).or_else(|| value.is_number().then(|| value.to_string()))
    };
    let (Some(input), Some(word), Some(threshold)) = (rule("inputProperty"), rule("comparisonOperator"), rule("threshold"))
    else {
        let message = "its rule is not a `simpleRule` with `inputProperty`, `comparisonOperator` and `threshold`";
        findings.error(&format!("{path}.alarmRule"), format!("the alarm model {name} is left out: {message}"));
        return None;
    };
    let Some(operator) = operator(&word) else {
        let message = format!("the alarm model {name} is left out: there is no comparison {word}");
        findings.error(&format!("{path}.alarmRule.simpleRule.comparisonOperator"), message);
        return None;
    };
    let flag = |pointer: &str, otherwise: bool| match document.pointer(pointer) {
        Some(Value::String(text)) => text == "true",
        other => other.and_then(Value::as_bool).unwrap_or(otherwise),
    };
    not_carried(document, &name, input.starts_with("$input."), path, findings);
    let actions = document.pointer("/alarmEventActions/alarmActions").and_then(Value::as_array).cloned().unwrap_or_default();
    Some(AlarmModel {
        file,
        path: path.to_owned(),
        description: text(document, "/alarmModelDescription").unwrap_or_default().to_owned(),
        severity: document.get("severity").and_then(|value| value.as_i64().or_else(|| value.as_str()?.parse().ok())),
        input,
        operator,
        threshold,
        acknowledge: flag("/alarmCapabilities/acknowledgeFlow/enabled", false),
        disabled: flag("/alarmCapabilities/initializationConfiguration/disabledOnInitialization", true),
        key: text(document, "/key").map(str::to_owned),
        actions,
        name,
    })
}

fn operator(word: &str) -> Option<&'static str> {
    Some(match word {
        "GREATER" => ">",
        "GREATER_OR_EQUAL" => ">=",
        "LESS" => "<",
        "LESS_OR_EQUAL" => "<=",
        "EQUAL" => "==",
        "NOT_EQUAL" => "!=",
        _ => return None,
    })
}

/// Names what an alarm model does beside its alarm.
fn not_carried(document: &Value, name: &str, over_messages: bool, path: &str, findings: &mut Findings) {
    let instead = match over_messages {
        true => "give its moves an `sns` action and name a target for that under `targets:`",
        false => "add a target under `notify:` and name it in `alarm: { notify: … }`",
    };
    let list = |pointer: &str| document.pointer(pointer).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    for (index, action) in list("/alarmNotification/notificationActions").iter().enumerate() {
        let kinds = ["emailConfigurations", "smsConfigurations"].into_iter().filter(|kind| action.get(kind).is_some());
        let kinds: Vec<&str> = kinds.map(|kind| if kind.starts_with("email") { "e-mail" } else { "text messages" }).collect();
        let message = format!(
            "who gets the {} of {name} stands in AWS's directory; {instead}",
            if kinds.is_empty() { "notifications".into() } else { kinds.join(" and ") }
        );
        findings.not_carried(&format!("{path}.alarmNotification.notificationActions[{index}]"), message);
    }
    // Over messages they are done.
    let actions = if over_messages { &[][..] } else { list("/alarmEventActions/alarmActions") };
    for (index, action) in actions.iter().enumerate() {
        let kind = action.as_object().and_then(|members| members.keys().next()).map_or("", String::as_str);
        let message =
            format!("the action {kind} of {name} has no place in an alarm; add `notify` or `publish` to the state `active`");
        findings.not_carried(&format!("{path}.alarmEventActions.alarmActions[{index}]"), message);
    }
}

/// The model's key and the detector.
fn detector(alarm: &AlarmModel, models: &Map<String, Value>) -> Result<(String, Value), String> {
    let input = property(&alarm.input, models)?;
    let threshold = match alarm.threshold.trim_matches(['\'', '"']).parse::<f64>() {
        Ok(number) if number.is_finite() => number.to_string(),
        Ok(_) => return Err(format!("its threshold {} is no number that a value can reach", alarm.threshold)),
        Err(_) => {
            let (model, name) = property(&alarm.threshold, models)?;
            if model != input.0 {
                return Err("its threshold is a property of another asset model".into());
            }
            name
        }
    };
    let (model, input) = input;
    let rule = format!("{input} {} {threshold}", alarm.operator);
    let text = if alarm.description.is_empty() { format!("{}: {{{input}}}", alarm.name) } else { alarm.description.clone() };
    let mut settings = json!({ "life_cycle": "iot_events" });
    if !alarm.acknowledge {
        settings["acknowledge"] = json!(false);
    }
    if alarm.disabled {
        settings["out_of_service"] = json!(true);
    }
    // With every message the rule is evaluated anew: after a reset or a snooze the next value decides.
    let active = json!({
        "enter": ["raise"],
        "exit": ["clear"],
        "go": [{ "when": format!("not ({rule})"), "to": "normal" }, { "on": input, "when": rule, "do": ["raise"] }],
    });
    let detector = json!({
        "priority": priority(alarm.severity),
        "message": text,
        "alarm": settings,
        "initial": "normal",
        "states": { "normal": { "go": [{ "when": rule, "to": "active" }] }, "active": active },
    });
    Ok((model, detector))
}

/// 1 is the most urgent, as in most plants; IoT Events leaves it open.
fn priority(severity: Option<i64>) -> &'static str {
    match severity {
        Some(1) => "critical",
        Some(2) => "high",
        Some(4..) => "low",
        _ => "medium",
    }
}

/// The model and the key of a property that `$sitewise.assetModel.`model`.`property`.propertyValue.value` means.
fn property(reference: &str, models: &Map<String, Value>) -> Result<(String, String), String> {
    let plain: String = reference.chars().filter(|letter| *letter != '`').collect();
    if plain.starts_with("$input.") {
        return Err("its rule reads a property and its threshold a message; write the threshold to an attribute".into());
    }
    let parts: Vec<&str> = plain.trim_start_matches("$sitewise.assetModel.").split('.').collect();
    let (true, [model_id, property_id, ..]) = (plain.starts_with("$sitewise.assetModel."), &parts[..]) else {
        return Err(format!("`{reference}` is no property of an asset model"));
    };
    let is = |tree: &Value, id: &str| {
        let external = id.strip_prefix("externalId:").unwrap_or(id);
        tree.get("id").and_then(Value::as_str).is_some_and(|known| known.eq_ignore_ascii_case(id))
            || tree.get("external_id").and_then(Value::as_str) == Some(external)
    };
    let Some((model, tree)) = models.iter().find(|(key, tree)| is(tree, model_id) || key.as_str() == *model_id) else {
        return Err(format!("no file before it makes the asset model {model_id}"));
    };
    let among = |section: &Value, end: &str| {
        let known = section.as_object()?.iter().find(|(key, tree)| is(tree, property_id) || key.as_str() == *property_id)?;
        Some(format!("{}{end}", known.0))
    };
    let plain = ["attributes", "measurements", "transforms"].iter().find_map(|section| among(tree.get(*section)?, ""));
    let windows = || {
        let windows = tree.get("metrics")?.as_object()?;
        windows.iter().find_map(|(window, section)| among(section, &format!("_{window}")))
    };
    let found = plain.or_else(windows);
    found.map(|key| (model.clone(), key)).ok_or_else(|| format!("{model} has no property {property_id}"))
}

/// Puts a detector into its asset model; gives its key.
fn insert(models: &mut Map<String, Value>, model: &str, name: &str, detector: Value) -> Option<String> {
    let tree = models.get_mut(model).and_then(Value::as_object_mut)?;
    let detectors = tree.entry("detectors").or_insert_with(|| json!({})).as_object_mut()?;
    let mut key: String = name
        .chars()
        .map(|letter| if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '_' })
        .take(LONGEST_NAME)
        .collect();
    if !key.starts_with(|first: char| first.is_ascii_lowercase()) {
        key.insert_str(0, "alarm_");
    }
    while detectors.contains_key(&key) {
        key.push('_');
    }
    detectors.insert(key.clone(), detector);
    Some(key)
}

#[cfg(test)]
mod tests {
    use crate::{
        alarm::{LifeCycle, Priority},
        cloudformation::Parameters,
        import::{Import, Imported, Severity},
        plant_file,
    };

    const MODEL: &str = r#"{ "assetModelName": "Pump", "assetModelExternalId": "pump", "assetModelProperties": [
        { "name": "Temp", "id": "aaaaaaaa-0000-4000-8000-000000000001", "dataType": "DOUBLE", "type": { "measurement": {} } },
        { "name": "Limit", "externalId": "limit", "dataType": "DOUBLE", "type": { "attribute": { "defaultValue": "80" } } } ] }"#;
    const RULE: &str = "{ \"simpleRule\": { \"inputProperty\": \"$sitewise.assetModel.`externalId:pump`.`aaaaaaaa-0000-4000-8000-000000000001`.propertyValue.value\", \
        \"comparisonOperator\": \"GREATER\", \"threshold\": \"$sitewise.assetModel.`externalId:pump`.`externalId:limit`.propertyValue.value\" } }";

    fn import(alarm: &str) -> Imported {
        let mut import = Import::new(Parameters::none());
        import.add("model.json", MODEL);
        import.add("alarm.json", alarm);
        import.finish()
    }

    fn loaded(imported: &Imported) -> crate::definition::Plant {
        let loaded = plant_file::load(&[("plant.yaml".into(), imported.yaml.clone())], &|_| None);
        loaded.plant.unwrap_or_else(|| panic!("{:#?}\n{}", loaded.diagnostics, imported.yaml))
    }

    #[test]
    fn an_alarm_model_becomes_a_detector_with_the_life_cycle_of_iot_events() {
        let body = format!(
            r#"{{ "alarmModelName": "TooHot", "severity": 1, "alarmRule": {RULE},
            "alarmCapabilities": {{ "acknowledgeFlow": {{ "enabled": true }}, "initializationConfiguration": {{ "disabledOnInitialization": false }} }} }}"#
        );
        let imported = import(&body);
        let plant = loaded(&imported);
        let detector = &plant.models[0].detectors[0];
        assert_eq!((&*detector.name, detector.priority), ("toohot", Priority::Critical));
        assert_eq!((detector.alarm.life_cycle, detector.alarm.acknowledge), (LifeCycle::IotEvents, true));
        assert!(!detector.alarm.starts_out_of_service);
        assert_eq!(&*detector.states[0].rules[0].text, "when temp > limit", "{}", imported.yaml);
    }

    #[test]
    fn it_starts_disabled_and_without_acknowledgement_unless_it_says_otherwise() {
        let described =
            format!(r#"{{ "alarmModelName": "TooHot", "alarmModelVersion": "1", "status": "ACTIVE", "alarmRule": {RULE} }}"#);
        let alarm = loaded(&import(&described)).models[0].detectors[0].alarm.clone();
        assert!(alarm.starts_out_of_service && !alarm.acknowledge);
    }

    #[test]
    fn a_template_may_hold_it() {
        let template = format!(
            r#"{{ "Resources": {{ "Hot": {{ "Type": "AWS::IoTEvents::AlarmModel", "Properties": {{ "AlarmModelName": "Hot", "RoleArn": "r",
            "AlarmRule": {} }} }} }} }}"#,
            RULE.replace("simpleRule", "SimpleRule")
                .replace("inputProperty", "InputProperty")
                .replace("comparisonOperator", "ComparisonOperator")
                .replace("\"threshold\"", "\"Threshold\"")
        );
        assert_eq!(&*loaded(&import(&template)).models[0].detectors[0].name, "hot");
    }

    /// What is said of an alarm model that watches a property of a pump, in a file that loads without it.
    fn left_out(property: &str, threshold: &str) -> String {
        const PUMP: &str = r#"{ "assetModelName": "Pump", "assetModelExternalId": "pump", "assetModelProperties": [
            { "name": "Temp", "externalId": "temp", "dataType": "DOUBLE", "type": { "measurement": {} } },
            { "name": "Word", "externalId": "word", "dataType": "STRING", "type": { "measurement": {} } },
            { "name": "Odd", "externalId": "odd", "dataType": "DOUBLE", "type": { "transform": { "expression": "nosuch(t)",
              "variables": [ { "name": "t", "value": { "propertyId": "externalId:temp" } } ] } } },
            { "name": "Odder", "externalId": "odder", "dataType": "DOUBLE", "type": { "transform": { "expression": "o + 1",
              "variables": [ { "name": "o", "value": { "propertyId": "externalId:odd" } } ] } } } ] }"#;
        let mut import = Import::new(Parameters::none());
        import.add("model.json", PUMP);
        let rule = format!(
            r#"{{ "simpleRule": {{ "inputProperty": "$sitewise.assetModel.`externalId:pump`.`externalId:{property}`.propertyValue.value",
            "comparisonOperator": "GREATER", "threshold": "{threshold}" }} }}"#
        );
        import.add("alarm.json", &format!(r#"{{ "alarmModelName": "A", "alarmRule": {rule} }}"#));
        let imported = import.finish();
        let plant = loaded(&imported);
        assert!(plant.models[0].detectors.is_empty(), "{}", imported.yaml);
        let told: Vec<_> = imported.findings.iter().filter(|found| found.message.contains("the alarm model A")).collect();
        assert_eq!((told.len(), &*told[0].file), (1, "alarm.json"), "{:#?}", imported.findings);
        told[0].message.clone()
    }

    #[test]
    fn an_alarm_that_cannot_be_is_left_out_and_named_in_any_round() {
        for threshold in ["NaN", "inf", "-infinity", "1e999"] {
            assert!(left_out("temp", threshold).contains("is no number that a value can reach"), "{threshold}");
        }
        // The reader refuses its property in one round, or what depends on it in the next, or its rule.
        assert!(left_out("odd", "5").contains("pump has no property externalId:odd"));
        assert!(left_out("odder", "5").contains("pump has no property externalId:odder"));
        assert!(left_out("word", "5").starts_with("the alarm model A is left out: "));
    }

    #[test]
    fn what_has_no_place_is_named() {
        let told = |body: &str| {
            let imported = import(body);
            let found = imported.findings.iter().filter(|found| found.severity != Severity::Warning);
            found.map(|found| format!("{} {}", found.path, found.message)).collect::<Vec<_>>().join("\n")
        };
        let with = |more: &str| told(&format!(r#"{{ "alarmModelName": "A", "alarmRule": {RULE}{more} }}"#));
        let notifies =
            with(r#", "alarmNotification": { "notificationActions": [ { "emailConfigurations": [ { "from": "a@b" } ] } ] }"#);
        assert!(notifies.contains("$.alarmNotification.notificationActions[0] who gets the e-mail of A"), "{notifies}");
        let acts = with(r#", "alarmEventActions": { "alarmActions": [ { "lambda": { "functionArn": "arn" } } ] }"#);
        assert!(acts.contains("the action lambda of A"), "{acts}");
        let mixed = told(
            r#"{ "alarmModelName": "A", "alarmRule": { "simpleRule": { "inputProperty": "$input.Pump.temp", "comparisonOperator": "LESS",
                "threshold": "$sitewise.assetModel.`x`.`y`.propertyValue.value" } } }"#,
        );
        assert!(
            mixed.contains("the alarm model A is left out: its rule reads a message and its threshold a property"),
            "{mixed}"
        );
        let stranger = told(
            r#"{ "alarmModelName": "A", "alarmRule": { "simpleRule": { "inputProperty": "$sitewise.assetModel.`x`.`y`.propertyValue.value", "comparisonOperator": "LESS", "threshold": "5" } } }"#,
        );
        assert!(stranger.contains("no file before it makes the asset model x"), "{stranger}");
        let odd = told(
            r#"{ "alarmModelName": "A", "alarmRule": { "simpleRule": { "inputProperty": "p", "comparisonOperator": "ABOUT", "threshold": "5" } } }"#,
        );
        assert!(odd.contains("there is no comparison ABOUT"), "{odd}");
        assert!(told(r#"{ "alarmModelName": "A" }"#).contains("its rule is not a `simpleRule`"));
    }
}
