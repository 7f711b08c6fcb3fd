//! The chain on a disk: what a crash leaves, what is taken away, and what a backup takes.

use super::{check::Check, copy::copy, journal::Journal, *};
use andon_models::{
    EventId, Timestamp,
    audit::{BadRecord, HEAD_MISSING, Hash, Head, TORN_LINE},
    event::{Deed, Event, EventBody},
};
use std::{fs, path::PathBuf};

struct Folder {
    folder: tempfile::TempDir,
}

fn november(second: i64) -> Timestamp {
    "2026-11-22T08:00:00Z".parse::<Timestamp>().unwrap() + std::time::Duration::from_secs(second.unsigned_abs())
}

fn entry(number: i64) -> Entry {
    Entry::new(november(number), "kim", "acknowledge", &format!("alarm {number}"))
}

impl Folder {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn journal(&self) -> Journal {
        Journal::open(self.folder.path()).unwrap()
    }

    /// A chain of so many records.
    fn of(records: i64) -> Self {
        let folder = Self::new();
        (0..records).for_each(|number| _ = folder.journal().append(&[entry(number)], november(number)).unwrap());
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(FOLDER).join(name)
    }

    fn read(&self) -> Vec<u8> {
        fs::read(self.path("2026-11.jsonl")).unwrap()
    }

    fn write(&self, bytes: &[u8]) {
        fs::write(self.path("2026-11.jsonl"), bytes).unwrap();
    }

    fn check(&self) -> Result<Check, BadRecord> {
        let mut check = Check::new(&self.folder.path().join(FOLDER));
        check.go_on(&mut |_, _| {}).unwrap()?;
        Ok(check)
    }

    fn verbs(&self) -> Vec<String> {
        let text = String::from_utf8_lossy(&self.read()).into_owned();
        let verb = |line: &str| serde_json::from_str::<serde_json::Value>(line).ok()?["verb"].as_str().map(str::to_owned);
        text.lines().filter_map(verb).collect()
    }
}

#[test]
fn records_go_to_the_file_of_their_month_and_never_back() {
    let folder = Folder::of(2);
    let december = "2026-12-01T00:00:00Z".parse().unwrap();
    folder.journal().append(&[entry(2)], december).unwrap();
    folder.journal().append(&[entry(3)], november(3)).unwrap();
    let lines = |name: &str| fs::read_to_string(folder.path(name)).unwrap().lines().count();
    assert_eq!((lines("2026-11.jsonl"), lines("2026-12.jsonl")), (2, 2), "the clock went back, the chain did not");
    assert_eq!(folder.check().unwrap().head().record, 4);
    // A month that is gone is missed.
    fs::remove_file(folder.path("2026-11.jsonl")).unwrap();
    let bad = folder.check().unwrap_err();
    assert_eq!((bad.record, &*bad.file, bad.line), (1, "2026-12.jsonl", 1));
}

#[test]
fn a_line_that_a_crash_cut_off_stays_and_is_owned_up_to() {
    let folder = Folder::of(3);
    let mut bytes = folder.read();
    bytes.extend_from_slice(b"{\"record\":4,\"time\":\"2026-11-22T08:0");
    folder.write(&bytes);
    let check = folder.check().unwrap();
    assert_eq!((check.head().record, check.open_bytes()), (3, 35), "said, and no fault");
    folder.journal().append(&[entry(4)], november(4)).unwrap();
    assert!(folder.read().starts_with(&bytes), "not a byte of it is rewritten");
    assert_eq!(folder.verbs(), ["acknowledge", "acknowledge", "acknowledge", TORN_LINE, "acknowledge"]);
    let check = folder.check().unwrap();
    assert_eq!((check.head().record, check.torn(), check.open_bytes()), (5, 1, 0));
    let mut changed = folder.read();
    changed[bytes.len() - 1] = b'1';
    folder.write(&changed);
    let bad = folder.check().unwrap_err();
    assert_eq!((bad.record, bad.line), (4, 4));
}

#[test]
fn records_that_a_crash_left_behind_the_head_are_taken_up() {
    for open in [false, true] {
        let folder = Folder::of(2);
        let head = fs::read(folder.path("head")).unwrap();
        folder.journal().append(&[entry(2), entry(3)], november(3)).unwrap();
        fs::write(folder.path("head"), head).unwrap();
        if open {
            // Only the end of the line is missing.
            let bytes = folder.read();
            folder.write(&bytes[..bytes.len() - 1]);
        }
        assert_eq!(folder.check().unwrap().head().record, if open { 3 } else { 4 });
        folder.journal().append(&[entry(4)], november(4)).unwrap();
        assert_eq!(folder.check().unwrap().head().record, 5);
        assert_eq!(folder.verbs().len(), 5, "nothing twice");
    }
}

#[test]
fn a_crash_before_the_very_first_head_is_no_fault() {
    let folder = Folder::of(0);
    let journal = folder.journal();
    drop(pointer::lock(journal.folder()).unwrap());
    journal.append(&[entry(0)], november(0)).unwrap();
    assert_eq!(folder.check().unwrap().head().record, 1);
}

#[test]
fn what_is_taken_away_at_the_end_is_missed_also_after_more_was_recorded() {
    let folder = Folder::of(4);
    let bytes = folder.read();
    let third = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').nth(2).unwrap().0;
    for cut in [third + 1, third - 10, 0] {
        folder.write(&bytes[..cut]);
        let bad = folder.check().unwrap_err();
        assert!(bad.wrong.contains("the head says that it has 4 records"), "{bad:?}");
        folder.journal().append(&[entry(9)], november(9)).unwrap();
        let bad = folder.check().unwrap_err();
        let record = if cut == third + 1 {
            4
        } else if cut == 0 {
            1
        } else {
            3
        };
        assert_eq!(bad.record, record, "{bad:?}");
        // As it was, for the next cut.
        folder.write(&bytes);
        fs::remove_file(folder.path("head")).unwrap();
        let whole = Folder::of(4);
        fs::copy(whole.path("head"), folder.path("head")).unwrap();
    }
}

#[test]
fn a_chain_whose_head_is_gone_goes_on_and_says_so_for_ever() {
    for damaged in [false, true] {
        let folder = Folder::of(3);
        match damaged {
            true => fs::write(folder.path("head"), "nonsense").unwrap(),
            false => fs::remove_file(folder.path("head")).unwrap(),
        }
        assert!(folder.check().unwrap_err().wrong.contains("`head`"));
        folder.journal().append(&[entry(3)], november(3)).unwrap();
        assert_eq!(folder.verbs()[3..], [HEAD_MISSING, "acknowledge"]);
        assert_eq!(folder.check().unwrap_err().record, 4);
    }
}

#[test]
fn what_was_read_before_is_not_read_again_but_missed_when_it_changes_its_length() {
    let folder = Folder::of(3);
    let mut check = folder.check().unwrap();
    let mut read = 0;
    folder.journal().append(&[entry(3)], november(3)).unwrap();
    check.go_on(&mut |_, _| read += 1).unwrap().unwrap();
    assert_eq!((read, check.head().record), (1, 4), "the cost follows what came");
    let bytes = folder.read();
    folder.write(&bytes[..bytes.len() - 20]);
    let bad = check.go_on(&mut |_, _| {}).unwrap().unwrap_err();
    assert!(bad.wrong.contains("when it was read last"), "{bad:?}");
}

#[test]
fn a_running_plant_does_not_read_what_is_being_written() {
    let folder = Folder::of(2);
    let mut bytes = folder.read();
    bytes.extend_from_slice(b"{\"record\":3");
    folder.write(&bytes);
    let mut check = Check::live(&folder.folder.path().join(FOLDER));
    check.go_on(&mut |_, _| {}).unwrap().unwrap();
    assert_eq!((check.head().record, check.open_bytes()), (2, 0));
}

#[test]
fn two_processes_share_one_chain() {
    let folder = Folder::of(0);
    let add = |who: i64| {
        let journal = folder.journal();
        move || (0..20).for_each(|number| _ = journal.append(&[entry(who * 100 + number)], november(number)).unwrap())
    };
    std::thread::scope(|scope| {
        scope.spawn(add(1));
        scope.spawn(add(2));
    });
    assert_eq!(folder.check().unwrap().head().record, 40);
}

#[test]
fn a_copy_for_a_backup_is_a_whole_chain_by_itself() {
    let folder = Folder::of(3);
    let mut bytes = folder.read();
    bytes.extend_from_slice(b"{\"record\":4,");
    folder.write(&bytes);
    let backup = Folder::new();
    copy(folder.folder.path(), backup.folder.path()).unwrap();
    let check = backup.check().unwrap();
    assert_eq!((check.head().record, check.open_bytes()), (3, 0));
    copy(Folder::new().folder.path(), Folder::new().folder.path()).expect("an older folder has none");
}

fn deed(number: i64) -> Event {
    Event {
        id: EventId::from_name(&format!("deed {number}")),
        time: november(number),
        asset: None,
        asset_path: "".into(),
        detector: "".into(),
        body: EventBody::Deed(Deed { by: "kim".into(), verb: "note".into(), detail: format!("{number}").into(), hour: None }),
    }
}

fn now() -> Now {
    Arc::new(|| november(0))
}

#[tokio::test]
async fn what_a_crash_kept_from_the_chain_comes_with_the_next_start_and_once() {
    let folder = Folder::new();
    let data = folder.folder.path();
    let mut kept = HashMap::new();
    let audit = Audit::open(data, &kept, &now()).unwrap();
    let mut pending = Vec::new();
    for number in 0..3 {
        let mut batch = Batch { events: vec![deed(number)], ..Batch::default() };
        pending.push(audit.keep(&mut batch).unwrap());
        kept.extend(batch.keep);
    }
    // The first two came into the chain, the third did not; nothing is forgotten yet.
    audit.append(pending[..2].to_vec()).await.unwrap();
    assert_eq!(audit.state().borrow().records, 2);
    drop(audit);
    let audit = Audit::open(data, &kept, &now()).unwrap();
    assert_eq!(folder.verbs().len(), 3);
    assert_eq!(folder.check().unwrap().head().record, 3);
    // The next record that is kept forgets them all.
    let mut batch = Batch::default();
    assert_eq!(audit.keep(&mut batch), None);
    batch.keep.sort();
    let mut keys: Vec<(String, Vec<u8>)> = kept.into_keys().map(|key| (key, Vec::new())).collect();
    keys.sort();
    assert_eq!(batch.keep, keys);
    drop(Audit::open(data, &batch.keep.into_iter().collect(), &now()).unwrap());
    assert_eq!(folder.verbs().len(), 3);
}

#[tokio::test]
async fn what_the_disk_does_not_take_is_refused_and_owed() {
    let folder = Folder::new();
    let audit = Audit::open(folder.folder.path(), &HashMap::new(), &now()).unwrap();
    // A folder where the file should be: for root as well, nothing can be written there.
    fs::create_dir(folder.path("2026-11.jsonl")).unwrap();
    let mut batch = Batch { events: vec![deed(1)], ..Batch::default() };
    let refused = audit.append(vec![audit.keep(&mut batch).unwrap()]).await.unwrap_err();
    assert!(refused.contains("the audit cannot be written"), "{refused}");
    assert!(!audit.state().borrow().trouble.is_empty() && audit.owes());
    fs::remove_dir(folder.path("2026-11.jsonl")).unwrap();
    audit.note("start", "").await.unwrap();
    assert_eq!(folder.verbs(), ["note", "start"], "what is owed comes first");
    assert!(audit.state().borrow().trouble.is_empty() && !audit.owes());
    assert_eq!(folder.check().unwrap().head().record, 2);
}

#[test]
fn any_byte_of_any_file_that_is_changed_is_found() {
    let folder = Folder::of(3);
    for name in ["head", "2026-11.jsonl"] {
        let whole = fs::read(folder.path(name)).unwrap();
        for place in 0..whole.len() {
            for to in [whole[place] ^ 1, b'\n', 0] {
                let mut bytes = whole.clone();
                bytes[place] = to;
                if bytes == whole {
                    continue;
                }
                fs::write(folder.path(name), &bytes).unwrap();
                let bad = folder.check().err().unwrap_or_else(|| panic!("{name}: byte {place} is {to}"));
                assert!(!bad.wrong.is_empty() && !bad.advice.is_empty(), "{bad:?}");
            }
        }
        fs::write(folder.path(name), &whole).unwrap();
    }
    folder.check().unwrap();
}

#[test]
fn a_file_cut_at_any_byte_goes_on_and_is_told() {
    let whole = Folder::of(2);
    for cut in 0..whole.read().len() {
        let folder = Folder::of(2);
        let bytes = folder.read();
        folder.write(&bytes[..cut]);
        folder.journal().append(&[entry(7)], november(7)).unwrap();
        // Without the end of its last line nothing is lost.
        assert_eq!(folder.check().is_ok(), cut + 1 == bytes.len(), "cut at {cut}");
        assert!(folder.read().starts_with(&bytes[..cut]));
    }
}

#[test]
fn what_stands_behind_the_end_is_named_and_the_head_is_not_blamed() {
    let folder = Folder::of(3);
    let whole = folder.read();
    let last: Vec<u8> = whole.split_inclusive(|byte| *byte == b'\n').next_back().unwrap().to_vec();
    for (line, expected) in
        [(&b"nonsense\n"[..], "stands behind the end that the head names"), (&last[..], "record 3 once more")]
    {
        folder.write(&[&whole[..], line].concat());
        let bad = folder.check().unwrap_err();
        assert_eq!((bad.record, bad.line), (4, 4), "{bad:?}");
        assert!(bad.wrong.contains(expected), "{bad:?}");
    }
}

#[test]
fn only_files_named_by_a_month_are_of_the_chain() {
    let folder = Folder::of(2);
    for name in ["notes.jsonl", "2026-11 copy.jsonl", "2026-1.jsonl", "9999-99-99.jsonl"] {
        fs::write(folder.path(name), "anything\n").unwrap();
    }
    folder.journal().append(&[entry(2)], november(2)).unwrap();
    assert_eq!(folder.check().unwrap().head().record, 3);
    assert_eq!(folder.verbs().len(), 3);
}

#[test]
fn a_folder_that_is_away_for_a_while_is_not_broken() {
    let folder = Folder::of(2);
    let mut check = folder.check().unwrap();
    let (here, away) = (folder.folder.path().join(FOLDER), folder.folder.path().join("away"));
    fs::rename(&here, &away).unwrap();
    let error = check.go_on(&mut |_, _| {}).unwrap_err();
    assert!(error.to_string().contains("is not there; is its disk away?"), "{error}");
    fs::rename(&away, &here).unwrap();
    check.go_on(&mut |_, _| {}).unwrap().unwrap();
    // A file of it that is gone is something else.
    fs::remove_file(folder.path("2026-11.jsonl")).unwrap();
    assert!(check.go_on(&mut |_, _| {}).unwrap().unwrap_err().wrong.contains("has 0 now"));
}

#[cfg(unix)]
#[test]
fn what_is_no_file_is_named_and_waited_for_by_nobody() {
    for name in ["2026-11.jsonl", "head"] {
        for pipe in [true, false] {
            let folder = Folder::of(0);
            drop(folder.journal());
            match pipe {
                true => assert!(std::process::Command::new("mkfifo").arg(folder.path(name)).status().unwrap().success()),
                false => fs::create_dir(folder.path(name)).unwrap(),
            }
            let refused = folder.journal().append(&[entry(0)], november(0)).unwrap_err();
            let checked = Check::new(&folder.folder.path().join(FOLDER)).go_on(&mut |_, _| {}).unwrap_err();
            let backup = copy(folder.folder.path(), Folder::new().folder.path()).unwrap_err();
            for told in [format!("{refused:#}"), checked.to_string(), backup.to_string()] {
                assert!(told.contains(name) && told.contains("move it away"), "{told}");
            }
        }
    }
}

#[test]
fn a_head_that_was_made_up_leads_nowhere() {
    let good = pointer::Pointer { record: 2, hash: Hash::of(b"made up"), file: "2026-11.jsonl".into(), bytes: 10 };
    let made_up = [
        pointer::Pointer { record: u64::MAX, ..good.clone() },
        pointer::Pointer { bytes: u64::MAX, ..good.clone() },
        pointer::Pointer { bytes: u64::MAX, file: "2031-01.jsonl".into(), ..good.clone() },
        pointer::Pointer { file: "../../outside.jsonl".into(), ..good.clone() },
        pointer::Pointer { file: "/tmp/outside.jsonl".into(), ..good },
    ];
    for made_up in made_up {
        let folder = Folder::of(2);
        let mut head = fs::File::create(folder.path("head")).unwrap();
        pointer::write(&mut head, &made_up).unwrap();
        assert!(folder.check().unwrap_err().wrong.contains("`head`"), "{made_up:?}");
        folder.journal().append(&[entry(2)], november(2)).unwrap();
        assert_eq!(folder.verbs()[2..], [HEAD_MISSING, "acknowledge"], "{made_up:?}");
    }
}

#[test]
fn a_line_with_the_last_number_there_is_stops_nobody() {
    let folder = Folder::of(0);
    let mut lines = Vec::new();
    Head { record: u64::MAX - 1, hash: Hash::NONE }.append(&entry(0), &mut lines);
    folder.journal();
    folder.write(&lines);
    folder.journal().append(&[entry(1)], november(1)).unwrap();
    assert!(folder.check().unwrap_err().wrong.contains("it is record 18446744073709551615"));
}
