//! What is recorded, how it stands in a line, and that nothing can be done to a chain without being found.

use super::*;
use crate::{CommandId, Value, alarm::*, event::*};
use proptest::prelude::*;

fn entry(number: u64) -> Entry {
    let detail = format!("\"note\" {number}\nund ein Umlaut: ü");
    Entry::new(Timestamp::from_seconds(1_700_000_000 + number as i64), "kim", "acknowledge", &detail)
}

/// The lines of a chain of so many records, and its head.
fn chain(records: u64) -> (Vec<Vec<u8>>, Head) {
    let mut head = Head::START;
    let lines = (0..records).map(|number| {
        let mut line = Vec::new();
        head.append(&entry(number), &mut line);
        line
    });
    (lines.collect(), head)
}

/// Checks a file as it would be read: whole lines; what has no end is left out.
fn check(file: &[u8], head: Option<Head>) -> Result<Verifier, Fault> {
    let mut verifier = Verifier::default();
    verifier.tell(head);
    let mut rest = file;
    while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
        verifier.line(&rest[..end])?;
        rest = &rest[end + 1..];
    }
    verifier.end()?;
    Ok(verifier)
}

fn wrong(lines: &[Vec<u8>], head: Head) -> (u64, Wrong) {
    let fault = check(&lines.concat(), Some(head)).unwrap_err();
    (fault.record, fault.wrong)
}

#[test]
fn a_record_is_one_line_that_anybody_can_check() {
    let mut line = Vec::new();
    let mut head = Head::START;
    head.append(&Entry::new(Timestamp::EPOCH, "kim", "arm", "for \"8 h\""), &mut line);
    let text = String::from_utf8(line.clone()).unwrap();
    let zeros = "0".repeat(64);
    assert_eq!(
        text,
        format!(
            "{{\"record\":1,\"time\":\"1970-01-01T00:00:00Z\",\"by\":\"kim\",\"verb\":\"arm\",\"asset\":\"\",\"detector\":\"\",\
             \"detail\":\"for \\\"8 h\\\"\",\"previous\":\"{zeros}\",\"hash\":\"{}\"}}\n",
            head.hash
        )
    );
    let (content, hash) = content(text.trim_end().as_bytes()).unwrap();
    assert_eq!(hash, Hash::of(content.as_bytes()));
    let record: Record = serde_json::from_str(&content).unwrap();
    assert_eq!((record.record, &*record.entry.detail), (1, "for \"8 h\""));
}

#[test]
fn a_chain_that_is_whole_is_found_whole() {
    let (lines, head) = chain(5);
    let verifier = check(&lines.concat(), Some(head)).unwrap();
    assert_eq!(verifier.head(), head);
    let (first, last) = verifier.span().unwrap();
    assert_eq!((first, last), (entry(0).time, entry(4).time));
    let (_, earlier) = chain(3);
    check(&lines.concat(), Some(earlier)).expect("a head that a loss of power left behind");
    check(&[], None).expect("nothing was recorded yet");
}

#[test]
fn what_was_done_to_a_chain_is_named() {
    let (lines, head) = chain(6);
    let mut changed = lines.clone();
    let place = changed[2].iter().position(|byte| *byte == b'k').unwrap();
    changed[2][place] = b'j';
    assert_eq!(wrong(&changed, head), (3, Wrong::Changed));
    let removed = [&lines[..2], &lines[3..]].concat();
    assert_eq!(wrong(&removed, head), (3, Wrong::Missing(4)));
    let inserted = [&lines[..3], &lines[1..2], &lines[3..]].concat();
    assert_eq!(wrong(&inserted, head), (4, Wrong::Again(2)));
    let mut swapped = lines.clone();
    swapped.swap(1, 2);
    assert_eq!(wrong(&swapped, head), (2, Wrong::Missing(3)));
    assert_eq!(wrong(&lines[..4], head), (5, Wrong::EndMissing(6)));
    assert_eq!(wrong(&[], head), (1, Wrong::EndMissing(6)));
    let fault = check(&lines.concat(), None).unwrap_err();
    assert_eq!((fault.record, fault.wrong), (6, Wrong::NoHead));
}

#[test]
fn a_chain_that_was_made_anew_does_not_fit_the_head() {
    let (lines, head) = chain(3);
    let mut other = Head::START;
    let mut forged = Vec::new();
    (0..3).for_each(|number| other.append(&entry(number + 7), &mut forged));
    let fault = check(&forged, Some(head)).unwrap_err();
    assert_eq!((fault.record, fault.wrong), (3, Wrong::OtherHead));
    // One that goes on from a real record, but not the one it should.
    let mut spliced = lines[..2].concat();
    let mut other = Head { record: 2, hash: other.hash };
    other.append(&entry(2), &mut spliced);
    assert_eq!(check(&spliced, Some(head)).unwrap_err().wrong, Wrong::NotContinued);
}

#[test]
fn a_line_that_a_crash_cut_off_must_be_owned_up_to() {
    let (mut lines, mut head) = chain(2);
    let mut cut = lines[1][..40].to_vec();
    let detail = owned(&cut);
    cut.push(b'\n');
    lines.push(cut);
    let undeclared = [
        lines.clone(),
        vec![{
            let mut line = Vec::new();
            head.clone().append(&entry(2), &mut line);
            line
        }],
    ]
    .concat();
    let mut next = Vec::new();
    head.append(&Entry::new(Timestamp::EPOCH, ANDON, TORN_LINE, &format!("cut off: {detail}")), &mut next);
    lines.push(next);
    assert_eq!(check(&lines.concat(), Some(head)).unwrap().torn(), 1);
    let fault = check(&undeclared.concat(), Some(head)).unwrap_err();
    assert_eq!((fault.record, fault.wrong, fault.line_before), (3, Wrong::NoRecord, true));
    // Neither may it be changed afterwards.
    lines[2][5] ^= 1;
    assert_eq!(check(&lines.concat(), Some(head)).unwrap_err().wrong, Wrong::NoRecord);
}

#[test]
fn a_head_that_was_missing_stays_known() {
    let (mut lines, mut head) = chain(2);
    let mut next = Vec::new();
    head.append(&Entry::new(Timestamp::EPOCH, ANDON, HEAD_MISSING, ""), &mut next);
    lines.push(next);
    assert_eq!(wrong(&lines, head), (3, Wrong::HadNoHead));
}

#[test]
fn only_what_somebody_did_is_recorded() {
    let event = |body| Event {
        id: EventId::from_name("e"),
        time: Timestamp::EPOCH,
        asset: None,
        asset_path: "Line 2/Filler 2".into(),
        detector: "overheat".into(),
        body,
    };
    let alarm = |by: &str| {
        EventBody::Alarm(AlarmChange {
            from: AlarmState::Unacknowledged,
            state: AlarmState::Acknowledged,
            verb: AlarmVerb::Acknowledge,
            priority: Priority::High,
            message: "hot".into(),
            response: "".into(),
            since: None,
            by: by.into(),
            note: "seen".into(),
            explanation: Arc::default(),
        })
    };
    assert_eq!(Entry::of(&event(alarm(""))), None);
    let by_kim = Entry::of(&event(alarm("kim"))).unwrap();
    assert_eq!(
        (&*by_kim.by, &*by_kim.verb, &*by_kim.detail, &*by_kim.asset),
        ("kim", "acknowledge", "hot · seen", "Line 2/Filler 2")
    );
    let command = EventBody::Command(CommandChange {
        command: CommandId::from_name("c"),
        control: "stop".into(),
        address: "coil/3 @plc".into(),
        value: Value::Boolean(true),
        state: CommandState::Failed,
        read_back: Value::Boolean(false),
        reason: "the device shows another value".into(),
        decided_by: "".into(),
        decided_at: Timestamp::EPOCH,
    });
    let written = Entry::of(&event(command)).unwrap();
    assert_eq!((&*written.by, &*written.verb), (ANDON, "command_failed"));
    assert!(
        written.detail.starts_with("stop = true at coil/3 @plc, command ")
            && written.detail.ends_with(", read back false: the device shows another value")
    );
    let notice = SystemNotice { subject: "plc".into(), level: "info".into(), message: "connected".into() };
    assert_eq!(Entry::of(&event(EventBody::System(notice))), None);
    let long = Deed { by: "kim".into(), verb: "note".into(), detail: "ü".repeat(100_000).into(), hour: None };
    let mut line = Vec::new();
    Head::START.clone().append(&Entry::of(&event(EventBody::Deed(long))).unwrap(), &mut line);
    assert!(line.len() < MAX_LINE / 10 && String::from_utf8(line).unwrap().contains("(cut; the event has all of it)"));
}

proptest! {
    #[test]
    fn any_byte_that_is_changed_is_found(records in 1..8_u64, place in any::<prop::sample::Index>(), to in any::<u8>()) {
        let (lines, head) = chain(records);
        let mut file = lines.concat();
        let place = place.index(file.len());
        prop_assume!(file[place] != to);
        // The record that the byte is in.
        let within = file[..place].iter().filter(|byte| **byte == b'\n').count() as u64 + 1;
        file[place] = to;
        let fault = check(&file, Some(head)).unwrap_err();
        prop_assert_eq!(fault.record, within);
    }

    #[test]
    fn any_line_that_is_removed_inserted_or_swapped_is_found(
        records in 2..9_u64, a in any::<prop::sample::Index>(), b in any::<prop::sample::Index>(),
    ) {
        let (lines, head) = chain(records);
        let (a, b) = (a.index(lines.len()), b.index(lines.len()));
        let mut removed = lines.clone();
        removed.remove(a);
        prop_assert_eq!(wrong(&removed, head).0, a as u64 + 1);
        let mut inserted = lines.clone();
        inserted.insert(a, lines[b].clone());
        // A line behind itself is the one that is there once more.
        let first = if a == b { a + 1 } else { a };
        prop_assert_eq!(wrong(&inserted, head).0, first as u64 + 1);
        let mut swapped = lines.clone();
        swapped.swap(a, b);
        match a == b {
            true => drop(check(&swapped.concat(), Some(head)).unwrap()),
            false => prop_assert_eq!(wrong(&swapped, head).0, a.min(b) as u64 + 1),
        }
    }

    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = check(&bytes, None);
        let _ = content(&bytes);
    }
}
