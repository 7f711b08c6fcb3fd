//! Notifications into a file: a line of JSON each, on disk before it counts as taken. A full file is set aside, and the oldest goes.

use andon_models::notice::outbox::Attempt;
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

/// Folder in the data folder.
pub const FOLDER: &str = "notifications";

/// A file of more bytes is set aside: some 20,000 messages.
const MOST_BYTES: u64 = 16 << 20;

/// Files that were set aside and are kept: `name.1` is the newest.
const KEPT: usize = 4;

/// Appends a message to a file of the folder.
pub async fn append(folder: &Path, name: &str, message: &serde_json::Value) -> Attempt {
    let (path, line) = (folder.join(name), format!("{message}\n"));
    let shown = path.display().to_string();
    let written = tokio::task::spawn_blocking(move || write(&path, line.as_bytes(), MOST_BYTES)).await;
    match written.map_err(io::Error::other).and_then(|written| written) {
        Ok(()) => Attempt::Taken,
        // A full or read-only disk may be mended.
        Err(error) => Attempt::Later { reason: format!("cannot write {shown}: {error}"), after: None },
    }
}

fn write(path: &Path, line: &[u8], most: u64) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    if fs::metadata(path).is_ok_and(|metadata| metadata.len() > 0 && metadata.len() + line.len() as u64 > most) {
        set_aside(path)?;
    }
    let mut file = OpenOptions::new().create(true).append(true).open(path)?;
    // A line that a full disk cut short is not gone on with.
    let begun = file.metadata()?.len();
    if let Err(error) = file.write_all(line).and_then(|()| file.sync_data()) {
        let _ = file.set_len(begun);
        return Err(error);
    }
    // The name of a new file is on disk as well.
    if begun == 0 { File::open(folder)?.sync_all() } else { Ok(()) }
}

fn set_aside(path: &Path) -> io::Result<()> {
    let numbered = |number: usize| PathBuf::from(format!("{}.{number}", path.display()));
    for number in (1..KEPT).rev().filter(|number| numbered(*number).exists()) {
        fs::rename(numbered(number), numbered(number + 1))?;
    }
    fs::rename(path, numbered(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_appended_and_full_files_set_aside() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/alarms.jsonl");
        for number in 0..20 {
            write(&path, format!("line {number:02}\n").as_bytes(), 16).unwrap();
        }
        let read = |name: &str| fs::read_to_string(folder.path().join("deep").join(name)).unwrap();
        assert_eq!(read("alarms.jsonl"), "line 18\nline 19\n");
        assert_eq!(read("alarms.jsonl.1"), "line 16\nline 17\n");
        assert_eq!(read("alarms.jsonl.4"), "line 10\nline 11\n");
        assert!(!folder.path().join("deep/alarms.jsonl.5").exists());
        // One that is longer than a file may be has one for itself.
        write(&path, &[b'x'; 40], 16).unwrap();
        assert_eq!(read("alarms.jsonl").len(), 40);
    }

    #[tokio::test]
    async fn a_folder_that_cannot_be_written_is_tried_again() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("taken"), "a file, no folder").unwrap();
        let attempt = append(&folder.path().join("taken"), "alarms.jsonl", &serde_json::json!({"a": 1})).await;
        assert!(matches!(&attempt, Attempt::Later { reason, .. } if reason.contains("alarms.jsonl")), "{attempt:?}");
    }
}
