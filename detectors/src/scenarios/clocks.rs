//! The caller's clock jumps: an hour or ten years, forward or back. No command is sent late, none by an old value, and detectors
//! go on watching.

use super::alarms::{alarms, boiler};
use crate::testing::{Stage, assert_same, detector};
use andon_models::{Timestamp, command::DryRun};
use std::time::Duration;

const HOUR: u64 = 3_600;
const TEN_YEARS: u64 = 10 * 365 * 24 * HOUR;
/// Far enough from the beginning of time for any jump back.
const T: u64 = 1_800_000_000;

const HOLD: &str = "
    a
      go when temp > 50 for 60s to b
    b
      go when temp < 20 to a
";

const STOP: &str = "
    a
      go on count do write stop_request = true
";

#[test]
fn when_the_clock_goes_back_timers_keep_what_was_left_of_them() {
    for jump in [HOUR, TEN_YEARS] {
        let mut stage = Stage::new(HOLD);
        stage.play(&format!("{T} temp 60\n{} temp 60", T + 30));
        let now = T + 30 - jump;
        let played = stage.play(&format!("{now} time\n{} time\n{} time", now + 29, now + 30));
        let told: Vec<&str> = played.lines().collect();
        assert!(told[0].contains("warning clock: the clock went back by"), "{played}");
        assert!(told[1].ends_with("a -> b (timer for 1m)"), "{played}");
        assert_eq!(told.len(), 2, "{played}");
        // Samples of the new time are not late.
        assert!(stage.play(&format!("{} temp 10", now + 31)).ends_with("b -> a (input temp)"));
        assert_eq!(stage.snapshot().seen, Timestamp::from_seconds((now + 31).cast_signed()));
    }
}

#[test]
fn a_step_back_of_seconds_is_waited_for() {
    let mut stage = Stage::new(HOLD);
    stage.play(&format!("{T} temp 60\n{} temp 60", T + 30));
    assert_same(&stage.play(&format!("{} time\n{} time", T + 10, T + 59)), "");
    assert!(stage.play(&format!("{} time", T + 60)).ends_with("a -> b (timer for 1m)"));
}

#[test]
fn a_restart_on_a_clock_that_went_back_goes_on_watching() {
    for jump in [HOUR, TEN_YEARS] {
        let mut stage = Stage::new(HOLD);
        stage.play(&format!("{T} temp 60\n{} temp 60", T + 30));
        let now = T + 30 - jump;
        stage.restart(Timestamp::from_seconds(now.cast_signed()), None);
        let played = stage.play(&format!("{} time\n{} time", now + 29, now + 30));
        assert!(played.ends_with("a -> b (timer for 1m)") && played.lines().count() == 1, "{played}");
    }
}

#[test]
fn a_command_is_not_sent_after_the_clock_jumped() {
    for jump in [HOUR.cast_signed(), TEN_YEARS.cast_signed(), -HOUR.cast_signed(), -TEN_YEARS.cast_signed()] {
        let mut stage = Stage::new(STOP);
        stage.play(&format!("{T} running true\n{} count 1", T + 1));
        let command = stage.engine.unfinished_commands().remove(0);
        let now = T.cast_signed() + 2 + jump;
        let may = stage.engine.may_send(Timestamp::from_seconds(now), &command, None);
        assert!(may.is_err(), "{jump}");
        let played = stage.play(&format!("{now} time"));
        assert!(played.contains("command stop_request = true expired"), "{jump}: {played}");
        assert!(played.contains("error Line 1/Filler 1/stop_request: write stop_request = true is expired"), "{played}");
        assert!(!played.contains("> write"), "{jump}: {played}");
    }
}

#[test]
fn what_falls_due_by_a_jump_is_not_written_by_old_values() {
    for jump in [HOUR, TEN_YEARS] {
        let model = "idle\n  go on pressure to a\na\n  go after 60s do write stop_request = true";
        let mut stage = Stage::new(model);
        stage.play(&format!("{T} running true\n{} pressure 1", T + 1));
        let played = stage.play(&format!("{} time", T + jump));
        assert!(played.contains("refused: interlock `running`: running is stale"), "{played}");
        assert!(!played.contains("> write"), "{played}");
    }
}

#[test]
fn values_of_a_clock_far_ahead_drive_no_write() {
    let mut stage = Stage::new(STOP);
    let played = stage.play(&format!("{T} running true@{}\n{} count 1", T + HOUR, T + 1));
    assert!(played.contains("refused: interlock `running`: running is from the future"), "{played}");
}

#[test]
fn when_the_clock_goes_back_an_alarm_keeps_what_was_left_of_its_delays_and_escalation() {
    for jump in [HOUR, TEN_YEARS] {
        let settings = "on_delay: 60s, off_delay: 60s, re_alarm: 50s, escalate: [ { after: 90s, notify: [chief] } ]";
        let mut stage = boiler(settings);
        stage.play(&format!("{T} temp 85\n{} time", T + 30));
        let now = T + 30 - jump;
        // 30 s of the delay passed before the jump, the alarm comes 30 s after it.
        let played = alarms(&mut stage, &format!("{now} time\n{} time\n{} time", now + 29, now + 30));
        assert!(played.ends_with("alarm raise: normal -> unacknowledged") && played.lines().count() == 1, "{played}");
        let raised = now + 30;
        assert!(alarms(&mut stage, &format!("{} temp 86\n{} time", raised + 10, raised + 20)).is_empty());
        let now = raised + 20 - jump / 2;
        let played = alarms(&mut stage, &format!("{now} time\n{} time", now + 29));
        assert_same(&played, "");
        assert!(alarms(&mut stage, &format!("{} time", now + 30)).contains("alarm re_alarm"));
        let played = alarms(&mut stage, &format!("{} time\n{} time", now + 69, now + 70));
        assert!(played.contains("alarm escalate") && played.contains("> notify chief (escalate)"), "{played}");
        // The same for a condition that goes.
        stage.play(&format!("{} temp 70\n{} time", now + 75, now + 80));
        let gone = now + 80 - jump / 2;
        assert!(!stage.play(&format!("{gone} time\n{} time", gone + 54)).contains("alarm clear"));
        let played = stage.play(&format!("{} time", gone + 55));
        assert!(played.contains("alarm clear"), "{played}");
    }
}

#[test]
fn when_the_clock_goes_back_a_shelving_and_a_dry_run_end_when_they_should() {
    for jump in [HOUR, TEN_YEARS] {
        let mut stage = boiler("on_delay: 0s");
        stage.play(&format!("{T} temp 85\n{} shelve 8h the valve is being changed", T + 10));
        let now = T + 10 - jump;
        assert_same(&alarms(&mut stage, &format!("{now} time\n{} time", now + 8 * HOUR - 1)), "");
        let played = alarms(&mut stage, &format!("{} time", now + 8 * HOUR));
        assert!(played.contains("alarm unshelve: shelved -> unacknowledged"), "{played}");

        let mut model = detector("overheat", STOP);
        model.dry_run = DryRun::AtLeast(Duration::from_secs(HOUR));
        let mut stage = Stage::unstarted(vec![model]);
        let actions = stage.engine.start(Timestamp::from_seconds(T.cast_signed()));
        assert!(actions.len() > 1);
        stage.play(&format!("{} running true", T + 600));
        let now = T + 600 - jump;
        let played = stage.play(&format!("{now} time\n{} release", now + HOUR - 601));
        assert!(played.contains("> refuse: it must run dry until"), "{played}");
        assert!(stage.play(&format!("{} release", now + HOUR - 600)).contains("deed release by kim"));
    }
}

#[test]
fn when_the_clock_goes_back_the_rate_of_a_control_counts_on_and_ends() {
    for (jump, restart) in [(HOUR, false), (TEN_YEARS, false), (TEN_YEARS, true)] {
        let mut stage = Stage::new(STOP);
        // Two per hour are allowed.
        stage.play(&format!("{T} running true\n{} count 1\n{} sent\n{} count 2\n{} sent", T + 1, T + 1, T + 2, T + 2));
        let now = T + 602 - jump;
        stage.play(&format!("{} time", T + 602));
        if restart {
            stage.restart(Timestamp::from_seconds(now.cast_signed()), None);
        }
        let played = stage.play(&format!("{now} time\n{} running true\n{} count 3", now + 1, now + 2));
        assert!(played.contains("refused: at most 2 per 1h are allowed, and 2 were decided in that time"), "{played}");
        let later = now + HOUR;
        let played = stage.play(&format!("{later} running true\n{} count 4", later + 1));
        assert!(played.contains("> write stop_request = true"), "{played}");
    }
}

#[test]
fn a_machine_is_stopped_also_when_its_device_is_fast() {
    for ahead in [0, 30, 200, 590] {
        let mut stage = Stage::with(vec![detector("overheat", STOP)]);
        stage.play(&format!("{T} temp 60@{}\n{} running true\n{} count 1", T + ahead, T + 1, T + 2));
        let command = stage.engine.unfinished_commands().remove(0);
        let now = |seconds: u64| Timestamp::from_seconds((T + seconds).cast_signed());
        assert_eq!(stage.engine.may_send(now(2), &command, None), Ok(()), "{ahead}");
        assert!(stage.engine.may_send(now(14), &command, None).is_err(), "it is too late then");
    }
}

#[test]
fn a_restart_beside_a_device_that_is_fast_is_no_clock_that_went_back() {
    for ahead in [200, 420, 590] {
        let mut stage = Stage::with(vec![detector("overheat", STOP), detector("slow", HOLD)]);
        let fast = |time: u64| time + ahead;
        stage.play(&format!("{T} temp 60@{}\n{} running true\n{} count 1", fast(T), T + 1, T + 2));
        let requested = stage.engine.unfinished_commands();
        assert_eq!(requested.len(), 1);
        stage.play(&format!("{} temp 61@{}", T + 3, fast(T + 3)));
        let told = stage.restart(Timestamp::from_seconds((T + 4).cast_signed()), None);
        assert_same(&crate::testing::words(&told), "");
        let played = stage.play(&format!("{} time", T + 5));
        assert!(!played.contains("the clock went back") && !played.contains("expired"), "{ahead}: {played}");
        assert_eq!(stage.engine.unfinished_commands(), requested);
    }
}
