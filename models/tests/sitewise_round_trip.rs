//! Import of what was exported gives the plant again; no input makes an import panic.

use andon_models::{
    cloudformation::Parameters,
    definition::{ModelKind, Plant, PropertyKind},
    import::Import,
    plant_file,
    sitewise::export,
};
use proptest::{prelude::*, sample::select};
use serde_json::Value;
use std::fmt::Write;

fn load(text: &str) -> Plant {
    let files = vec![("plant.yaml".to_owned(), text.to_owned())];
    let loaded = plant_file::load(&files, &|_| None);
    loaded.plant.unwrap_or_else(|| panic!("{}\n{text}", plant_file::render(&loaded.diagnostics, &files, false)))
}

/// What a plant is, as far as SiteWise can hold it.
fn shown(plant: &Plant) -> String {
    let mut out = String::new();
    for model in &plant.models {
        let name = model.origin.name_or(&model.name);
        let kind = match model.kind {
            ModelKind::Asset => "",
            ModelKind::Component => " component",
            ModelKind::Interface => " interface",
        };
        writeln!(
            out,
            "model {} {name} {} {:?} {:?}{kind}",
            model.name, model.id, model.origin.external_id, model.origin.description
        )
        .expect("a text takes any line");
        let mut properties = Vec::new();
        for property in &model.properties {
            let rule = match (&property.kind, &property.declared) {
                (PropertyKind::Attribute { default }, _) => format!("attribute {default:?}"),
                (PropertyKind::Measurement { .. }, _) => "measurement".into(),
                (PropertyKind::Transform { .. }, Some(declared)) => format!("transform {declared:?}"),
                (PropertyKind::Metric { window, .. }, Some(declared)) => format!("metric {window} {declared:?}"),
                (other, None) => panic!("{other:?} has no formula of SiteWise"),
            };
            let (id, key, external) = (property.id, &property.key, &property.origin.external_id);
            let name = property.origin.name_or(key);
            properties.push(format!(
                "  {key} {name} {id} {external:?} [{}] {:?} {rule} in {:?}",
                property.unit, property.value_type, property.composite
            ));
        }
        // A file groups properties by kind and window; their order inside a group stays.
        properties.sort();
        out += &properties.join("\n");
        for link in &model.hierarchies {
            writeln!(
                out,
                "\n  link {} {} {:?} {:?}",
                link.name,
                link.origin.name_or(&link.name),
                link.models,
                link.origin.external_id
            )
            .expect("a text takes any line");
        }
        for composite in &model.composites {
            let name = composite.origin.name_or(&composite.key);
            writeln!(
                out,
                "\n  composite {} {name} {} {:?} {:?}",
                composite.key, composite.composite_type, composite.parent, composite.component
            )
            .expect("a text takes any line");
        }
        writeln!(out, "{:?}", model.implements).expect("a text takes any line");
    }
    let mut assets: Vec<String> = (plant.assets.iter())
        .map(|asset| {
            let (mut attributes, mut aliases) = (asset.attributes.clone(), asset.aliases.clone());
            attributes.sort_by(|one, other| one.0.cmp(&other.0));
            aliases.sort();
            let name = asset.origin.name_or(&asset.name);
            format!(
                "asset {} {name} {} {:?} {:?} {attributes:?} {aliases:?}",
                asset.path, asset.id, asset.origin.external_id, asset.model
            )
        })
        .collect();
    assets.sort();
    out + &assets.join("\n")
}

fn again(plant: &Plant) -> Plant {
    let exported = export(plant);
    assert_eq!(exported.not_carried_over, Vec::<String>::new());
    let mut import = Import::new(Parameters::none());
    import.add("bulk.json", &exported.bulk.to_string());
    let imported = import.finish();
    assert!(!imported.has_errors(), "{:#?}\n{}", imported.findings, imported.yaml);
    load(&imported.yaml)
}

/// A plant file of models a, b, …, each with a few properties, some of them over children.
fn plants() -> impl Strategy<Value = String> {
    let unit = select(vec!["", "bar", "°C", "1/h", "%"]);
    let name = select(vec!["", "Pressure (10 min)", "T: 1", "温度", "Wind Speed"]);
    let property = (unit, name, 0..4_u8, any::<bool>(), select(vec!["1m", "5m", "1h", "1d offset 18h", "1w offset 1d", "90m"]));
    let model = (prop::collection::vec(property, 1..6), any::<bool>(), any::<bool>());
    (prop::collection::vec(model, 1..5), prop::collection::vec((0..4_usize, any::<bool>()), 0..6)).prop_map(
        |(models, assets)| {
            let mut text = "plant: Generated\nmodels:\n".to_owned();
            for (index, (properties, external, linked)) in models.iter().enumerate() {
                writeln!(text, "  model_{index}:").expect("a text takes any line");
                if *external {
                    writeln!(
                        text,
                        "    external_id: M-{index}\n    name: Model {index}\n    description: \"The {index}th: one\""
                    )
                    .expect("a text takes any line");
                }
                let child = (*linked && index > 0).then(|| index - 1);
                if let Some(child) = child {
                    writeln!(text, "    children: {{ parts: {{ model: model_{child}, external_id: L{index}, name: Parts }} }}")
                        .expect("a text takes any line");
                }
                let mut sections: [Vec<String>; 4] = Default::default();
                sections[1].push("      base: { unit: bar }".into());
                for (position, (unit, name, kind, external, window)) in properties.iter().enumerate() {
                    let name = if name.is_empty() { format!("P {position}") } else { format!("{name} {position}") };
                    let mut rest = format!("unit: \"{unit}\", name: \"{name}\"");
                    if *external {
                        write!(rest, ", external_id: X{index}_{position}").expect("a text takes any line");
                    }
                    let key = ["p", "pressure_10_min", "t_1", "_", "wind_speed"];
                    let stem = match name.split_whitespace().next() {
                        Some("P") => key[0],
                        Some("Pressure") => key[1],
                        Some("T:") => key[2],
                        Some("Wind") => key[4],
                        _ => key[3],
                    };
                    let key = format!("{}_{position}", stem.trim_end_matches('_'));
                    match kind {
                        0 => sections[0].push(format!("      {key}: {{ type: string, default: \"v {position}\", {rest} }}")),
                        1 => sections[1].push(format!("      {key}: {{ type: int, {rest} }}")),
                        2 => sections[2].push(format!("      {key}: {{ formula: b * 2, variables: {{ b: base }}, {rest} }}")),
                        _ => {
                            let source = if child.is_some() { "parts.base" } else { "base" };
                            sections[3].push(format!(
                                "      {window}: {{ {key}: {{ formula: avg(x), variables: {{ x: {source} }}, {rest} }} }}"
                            ));
                        }
                    }
                }
                // A window is one key.
                let mut windows: Vec<String> = Vec::new();
                sections[3].retain(|line| {
                    let window = line.split(':').next().unwrap_or_default().to_owned();
                    !windows.contains(&window) && {
                        windows.push(window);
                        true
                    }
                });
                for (section, lines) in ["attributes", "measurements", "transforms", "metrics"].into_iter().zip(&sections) {
                    if !lines.is_empty() {
                        writeln!(text, "    {section}:\n{}", lines.join("\n")).expect("a text takes any line");
                    }
                }
            }
            text += "assets:\n";
            for (index, (model, external)) in assets.iter().enumerate() {
                let model = model % models.len();
                let external = if *external { format!(", external_id: A{index}") } else { String::new() };
                let parts = match models[model].2 && model > 0 {
                    true => format!(", parts: {{ Part {index}: {{ aliases: {{ base: /a/{index} }} }} }}"),
                    false => format!(", aliases: {{ base: /b/{index} }}"),
                };
                writeln!(text, "  Asset {index}: {{ model: model_{model}{external}{parts} }}").expect("a text takes any line");
            }
            if assets.is_empty() {
                text = text.trim_end_matches("assets:\n").to_owned();
            }
            text
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn what_was_exported_comes_back(text in plants()) {
        let plant = load(&text);
        // The first round names keys by their names and gives every id; from then on nothing changes.
        let once = again(&plant);
        let ids = |plant: &Plant| plant.models.iter().flat_map(|model| model.properties.iter().map(|property| property.id)).collect::<Vec<_>>();
        let (mut before, mut after) = (ids(&plant), ids(&once));
        before.sort();
        after.sort();
        prop_assert_eq!(before, after);
        prop_assert_eq!(shown(&once), shown(&again(&once)));
        if !text.contains('温') {
            prop_assert_eq!(shown(&plant), shown(&once));
        }
    }
}

const SEEDS: [&str; 4] = [
    include_str!("sitewise/oee-models.json"),
    include_str!("sitewise/robot.describe.json"),
    include_str!("sitewise/move-1.json"),
    include_str!("sitewise/pumps.template.yaml"),
];

/// Replaces a value somewhere in a document by another one from it.
fn mutate(document: &mut Value, choices: &[usize]) {
    fn paths(value: &Value, path: &str, out: &mut Vec<String>) {
        out.push(path.to_owned());
        match value {
            Value::Array(items) => {
                items.iter().enumerate().for_each(|(index, item)| paths(item, &format!("{path}/{index}"), out))
            }
            Value::Object(members) => {
                members
                    .iter()
                    .for_each(|(key, item)| paths(item, &format!("{path}/{}", key.replace('~', "~0").replace('/', "~1")), out));
            }
            _ => {}
        }
    }
    let odd = [
        Value::Null,
        Value::from(-1),
        Value::from("${"),
        Value::from(""),
        Value::from("externalId:"),
        serde_json::json!([{}]),
        serde_json::json!({"Ref": "PumpModel"}),
    ];
    for pair in choices.chunks_exact(2) {
        let mut all = Vec::new();
        paths(document, "", &mut all);
        let new = match pair[1] % 3 {
            0 => odd[pair[1] % odd.len()].clone(),
            _ => document.pointer(&all[pair[1] % all.len()]).cloned().unwrap_or_default(),
        };
        if let Some(place) = document.pointer_mut(&all[pair[0] % all.len()]) {
            *place = new;
        }
        if document.to_string().len() > 200_000 {
            return;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// Whatever stands in a document, the import ends with findings, and what it writes is a plant file or nothing.
    #[test]
    fn no_document_makes_an_import_panic(seed in 0..SEEDS.len(), choices in prop::collection::vec(any::<usize>(), 2..12)) {
        let mut document = andon_models::document::read(SEEDS[seed]).unwrap();
        mutate(&mut document, &choices);
        let mut import = Import::new(Parameters::none());
        import.add("mutated.json", &document.to_string());
        let imported = import.finish();
        let loaded = plant_file::load(&[("plant.yaml".to_owned(), imported.yaml.clone())], &|_| None);
        prop_assert!(imported.has_errors() || loaded.plant.is_some(), "{}\n{:#?}", imported.yaml, loaded.diagnostics);
    }

    #[test]
    fn no_text_makes_an_import_panic(seed in 0..SEEDS.len(), at in any::<prop::sample::Index>(), cut in 0_usize..40, put in "[\\PC{}\\[\\]:,\"'!&*\n -]{0,12}") {
        let text = SEEDS[seed];
        let mut start = at.index(text.len());
        while !text.is_char_boundary(start) {
            start -= 1;
        }
        let mut end = (start + cut).min(text.len());
        while !text.is_char_boundary(end) {
            end += 1;
        }
        let mut import = Import::new(Parameters::none());
        import.add("text", &format!("{}{put}{}", &text[..start], &text[end..]));
        let _ = import.finish();
    }
}
