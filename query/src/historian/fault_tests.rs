//! Disks that fail and files that are not what they were. A ledger of what was acknowledged is the judge: none of it is lost, none of
//! it is there twice, and no answer is wrong in silence.

use super::{
    tests::{Bench, kill, temps},
    *,
};
use crate::testing::{at, rows};
use arrow::{array::AsArray, datatypes::Float64Type};
use std::{collections::BTreeSet, time::Duration};

const PATIENCE: Duration = Duration::from_secs(30);

async fn open_on(bench: &Bench) -> (Historian, log::Disk) {
    let options = HistorianOptions::new(bench.folder.path());
    let disk = options.disk.clone();
    (Historian::open(options, bench.catalog.clone()).await.unwrap().0, disk)
}

async fn until(historian: &Historian, what: impl FnMut(&StorageHealth) -> bool) {
    let mut health = historian.watch_storage().unwrap();
    tokio::time::timeout(PATIENCE, health.wait_for(what)).await.expect("in time").unwrap();
}

/// The seconds of all points there are, in order, as they come out of SQL: twice means twice.
async fn seconds(historian: &Historian) -> Vec<i64> {
    let rows = rows(historian, "SELECT value FROM samples WHERE property = 'temp' ORDER BY value").await;
    rows.iter().map(|row| row[0].as_f64().unwrap() as i64).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_and_goes_on_by_itself() {
    let bench = Bench::new();
    let (historian, disk) = open_on(&bench).await;
    historian.append(bench.batch(0..10)).await.unwrap();
    disk.set_full(true);
    let failed = historian.append(bench.batch([10])).await;
    assert!(matches!(failed, Err(QueryError::StorageFull(_))), "{failed:?}");
    let mut refused = historian.enqueue(bench.batch([11])).await;
    assert_eq!(refused.take_back().unwrap().points.len(), 1);
    assert!(matches!(historian.health(), Err(QueryError::StorageFull(_))));
    assert_eq!(seconds(&historian).await, Vec::from_iter(0..=10), "questions are answered");

    disk.set_full(false);
    until(&historian, |health| health.log.is_none()).await;
    historian.health().unwrap();
    historian.append(bench.batch([12])).await.unwrap();
    let seen = temps(&historian).await;
    kill(historian).await;
    let (historian, recovered) = bench.open().await;
    assert_eq!(recovered.notices, []);
    assert_eq!(temps(&historian).await, seen);
}

/// Syncs fail and lose what the page cache had; many writers keep a ledger.
#[tokio::test(flavor = "multi_thread")]
async fn after_a_failed_sync_nothing_acknowledged_is_lost_and_nothing_is_there_twice() {
    const WRITERS: i64 = 8;
    let bench = Arc::new(Bench::new());
    let (historian, disk) = open_on(&bench).await;
    let mut acknowledged = BTreeSet::new();
    for round in 0..6 {
        let writers = (0..WRITERS).map(|writer| {
            let (bench, historian) = (bench.clone(), historian.clone());
            tokio::spawn(async move {
                let mut acknowledged = Vec::new();
                for step in 0..20 {
                    let second = (round * WRITERS + writer) * 100 + step;
                    match historian.append(bench.batch([second])).await {
                        Ok(()) => acknowledged.push(second),
                        Err(QueryError::LogFailed(_)) => until(&historian, |health| health.log.is_none()).await,
                        Err(error) => panic!("{error}"),
                    }
                }
                acknowledged
            })
        });
        let writers: Vec<_> = writers.collect();
        disk.set_broken(true);
        until(&historian, |health| health.log.is_some()).await;
        disk.set_broken(false);
        for writer in writers {
            acknowledged.extend(writer.await.unwrap());
        }
    }
    assert!(acknowledged.len() > 100, "{}", acknowledged.len());
    let seen = seconds(&historian).await;
    kill(historian).await;
    let (historian, recovered) = bench.open().await;
    assert_eq!(recovered.notices, []);
    let found = seconds(&historian).await;
    assert_eq!(found, seen, "what was seen before the crash is what is there after it");
    assert_eq!(found.len(), BTreeSet::from_iter(found.iter()).len());
    assert!(acknowledged.iter().all(|second| found.binary_search(second).is_ok()));
    historian.flush().await.unwrap();
    assert_eq!(seconds(&historian).await, seen);
}

/// The old segment may hold records of the failed write as well, when they could not be cut off.
#[test]
fn records_that_two_segments_have_are_replayed_once_and_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let segment = |first: u64, numbers: &[u64]| {
        let mut bytes = Vec::new();
        for number in numbers {
            let keep = vec![(format!("{first}"), Vec::new())];
            record::encode(*number, &Batch { keep, ..Batch::default() }, &mut bytes);
        }
        std::fs::write(folder.path().join(format!("{first:020}.log")), bytes).unwrap();
    };
    segment(1, &[1, 2, 3, 4, 6]);
    segment(3, &[3, 4, 5, 6, 7]);
    segment(8, &[]);
    segment(9, &[9]);
    std::fs::write(folder.path().join(format!("{:020}.new", 10)), b"half").unwrap();
    let mut found = Vec::new();
    let read = log::recover(folder.path(), 0, true, |number, batch| found.push((number, batch.keep[0].0.clone()))).unwrap();
    assert_eq!(found.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6, 7, 9]);
    assert_eq!(read.last_number, Some(9));
    assert!(read.notices.is_empty());
    assert!(!folder.path().join(format!("{:020}.new", 10)).exists());
}

/// History that cannot be written fills the buffer; then batches are refused, with the reason, instead of waiting for ever.
#[tokio::test(flavor = "multi_thread")]
async fn a_buffer_that_cannot_become_files_refuses_and_goes_on_by_itself() {
    let bench = Bench::new();
    let options = HistorianOptions { memory: 1 << 20, ..HistorianOptions::new(bench.folder.path()) };
    let (historian, _) = Historian::open(options.clone(), bench.catalog.clone()).await.unwrap();
    // A file where the day's folder should be.
    let obstacle = bench.folder.path().join("history/samples/day=2026-01-01");
    std::fs::write(&obstacle, b"").unwrap();
    let mut taken = Vec::new();
    let refused = loop {
        let from = taken.len() as i64 * 100;
        let append = historian.append(bench.batch(from..from + 100));
        match tokio::time::timeout(PATIENCE, append).await.expect("nobody waits for ever") {
            Ok(()) => taken.push(from),
            Err(error) => break error,
        }
    };
    assert!(refused.to_string().contains("day=2026-01-01"), "{refused}");
    assert!(historian.health().is_err());
    assert!(historian.inner.store.buffered_bytes() < 2 * options.buffer_bytes());
    assert_eq!(seconds(&historian).await.len(), taken.len() * 100);
    std::fs::remove_file(&obstacle).unwrap();
    until(&historian, |health| health.history.is_none()).await;
    historian.append(bench.batch([1_000_000])).await.unwrap();
    assert_eq!(seconds(&historian).await.len(), taken.len() * 100 + 1);
}

/// Files of history that are cut, gone, empty or not ours: questions that need them fail with their name, all others are answered.
#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_file_of_history_never_makes_a_wrong_number() {
    const DAY: i64 = 86_400;
    let bench = Bench::new();
    let (historian, _) = bench.open().await;
    historian.append(bench.batch((0..3 * DAY).step_by(3_600))).await.unwrap();
    historian.flush().await.unwrap();
    let history = bench.folder.path().join("history");
    let file = historian.inner.store.files().points.iter().find(|file| file.day() == "2026-01-02").cloned().unwrap();
    historian.close().await.unwrap();
    let path = history.join("samples").join(&*file.relative);
    let whole = std::fs::read(&path).unwrap();
    let foreign = {
        let column: arrow::array::ArrayRef = Arc::new(arrow::array::Int64Array::from(vec![1, 2, 3]));
        let rows = arrow::array::RecordBatch::try_from_iter([("other", column)]).unwrap();
        let mut writer = ::parquet::arrow::ArrowWriter::try_new(Vec::new(), rows.schema(), None).unwrap();
        writer.write(&rows).unwrap();
        writer.into_inner().unwrap()
    };
    let cut = [&whole[..whole.len() - 8], &[0; 8]].concat();
    let random: Vec<u8> = (0..whole.len()).map(|place| (place * 31 % 251) as u8).collect();
    let damages = [Some(&whole[..whole.len() - 9]), Some(&cut), None, Some(&foreign), Some(&random), Some(&[][..])];
    for damage in damages {
        match damage {
            Some(bytes) => std::fs::write(&path, bytes).unwrap(),
            None => std::fs::remove_file(&path).unwrap(),
        }
        // At the second start it lies in the quarantine already.
        for _ in 0..2 {
            let (historian, recovered) = bench.open().await;
            assert_eq!(recovered.notices.len(), 1, "{:?}", recovered.notices);
            assert!(!path.exists());
            let ask = async |condition: &str| {
                let sql = format!("SELECT count(*) FROM samples WHERE property = 'temp' {condition}");
                historian.sql(&sql, SqlLimits::default()).await.map(|answer| answer.rows[0][0].as_i64().unwrap())
            };
            assert_eq!(ask("AND time < '2026-01-01T22:00:00Z'").await.unwrap(), 22);
            let error = ask("").await.unwrap_err().to_string();
            assert!(error.contains(&*file.relative) && error.contains("24 rows") && error.contains("accepted.txt"), "{error}");
            assert!(ask("AND time > '2026-01-02T10:00:00Z' AND time < '2026-01-02T11:00:00Z'").await.is_err());
            let window = Window { start: at(0), end: at(3 * DAY) };
            assert!(historian.history(bench.temp(), window, 10).await.is_err());
            // What is written and merged meanwhile neither needs it nor hides it.
            historian.append(bench.batch([DAY + 60])).await.unwrap();
            historian.flush().await.unwrap();
            historian.compact().await.unwrap();
            assert!(ask("").await.is_err());
            historian.close().await.unwrap();
        }
        std::fs::write(&path, &whole).unwrap();
        let (historian, recovered) = bench.open().await;
        assert_eq!(recovered.notices, [], "it is back");
        assert_eq!(rows(&historian, "SELECT count(*) FROM samples").await[0][0], 3 * 24 + 1);
        historian.close().await.unwrap();
    }

    std::fs::remove_file(&path).unwrap();
    std::fs::write(history.join("quarantine/accepted.txt"), format!("samples/{}\n", file.relative)).unwrap();
    let (historian, recovered) = bench.open().await;
    assert!(recovered.notices[0].message.contains("is accepted"), "{:?}", recovered.notices);
    assert_eq!(rows(&historian, "SELECT count(*) FROM samples").await[0][0], 2 * 24 + 1);
    historian.close().await.unwrap();
    assert_eq!(bench.open().await.1.notices, [], "told once");
}

/// A checkpoint that is damaged, or whose writing was interrupted: the one before it and the log say the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_checkpoint_loses_neither_newest_values_nor_documents() {
    let bench = Bench::new();
    let (mut historian, _) = bench.open().await;
    for step in 0..4_u8 {
        let keep = vec![("state".into(), vec![step]), (format!("only {step}"), vec![step])];
        let second = i64::from(step) * 10;
        historian.append(Batch { keep, ..bench.batch([second]) }).await.unwrap();
        historian.flush().await.unwrap();
        let (kept, newest) = (historian.inner.store.kept(), historian.latest(bench.temp()));
        kill(historian).await;
        let checkpoint = bench.folder.path().join("checkpoint.bin");
        let whole = std::fs::read(&checkpoint).unwrap();
        for damage in [None, Some(&whole[..whole.len() / 2]), Some(&b"foreign"[..]), Some(&[][..])] {
            match damage {
                None => std::fs::remove_file(&checkpoint).unwrap(),
                Some(bytes) => std::fs::write(&checkpoint, bytes).unwrap(),
            }
            let (opened, recovered) = bench.open().await;
            assert_eq!(recovered.kept, kept, "{step} {damage:?}");
            assert_eq!(opened.latest(bench.temp()), newest, "{step} {damage:?}");
            assert_eq!(recovered.notices.len(), usize::from(damage.is_some()));
            assert_eq!(seconds(&opened).await.len(), usize::from(step) + 1);
            kill(opened).await;
        }
        historian = bench.open().await.0;
    }
}

/// A data folder with files, a checkpoint and a log of a few records, and what was acknowledged into that log.
struct Site {
    bench: Bench,
    segment: PathBuf,
    bytes: Vec<u8>,
    /// Where each record of the segment ends; the first one closed the buffer.
    ends: Vec<usize>,
    ledger: Vec<Vec<i64>>,
}

impl Site {
    async fn new() -> Self {
        let bench = Bench::new();
        let (historian, _) = bench.open().await;
        historian.append(bench.batch(0..50)).await.unwrap();
        historian.flush().await.unwrap();
        let ledger: Vec<Vec<i64>> = vec![vec![50], vec![51, 52], vec![53], vec![54, 55]];
        for seconds in &ledger {
            historian.append(bench.batch(seconds.iter().copied())).await.unwrap();
        }
        kill(historian).await;
        let segment = log::segments(&bench.folder.path().join("log")).unwrap().pop().unwrap().1;
        let bytes = std::fs::read(&segment).unwrap();
        let mut ends = Vec::new();
        while let record::Found::Record { next, .. } = record::find(&bytes, ends.last().copied().unwrap_or(0)) {
            ends.push(next);
        }
        assert_eq!((ends.len(), ends.last()), (ledger.len() + 1, Some(&bytes.len())));
        Self { bench, segment, bytes, ends, ledger }
    }

    fn expected(&self, whole: impl Fn(usize) -> bool) -> Vec<i64> {
        let kept = self.ledger.iter().enumerate().filter(|(batch, _)| whole(batch + 1)).flat_map(|(_, seconds)| seconds.iter());
        (0..50).chain(kept.copied()).collect()
    }

    /// Reads the folder back as a start does, up to the buffer; starting altogether would read the same files each time.
    async fn check(&self, tables: &delta::Tables, damaged: &[u8], expected: &[i64]) {
        std::fs::write(&self.segment, damaged).unwrap();
        let dir = self.bench.folder.path();
        let loaded = open::load(dir, open::read_log(dir, true).await.unwrap(), tables).unwrap();
        let found = |rows: &arrow::array::RecordBatch| {
            let values = rows.column_by_name("double").unwrap().as_primitive::<Float64Type>().values().to_vec();
            values.into_iter().map(|value| value as i64)
        };
        let buffered: Vec<i64> = loaded.store.snapshot().points.iter().flat_map(|chunk| found(&chunk.rows)).collect();
        assert_eq!(buffered, expected[50..], "{:?}", loaded.recovered);
        assert_eq!(loaded.store.latest(self.bench.temp()).unwrap().value, (*expected.last().unwrap() as f64).into());
    }

    /// The same with everything, and what comes after it.
    async fn check_all(&self, damaged: &[u8], expected: &[i64]) {
        std::fs::write(&self.segment, damaged).unwrap();
        for more in [&[][..], &[99]] {
            let (historian, recovered) = self.bench.open().await;
            assert_eq!(seconds(&historian).await, [expected, more].concat(), "{recovered:?}");
            if more.is_empty() {
                historian.append(self.bench.batch([99])).await.unwrap();
            }
            kill(historian).await;
        }
        let segments = log::segments(&self.bench.folder.path().join("log")).unwrap();
        segments.iter().filter(|(_, path)| *path > self.segment).for_each(|(_, path)| std::fs::remove_file(path).unwrap());
    }
}

/// Every so many bytes a whole start is made; a prime, so that all parts of a record come up.
const WHOLE_START: usize = 31;

#[tokio::test(flavor = "multi_thread")]
async fn a_log_cut_at_every_byte_loses_only_what_was_cut() {
    let site = Site::new().await;
    let tables = delta::Tables::open(&place::Place::local(&site.bench.folder.path().join("history")).unwrap()).await.unwrap();
    for length in 0..=site.bytes.len() {
        let expected = site.expected(|record| site.ends[record] <= length);
        site.check(&tables, &site.bytes[..length], &expected).await;
        if length % WHOLE_START == 0 {
            site.check_all(&site.bytes[..length], &expected).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_flipped_at_every_byte_loses_only_the_record_that_was_hit() {
    let site = Site::new().await;
    let tables = delta::Tables::open(&place::Place::local(&site.bench.folder.path().join("history")).unwrap()).await.unwrap();
    for place in 0..site.bytes.len() {
        let mut damaged = site.bytes.clone();
        damaged[place] ^= 1 << (place % 8);
        let hit = site.ends.iter().filter(|end| **end <= place).count();
        let expected = site.expected(|record| record != hit);
        site.check(&tables, &damaged, &expected).await;
        if place % WHOLE_START == 0 {
            site.check_all(&damaged, &expected).await;
        }
    }
    let aside = std::fs::read_dir(site.bench.folder.path().join("log/damaged")).unwrap().count();
    assert!(aside > 0, "damaged records are kept for whoever wants to look");
}
