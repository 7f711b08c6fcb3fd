//! Definitions of AWS IoT SiteWise in, plant files out.

use andon_models::{
    AssetId, ModelId, PropertyId,
    cloudformation::Parameters,
    definition::Plant,
    import::{Import, Imported, Severity},
    plant_file,
};

const OEE: &str = include_str!("sitewise/oee-models.json");
const PUMPS: &str = include_str!("sitewise/pumps.template.yaml");
const ROBOT: &str = include_str!("sitewise/robot.describe.json");
const MOVE: [&str; 2] = [include_str!("sitewise/move-1.json"), include_str!("sitewise/move-2.json")];

fn import(files: &[&str]) -> Imported {
    with(files, &[])
}

fn with(files: &[&str], parameters: &[(&str, &str)]) -> Imported {
    let given = parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let mut import = Import::new(Parameters::of(given));
    for (index, file) in files.iter().enumerate() {
        import.add(&format!("{}.json", index + 1), file);
    }
    import.finish()
}

/// The plant that the reader of plant files makes of an import.
fn plant(imported: &Imported) -> Plant {
    let files = vec![("plant.yaml".to_owned(), imported.yaml.clone())];
    let loaded = plant_file::load(&files, &|_| None);
    let said = plant_file::render(&loaded.diagnostics, &files, false);
    loaded.plant.unwrap_or_else(|| panic!("{said}\n{}", imported.yaml))
}

fn said(imported: &Imported, severity: Severity) -> Vec<String> {
    let found = imported.findings.iter().filter(|finding| finding.severity == severity);
    found.map(|finding| format!("{} {}: {}", finding.file, finding.path, finding.message)).collect()
}

#[test]
fn a_template_becomes_a_plant_file() {
    let imported = import(&[PUMPS]);
    assert_eq!(said(&imported, Severity::Error), Vec::<String>::new());
    let body = imported.yaml.split_once("\n\n").unwrap().1;
    let expected = "\
models:
  north_pump:
    name: North Pump
    attributes:
      limit: { default: 8.5, unit: bar, name: Limit }
    measurements:
      pressure: { unit: bar, name: Pressure }
    transforms:
      too_high: { formula: p > limit, variables: { p: pressure, limit: limit }, name: Too High }
    metrics:
      1h offset 15m:
        mean_pressure: { formula: avg(p), variables: { p: pressure }, unit: bar, name: Mean Pressure }
  north_station:
    name: North Station
    children:
      pumps: { model: north_pump, name: Pumps }
    metrics:
      1h offset 15m:
        highest_mean: { formula: max(p), variables: { p: pumps.mean_pressure }, unit: bar, name: Highest Mean }

assets:
  North Station:
    model: north_station
    pumps:
      Pump A: { aliases: { pressure: /North/a/pressure } }
      Pump B: {}
";
    assert_eq!(body, expected);
    let lost = said(&imported, Severity::NotCarriedOver);
    assert!(lost[2].starts_with("1.json Resources.PumpModel.Properties.Tags: the model North Pump has tags"), "{lost:?}");
    let three = with(&[PUMPS], &[("PumpCount", "3"), ("Site", "South")]);
    assert!(three.yaml.contains("Pump C:") && three.yaml.contains("limit: { default: 9,"), "{}", three.yaml);
}

#[test]
fn answers_keep_ids_and_composites() {
    let imported = import(&[ROBOT]);
    assert_eq!(said(&imported, Severity::Error), Vec::<String>::new());
    let plant = plant(&imported);
    let robot = plant.models.iter().find(|model| &*model.name == "welding_robot").unwrap();
    let id = |last: &str| format!("0b6f2b1c-1b64-4d6e-8a8e-6f5d3f2a1c{last}");
    assert_eq!(robot.id, id("02").parse::<ModelId>().unwrap());
    let property = |key: &str| &robot.properties[robot.property(key).unwrap().0];
    assert_eq!(property("welds").id, id("21").parse::<PropertyId>().unwrap());
    assert_eq!(property("base_current").id, id("51").parse::<PropertyId>().unwrap());
    let derived = PropertyId::from_name("welding_robot/arm_current");
    assert_eq!(property("arm_current").id, derived, "the component's own id belongs to the component");
    assert_eq!(property("base_current").origin.name.as_deref(), Some("Current"));
    let total = property("total_current").declared.as_ref().unwrap();
    assert_eq!(total.variables, [("a".into(), "base_current".into()), ("b".into(), "arm_current".into())]);
    let composites: Vec<(&str, bool)> =
        robot.composites.iter().map(|composite| (&*composite.key, composite.component.is_some())).collect();
    assert_eq!(composites, [("too_hot", false), ("base", true), ("arm", true)]);
    assert_eq!(plant.assets[0].id, id("99").parse::<AssetId>().unwrap());
    assert_eq!((&*plant.assets[0].name, plant.assets[0].origin.name.as_deref()), ("Robot-7", Some("Robot/7")));
    assert_eq!(plant.assets[0].aliases, [("welds".into(), "/cell/7/welds".into())]);
}

#[test]
fn later_files_move_and_rename_and_history_stays() {
    let (before, after) = (plant(&import(&MOVE[..1])), plant(&import(&MOVE)));
    let models: Vec<&str> = after.models.iter().map(|model| &*model.name).collect();
    assert_eq!(models, ["belt_conveyor", "line"]);
    assert_eq!(after.models[0].id, before.models[0].id);
    assert_eq!(after.models[0].properties[0].id, before.models[0].properties[0].id);
    assert_eq!(&*after.models[0].properties[0].key, "belt_speed");
    let id = |plant: &Plant, path: &str| plant.asset_at(path).map(|index| plant.assets[index.0].id);
    assert_eq!(id(&after, "Line 2/Conveyor 1"), id(&before, "Line 1/Conveyor 1"));
    assert_eq!(id(&after, "Line One"), id(&before, "Line 1"));
}

#[test]
fn the_oee_recipe_is_carried_over() {
    let imported = import(&[OEE]);
    for line in ["availability: { formula: Run_Time / (Run_Time + Down_Time)", "Press 1: { external_id: Press_1"] {
        assert!(imported.yaml.contains(line) || imported.yaml.contains("Press 1:"), "{}", imported.yaml);
    }
    let plant = plant(&imported);
    let aliases: usize = plant.assets.iter().map(|asset| asset.aliases.len()).sum();
    assert_eq!((plant.assets.len(), aliases), (3, 4));
}

#[test]
fn mistakes_have_a_path_and_the_rest_is_carried_over() {
    let file = r#"{ "assetModelName": "Tank", "assetModelProperties": [
        { "name": "Level", "dataType": "DOUBLE", "type": { "measurement": {} } },
        { "name": "Film", "dataType": "VIDEO", "type": { "measurement": {} } },
        { "name": "Odd", "dataType": "COMPLEX", "type": { "measurement": {} } },
        { "name": "Double", "dataType": "DOUBLE", "type": { "transform": { "expression": "x * 2", "variables": [{ "name": "x", "value": { "propertyId": "Levle" } }] } } },
        { "name": "Twice", "dataType": "DOUBLE", "type": { "transform": { "expression": "y + 1", "variables": [{ "name": "y", "value": { "propertyId": "Double" } }] } } },
        { "name": "Broken", "dataType": "DOUBLE", "type": { "transform": { "expression": "x * * 2", "variables": [{ "name": "x", "value": { "propertyId": "Level" } }] } } },
        { "name": "Round", "dataType": "DOUBLE", "type": { "transform": { "expression": "x + 1", "variables": [{ "name": "x", "value": { "propertyId": "Round" } }] } } },
        { "name": "Monthly", "dataType": "DOUBLE", "type": { "metric": { "expression": "avg(x)", "variables": [{ "name": "x", "value": { "propertyId": "Level" } }], "window": { "tumbling": { "interval": "P1M" } } } } }
    ] }"#;
    let imported = import(&[file, r#"{"assetName": "T 1", "assetModelId": "Tnak"}"#, "{\"a\": 1}", "not json: ["]);
    let errors = said(&imported, Severity::Error);
    let expected = [
        "1.json $.assetModelProperties[2]: the property Odd has the unknown data type `COMPLEX`",
        "1.json $.assetModelProperties[7].type.metric.window: the property Monthly is left out: `P1M` is no interval",
        "3.json $: this is none of a request or answer of SiteWise",
        "4.json : line 1, column",
        "names `Levle`, which Tank has not; did you mean `Level`?",
        "Twice of Tank is left out: its variable y needs Double, which is left out",
        "the asset T 1 is left out: no file makes its model `Tnak`",
    ];
    for wanted in expected {
        assert!(errors.iter().any(|error| error.contains(wanted)), "{wanted}: {errors:#?}");
    }
    for name in ["Broken is left out", "Round is left out"] {
        assert!(errors.iter().any(|error| error.contains(name)), "{name}: {errors:#?}");
    }
    assert!(said(&imported, Severity::NotCarriedOver)[0].contains("the property Film is VIDEO"));
    let plant = plant(&imported);
    assert_eq!(plant.models[0].properties.iter().map(|property| &*property.key).collect::<Vec<_>>(), ["level"]);
}

#[test]
fn requests_one_by_one_make_a_plant() {
    let model = r#"{ "assetModelName": "Tank", "assetModelProperties": [ { "name": "Level", "dataType": "DOUBLE", "type": { "measurement": {} } },
        { "name": "Max", "dataType": "INTEGER", "type": { "attribute": {} } } ], "assetModelId": "11111111-0000-4000-8000-000000000001" }"#;
    let site = r#"{ "assetModelName": "Site", "assetModelProperties": [], "assetModelHierarchies": [ { "name": "Tanks", "childAssetModelId": "11111111-0000-4000-8000-000000000001" } ] }"#;
    let asset = r#"{ "assetName": "T 1", "assetModelId": "11111111-0000-4000-8000-000000000001", "assetExternalId": "t1" }"#;
    let parent = r#"{ "assetName": "North", "assetModelId": "Site" }"#;
    let link = r#"{ "assetId": "North", "hierarchyId": "Tanks", "childAssetId": "externalId:t1" }"#;
    let update = r#"{ "assetId": "externalId:t1", "propertyId": "Level", "propertyAlias": "/t1/level", "propertyNotificationState": "DISABLED" }"#;
    let put = r#"{ "entries": [ { "entryId": "1", "assetId": "externalId:t1", "propertyId": "Max", "propertyValues": [ { "value": { "integerValue": 7 }, "timestamp": { "timeInSeconds": 1 } } ] } ] }"#;
    let imported = import(&[model, site, asset, parent, link, update, put]);
    assert_eq!(imported.findings, []);
    let body = imported.yaml.split_once("assets:\n").unwrap().1;
    let expected = "  North:\n    model: site\n    tanks:\n      T 1: { external_id: t1, attributes: { max: 7 }, aliases: { level: /t1/level } }\n";
    assert_eq!(body, expected);
}
