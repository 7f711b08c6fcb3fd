//! How a running plant keeps its data, as arguments.

use super::data::Data;
use andon_models::time::parse_duration;
use andon_query::{HistorianOptions, MIN_MEMORY, Retention};
use std::{path::PathBuf, time::Duration};

/// Where and how data is kept.
#[derive(clap::Args)]
pub struct Storage {
    /// Where history and definitions are kept: a folder, or s3://bucket/plant for the tables of history. Credentials, region and
    /// endpoint come from AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION and AWS_ENDPOINT_URL.
    #[arg(long, default_value = "data", value_name = "DIR or URL")]
    data: Data,
    /// With a bucket: the folder for the log and the definitions, on a disk of this machine.
    #[arg(long, default_value = "andon-local", value_name = "DIR")]
    local: PathBuf,
    /// With a bucket: goes on writing what another Andon wrote, which must be gone for good.
    #[arg(long)]
    take_over: bool,
    /// How long samples are kept, by whole UTC days, such as 400d. For ever if not given.
    #[arg(long, value_parser = age, value_name = "TIME")]
    keep_samples: Option<Duration>,
    /// How long events are kept.
    #[arg(long, value_parser = age, value_name = "TIME")]
    keep_events: Option<Duration>,
    /// How long files that were merged stay for other programs that may be reading them.
    #[arg(long, default_value = "1h", value_parser = duration, value_name = "TIME")]
    keep_removed: Duration,
    /// Memory for the buffer, for making files of it and for queries, together; what there is per series comes on top.
    #[arg(long, default_value = "1GiB", value_parser = memory, value_name = "SIZE")]
    memory: usize,
    /// How long what programs write waits for others at most, so that one sync of the disk serves them all. A writer that is alone
    /// never waits, nor does what sources tell and detectors decide.
    #[arg(long, default_value = "2ms", value_parser = duration, value_name = "TIME")]
    commit_delay: Duration,
    /// Bytes that go to the log with one sync at most.
    #[arg(long, default_value = "8MiB", value_parser = bytes, value_name = "SIZE")]
    commit_bytes: usize,
    /// The longest time data stays in the log before it is history; a restart reads so much of the log.
    #[arg(long, default_value = "30m", value_parser = duration, value_name = "TIME")]
    flush_age: Duration,
}

impl Storage {
    /// The options of the historian.
    pub fn options(self) -> HistorianOptions {
        let (dir, bucket) = match self.data {
            Data::Folder(folder) => (folder, None),
            Data::Bucket(url) => (self.local, Some(url)),
        };
        HistorianOptions {
            bucket,
            take_over: self.take_over,
            keep: Retention { samples: self.keep_samples, events: self.keep_events },
            keep_removed: self.keep_removed,
            memory: self.memory,
            commit_delay: self.commit_delay,
            commit_bytes: self.commit_bytes,
            flush_age: self.flush_age,
            ..HistorianOptions::new(dir)
        }
    }
}

/// Units of a size as text.
const UNITS: [(&str, u32); 6] = [("GIB", 30), ("MIB", 20), ("KIB", 10), ("G", 30), ("M", 20), ("K", 10)];

fn bytes(text: &str) -> Result<usize, String> {
    let upper = text.trim().to_ascii_uppercase();
    let (digits, shift) =
        UNITS.iter().find_map(|(unit, shift)| Some((upper.strip_suffix(unit)?, *shift))).unwrap_or((&upper, 0));
    let number: Option<usize> = digits.trim().parse().ok();
    let size = number.and_then(|number| number.checked_mul(1 << shift)).filter(|size| *size > 0);
    size.ok_or_else(|| format!("`{text}` is no size; write it like 512MiB or 2GiB"))
}

fn memory(text: &str) -> Result<usize, String> {
    match bytes(text)? {
        size if size >= MIN_MEMORY => Ok(size),
        _ => Err(format!("too little to work with; the least is {}MiB", MIN_MEMORY >> 20)),
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text).ok_or_else(|| format!("`{text}` is no time; write it like 2ms, 30s or 10m"))
}

/// How long history is kept: it goes by whole days.
fn age(text: &str) -> Result<Duration, String> {
    const DAY: Duration = Duration::from_secs(86_400);
    match parse_duration(text) {
        Some(age) if age >= DAY => Ok(age),
        Some(_) => Err(format!("`{text}` is too short: history goes by whole days; the least is 1d")),
        None => Err(format!("`{text}` is no age; write it like 400d")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_as_people_write_them() {
        let sizes = ["1GiB", "512 mib", "8MiB", "64k", "100"].map(|text| bytes(text).unwrap());
        assert_eq!(sizes, [1 << 30, 512 << 20, 8 << 20, 64 << 10, 100]);
        for wrong in ["", "GiB", "-1", "1.5GiB", "99999999999GiB", "0"] {
            assert!(bytes(wrong).unwrap_err().contains("512MiB"), "{wrong}");
        }
        assert!(memory("1MiB").is_err());
        assert_eq!(age("2d"), Ok(Duration::from_secs(2 * 86_400)));
        assert!(age("0d").unwrap_err().contains("whole days") && age("400").unwrap_err().contains("400d"));
    }
}
