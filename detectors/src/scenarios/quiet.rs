//! Samples that change nothing are only noted: a plant that does so and one that takes every sample the long way do the same, whatever
//! the models say and however samples come. `ANDON_CASES` sets how many plants are tried, `ANDON_SEED` where they begin.

use crate::testing::{Stage, detector, expression};
use andon_models::{Point, Quality, StatusCode, Timestamp, Tqv, Value, detector::DetectorModel};
use std::{env, time::Duration};

/// SplitMix64 (Steele, Lea, Flood 2014): small, and the same on every machine.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) % limit.max(1) as u64) as usize
    }

    /// Once in so many times.
    fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    fn of<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.below(words.len())]
    }
}

const ATOMS: &[&str] = &[
    "temp > 50",
    "temp >= 52.5",
    "45 > temp",
    "temp < temp_limit - 30",
    "temp > limit",
    "temp != pressure * 10",
    "pressure <= 1",
    "pressure > temp - 50",
    "abs(pressure) > 2",
    "if(running, temp, pressure) > 49",
    "count == 2",
    "count in (1, 3)",
    "count > n",
    "n > 2",
    "running",
    "not running",
    "note == 'x'",
    "acknowledged",
    "shelved",
    "parent.speed > 10",
    "coalesce(pressure, 5) > 3",
];

const STATES: [&str; 6] = ["a", "b", "g", "g/x", "g/h", "g/h/y"];

fn guard(dice: &mut Dice) -> String {
    let first = dice.of(ATOMS);
    match dice.below(5) {
        0 => format!("({first}) and ({})", dice.of(ATOMS)),
        1 => format!("({first}) or ({})", dice.of(ATOMS)),
        2 => format!("not ({first})"),
        _ => first.to_owned(),
    }
}

fn actions(dice: &mut Dice) -> String {
    let verbs = [
        "raise",
        "raise",
        "clear",
        "clear",
        "set n = n + 1",
        "set n = 0",
        "set limit = temp",
        "put count = n",
        "publish seen {temp} {pressure} {count} {running} {n}",
        "notify lead",
        "write setpoint = temp",
        "write stop_request = true",
        "send left",
        "send right",
    ];
    let count = 1 + dice.below(2);
    (0..count).map(|_| dice.of(&verbs)).collect::<Vec<_>>().join("; ")
}

fn rule(dice: &mut Dice) -> String {
    let set_off = match dice.below(12) {
        0 => format!("after {}s", 1 + dice.below(20)),
        1 => format!("after {}s when {}", 1 + dice.below(9), guard(dice)),
        2 => format!("every {}s", 2 + dice.below(9)),
        3 | 4 => format!("when {} for {}s bad {}", guard(dice), 1 + dice.below(9), dice.of(&["pause", "reset", "ignore"])),
        5 => format!("on {} when {}", dice.of(&["count", "running", "temp"]), guard(dice)),
        6 => format!("on {}", dice.of(&["count", "left", "right"])),
        7 => format!("on count when {} for 4s", guard(dice)),
        _ => format!("when {}", guard(dice)),
    };
    let goes = if dice.once_in(4) { String::new() } else { format!(" to {}", dice.of(&STATES)) };
    let does = if goes.is_empty() || dice.once_in(2) { format!(" do {}", actions(dice)) } else { String::new() };
    format!("  go {set_off}{goes}{does}\n")
}

fn model_text(dice: &mut Dice) -> String {
    let mut text = "variables n=0 limit=50\n".to_owned();
    text.push_str(["", "", "serial\n"][dice.below(3)]);
    text.push_str(if dice.once_in(10) { "lateness 3s\n" } else { "" });
    for state in STATES {
        text.push_str(match state {
            "g" if dice.once_in(2) => "g initial x history",
            "g" => "g initial h",
            "g/h" => "g/h initial y",
            leaf => leaf,
        });
        text.push('\n');
        if dice.once_in(4) {
            text.push_str(&format!("  {} {}\n", dice.of(&["enter", "exit"]), actions(dice)));
        }
        (0..dice.below(4)).for_each(|_| text.push_str(&rule(dice)));
    }
    text
}

fn model(dice: &mut Dice, name: &str, sends: bool) -> (String, DetectorModel) {
    // Whoever is sent inputs takes all samples the long way.
    let text = model_text(dice);
    let text = if sends { text } else { text.replace("send left", "clear").replace("send right", "raise") };
    let mut model = detector(name, &text);
    let seconds = |dice: &mut Dice| Duration::from_secs(dice.below(3) as u64 * 2);
    model.alarm.on_delay = seconds(dice);
    model.alarm.off_delay = seconds(dice);
    model.alarm.latch = dice.once_in(5);
    model.alarm.re_alarm = dice.once_in(3).then_some(Duration::from_secs(9));
    if dice.once_in(3) {
        model.alarm.suppress_when = Some(expression(&model, dice.of(&["not running", "temp < 45", "n > 4", "count == 1"])));
    }
    (text, model)
}

/// A sample of any kind, mostly like those before it.
fn sample(dice: &mut Dice, stage: &Stage, now: Timestamp, lag: i64) -> Point {
    let property = dice.of(&["temp", "temp", "temp", "running", "count", "pressure", "note", "parent.speed", "temp_limit"]);
    let text = match property {
        "temp" => format!("{}", 40.0 + dice.below(48) as f64 / 4.0 + if dice.once_in(4) { 8.0 } else { 0.0 }),
        "running" => (!dice.once_in(6)).to_string(),
        "count" => if dice.once_in(3) { dice.below(5) } else { 4 }.to_string(),
        "pressure" => format!("{}", dice.below(13) as f64 / 2.0 - 3.0),
        "note" => dice.of(&["x", "y", "y", "y"]).to_owned(),
        "parent.speed" => dice.below(14).to_string(),
        _ => if dice.once_in(9) { "79" } else { "80" }.to_owned(),
    };
    let mut point = stage.point(property, &text, now);
    let millis = match dice.below(12) {
        0 => [-200_000, -400_000, -1_000, 4_900, 6_000, 60_000][dice.below(6)],
        1..4 => dice.below(40) as i64,
        _ => 0,
    };
    point.tqv.time = Timestamp::from_nanos(now.as_nanos() - (lag + millis) * 1_000_000);
    match dice.below(40) {
        0 => point.tqv = Tqv::bad(point.tqv.time, StatusCode::TIMEOUT),
        1 => (point.tqv.quality, point.tqv.status) = (Quality::Uncertain, StatusCode::STALE),
        2 => point.tqv.value = Value::Null,
        3 if property == "temp" => point.tqv.value = Value::Integer(50),
        _ => {}
    }
    point
}

/// Does one thing to a stage. Each of the two is given the same dice.
fn act(dice: &mut Dice, stage: &mut Stage, now: Timestamp, lag: i64, models: &[DetectorModel]) -> String {
    let line = |words: &str| format!("{} {words}", now.as_nanos() as f64 / 1e9);
    let actions = match dice.below(40) {
        0..3 => stage.act(&line("time")),
        3 => {
            stage.act(&line(dice.of(&["acknowledge", "shelve 6s dirt", "unshelve", "comment seen", "reset", "disarm", "arm"])))
        }
        4 => stage.act(&line(dice.of(&["suppress tests", "unsuppress over", "remove repair", "return repaired"]))),
        5 if stage.has_command() => stage.act(&line(dice.of(&["sent", "verified", "failed no answer", "unknown"]))),
        6 if stage.has_command() => return format!("{:?}", stage.may_send(now)),
        7 if dice.once_in(8) => stage.restart(now, None),
        8 if dice.once_in(8) => return format!("{:?}", stage.edit(now, models.to_vec())),
        _ => {
            let points: Vec<Point> = (0..1 + dice.below(6)).map(|_| sample(dice, stage, now, lag)).collect();

            stage.samples(now, &points)
        }
    };
    format!("{actions:#?}")
}

/// Plays one plant twice; gives how many of its steps were quiet.
fn case(seed: u64) -> (usize, usize) {
    let mut dice = Dice(seed);
    let sends = dice.once_in(3);
    let (left, right) = (model(&mut dice, "left", sends), model(&mut dice, "right", sends));
    let models = vec![left.1, right.1];
    let mut stages = [Stage::with(models.clone()), Stage::with(models.clone())];
    let lag = [0, 0, 20_000][dice.below(3)];
    let mut now = Timestamp::from_seconds(100_000);
    let (mut quiet, mut steps) = (0, 0);
    for step in 0..250 {
        let millis = [0, 20, 100, 1_000, 1_000, 1_000, 4_000, 40_000][dice.below(8)];
        now = if dice.once_in(150) { now - Duration::from_secs(1_200) } else { now + Duration::from_millis(millis) };
        let throw = dice.below(usize::MAX) as u64;
        let [shortened, full] = &mut stages;
        full.engine.quiet.off = true;
        let done = [shortened, full].map(|stage| {
            let told = act(&mut Dice(throw), stage, now, lag, &models);
            let stands: Vec<_> = stage.engine.snapshots().collect();
            (told, stage.engine.next_due(), stands)
        });
        let [short, long] = done;
        assert_eq!(short, long, "step {step} of ANDON_SEED={seed}, at {now}\n{}\n{}", left.0, right.0);
        steps += 1;
        quiet += usize::from(stages[0].engine.loud.is_empty());
    }
    let [shortened, full] = stages.map(|mut stage| stage.known());
    assert_eq!(shortened, full, "at the end of ANDON_SEED={seed}\n{}\n{}", left.0, right.0);
    (quiet, steps)
}

fn setting(name: &str, otherwise: u64) -> u64 {
    env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

#[test]
fn quiet_samples_change_nothing() {
    let (cases, seed) = (setting("ANDON_CASES", 80), setting("ANDON_SEED", 20_261_121));
    let (mut quiet, mut steps) = (0, 0);
    for case_seed in seed..seed + cases {
        let (some, all) = case(case_seed);
        (quiet, steps) = (quiet + some, steps + all);
    }
    assert!(quiet * 10 > steps, "only {quiet} of {steps} steps were quiet: this proves little");
}

#[test]
fn a_quiet_sample_is_seen_by_whatever_comes_next() {
    let mut stage = Stage::new("a\n  go when temp > 50 and pressure > 3 to b\nb");
    stage.play("1 pressure 1\n2 temp 40\n3 temp 41");
    stage.act("4 temp 42.5");
    assert!(stage.engine.loud.is_empty(), "it changes nothing");
    assert_eq!(stage.snapshot().seen, Timestamp::from_seconds(4));
    stage.play("5 temp 60");
    stage.act("6 temp 61.5");
    let actions = stage.act("7 pressure 4");
    let told = format!("{actions:?}");
    assert!(told.contains("Double(61.5)"), "{told}");
}
