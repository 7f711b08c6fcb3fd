//! One side of `benches/peers/run detectors`: steps the engine over a file of samples and says how long it took and what it found.
//!
//! `side_by_side PLANT.yaml SAMPLES.bin MACHINES`. The file holds rows of 24 bytes in order of time: seconds (u64), machine (u32),
//! tag (u32; 0 `running`, 1 `fill_temp`) and value (f64), little endian. Samples of one second are one step, as a collector hands
//! them over.

use andon_detectors::{Action, Engine, Input};
use andon_models::{
    Point, SeriesId, Timestamp, Tqv, Value,
    catalog::{Catalog, SeriesDirectory},
    definition::AssetIndex,
    event::{Event, EventBody},
    plant_file,
};
use std::{env, fs, sync::Arc, time::Instant};

/// Bytes of a row.
const ROW: usize = 24;
/// What a transition adds to the sum, so that no two make up for each other: the golden ratio in 64 bits.
const MIX: u64 = 0x9E37_79B9_7F4A_7C15;
const TAGS: [&str; 2] = ["running", "fill_temp"];
/// When, the asset's path, from where, to where.
type Move = (Timestamp, Arc<str>, Arc<str>, Arc<str>);
const STATES: [&str; 3] = ["normal", "hot/warming", "hot/alarm"];

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [plant, samples, machines] = &arguments[..] else {
        // `cargo bench` starts every bench without arguments.
        println!("side_by_side: started by `benches/peers/run detectors`");
        return;
    };
    let machines = machines.parse().expect("the third argument is the number of machines");
    let catalog = catalog(fs::read_to_string(plant).expect("the plant file is readable"));
    let steps = steps(&catalog, machines, &fs::read(samples).expect("the samples are readable"));
    let mut engine = Engine::new(catalog);
    engine.start(Timestamp::EPOCH);

    #[expect(clippy::disallowed_methods, reason = "what is measured is real time")]
    let began = Instant::now();
    let (mut done, mut made) = (Vec::new(), 0);
    for (now, points) in &steps {
        let actions = engine.step(*now, Input::Samples(points));
        made += actions.len();
        done.extend(moves(&actions));
    }
    let seconds = began.elapsed().as_secs_f64();

    let rows: usize = steps.iter().map(|(_, points)| points.len()).sum();
    println!(
        r#"{{"seconds": {seconds}, "rows": {rows}, "transitions": {}, "sum": {}, "actions": {made}}}"#,
        done.len(),
        sum(&done)
    );
}

fn catalog(text: String) -> Arc<Catalog> {
    let loaded = plant_file::load(&[("bench.yaml".into(), text)], &|_| None);
    let plant = loaded.plant.unwrap_or_else(|| panic!("{:#?}", loaded.diagnostics));
    Arc::new(Catalog::build(Arc::new(plant), &mut SeriesDirectory::default()))
}

/// The samples of each second.
fn steps(catalog: &Catalog, machines: usize, file: &[u8]) -> Vec<(Timestamp, Vec<Point>)> {
    let series: Vec<[SeriesId; 2]> = (0..machines)
        .map(|machine| TAGS.map(|tag| catalog.series_named(AssetIndex(machine), tag).expect("every machine has both tags")))
        .collect();
    let mut steps: Vec<(Timestamp, Vec<Point>)> = Vec::new();
    for row in file.chunks_exact(ROW) {
        let word = |at: usize| u64::from_le_bytes(row[at..at + 8].try_into().expect("eight bytes"));
        let (machine, tag, value) = (word(8) as u32 as usize, (word(8) >> 32) as usize, f64::from_bits(word(16)));
        let time = Timestamp::from_seconds(i64::try_from(word(0)).expect("seconds of a bench are few"));
        let value = if tag == 0 { Value::Boolean(value != 0.0) } else { Value::Double(value) };
        let point = Point { series: series[machine][tag], tqv: Tqv::good(time, value) };
        match steps.last_mut() {
            Some((now, points)) if *now == time => points.push(point),
            _ => steps.push((time, vec![point])),
        }
    }
    steps
}

/// The moves among what a step asked for. The rest goes to disk in a plant; here it is made, and forgotten.
fn moves(actions: &[Action]) -> impl Iterator<Item = Move> {
    actions.iter().filter_map(|action| match action {
        Action::Record(Event { body: EventBody::Transition(moved), time, asset_path, .. }) => {
            Some((*time, asset_path.clone(), moved.from.clone(), moved.to.clone()))
        }
        _ => None,
    })
}

/// The sum over moves that every side makes the same way.
fn sum(moves: &[Move]) -> u64 {
    let number = |state: &str| STATES.iter().position(|known| *known == state).expect("a state of the model") as u64;
    moves.iter().fold(0_u64, |sum, (time, path, from, to)| {
        let machine: u64 = path.rsplit(' ').next().and_then(|text| text.parse().ok()).expect("`Filler 7`");
        let seconds = time.as_nanos() / 1_000_000_000;
        let word = (seconds as u64) << 32 | machine << 4 | number(from) << 2 | number(to);
        let mixed = word.wrapping_mul(MIX);
        sum.wrapping_add(mixed ^ (mixed >> 32))
    })
}
