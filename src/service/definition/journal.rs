//! What keeps a change of several files whole over a crash: before the first file is touched, all old and new texts are in the data
//! folder; when the plant runs with the new ones, that note is removed. A start that finds the note puts the old files back: a
//! change that nobody was told of has not happened, and one that brought Andon down is not tried again.

use super::{
    Files,
    place::{Place, write_whole},
};
use anyhow::Context;
use serde::{Deserialize, Serialize};
use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};

/// The note in the data folder.
const NAME: &str = "definition.change";

/// A change under way.
#[derive(Debug, Serialize, Deserialize)]
pub struct Change {
    /// The plant's file or folder.
    pub path: PathBuf,
    /// The files before.
    pub before: Files,
    /// The files after.
    pub after: Files,
    /// Who makes it.
    pub by: String,
}

impl Change {
    /// Notes the change.
    ///
    /// # Errors
    /// When it cannot be written; then nothing may be changed.
    pub fn begin(&self, data: &Path) -> anyhow::Result<()> {
        let path = data.join(NAME);
        write_whole(&path, &serde_json::to_string(self)?).with_context(|| format!("cannot write {}", path.display()))
    }
}

/// The change is made, or taken back.
///
/// # Errors
/// When the note stays; then the next start takes the change back.
pub fn end(data: &Path) -> anyhow::Result<()> {
    let path = data.join(NAME);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}

/// Takes back a change that a crash left under way. Says so in words; none if there was none.
///
/// # Errors
/// When files cannot be read or written.
pub fn take_back(data: &Path) -> anyhow::Result<Option<String>> {
    let path = data.join(NAME);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    };
    let change: Change = serde_json::from_str(&text).with_context(|| format!("{} is damaged", path.display()))?;
    let place = Place::of(&change.path);
    let names = || change.before.iter().chain(&change.after).map(|(name, _)| name);
    let text_of = |files: &Files, name: &str| files.iter().find(|(other, _)| other == name).map(|(_, text)| text.clone());
    // What somebody wrote by hand since then is not thrown away.
    let mine = |name: &String| {
        let now = fs::read_to_string(place.path_of(name)).ok();
        now == text_of(&change.before, name) || now == text_of(&change.after, name)
    };
    let told = if names().all(mine) {
        place.replace(&change.after, &change.before)?;
        format!(
            "the change of the definition by {} was interrupted before the plant ran with it; the definition before holds again. Apply it again",
            change.by
        )
    } else {
        format!(
            "the change of the definition by {} was interrupted, and the files were edited since: they are taken as they are",
            change.by
        )
    };
    end(data)?;
    Ok(Some(told))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(files: &[(&str, &str)]) -> Files {
        files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
    }

    /// What is on disk after a crash in a change, given what was written of it by then.
    fn crashed(written: &[(&str, Option<&str>)]) -> (Files, String) {
        let (data, plant) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let place = Place::of(plant.path());
        let (before, after) = (files(&[("a.yaml", "1"), ("b.yaml", "2")]), files(&[("a.yaml", "3"), ("c.yaml", "4")]));
        place.replace(&[], &before).unwrap();
        let change = Change { path: plant.path().to_owned(), before, after, by: "kim".into() };
        change.begin(data.path()).unwrap();
        for (name, text) in written {
            match text {
                Some(text) => fs::write(plant.path().join(name), text).unwrap(),
                None => fs::remove_file(plant.path().join(name)).unwrap(),
            }
        }
        let told = take_back(data.path()).unwrap().unwrap();
        assert_eq!(take_back(data.path()).unwrap(), None);
        (place.read().unwrap(), told)
    }

    #[test]
    fn wherever_a_crash_comes_the_old_files_are_whole() {
        let old = files(&[("a.yaml", "1"), ("b.yaml", "2")]);
        for written in [
            &[][..],
            &[("a.yaml", Some("3"))],
            &[("a.yaml", Some("3")), ("c.yaml", Some("4"))],
            &[("a.yaml", Some("3")), ("c.yaml", Some("4")), ("b.yaml", None)],
        ] {
            let (found, told) = crashed(written);
            assert_eq!(found, old, "{written:?}");
            assert!(told.contains("by kim"), "{told}");
        }
    }

    #[test]
    fn what_was_written_by_hand_since_stays() {
        let (found, told) = crashed(&[("a.yaml", Some("3")), ("b.yaml", Some("mine"))]);
        assert_eq!(found, files(&[("a.yaml", "3"), ("b.yaml", "mine")]));
        assert!(told.contains("as they are"), "{told}");
    }
}
