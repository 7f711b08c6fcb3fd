//! Names from elsewhere in the plant file: ids, external ids, aliases, composites, interfaces, formulas of SiteWise.

use andon_models::{
    AssetId, ModelId, PropertyId,
    definition::{ModelKind, Plant},
    plant_file::{load, render},
};

fn loaded(text: &str) -> Result<Plant, String> {
    let files = vec![("plant.yaml".to_owned(), text.to_owned())];
    let loaded = load(&files, &|_| None);
    loaded.plant.ok_or_else(|| render(&loaded.diagnostics, &files, false))
}

const FARM: &str = "
plant: Farm
models:
  drive:
    type: component
    measurements: { current: { unit: A } }
  pressured:
    type: interface
    measurements: { pressure: { unit: bar } }
  turbine:
    id: 11111111-2222-4333-8444-555555555555
    external_id: Turbine_1
    name: Wind Turbine
    description: Makes power.
    composites:
      main_drive: { model: drive, name: Main Drive }
      too_hot: { type: AWS/ALARM, in: main_drive }
    implements: { pressured: { pressure: oil } }
    attributes: { make: { default: Amazon, external_id: Make } }
    measurements:
      speed: { unit: m/s, id: 11111111-2222-4333-8444-000000000001 }
      oil: { unit: bar }
      main_drive_current: { unit: A, composite: main_drive }
    transforms:
      fast: { formula: speed1 > 12, variables: { speed1: speed } }
    metrics:
      5m: { mean: { formula: avg(s) / 2, variables: { s: speed } } }
  farm:
    children: { turbines: { model: turbine, external_id: Farm_TO_Turbine, name: Turbines of the farm } }
    metrics:
      5m: { mean: { formula: avg(s), variables: { s: turbines.speed } } }
assets:
  North:
    model: farm
    turbines:
      Turbine 1:
        id: 22222222-2222-4333-8444-000000000001
        was: /Turbine One
        aliases: { speed: /park/1/speed }
";

#[test]
fn names_from_elsewhere_are_kept() {
    let plant = loaded(FARM).unwrap();
    let turbine = &plant.models[2];
    assert_eq!(turbine.id, "11111111-2222-4333-8444-555555555555".parse::<ModelId>().unwrap());
    assert_eq!(
        (turbine.origin.name_or(&turbine.name), turbine.origin.description.as_deref()),
        ("Wind Turbine", Some("Makes power."))
    );
    assert_eq!(turbine.composites[1].parent.as_deref(), Some("main_drive"));
    assert_eq!(turbine.implements[0].properties, [("pressure".into(), "oil".into())]);
    let ids: Vec<PropertyId> = turbine.properties.iter().map(|property| property.id).collect();
    assert_eq!(ids[1], "11111111-2222-4333-8444-000000000001".parse::<PropertyId>().unwrap());
    assert_eq!(ids[2], PropertyId::from_name("turbine/oil"));
    let mean = turbine.property("mean").map(|index| &turbine.properties[index.0]).unwrap();
    let declared = mean.declared.as_ref().unwrap();
    assert_eq!((&*declared.text, &declared.variables[..]), ("avg(s) / 2", &[("s".into(), "speed".into())][..]));
    assert_eq!(plant.models[0].kind, ModelKind::Component);
    assert_eq!(plant.models[3].hierarchies[0].origin.external_id.as_deref(), Some("Farm_TO_Turbine"));
    let asset = &plant.assets[1];
    assert_eq!(asset.id, "22222222-2222-4333-8444-000000000001".parse::<AssetId>().unwrap());
    assert_eq!(asset.aliases, [("speed".into(), "/park/1/speed".into())]);
}

#[test]
fn a_moved_asset_keeps_its_history_by_its_whole_former_path() {
    let text = FARM.replace("        id: 22222222-2222-4333-8444-000000000001\n", "");
    assert_eq!(loaded(&text).unwrap().assets[1].id, AssetId::from_name("Turbine One"));
    let text = text.replace("was: /Turbine One", "was: South/Turbine 1");
    assert_eq!(loaded(&text).unwrap().assets[1].id, AssetId::from_name("South/Turbine 1"));
}

#[test]
fn slips_are_named() {
    let check = |from: &str, to: &str, expected: &str| {
        let said = loaded(&FARM.replacen(from, to, 1)).unwrap_err();
        assert!(said.contains(expected), "{from} → {to}: {said}");
    };
    check("id: 11111111-2222-4333-8444-555555555555", "id: turbine", "`turbine` is no id");
    check("composite: main_drive", "composite: mein_drive", "did you mean `main_drive`?");
    check("in: main_drive", "in: nothing", "there is no composite `nothing` above");
    check("{ s: speed }", "{ s: sped }", "did you mean `speed`?");
    check("avg(s) / 2", "avg(t) / 2", "`t`");
    check("model: drive,", "model: turbine,", "there is no component model `turbine`");
    check("pressured: { pressure: oil }", "pressured: { presure: oil }", "did you mean `pressure`?");
    check("aliases: { speed:", "aliases: { sped:", "the model turbine has no property `sped`");
    check("model: farm\n", "model: drive\n", "cannot be a drive, which is no model of assets");
    check("formula: avg(s) / 2,", "formula: avg(s) / 2, value: 1,", "has both `value` and `formula`");
    let twice = "models:\n  twin: { id: 11111111-2222-4333-8444-555555555555 }\n";
    check("models:\n", twice, "the model `turbine` has the id of `twin` on line 4");
}
