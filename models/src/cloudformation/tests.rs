//! Templates in, resources out.

use super::*;
use serde_json::json;

fn properties(yaml: &str) -> (Value, Vec<String>) {
    with(yaml, &Parameters::none())
}

/// The properties of the first resource, and what is not resolved.
fn with(yaml: &str, parameters: &Parameters) -> (Value, Vec<String>) {
    let template = read(yaml, parameters).unwrap();
    let unresolved = template.unresolved.iter().map(|found| format!("{}: {}", found.path, found.reason));
    (template.resources[0].properties.clone(), unresolved.collect())
}

fn resource(properties: &str) -> String {
    let indented: String = properties.lines().map(|line| format!("      {line}\n")).collect();
    format!("Resources:\n  Pump:\n    Type: AWS::IoTSiteWise::AssetModel\n    Properties:\n{indented}")
}

const SECTIONS: &str = "
Parameters:
  Site: { Type: String, Default: North }
  Seconds: { Type: Number, Default: 60 }
  Lines: { Type: CommaDelimitedList, Default: 'one, two' }
  Stage: { Type: String, Default: test }
  Unset: { Type: String }
Mappings:
  Limits: { test: { High: 80 }, live: { High: 90, Codes: [1, 2] } }
Conditions:
  Live: !Equals [!Ref Stage, live]
  Test: !Not [!Condition Live]
  Both: !And [!Condition Live, !Equals [!Ref Unset, x]]
  Perhaps: !Equals [!Ref Unset, x]
";

#[test]
fn every_function_has_its_value() {
    let body = "
A: !Ref Site
B: !Sub '${Site}-${AWS::Region}-${!kept}-${Own}'
B2: !Sub ['${Site}/${Own}', { Own: !Ref Seconds }]
C: !Join ['-', [a, !Ref Seconds, !Select [1, !Ref Lines]]]
D: !FindInMap [Limits, !Ref Stage, High]
E: !If [Live, 1, 2]
F: !Split [',', 'x,y']
G: { 'Fn::Base64': 'light work.' }
H: !If [Test, !Ref AWS::NoValue, 1]
I: [1, !If [Live, 2, !Ref 'AWS::NoValue'], 3]
J: !Ref Seconds
K: !Ref Lines
L: !FindInMap [Limits, nowhere, High, { DefaultValue: 7 }]
M: !ImportValue shared
"
    .replace("-${Own}'", "'");
    let given = Parameters::of([("shared".to_owned(), "value".to_owned())]);
    let (found, unresolved) = with(&format!("{SECTIONS}{}", resource(&body)), &given);
    assert_eq!(unresolved, Vec::<String>::new());
    let expected = json!({
        "A": "North", "B": "North-us-east-1-${kept}", "B2": "North/60", "C": "a-60-two", "D": 80, "E": 2, "F": ["x", "y"],
        "G": "bGlnaHQgd29yay4=", "I": [1, 3], "J": 60, "K": ["one", "two"], "L": 7, "M": "value",
    });
    assert_eq!(found, expected);
}

#[test]
fn given_parameters_win_over_defaults() {
    let given =
        Parameters::of([("Stage".to_owned(), "live".to_owned()), ("AWS::Region".to_owned(), "eu-central-1".to_owned())]);
    let body = "A: !FindInMap [Limits, !Ref Stage, Codes]\nB: !If [Live, yes, no]\nC: !Ref AWS::Region";
    let (found, unresolved) = with(&format!("{SECTIONS}{}", resource(body)), &given);
    assert_eq!((found, unresolved.len()), (json!({"A": [1, 2], "B": "yes", "C": "eu-central-1"}), 0));
}

#[test]
fn what_is_not_known_is_listed_with_its_path() {
    let body = "A: [!Ref Unset]\nB: !Ref Pmup\nC: !FindInMap [Limits, x, High]\nD: !ImportValue other\nE: !Cidr [a]\nF: !If [Perhaps, 1, 2]\nG: !If [Both, 1, 2]";
    let (found, unresolved) = properties(&format!("{SECTIONS}{}", resource(body)));
    let expected = json!({"A": ["${Unset}"], "B": "${Pmup}", "C": "${Limits.x.High}", "D": "${other}", "E": "${Fn::Cidr}", "F": 1, "G": 2});
    assert_eq!(found, expected);
    let expected = [
        "Resources.Pump.Properties.A[0]: the parameter Unset has no default: give it with `--parameter Unset=…`",
        "Resources.Pump.Properties.B: the template has no parameter or resource `Pmup`; did you mean `Pump`?",
        "Resources.Pump.Properties.C: the template's mappings have no Limits.x.High",
        "Resources.Pump.Properties.D: other is exported by another stack: give it with `--parameter other=…`",
        "Resources.Pump.Properties.E: `Fn::Cidr` of this form is not carried out here",
        "Conditions.Perhaps: the parameter Unset has no default: give it with `--parameter Unset=…`",
        "Resources.Pump.Properties.F: the condition `Perhaps` cannot be decided; its first branch is taken",
    ];
    assert_eq!(unresolved, expected);
}

#[test]
fn references_to_resources_are_names_addresses_or_logical_ids() {
    let text = "
Resources:
  All:
    Type: Custom::All
    Properties:
      Model: !Ref Pump
      ModelId: !GetAtt Pump.AssetModelId
      Arn: !GetAtt [Pump, AssetModelArn]
      Condition: !Sub 'currentInput(\"${Readings}\")'
      Topic: !Ref Alerts
      Function: !GetAtt Worker.Arn
      Role: !GetAtt Role.Arn
      Queue: !Ref Jobs
  Pump: { Type: 'AWS::IoTSiteWise::AssetModel', Properties: { AssetModelName: Pump } }
  Readings: { Type: 'AWS::IoTEvents::Input', Properties: { InputName: !Sub '${AWS::StackName}-in' } }
  Alerts: { Type: 'AWS::SNS::Topic' }
  Worker: { Type: 'AWS::Lambda::Function', Properties: { FunctionName: work } }
  Role: { Type: 'AWS::IAM::Role' }
  Jobs: { Type: 'AWS::SQS::Queue' }
";
    let expected = json!({
        "Model": "Pump", "ModelId": "Pump", "Arn": "arn:aws:iotsitewise:us-east-1:000000000000:asset-model/Pump",
        "Condition": "currentInput(\"stack-in\")", "Topic": "arn:aws:sns:us-east-1:000000000000:Alerts",
        "Function": "arn:aws:lambda:us-east-1:000000000000:function:work", "Role": "arn:aws:iam::000000000000:role/Role",
        "Queue": "https://sqs.us-east-1.amazonaws.com/000000000000/Jobs",
    });
    assert_eq!(properties(text), (expected, vec![]));
}

#[test]
fn false_conditions_leave_resources_out() {
    let text = format!(
        "{SECTIONS}Resources:\n  A: {{ Type: X::Y::Z, Condition: Live }}\n  B: {{ Type: X::Y::Z, Properties: {{ Of: !Ref A }} }}\n"
    );
    let template = read(&text, &Parameters::none()).unwrap();
    assert_eq!((template.resources.len(), template.left_out), (1, vec!["A".to_owned()]));
    assert_eq!(template.unresolved[0].reason, "the resource A is left out by its condition");
}

#[test]
fn circles_name_their_path() {
    let shown = |text: &str| read(text, &Parameters::none()).unwrap_err().to_string();
    let model = "Type: 'AWS::IoTSiteWise::AssetModel', Properties";
    let text = format!(
        "Resources: {{ A: {{ {model}: {{ X: !Ref B }} }}, B: {{ {model}: {{ X: !GetAtt C.Id }} }}, C: {{ {model}: [!Ref A] }} }}"
    );
    assert_eq!(shown(&text), "A → B → C → A refer to one another in a circle");
    let input = "Type: 'AWS::IoTEvents::Input', Properties";
    let text = format!(
        "Resources: {{ A: {{ {input}: {{ InputName: !Ref B }} }}, B: {{ {input}: {{ InputName: !Sub 'x${{A}}' }} }} }}"
    );
    assert_eq!(shown(&text), "B → A → B refer to one another in a circle");
    let text = "Conditions: { C: !Not [!Condition D], D: !Or [!Condition C] }\nResources: { A: { Type: T, Condition: D } }";
    assert_eq!(shown(text), "D → C → D refer to one another in a circle");
    assert_eq!(shown("Resources: {}"), "this is no CloudFormation template: it has no `Resources` with a `Type` each");
}

#[test]
fn work_is_bounded() {
    let mut mappings = "Mappings:\n".to_owned();
    for level in 0..60 {
        let next = format!("!FindInMap [M{}, a, b]", level + 1);
        mappings += &format!("  M{level}: {{ a: {{ b: [{next}, {next}] }} }}\n");
    }
    let text = format!("{mappings}{}", resource("A: !FindInMap [M0, a, b]"));
    assert!(matches!(read(&text, &Parameters::none()), Err(TemplateError::TooLarge { .. })));
    let mut chain = "Resources:\n".to_owned();
    for link in 0..5000 {
        chain += &format!("  R{link}: {{ Type: 'AWS::IoTEvents::Input', Properties: {{ InputName: !Ref R{} }} }}\n", link + 1);
    }
    assert!(matches!(read(&chain, &Parameters::none()), Err(TemplateError::TooLarge { .. })));
}
