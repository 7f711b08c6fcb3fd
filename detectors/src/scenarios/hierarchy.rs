//! Nested states: order of entry and exit, bubbling, moves to groups and to themselves, history.

use crate::testing::check;

/// Two groups deep on one side, one on the other; every entry and exit publishes its letter.
const TREE: &str = "
    a initial b
      enter publish in a
      exit publish out a
      go when count == 9 to a do publish do again
      go when count == 1 to d
    a/b initial c
      enter publish in b
      exit publish out b
      go when count == 2 to a/b/c2
      go when count == 5 to a
    a/b/c
      enter publish in c
      exit publish out c
      go when count == 3 to a/b/c
      go when count == 4 do publish stays here
    a/b/c2
      enter publish in c2
      exit publish out c2
    d initial e
      enter publish in d
      exit publish out d
      go when count == 0 to a do publish do back
    d/e
      enter publish in e
      exit publish out e
";

/// Plays samples of `count` on the tree; gives the moves and the letters.
fn letters(samples: &str) -> String {
    let script: Vec<String> =
        samples.split(' ').enumerate().map(|(second, count)| format!("{} count {count}", second + 1)).collect();
    let played = crate::testing::Stage::new(TREE).play(&script.join("\n"));
    let lines = played.lines().filter_map(|line| line.strip_prefix("> publish "));
    lines.collect::<Vec<_>>().join(", ")
}

#[test]
fn leaving_goes_outward_then_the_rule_acts_then_entering_goes_inward() {
    assert_eq!(letters("1"), "out c, out b, out a, in d, in e");
    assert_eq!(letters("1 0"), "out c, out b, out a, in d, in e, out e, out d, do back, in a, in b, in c");
}

#[test]
fn siblings_do_not_leave_their_group() {
    assert_eq!(letters("2"), "out c, in c2");
}

#[test]
fn a_state_that_goes_to_itself_is_left_and_entered() {
    assert_eq!(letters("3"), "out c, in c");
}

#[test]
fn a_group_that_goes_to_itself_is_left_and_entered_too() {
    assert_eq!(letters("2 9"), "out c, in c2, out c2, out b, out a, do again, in a, in b, in c");
}

#[test]
fn going_to_an_enclosing_group_stays_inside_it() {
    assert_eq!(letters("2 5"), "out c, in c2, out c2, out b, in b, in c");
}

#[test]
fn a_rule_without_target_only_acts() {
    assert_eq!(letters("4 4"), "stays here, stays here");
}

#[test]
fn the_leaf_answers_before_its_groups_and_only_one_rule_wins() {
    check(
        "
        out initial in
          go when temp > 1 to out/outer
        out/in
          go when temp > 5 to out/first
          go when temp > 3 to out/second
        out/first
        out/second
        out/outer
        ",
        "
        1 temp 0
        2 temp 4
        3 temp 9
        4 temp 2
        ",
        "
        2s out/in -> out/second (input temp)
        3s out/second -> out/outer (input temp)
        4s out/outer -> out/outer (input temp)
        ",
    );
}

#[test]
fn history_enters_the_last_leaf_again() {
    let model = "
        work initial slow history
          go when not running to pause
        work/slow
          go when count == 1 to work/fast
        work/fast
        pause
          go when running to work
    ";
    check(
        model,
        "
        1 running false
        2 running true
        3 count 1
        4 running false
        5 running true
        ",
        "
        1s work/slow -> pause (input running)
        2s pause -> work/slow (input running)
        3s work/slow -> work/fast (input count)
        4s work/fast -> pause (input running)
        5s pause -> work/fast (input running)
        ",
    );
}

#[test]
fn two_hundred_and_fifty_six_states_have_their_slots() {
    let mut model = String::from("s0\n  go when count == 1 to s255\n");
    for number in 1..256 {
        model.push_str(&format!("s{number}\n"));
    }
    check(&model, "1 count 1", "1s s0 -> s255 (input count)");
}
