//! The write-ahead log: segments of records, written by one thread that commits many records with one fdatasync.
//!
//! What is acknowledged is on disk. A torn tail is cut; damage in the middle is copied aside and reported, and the records behind it
//! are kept. After a failed write or sync nothing more is acknowledged until everything before it is on disk again, in a new segment.

mod recovery;
mod segment;
mod standing;
mod writer;

pub use recovery::{Recovery, recover};
#[cfg(test)]
pub use segment::Disk;
pub(crate) use standing::Standing;
pub use standing::{StorageHealth, Trouble};
pub use writer::{Answer, GroupCommit, LogWriter, Place, Submission};

use crate::error::QueryError;
use std::{
    fs::File,
    path::{Path, PathBuf},
};

/// A segment is closed when it has grown to this size: small enough to be removed soon, large enough to be few.
pub const SEGMENT_BYTES: u64 = 64 << 20;

/// Path of the segment whose first record has this number.
fn segment_path(folder: &Path, first: u64) -> PathBuf {
    folder.join(format!("{first:020}.log"))
}

/// Writes a segment of one record, whole and durable, where no log is running.
pub fn write_segment(folder: &Path, first: u64, record: &[u8]) -> Result<(), QueryError> {
    crate::historian::checkpoint::write_atomically(&segment_path(folder, first), record)
}

/// All segments by the number of their first record, oldest first.
pub fn segments(folder: &Path) -> Result<Vec<(u64, PathBuf)>, QueryError> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(QueryError::io("cannot list", folder))? {
        let path = entry.map_err(QueryError::io("cannot list", folder))?.path();
        let first = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse().ok());
        if let Some(first) = first.filter(|_| path.extension().is_some_and(|extension| extension == "log")) {
            found.push((first, path));
        }
    }
    found.sort();
    Ok(found)
}

/// Removes the segments all of whose records are numbered up to `number`; the newest always stays.
pub fn remove_up_to(folder: &Path, number: u64) -> Result<(), QueryError> {
    let segments = segments(folder)?;
    for pair in segments.windows(2) {
        if pair[1].0 <= number + 1 {
            std::fs::remove_file(&pair[0].1).map_err(QueryError::io("cannot remove", &pair[0].1))?;
        }
    }
    Ok(())
}

/// Makes new and removed names in a folder durable.
pub fn sync_folder(folder: &Path) -> Result<(), QueryError> {
    File::open(folder).and_then(|file| file.sync_all()).map_err(QueryError::io("cannot sync", folder))
}
