//! Timers: `for`, `after`, `every`, in the time of the samples and in silence.

use crate::testing::{Stage, assert_same, check};
use andon_models::Timestamp;

const HOLD: &str = "
    a
      go when temp > 50 for 60s to b
    b
";

#[test]
fn for_is_broken_by_one_sample() {
    check(
        HOLD,
        "1 temp 60\n30 temp 70\n40 temp 40\n41 temp 60\n99 temp 60\n100.9 temp 55\n101 temp 55",
        "1m41s a -> b (timer for 1m)",
    );
}

#[test]
fn for_ends_in_silence() {
    check(HOLD, "1 temp 60\n60 time\n61 time", "1m1s a -> b (timer for 1m)");
}

#[test]
fn for_is_over_before_the_sample_of_its_last_instant() {
    check(HOLD, "1 temp 60\n61 temp 10", "1m1s a -> b (timer for 1m)");
}

#[test]
fn bad_data_pauses_for() {
    check(HOLD, "1 temp 60\n31 temp bad\n100 time\n200 temp 60\n229 temp 60\n231 temp 60", "3m50s a -> b (timer for 1m)");
    check(HOLD, "1 temp 60\n31 temp bad\n200 temp 40\n300 time", "");
}

#[test]
fn bad_data_resets_for_where_the_rule_says_so() {
    let model = HOLD.replace("for 60s", "for 60s bad reset");
    check(&model, "1 temp 60\n31 temp bad\n32 temp 60\n91.9 time\n92 time", "1m32s a -> b (timer for 1m)");
}

#[test]
fn bad_data_is_ignored_where_the_rule_says_so() {
    let model = HOLD.replace("for 60s", "for 60s bad ignore");
    check(&model, "1 temp 60\n31 temp bad\n63 time", "1m1s a -> b (timer for 1m)");
    check(&model, "1 temp bad\n100 time", "");
}

#[test]
fn a_bad_input_that_does_not_decide_does_not_pause() {
    let model = "
        a
          go when temp > 50 or pressure > 3 for 60s to b
        b
    ";
    check(model, "1 temp 60\n2 pressure bad\n61 time\n64 time", "1m1s a -> b (timer for 1m)");
}

#[test]
fn a_guard_that_holds_on_entry_starts_its_for_there() {
    let model = "
        a
          go when count == 1 to b
        b
          go when temp > 50 for 10s to c
        c
    ";
    check(model, "1 temp 60\n5 count 1\n15 time", "5s a -> b (input count)\n15s b -> c (timer for 10s)");
}

#[test]
fn for_of_a_group_goes_on_while_its_states_change() {
    let model = "
        g initial x
          go when temp > 50 for 10s to end
        g/x
          go on temp to g/y
        g/y
          go on temp to g/x
        end
    ";
    let moves = "
        1s g/x -> g/y (input temp)
        5s g/y -> g/x (input temp)
        11s g/x -> end (timer for 10s)
    ";
    check(model, "1 temp 60\n5 temp 60\n20 time", moves);
}

#[test]
fn a_rule_with_for_that_only_acts_acts_once_until_its_guard_breaks() {
    let model = "
        a
          go when temp > 50 for 10s do publish hot {temp}
    ";
    let played = Stage::new(model).play("1 temp 60\n11 temp 61\n12 temp 62\n40 temp 10\n41 temp 63\n51 time");
    let publications: Vec<_> = played.lines().filter(|line| line.starts_with('>')).collect();
    assert_eq!(publications, ["> publish hot 60", "> publish hot 63"]);
}

#[test]
fn after_waits_for_its_guard_once_the_time_has_passed() {
    let model = "
        a
          go after 10s when temp > 50 to b
        b
    ";
    check(model, "1 temp 60\n5 temp 60\n10 time", "10s a -> b (timer after 10s)");
    check(model, "1 temp 40\n10 time\n11 temp 45\n12 temp 60", "12s a -> b (input temp)");
}

#[test]
fn after_and_for_in_one_rule_must_both_be_over() {
    let model = "
        a
          go after 60s when temp > 50 for 10s to b
        b
    ";
    check(model, "1 temp 60\n20 time\n60 time", "1m a -> b (timer for 10s)");
    check(model, "55 temp 60\n60 time\n65 time", "1m5s a -> b (timer for 10s)");
    // A break after the ten seconds and before the minute counts; a pause only holds the ten seconds up.
    check(model, "1 temp 60\n40 temp 10\n55 temp 60\n64 time\n65 time", "1m5s a -> b (timer for 10s)");
    check(model, "1 temp 60\n20 temp bad\n30 temp 60\n60 time", "1m a -> b (timer for 10s)");
    check(model, "1 temp 60\n20 temp bad\n70 time\n80 temp 60", "1m20s a -> b (timer for 10s)");
    let mut stage = Stage::new(model);
    stage.play("1 temp 60\n20 time");
    assert_eq!(stage.engine.next_due(), Some(Timestamp::from_seconds(60)));
    stage.restart(Timestamp::from_seconds(30), None);
    assert_same(&stage.play("59 time\n60 time"), "1m a -> b (timer for 10s)");
}

#[test]
fn after_starts_over_with_each_entry() {
    let model = "
        a
          go after 10s to b
          go on count to a
        b
    ";
    check(model, "8 count 1\n17 time\n18 time", "8s a -> a (input count)\n18s a -> b (timer after 10s)");
}

#[test]
fn every_repeats_on_its_beat() {
    let model = "
        a
          go every 10s do publish beat {count}
          go when count == 9 to b
        b
    ";
    let played = Stage::new(model).play("1 count 1\n31 time\n35 count 9\n100 time");
    assert_same(
        &played,
        "
        10s a -> a (timer every 10s) do publish beat {count}
        10s publication beat
        20s a -> a (timer every 10s) do publish beat {count}
        20s publication beat
        30s a -> a (timer every 10s) do publish beat {count}
        30s publication beat
        > publish beat 1
        > publish beat 1
        > publish beat 1
        35s a -> b (input count)
        ",
    );
}

#[test]
fn every_skips_beats_after_a_very_long_silence() {
    let mut stage = Stage::new("a\n  go every 1s do publish beat x");
    let played = stage.play("1 count 1\n100000.5 time");
    assert_eq!(played.lines().filter(|line| line.starts_with('>')).count(), 1 + 1_000);
    assert_eq!(stage.snapshot().failures, 1);
    let timer = &stage.snapshot().timers[0];
    assert_eq!(timer.due.as_millis(), 100_001_000, "back on its beat");
}

#[test]
fn timers_due_together_go_by_deadline_then_by_name() {
    let model = "
        a
          go every 10s do publish second x
          go after 10s do publish first x
          go after 9s do publish before x
    ";
    let played = Stage::new(model).play("20 time");
    let publications: Vec<_> = played.lines().filter_map(|line| line.strip_prefix("> publish ")).collect();
    assert_eq!(publications, ["before x", "first x", "second x", "second x"]);
}

#[test]
fn while_samples_flow_the_callers_time_does_not_overtake_them() {
    let mut stage = Stage::new(HOLD);
    stage.play("1 temp 60\n60.5 temp 60");
    assert_eq!(stage.engine.next_due(), Some(Timestamp::from_millis(62_500)));
    assert_same(&stage.play("61.4 time"), "");
    // Nor when something else is due in between.
    let mut shelved = Stage::new(HOLD);
    let played = shelved.play("1 temp 60\n2 shelve 59400ms note\n60.5 temp 60\n61.4 time");
    assert_same(&played, "2s alarm shelve: normal -> shelved by kim\n1m1s400ms alarm unshelve: shelved -> normal");
    // The sample that breaks it was measured in time, though it comes late.
    assert_same(&stage.play("61.5 temp 10@60.9\n100 time"), "");
}

#[test]
fn devices_with_a_slow_clock_keep_their_own_time() {
    let mut stage = Stage::new(HOLD);
    // The device is an hour behind. A minute of its time is a minute, in silence too.
    stage.play("3601 temp 60@1");
    assert_eq!(stage.engine.next_due(), Some(Timestamp::from_seconds(3_661)));
    assert_same(&stage.play("3660 time\n3661 time"), "1m1s a -> b (timer for 1m)");
}

#[test]
fn a_clock_far_ahead_counts_as_now() {
    let mut stage = Stage::new(HOLD);
    assert_same(&stage.play("1 temp 60@99999\n61 time"), "1m1s a -> b (timer for 1m)");
}

#[test]
fn the_next_due_time_is_that_of_the_first_timer() {
    let mut stage = Stage::new("a\n  go after 30s to b\nb\n  go after 1h to a");
    assert_eq!(stage.engine.next_due(), Some(Timestamp::from_seconds(30)));
    stage.play("30 time");
    assert_eq!(stage.engine.next_due(), Some(Timestamp::from_seconds(3_630)));
}
