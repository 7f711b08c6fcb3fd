//! The plant file from the outside: text in, plant or messages out.

use andon_models::{
    Value, ValueType,
    address::Address,
    catalog::{Catalog, SeriesDirectory},
    definition::{CounterRule, MetricFormula, NotifyChannel, Plant, Property, PropertyKind, SourceProtocol},
    detector::{ActionKind, Evaluation, OnBad},
    expression::Reference,
    plant_file::{Loaded, load, render},
};
use std::{sync::Arc, time::Duration};

const DAIRY: &str = include_str!("plants/dairy.yaml");
const MISTAKES: &str = include_str!("plants/mistakes.yaml");
const MISTAKES_SAID: &str = include_str!("plants/mistakes.txt");
const DOUBTS: &str = include_str!("plants/doubts.yaml");
const DOUBTS_SAID: &str = include_str!("plants/doubts.txt");

fn variable(name: &str) -> Option<String> {
    match name {
        "USER" => Some("operator".into()),
        "SECRET" => Some("hunter2".into()),
        "TEAMS_URL" => Some("https://teams.example.com/hook".into()),
        _ => None,
    }
}

fn files(text: &str) -> Vec<(String, String)> {
    vec![("plant.yaml".to_owned(), text.to_owned())]
}

fn loaded(text: &str) -> Loaded {
    load(&files(text), &variable)
}

/// What is said about a text, as people see it.
fn said(text: &str) -> String {
    render(&loaded(text).diagnostics, &files(text), false)
}

fn dairy() -> Plant {
    assert_eq!(said(DAIRY), "");
    loaded(DAIRY).plant.expect("nothing was said against it")
}

fn property<'p>(plant: &'p Plant, model: &str, key: &str) -> &'p Property {
    let model = plant.models.iter().find(|found| &*found.name == model).expect("the model exists");
    model.properties.iter().find(|property| &*property.key == key).unwrap_or_else(|| panic!("no {key}"))
}

fn formula(property: &Property) -> (&str, &[Reference]) {
    match &property.kind {
        PropertyKind::Transform { expression }
        | PropertyKind::Metric { formula: MetricFormula::Expression(expression), .. } => {
            (&expression.text, &expression.references)
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn sources_and_targets_are_read() {
    let plant = dairy();
    let protocols: Vec<String> = plant.sources.iter().map(|source| format!("{:?}", source.protocol)).collect();
    assert!(protocols[0].contains("opc.tcp://10.1.0.11:4840") && protocols[0].contains("SignAndEncrypt"), "{}", protocols[0]);
    assert!(!protocols.iter().any(|shown| shown.contains("hunter2")), "secrets are never shown");
    assert_eq!(plant.sources[0].every, Duration::from_millis(500));
    assert_eq!(plant.sources.iter().map(|source| source.writes_allowed).collect::<Vec<_>>(), [true, false, false, false]);
    let SourceProtocol::Modbus { host, unit } = &plant.sources[2].protocol else { panic!() };
    assert_eq!((&**host, *unit), ("10.1.0.12:502", 3));
    let SourceProtocol::Mqtt { topic, password, time_path, .. } = &plant.sources[3].protocol else { panic!() };
    assert_eq!((topic.filter().as_str(), time_path.as_deref()), ("dairy/+/+/+/meter", Some("sent_at")));
    assert_eq!(password.as_ref().map(|secret| &*secret.0), Some("hunter2"));
    let NotifyChannel::Teams { url } = &plant.notify[1].channel else { panic!() };
    assert_eq!(&*url.0, "https://teams.example.com/hook");
}

#[test]
fn properties_are_read() {
    let plant = dairy();
    let limit = property(&plant, "churn", "temp_limit");
    assert!(matches!(&limit.kind, PropertyKind::Attribute { default: Value::Double(14.5) }));
    let temp = property(&plant, "churn", "temp");
    assert_eq!(
        (&*temp.unit, temp.normal, temp.stale, temp.target),
        ("°C", Some((-2.0, 14.0)), Some(Duration::from_secs(10)), Some(12.0))
    );
    let bound = |key: &str| match &property(&plant, "churn", key).kind {
        PropertyKind::Measurement { binding: Some(binding), .. } => format!("{} @{}", binding.address, binding.slot),
        _ => "nowhere".to_owned(),
    };
    assert_eq!(bound("temp"), "nsu=urn:churn;s=Temp, left @plc");
    assert_eq!(bound("speed"), "holding/10 int16 @drive");
    assert_eq!(bound("running_light"), "holding/10.3 @drive");
    assert_eq!(bound("power"), "values.power[0].kw @meter");
    assert_eq!(bound("air"), "dairy/site/air#bar @meter");
    assert_eq!(bound("manual"), "nowhere");
    let type_of = |key: &str| property(&plant, "churn", key).value_type;
    assert_eq!(
        [type_of("door_shut"), type_of("label"), type_of("packs")],
        [ValueType::Boolean, ValueType::String, ValueType::Double]
    );
    let counter = |key: &str| match &property(&plant, "churn", key).kind {
        PropertyKind::Measurement { counter, .. } => *counter,
        _ => None,
    };
    assert_eq!(
        [counter("packs"), counter("rejects"), counter("temp")],
        [Some(CounterRule::Reset), Some(CounterRule::Rollover(65_536.0)), None]
    );
}

#[test]
fn names_resolve_from_near_to_far() {
    let plant = dairy();
    let own = |name: &str| Reference::Own(name.into());
    assert_eq!(formula(property(&plant, "churn", "hot")).1, [own("over")]);
    assert_eq!(formula(property(&plant, "churn", "milk_share")).1, [own("temp"), Reference::Parent("milk_temp".into())]);
    assert_eq!(formula(property(&plant, "churn", "warmer")).1, [own("temp"), Reference::Parent("milk_temp".into())]);
    // A metric reads the variant of its own window, the shift's in metrics of a shift.
    assert_eq!(formula(property(&plant, "churn", "ratio")).1, [own("temp_avg_5m"), own("temp_limit")]);
    assert_eq!(formula(property(&plant, "churn", "gap")).1, [own("oee_5m")]);
    let guard = plant.models[0].detectors[1].states[0].rules[1].when.as_ref().unwrap();
    assert_eq!(guard.references, [own("oee_shift")]);
    assert_eq!(formula(property(&plant, "churn", "twice")).1, [own("temp_avg_1h")]);
    let children = |property: &str| Reference::Children { hierarchy: "machines".into(), property: property.into() };
    assert_eq!(formula(property(&plant, "hall", "oee")).1, [children("oee_shift")]);
    assert_eq!(property(&plant, "churn", "hot").value_type, ValueType::Boolean);
}

#[test]
fn oee_expands_to_plain_properties() {
    let plant = dairy();
    let keys: Vec<&str> = plant.models[0].properties.iter().map(|property| &*property.key).collect();
    for key in ["availability_5m", "performance_1h", "quality_rate_shift", "oee_shift"] {
        assert!(keys.contains(&key), "{key} in {keys:?}");
    }
    assert!(property(&plant, "churn", "oee_planned_stop").hidden);
    let oee = plant.models[0].oee.as_ref().unwrap();
    assert_eq!((&*oee.running, oee.planned_stop.as_deref(), oee.target), ("running", Some("oee_planned_stop"), Some(80.0)));
    assert!((oee.ideal_rate_per_second - 1.0 / 60.0).abs() < 1e-12);
    assert_eq!(&*plant.models[1].oee.as_ref().unwrap().running, "oee_running");
}

#[test]
fn detectors_nest_and_act() {
    let plant = dairy();
    let detector = &plant.models[0].detectors[0];
    let paths: Vec<&str> = detector.states.iter().map(|state| &*state.path).collect();
    assert_eq!(paths, ["normal", "hot", "hot/warming", "hot/alarm", "hot/tripped", "hot/handled"]);
    assert_eq!(&*detector.state(detector.initial).path, "normal");
    assert_eq!((detector.evaluation, detector.lateness), (Evaluation::Serial, Duration::from_secs(5)));
    let first = &detector.states[0].rules[0];
    assert_eq!(&*first.text, "when temp > temp_limit and running and not shelved for 1m");
    assert_eq!((first.hold, first.on_bad), (Some(Duration::from_secs(60)), OnBad::Reset));
    let (written, leaf) = (first.to_written.unwrap(), first.to.unwrap());
    assert_eq!((&*detector.state(written).path, &*detector.state(leaf).path), ("hot", "hot/warming"));
    assert_eq!(&*detector.state(detector.states[3].rules[1].to.unwrap()).path, "hot/tripped");
    let kinds: Vec<&ActionKind> = detector.states[4].enter.iter().map(|action| &action.kind).collect();
    let ActionKind::Write { control, value } = kinds[1] else { panic!("{kinds:?}") };
    assert_eq!((&**control, &*value.text), ("setpoint", "max(4, temp_limit - 10)"));
    assert!(matches!(&detector.states[0].rules[2].actions[0].kind, ActionKind::Set { variable, .. } if &**variable == "trips"));
    assert_eq!(&*plant.models[0].detectors[1].states[0].rules[0].on.clone().unwrap(), "overheat");
}

#[test]
fn assets_have_places_slots_and_values() {
    let plant = dairy();
    let paths: Vec<&str> = plant.assets.iter().map(|asset| &*asset.path).collect();
    assert_eq!(paths, ["Hall 1", "Hall 1/Churn 1", "Hall 1/Churn 2", "Hall 1/Lab", "Spare churn"]);
    let churn = &plant.assets[1];
    assert_eq!(churn.attributes, [("recipe".into(), Value::from("42")), ("temp_limit".into(), Value::Double(13.0))]);
    assert_eq!(churn.slots[1], ("drive".into(), "drives".into()));
    assert_eq!(plant.assets[0].children.len(), 2);
}

#[test]
fn a_renamed_thing_keeps_its_identity() {
    let plant = dairy();
    let before = loaded(&DAIRY.replace("Churn 2:", "Old churn:").replace(
        "power:     { unit: kW, from: \"values.power[0].kw @meter\", was: wattage }",
        "wattage:   { unit: kW, from: \"values.power[0].kw @meter\" }",
    ));
    let before = before.plant.unwrap();
    assert_eq!(before.assets[2].id, plant.assets[2].id);
    assert_eq!(property(&before, "churn", "wattage").id, property(&plant, "churn", "power").id);
}

#[test]
fn a_catalog_numbers_series_and_binds_tags() {
    let plant = Arc::new(dairy());
    let mut directory = SeriesDirectory::default();
    let catalog = Catalog::build(plant.clone(), &mut directory);
    let churn = plant.asset_at("Hall 1/Churn 1").unwrap();
    let hall = plant.asset_at("Hall 1").unwrap();
    let temp = catalog.series_named(churn, "temp").unwrap();
    let tag = catalog.tag(catalog.entry(temp).unwrap().tag.unwrap()).unwrap();
    assert_eq!((&*tag.source, tag.read, matches!(tag.address, Address::OpcUa(_))), ("churn_plc", true, true));
    let stop = catalog.control(churn, "stop").unwrap();
    assert!(!catalog.tag(stop.tag).unwrap().read);
    let children = Reference::Children { hierarchy: "machines".into(), property: "oee_shift".into() };
    assert_eq!(catalog.resolve(hall, &children).len(), 2);
    assert_eq!(
        catalog.resolve(churn, &Reference::Parent("milk_temp".into())),
        [catalog.series_named(hall, "milk_temp").unwrap()]
    );
    // The same definition again keeps every number.
    let again = Catalog::build(plant, &mut directory);
    assert_eq!(again.series_named(churn, "temp"), Some(temp));
}

#[test]
fn several_files_are_one_plant() {
    let (site, rest) = DAIRY.split_at(DAIRY.find("models:").unwrap());
    let both = [("site.yaml".to_owned(), site.to_owned()), ("models.yaml".to_owned(), rest.to_owned())];
    let together = load(&both, &variable);
    assert!(together.plant.is_some(), "{}", render(&together.diagnostics, &both, false));
    let twice = [both[0].clone(), both[1].clone(), ("more.yaml".to_owned(), "models: { lab: {} }\n".to_owned())];
    let clash = load(&twice, &variable);
    assert!(clash.plant.is_none());
    assert_eq!((clash.diagnostics[0].file.as_str(), clash.diagnostics[0].code), ("more.yaml", "duplicate-key"));
}

#[test]
fn every_mistake_is_told_in_one_run() {
    assert_eq!(said(MISTAKES), MISTAKES_SAID);
}

#[test]
fn doubts_are_told_and_do_not_stop() {
    assert!(loaded(DOUBTS).plant.is_some());
    assert_eq!(said(DOUBTS), DOUBTS_SAID);
}

/// Each trap of YAML in a file of its own, because a file that is no YAML says nothing else.
#[test]
fn traps_are_caught_kindly() {
    let first = |text: &str| {
        let found = loaded(text).diagnostics.into_iter().next().unwrap();
        format!("{}:{} {} / {}", found.line, found.column, found.message, found.hint)
    };
    let tab = first("plant: { name: P }\nmodels:\n\tfiller: {}\n");
    assert_eq!(tab, "3:1 this line is indented with a tab / YAML wants spaces: replace each tab by two spaces");
    let percent = first("plant: { name: P }\nmodels: { m: { attributes: { a: { unit: % } } } }\n");
    assert!(percent.contains("a value cannot start with `%`: put it in quotes"), "{percent}");
    let not = first("plant: { name: P }\nmodels: { m: { transforms: { a: !b } } }\n");
    assert!(not.contains("write `not x` instead of `!x`"), "{not}");
    let brace = first("plant: { name: P }\nmodels:\n  m:\n    detectors:\n      d:\n        message: {a} is high\n");
    assert!(brace.contains("a text that starts with `{` needs quotes"), "{brace}");
    let inside = first("plant: { name: P }\nmodels: { m: { measurements: { a: { from: x[0] @s } } } }\n");
    assert!(inside.contains("a text with `[` needs quotes"), "{inside}");
    let colon = first("plant: { name: P }\nmodels:\n  m:\n    detectors:\n      d:\n        message: Too hot: act\n");
    assert!(colon.contains("a text with `: ` in it needs quotes"), "{colon}");
    let comma = first("plant: { name: P }\nmodels: { m: { transforms: { a: { value: min(1, 2), unit: g } } } }\n");
    assert!(comma.contains("the comma cuts `min(1, 2)` in two"), "{comma}");
    assert_eq!(
        loaded("plant: { name: P }\nmodels: { m: { transforms: { a: { value: min(1, 2, 3), unit: g } } } }\n")
            .diagnostics
            .len(),
        1
    );
}

#[test]
fn circles_across_models_name_their_path() {
    let text = "plant: P\nmodels:\n  a:\n    children: { parts: b }\n    metrics: { 5m: { x: avg(parts.y) } }\n  b:\n    metrics: { 5m: { y: 2 * parent.x } }\n";
    let found = loaded(text).diagnostics;
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].message, "these formulas go in a circle: a.x → b.y → a.x");
}

mod any_text {
    use super::*;
    use proptest::prelude::*;

    /// Pieces a plant file is made of, so that chance gets past the YAML.
    const PIECES: [&str; 40] = [
        "plant",
        "models",
        "assets",
        "m",
        "attributes",
        "measurements",
        "metrics",
        "5m",
        "shift",
        "oee",
        "detectors",
        "states",
        "go",
        "when",
        "to",
        "children",
        ": ",
        ":\n  ",
        "\n",
        "\n    ",
        "\n      - ",
        "{ ",
        " }",
        "[ ",
        " ]",
        ", ",
        "a",
        "a + b",
        "avg(a)",
        "min(",
        ")",
        "@plc",
        "ns=2;s=A",
        "holding/0",
        "$X",
        "°",
        "&x ",
        "*x",
        "!t ",
        "'",
    ];

    proptest! {
        #[test]
        fn loads_or_tells(text in "\\PC{0,200}") {
            let loaded = loaded(&text);
            prop_assert!(loaded.plant.is_some() || !loaded.diagnostics.is_empty());
        }

        #[test]
        fn pieces_load_or_tell(pieces in prop::collection::vec(prop::sample::select(&PIECES[..]), 0..80)) {
            let text = pieces.concat();
            let loaded = loaded(&text);
            render(&loaded.diagnostics, &files(&text), true);
            prop_assert!(loaded.plant.is_some() || !loaded.diagnostics.is_empty());
        }

        /// A plant with one bit of damage: what a slip of the hand does.
        #[test]
        fn damage_is_told(at in 0..DAIRY.len(), length in 0_usize..12, piece in prop::sample::select(&PIECES[..])) {
            let start = (0..=at).rev().find(|at| DAIRY.is_char_boundary(*at)).unwrap_or(0);
            let end = (start + length..=DAIRY.len()).find(|at| DAIRY.is_char_boundary(*at)).unwrap_or(DAIRY.len());
            let text = format!("{}{piece}{}", &DAIRY[..start], &DAIRY[end..]);
            let loaded = loaded(&text);
            render(&loaded.diagnostics, &files(&text), false);
            prop_assert!(loaded.plant.is_some() || !loaded.diagnostics.is_empty());
        }
    }
}

const OEE: &str = "
plant: { name: Test, timezone: Europe/Berlin }
shifts: { early: Mon-Fri 06:00-14:00 }
exceptions:
  2026-12-24..2026-12-26: closed
  2026-12-19: { extra: 08:00-12:00, early: closed }
reasons:
  No order:   schedule_loss
  Changeover: { planned: true, priority: 5, codes: [17, 18] }
  Jam:        { class: availability, priority: 3 }
models:
  press:
    attributes: { ideal_rate: { default: 60, unit: 1/min } }
    measurements:
      state:   { type: int }
      why:     { type: int }
      why_too: { type: string }
      recipe:  { type: string }
      good:    { type: counter }
      bad:     { type: counter }
      again:   { type: counter }
    oee:
      running: state == 6
      startup: state == 3
      good: good
      bad: bad
      rework: again
      ideal_rate: ideal_rate
      product: recipe
      ideal_rates: { cola: 120, water: 30 }
      reason: [why, why_too]
      windows: [1m, day]
  line:
    children: { machines: press }
    oee: { of: machines, form: bottleneck, target: 70 }
assets:
  Line 1:
    model: line
    machines:
      Press 1: { model: press }
";

#[test]
fn everything_about_oee_is_read() {
    use andon_models::oee::{Combination, LossClass};
    assert_eq!(said(OEE), "");
    let plant = loaded(OEE).plant.unwrap();
    let [press, line] = &plant.models[..] else { panic!() };
    let oee = press.oee.as_ref().unwrap();
    assert_eq!(oee.reasons.iter().map(|key| &**key).collect::<Vec<_>>(), ["why", "why_too"]);
    assert_eq!(oee.ideal_rates, [("cola".into(), 2.0), ("water".into(), 0.5)]);
    assert_eq!((oee.rework.as_deref(), oee.startup.as_deref()), (Some("again"), Some("oee_startup")));
    let meaning = |given: &str| {
        let reason = oee.reason_table.of(given);
        (reason.name.to_string(), reason.class, reason.planned, reason.priority)
    };
    assert_eq!(meaning("No order"), ("No order".into(), LossClass::ScheduleLoss, true, 0));
    assert_eq!(meaning("18"), ("Changeover".into(), LossClass::Availability, true, 5));
    assert_eq!(meaning("never heard of"), ("never heard of".into(), LossClass::Availability, false, 0));
    let keys: Vec<&str> = press.properties.iter().map(|property| &*property.key).collect();
    for key in ["oee_1m", "oee_day", "oee_1h", "oee_shift", "oee_record_1h", "stop_edits"] {
        assert!(keys.contains(&key), "{key} in {keys:?}");
    }
    assert!(!keys.contains(&"oee_5m"));
    let of = line.oee_of.as_ref().unwrap();
    assert_eq!((&*of.hierarchies[0], of.form, of.target), ("machines", Combination::Bottleneck, Some(70.0)));
    assert_eq!((plant.calendar.exceptions.len(), line.oee.is_some()), (4, false));
}

#[test]
fn mistakes_about_oee_are_named() {
    let check = |from: &str, to: &str, expected: &str| {
        assert!(OEE.contains(from), "{from}");
        let said = said(&OEE.replacen(from, to, 1));
        assert!(said.contains(expected), "{to}: {said}");
    };
    check("schedule_loss", "schedule_los", "did you mean `schedule_loss`?");
    check("codes: [17, 18]", "codes: [17, 18] }\n  Other: { codes: 17", "belongs to Changeover already");
    check("of: machines", "of: machine", "did you mean `machines`?");
    check("form: bottleneck", "form: worst", "cannot be `worst`");
    check("form: bottleneck", "good: good", "needs no `good`");
    check("      product: recipe\n", "", "need to know the product");
    check("water: 30", "water: 0", "must be a number above 0");
    check("2026-12-24..2026-12-26", "2026-12-24..2026-12-2", "is no date");
    check("early: closed", "erly: closed", "did you mean `early`?");
    check("reason: [why, why_too]", "reason: [why, whytoo]", "did you mean `why_too`?");
}

#[test]
fn a_rate_counts_no_more_writes_than_are_remembered_over_a_restart() {
    let with = |rate: &str| {
        format!(
            "plant: {{ name: T, timezone: UTC }}
sources: {{ plc: {{ modbus: tcp://10.0.0.1:502, unit: 1, writes: allow }} }}
models:
  pump:
    controls:
      speed: {{ to: holding/1 uint16 @plc, min: 0, max: 9, verify: 2s, at_most: {rate} }}
assets:
  P 1: {{ model: pump, plc: plc }}
"
        )
    };
    assert_eq!(said(&with("64 per 1h")), "");
    assert!(said(&with("65 per 1h")).contains("`at_most: 65 per 1h` is more than 64"), "{}", said(&with("65 per 1h")));
    assert!(loaded(&with("4000000000 per 1h")).plant.is_none());
}

#[test]
fn files_and_programs_of_notifications_are_names_without_a_path() {
    let text = |file: &str, program: &str| {
        format!(
            "plant: Test\nnotify:\n  book: {{ file: '{file}' }}\n  horn: {{ program: {program} }}\nmodels: {{}}\nassets: {{}}\n"
        )
    };
    let load = |text: String| andon_models::plant_file::load(&[("plant.yaml".into(), text)], &|_| None);
    let plant = load(text("doors.jsonl", "[horn, --loud, '$(id)']")).plant.expect("it can be used");
    assert_eq!(plant.notify[0].channel, NotifyChannel::File { name: "doors.jsonl".into() });
    let command = ["horn", "--loud", "$(id)"].map(std::sync::Arc::from).to_vec();
    assert_eq!(plant.notify[1].channel, NotifyChannel::Program { command });
    for name in ["../doors", "/etc/passwd", ".hidden", "a/b", "", "-rf", "c:\\x"] {
        for text in [text(name, "[horn]"), text("doors", &format!("['{name}']"))] {
            let loaded = load(text);
            assert!(loaded.plant.is_none(), "{name}");
            assert!(loaded.diagnostics.iter().any(|found| found.line >= 3), "{name}: {:?}", loaded.diagnostics);
        }
    }
}
