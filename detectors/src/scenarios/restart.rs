//! A restart is no restart: with the last kept snapshots and the newest values, everything goes on as if nothing had happened.

use super::story::OVERHEAT;
use crate::testing::{Stage, assert_same, detector, words};
use andon_models::Timestamp;
use proptest::prelude::*;

#[test]
fn a_restart_repeats_no_action_and_loses_no_timer() {
    let mut stage = Stage::new(OVERHEAT);
    stage.play("1 running true\n3 temp 83.5\n33 time");
    assert_same(&words(&stage.restart(Timestamp::from_seconds(100), None)), "");
    assert_eq!(stage.state(), "hot/alarm");
    let played = stage.play("332 time\n333 time");
    assert!(played.starts_with("5m33s hot/alarm -> hot/tripped (timer after 5m)"), "{played}");
}

#[test]
fn what_fell_due_while_it_was_down_happens_at_its_own_time() {
    let mut stage = Stage::new(OVERHEAT);
    stage.play("1 running true\n3 temp 83.5");
    stage.restart(Timestamp::from_seconds(500), None);
    let played = stage.play("500 time");
    let moves: Vec<_> = played.lines().filter(|line| line.contains("->") && line.contains("timer")).collect();
    assert_eq!(moves.len(), 2);
    assert!(moves[0].starts_with("33s hot/warming -> hot/alarm"), "{played}");
    assert!(moves[1].starts_with("5m33s hot/alarm -> hot/tripped"), "{played}");
}

#[test]
fn an_unfinished_command_is_known_after_a_restart() {
    let mut stage = Stage::new(OVERHEAT);
    stage.play("1 running true\n3 temp 83.5\n33 time\n333 time\n333.1 sent");
    let before = stage.engine.unfinished_commands();
    stage.restart(Timestamp::from_seconds(334), None);
    assert_eq!(stage.engine.unfinished_commands(), before);
    assert_same(&stage.play("335 verified"), "5m35s command stop_request = true verified\n> put true at 5m35s");
    assert!(stage.engine.unfinished_commands().is_empty());
}

#[test]
fn an_edited_model_keeps_its_state_where_the_state_still_exists() {
    let mut stage = Stage::new(OVERHEAT);
    stage.play("1 running true\n3 temp 83.5\n33 time");
    // A state is added in front, so that all numbers move, and the dwell time changes: the new timer counts from the entry.
    let edited = format!(
        "standby\n  go when running to normal\n{}",
        OVERHEAT
            .trim_start_matches('\n')
            .replace("after 5m", "after 2m")
            .replace("    normal", "normal")
            .replace("\n    ", "\n")
    );
    let actions = stage.restart(Timestamp::from_seconds(100), Some(vec![detector("overheat", &edited)]));
    assert_same(&words(&actions), "");
    assert_eq!(stage.state(), "hot/alarm");
    assert!(stage.play("152 time\n153 time").starts_with("2m33s hot/alarm -> hot/tripped (timer after 2m)"));
}

#[test]
fn an_edited_model_without_the_state_starts_over_and_says_so() {
    let mut stage = Stage::new(OVERHEAT);
    stage.play("1 running true\n3 temp 83.5\n33 time");
    let actions = stage
        .restart(Timestamp::from_seconds(100), Some(vec![detector("overheat", "quiet\n  go when temp > 200 to loud\nloud")]));
    assert_same(
        &words(&actions),
        "
        1m40s warning commands: writes to machines are disarmed: the definition of what may be written has changed; look at it, then arm again
        1m40s hot/alarm -> quiet (definition changed)
        ",
    );
    assert_eq!(stage.play("101 acknowledge"), "1m41s alarm acknowledge: unacknowledged -> acknowledged by kim");
}

#[test]
fn what_an_edited_model_cannot_keep_is_told() {
    let first = "
        variables n=3 mode=true gone=7
        a initial b
          go when temp > 50 for 10s to c
          go after 30s to c
        a/b
        c
    ";
    let mut stage = Stage::new(first);
    stage.play("1 temp 60");
    // The rules change places; the guard of one and the type of a variable change, one variable goes.
    let edited = "
        variables n=0 mode=1.5
        a initial b
          go after 30s to c
          go when temp > 40 for 10s to c
        a/b
        c
    ";
    let told = words(&stage.restart(Timestamp::from_seconds(5), Some(vec![detector("overheat", edited)])));
    assert_same(
        &told,
        "5s warning Line 1/Filler 1/overheat: the definition changed: \
         the variable mode starts over with 1.5: true is of another type; the variable gone is gone (it was 7); \
         the timer `for 10s` of a does not go on: its rule is another one now",
    );
    let n = stage.snapshot().variables.iter().find(|(name, _)| &**name == "n").unwrap().1.clone();
    assert_eq!(n, andon_models::Value::Integer(3));
    // The new guard holds already: it counts from what was seen last. The `after` goes on from the entry, wherever it stands.
    let due = |name: &str| stage.snapshot().timers.iter().find(|timer| &*timer.name == name).unwrap().due;
    assert_eq!((due("for 10s"), due("after 30s")), (Timestamp::from_seconds(11), Timestamp::from_seconds(30)));
    assert!(words(&stage.restart(Timestamp::from_seconds(6), None)).is_empty(), "it is told once");
}

#[test]
fn a_detector_that_is_gone_is_told_with_what_it_leaves_behind() {
    let mut stage = Stage::new("a\n  go on count do raise; write stop_request = true");
    stage.play("1 running true\n2 count 1");
    let told = words(&stage.restart(Timestamp::from_seconds(5), Some(vec![detector("other", "a")])));
    assert_same(
        &told,
        "
        5s warning commands: writes to machines are disarmed: the definition of what may be written has changed; look at it, then arm again
        5s warning Line 1/Filler 1/overheat: the definition has no such detector of this asset any more; it stood in a, its alarm unacknowledged; look at the machine: write stop_request = true is requested
        5s  -> a (start)
        ",
    );
}

#[test]
fn a_definition_changes_while_instances_live() {
    let mut stage = Stage::new(OVERHEAT);
    stage.play("1 running true\n3 temp 83.5\n33 time");
    let restored =
        stage.edit(Timestamp::from_seconds(40), vec![detector("overheat", &OVERHEAT.replace("after 5m", "after 4m"))]);
    assert_eq!((restored.kept, restored.partly, restored.started_over), (1, 0, 0));
    assert_eq!(stage.state(), "hot/alarm");
    assert!(stage.play("272 time\n273 time").starts_with("4m33s hot/alarm -> hot/tripped (timer after 4m)"));
}

#[test]
fn the_last_good_value_is_known_after_a_restart() {
    let model = "a\n  go when temp > 50 and pressure > 3 for 10s bad ignore to b\nb";
    let mut stage = Stage::new(model);
    stage.play("1 temp 60\n2 temp bad");
    stage.restart(Timestamp::from_seconds(3), None);
    assert_same(&stage.play("4 pressure 5\n14 time"), "14s a -> b (timer for 10s)");
}

#[test]
fn samples_that_wait_for_their_turn_are_not_lost_by_a_restart() {
    let model = "lateness 5s\na\n  go when temp > 50 to b\nb\n  go when temp < 20 to c\nc";
    let mut stage = Stage::new(model);
    stage.play("10 temp 60@10\n11 temp 10@11\n12 temp 30@9");
    assert_eq!(stage.state(), "a", "all of them wait");
    stage.restart(Timestamp::from_seconds(12), None);
    assert_same(&stage.play("17 temp 30@17"), "10s a -> b (input temp)\n11s b -> c (input temp)");
}

/// A model with a bit of everything that a snapshot must carry.
const EVERYTHING: &str = "
    variables n=0
    calm
      exit set n = n + 1
      go when temp > 50 for 4s to busy
      go when running to busy
    busy initial one history
      enter raise
      exit clear
      go when temp < 20 for 3s to calm
      go when pressure > 7 to busy
      go every 5s do publish beat {n}
    busy/one
      go after 3s when count > 2 to busy/two
      go when n >= 4 to busy/three
    busy/two
      enter write stop_request = true
      go when acknowledged to busy/three
      go when count < 2 for 2s bad reset to busy/one
    busy/three
      enter set n = 0
      go after 6s to calm
";

/// The same with samples out of order, and rules that count on the last good values.
const LATE: &str = "
    lateness 3s
    calm
      go when temp > 50 for 4s bad ignore to busy
      go after 10s when running for 2s to busy
    busy initial one
      go when temp < 20 and pressure > 3 for 3s bad ignore to calm
    busy/one
      go when count > 2 to busy/two
    busy/two
      go on running to busy/one
";

#[derive(Clone, Debug)]
enum Move {
    Line(&'static str),
    Temp(Option<i32>),
    Pressure(Option<i32>),
    Count(Option<i32>),
}

fn moves() -> impl Strategy<Value = Vec<(u64, Move)>> {
    let sample = |range: std::ops::Range<i32>| prop::option::weighted(0.85, range);
    let one = prop_oneof![
        4 => sample(0..100).prop_map(Move::Temp),
        1 => sample(0..10).prop_map(Move::Pressure),
        2 => sample(0..5).prop_map(Move::Count),
        2 => prop::sample::select(vec!["running true", "running false", "running bad"]).prop_map(Move::Line),
        2 => Just(Move::Line("time")),
        1 => prop::sample::select(vec!["acknowledge", "shelve 5s note", "unshelve"]).prop_map(Move::Line),
    ];
    prop::collection::vec((prop::sample::select(vec![0, 100, 700, 1_000, 2_500, 9_000]), one), 1..60)
}

/// The script of some moves; every third sample is `late` by so many milliseconds.
fn script(moves: &[(u64, Move)], late: u64) -> Vec<String> {
    let mut millis = 0;
    let mut samples = 0;
    let number = |value: &Option<i32>| value.map_or("bad".to_owned(), |value| value.to_string());
    let line = |(wait, deed): &(u64, Move)| {
        millis += wait;
        let mut deed = match deed {
            Move::Line(line) => (*line).to_owned(),
            Move::Temp(value) => format!("temp {}", number(value)),
            Move::Pressure(value) => format!("pressure {}", number(value)),
            Move::Count(value) => format!("count {}", number(value)),
        };
        if late > 0 && !matches!(deed.as_str(), "time" | "acknowledge" | "unshelve") && !deed.starts_with("shelve") {
            samples += 1;
            let time = u64::saturating_sub(millis, if samples % 3 == 0 { late } else { 0 });
            deed.push_str(&format!("@{}.{:03}", time / 1_000, time % 1_000));
        }
        format!("{}.{:03} {deed}", millis / 1_000, millis % 1_000)
    };
    moves.iter().map(line).collect()
}

/// The time of a line.
fn at(line: &str) -> Timestamp {
    let seconds = line.split(' ').next().unwrap();
    Timestamp::EPOCH + andon_models::time::parse_duration(&format!("{seconds}s")).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn restart_is_no_restart(moves in moves(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 1..4)) {
        for (model, late) in [(EVERYTHING, 0), (LATE, 2_500)] {
        let script = script(&moves, late);
        let cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(script.len())).collect();
        let (mut steady, mut restarted) = (Stage::new(model), Stage::new(model));
        for (position, line) in script.iter().enumerate() {
            if cuts.contains(&position) {
                prop_assert!(restarted.restart(at(line), None).is_empty(), "a restart asked for something");
            }
            // Events with their ids, snapshots, commands: everything is the same.
            prop_assert_eq!(steady.act(line), restarted.act(line), "after {}", line);
        }
        }
    }

    #[test]
    fn the_same_inputs_give_the_same_ids(moves in moves()) {
        let play = || {
            let mut stage = Stage::new(EVERYTHING);
            script(&moves, 0).iter().flat_map(|line| stage.act(line)).collect::<Vec<_>>()
        };
        let actions = play();
        prop_assert_eq!(&actions, &play());
        let mut ids: Vec<_> = actions.iter().filter_map(|action| if let crate::Action::Record(event) = action { Some(event.id) } else { None }).collect();
        let all = ids.len();
        ids.sort();
        ids.dedup();
        prop_assert_eq!(ids.len(), all, "no id is given twice");
    }
}

const STOP: &str = "a\n  go when pressure > 5 and temp > 80 to b\nb\n  enter write stop_request = true";

#[test]
fn what_sources_told_before_a_restart_holds_no_guard_until_they_tell_it_anew() {
    let mut stage = Stage::new(STOP);
    stage.doubt(&["running", "temp"]);
    stage.play("1 running true\n1 temp 85");
    stage.restart(Timestamp::from_seconds(20), None);
    // By the values of before it would hold now.
    assert_same(&stage.play("21 pressure 6\n22 time"), "");
    assert!(stage.play("23 temp 86").contains("a -> b"));
}

#[test]
fn a_write_waits_for_what_its_interlock_reads_to_be_told_anew_and_not_for_ever() {
    let decided = || {
        let mut stage = Stage::new(STOP);
        stage.doubt(&["running"]);
        stage.play("1 running true\n1 temp 85");
        stage.restart(Timestamp::from_seconds(20), None);
        let played = stage.play("21 pressure 6");
        assert!(played.contains("> write stop_request = true"), "{played}");
        let unsure = stage.may_send(Timestamp::from_seconds(22)).unwrap_err();
        assert_eq!((&*unsure.reason, unsure.passing), ("interlock `running`: running is bad", true));
        stage
    };
    let mut stage = decided();
    stage.play("23 running true");
    assert_eq!(stage.may_send(Timestamp::from_seconds(24)), Ok(()));

    let mut stage = decided();
    stage.play("23 running false");
    let refused = stage.may_send(Timestamp::from_seconds(24)).unwrap_err();
    assert_eq!((&*refused.reason, refused.passing), ("interlock `running` does not hold", false));

    let late = decided().may_send(Timestamp::from_seconds(32)).unwrap_err();
    assert!(!late.passing && late.reason.contains("deadline"), "{late}");

    // Later on what is not known forbids at once, as ever.
    let mut stage = Stage::new(STOP);
    stage.doubt(&["running"]);
    stage.play("1 running true\n1 temp 85");
    stage.restart(Timestamp::from_seconds(20), None);
    assert!(stage.play("60 pressure 6").contains("refused: interlock `running`: running is bad"));
}

/// A detector that has counted a `for` of 10 s for 4 s when Andon goes down, for 50 s.
fn down(rule: &str) -> Stage {
    let mut stage = Stage::new(&format!("a\n  go when {rule} to b\nb"));
    stage.doubt(&["temp"]);
    stage.play("1 temp 60\n1 pressure 5\n5 time");
    stage.down_since(Timestamp::from_seconds(5));
    stage.restart(Timestamp::from_seconds(55), None);
    stage
}

#[test]
fn a_for_does_not_count_the_time_in_which_nobody_watched() {
    // Paused: 4 s had run; the other 6 s run from when the source tells that it still holds.
    let mut stage = down("temp > 50 for 10s");
    assert_same(&stage.play("56 time\n70 temp 61\n75 temp 62\n75.9 time"), "");
    assert_same(&stage.play("80 time"), "1m16s a -> b (timer for 10s)");
    // Told otherwise, it never held.
    assert_same(&down("temp > 50 for 10s").play("56 temp 20\n90 time"), "");
    // Reset: it starts over.
    let mut stage = down("temp > 50 for 10s bad reset");
    assert_same(&stage.play("70 temp 61\n79.9 time\n85 time"), "1m20s a -> b (timer for 10s)");
    // What programs write is not told again: it stands as it was, but for the time in between.
    assert_same(&down("pressure > 3 for 10s").play("60 time\n66 time"), "1m1s a -> b (timer for 10s)");
    assert_same(&down("pressure > 3 for 10s bad reset").play("60 time\n70 time"), "1m5s a -> b (timer for 10s)");
    // The last good values count.
    assert_same(&down("temp > 50 for 10s bad ignore").play("56 time"), "11s a -> b (timer for 10s)");
}

#[test]
fn what_was_due_while_somebody_watched_still_goes_off() {
    let mut stage = Stage::new("a\n  go when temp > 50 for 10s to b\nb\n  go after 20s to c\nc");
    stage.doubt(&["temp"]);
    stage.play("1 temp 60");
    // It was over at 11 s, and nothing had moved the detector since; an `after` runs on as well.
    stage.down_since(Timestamp::from_seconds(12));
    stage.restart(Timestamp::from_seconds(60), None);
    assert_same(&stage.play("60 time"), "11s a -> b (timer for 10s)\n31s b -> c (timer after 20s)");
}

#[test]
fn a_second_restart_does_not_count_the_first_time_either() {
    let mut stage = down("temp > 50 for 10s");
    stage.play("60 time");
    stage.down_since(Timestamp::from_seconds(60));
    stage.restart(Timestamp::from_seconds(300), None);
    assert_same(&stage.play("301 temp 61\n306 time\n307.5 time"), "5m7s a -> b (timer for 10s)");
}

#[test]
fn without_a_word_of_when_the_watch_ended_it_ended_with_what_was_seen_last() {
    let mut stage = Stage::new("a\n  go when temp > 50 for 10s to b\nb");
    stage.doubt(&["temp"]);
    stage.play("1 temp 60\n5 temp 61\n8 time");
    stage.down_since(Timestamp::MIN);
    stage.restart(Timestamp::from_seconds(55), None);
    assert_same(&stage.play("60 temp 61\n65.9 time\n67 time"), "1m6s a -> b (timer for 10s)");
}
