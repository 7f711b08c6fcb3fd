//! Documents in, models and findings out.

use super::*;
use crate::detector::Evaluation;
use serde_json::{Value, json};

fn findings(document: &str) -> String {
    read(document, "file").findings.iter().map(|finding| format!("{finding}\n")).collect()
}

fn model(document: &Value) -> DetectorModel {
    let read = read(&document.to_string(), "file");
    let errors: Vec<_> = read.findings.iter().filter(|finding| finding.level == Level::Error).collect();
    assert!(errors.is_empty(), "{errors:?} in {document}");
    read.models.into_iter().next().unwrap()
}

fn definition() -> Value {
    json!({
        "initialStateName": "cold",
        "states": [
            { "stateName": "cold", "onInput": { "transitionEvents": [
                { "eventName": "warm up", "condition": "$input.oven.temp > 80", "actions": null, "nextState": "hot" },
            ] } },
            { "stateName": "hot", "onEnter": { "events": [{ "eventName": "count", "actions": [
                { "setVariable": { "variableName": "times", "value": "$variable.times + 1" } },
                { "setTimer": { "timerName": "late", "seconds": 90, "durationExpression": null } },
            ] }] }, "onExit": null },
        ],
    })
}

#[test]
fn a_definition_is_the_same_in_every_wrapper() {
    let bare = definition();
    let around = json!({ "detectorModelName": "oven", "key": "oven.id", "evaluationMethod": "SERIAL", "roleArn": "arn" });
    let mut create = around.clone();
    create["detectorModelDefinition"] = bare.clone();
    let describe = json!({ "detectorModel": { "detectorModelDefinition": bare, "detectorModelConfiguration": around } });
    let create = model(&create);
    assert_eq!(create, model(&describe));
    assert_eq!(
        (&*create.name, create.evaluation, create.key.as_ref().unwrap().as_str()),
        ("oven", Evaluation::Serial, "oven.id")
    );
    let bare = model(&bare);
    assert_eq!(bare.states, create.states);
    assert_eq!((&*bare.name, bare.evaluation, bare.key), ("file", Evaluation::Batch, None));
}

#[test]
fn members_may_be_written_as_in_a_template() {
    let template = json!({
        "DetectorModelDefinition": { "InitialStateName": "cold", "States": [
            { "StateName": "cold", "OnInput": { "TransitionEvents": [
                { "EventName": "warm up", "Condition": "$input.oven.temp > 80", "NextState": "hot" },
            ] } },
            { "StateName": "hot", "OnEnter": { "Events": [{ "EventName": "count", "Actions": [
                { "SetVariable": { "VariableName": "times", "Value": "$variable.times + 1" } },
                { "SetTimer": { "TimerName": "late", "Seconds": 90 } },
            ] }] } },
        ] },
        "DetectorModelName": "file",
    });
    assert_eq!(model(&template), model(&definition()));
}

#[test]
fn templates_are_read_with_their_references_resolved() {
    let template = "
Resources:
  Oven: { Type: AWS::IoTEvents::Input, Properties: { InputName: oven, InputDefinition: { Attributes: [{ JsonPath: temp }] } } }
  Model:
    Type: AWS::IoTEvents::DetectorModel
    Properties:
      RoleArn: !GetAtt Role.Arn
      DetectorModelDefinition:
        InitialStateName: cold
        States:
          - StateName: cold
            OnInput:
              TransitionEvents:
                - { EventName: warm up, Condition: !Sub '$input.${Oven}.temp > 80', NextState: hot }
          - StateName: hot
";
    let read = read(template, "file");
    assert_eq!(
        read.findings.iter().map(|finding| finding.level).collect::<Vec<_>>(),
        [Level::Warning],
        "the role is not there"
    );
    assert_eq!((&*read.inputs[0].name, &*read.models[0].name), ("oven", "Model"));
    let condition = read.models[0].formulas().next().map(|formula| formula.text.clone());
    assert_eq!(condition.as_deref(), Some("$input.oven.temp > 80"));
}

#[test]
fn every_kind_of_action_is_read() {
    let payload = json!({ "contentExpression": "'x'", "type": "STRING" });
    let actions = json!([
        { "setVariable": { "variableName": "v", "value": "1" } },
        { "setTimer": { "timerName": "t", "durationExpression": "$variable.v * 60" } },
        { "resetTimer": { "timerName": "t" } },
        { "clearTimer": { "timerName": "t" } },
        { "sns": { "targetArn": "arn:aws:sns:eu-west-1:1:x", "payload": payload } },
        { "iotTopicPublish": { "mqttTopic": "a/b/c" } },
        { "iotTopicPublish": { "mqttTopic": "'a/' + $variable.v" } },
        { "lambda": { "functionArn": "arn:f" } },
        { "iotEvents": { "inputName": "other" } },
        { "sqs": { "queueUrl": "https://q", "useBase64": true } },
        { "firehose": { "deliveryStreamName": "s", "separator": "\n" } },
        { "dynamoDB": { "tableName": "t", "hashKeyField": "'id'", "hashKeyValue": "$input.a.id" } },
        { "dynamoDBv2": { "tableName": "'t'" } },
        { "iotSiteWise": { "propertyAlias": "'/a/b'", "propertyValue": { "value": { "doubleValue": "1.5" } } } },
    ]);
    let document = json!({ "initialStateName": "s", "states": [
        { "stateName": "s", "onEnter": { "events": [{ "eventName": "e", "actions": actions }] } },
    ] });
    let model = model(&document);
    let kinds: Vec<_> = model.actions().map(|action| action.kind.name()).collect();
    assert_eq!(kinds.len(), 14);
    let topics: Vec<_> = model.actions().filter_map(|action| action.field("mqttTopic").cloned()).collect();
    assert_eq!(topics[0], Content::Text("a/b/c".into()));
    assert!(matches!(&topics[1], Content::Formula(formula) if &*formula.text == "'a/' + $variable.v"));
}

#[test]
fn mistakes_are_named_with_their_path() {
    let mut wrong = definition();
    wrong["states"][0]["onInput"]["transitionEvents"][0]["nextState"] = "hott".into();
    wrong["states"][0]["onInput"]["transitionEvents"][0]["conditon"] = "true".into();
    wrong["states"][1]["onEnter"]["events"][0]["actions"] = json!([
        { "setTimr": { "timerName": "late", "seconds": 90 } },
        { "setTimer": { "timerName": "late", "seconds": 90, "durationExpression": "60" } },
        { "sns": {} },
        { "sns": { "targetArn": "a" }, "sqs": { "queueUrl": "b" } },
    ]);
    wrong["colour"] = "red".into();
    assert!(read(&wrong.to_string(), "file").models.is_empty());
    assert_eq!(
        findings(&wrong.to_string()),
        "\
warning: colour: there is no member `colour` here, so it is left out; known are initialStateName, states [structure]
error: states[0].onInput.transitionEvents[0].conditon: there is no member `conditon` here; did you mean `condition`? [structure]
error: states[0].onInput.transitionEvents[0].nextState: there is no state `hott`; did you mean `hot`? [structure]
error: states[1].onEnter.events[0].actions[0].setTimr: there is no action `setTimr`; did you mean `setTimer`? [supported-actions]
error: states[1].onEnter.events[0].actions[1].setTimer: `seconds` and `durationExpression` exclude one another [structure]
error: states[1].onEnter.events[0].actions[2].sns: `targetArn` is missing [structure]
error: states[1].onEnter.events[0].actions[3].sqs: an action has one kind; `sns` and `sqs` are two actions [structure]
"
    );
}

#[test]
fn what_is_no_model_is_said() {
    assert_eq!(findings("{"), "error: (root): line 1, column 1: this is not JSON: EOF while parsing an object [structure]\n");
    assert!(findings("{}").contains("this is no detector model"));
    assert!(findings("[3]").contains("[0]: expected an object, found 3"));
    assert!(findings(r#"{"initialStateName":"a","states":[]}"#).contains("at least one state"));
    let twice = json!({ "initialStateName": "a", "states": [{ "stateName": "a" }, { "stateName": "a" }, { "stateName": 7 }] });
    assert_eq!(findings(&twice.to_string()), "error: states[1].stateName: there are two states `a` [structure]\n");
}

#[test]
fn inputs_are_read() {
    let create = json!({ "inputName": "oven", "inputDefinition": { "attributes": [{ "jsonPath": "temp" }, { "jsonPath": "a.`b c`" }] } });
    let document = read(&create.to_string(), "file");
    assert_eq!(document.findings, []);
    assert_eq!(document.inputs[0].attributes[1].as_str(), "a.`b c`");
    let described =
        json!({ "input": { "inputConfiguration": { "inputName": "oven" }, "inputDefinition": create["inputDefinition"] } });
    assert_eq!(read(&described.to_string(), "file").inputs, document.inputs);
}
