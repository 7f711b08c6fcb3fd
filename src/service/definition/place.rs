//! Where the files of a plant are: one file, a folder of them, or nowhere but in memory. Read as a whole, replaced as a whole.

use super::Files;
use andon_models::plant_file::MAX_FILE_BYTES;
use anyhow::{Context, ensure};
use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

/// Most files of one plant; they are read and checked together.
const MAX_FILES: usize = 1_000;
/// Longest name of a file.
const MAX_NAME: usize = 200;
/// What a file is called while it is written.
const PART: &str = "part";

/// Where the files are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// One file.
    File(PathBuf),
    /// A folder.
    Folder(PathBuf),
    /// Nowhere: the demo's plant is part of the binary.
    Memory,
}

impl Place {
    /// The file or the folder at a path.
    pub fn of(path: &Path) -> Self {
        if path.is_dir() { Self::Folder(path.to_owned()) } else { Self::File(path.to_owned()) }
    }

    /// What the API calls it.
    pub fn word(&self) -> &'static str {
        match self {
            Self::File(_) => "file",
            Self::Folder(_) => "folder",
            Self::Memory => "memory",
        }
    }

    /// The file or the folder; none in memory.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::File(path) | Self::Folder(path) => Some(path),
            Self::Memory => None,
        }
    }

    /// Where a file of this name is.
    pub fn path_of(&self, name: &str) -> PathBuf {
        match self {
            Self::File(path) => path.clone(),
            Self::Folder(folder) => folder.join(name),
            Self::Memory => PathBuf::from(name),
        }
    }

    /// Reads all files, by name. There is nothing to read in memory.
    ///
    /// # Errors
    /// When one cannot be read, or a folder has none.
    pub fn read(&self) -> anyhow::Result<Files> {
        match self {
            Self::Memory => Ok(Files::new()),
            Self::File(path) => Ok(vec![(bare(path), read_one(path)?)]),
            Self::Folder(folder) => {
                let paths = self.list().with_context(|| format!("cannot list {}", folder.display()))?;
                ensure!(!paths.is_empty(), "{} holds no .yaml file", folder.display());
                ensure!(paths.len() <= MAX_FILES, "{} holds more than {MAX_FILES} files", folder.display());
                paths.into_iter().map(|path| Ok((bare(&path), read_one(&path)?))).collect()
            }
        }
    }

    fn list(&self) -> io::Result<BTreeSet<PathBuf>> {
        let Self::Folder(folder) = self else { return Ok(BTreeSet::new()) };
        let entries = fs::read_dir(folder)?.collect::<Result<Vec<_>, _>>()?;
        Ok(entries.into_iter().map(|entry| entry.path()).filter(|path| is_plant_file(&bare(path))).collect())
    }

    /// Whether files may stand here: their names, and how many they are.
    ///
    /// # Errors
    /// What is wrong, and the way out.
    pub fn takes(&self, present: &[(String, String)], files: &[(String, String)]) -> Result<(), (String, String)> {
        let names: BTreeSet<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
        if names.len() != files.len() {
            return Err(("two files have the same name".into(), "give each its own".into()));
        }
        match self {
            Self::Folder(_) => {
                if files.is_empty() || files.len() > MAX_FILES {
                    return Err((format!("a plant has 1 to {MAX_FILES} files"), "send all of them".into()));
                }
                match names.iter().find(|name| !is_plant_file(name)) {
                    Some(name) => Err((format!("`{name}` is no name of a plant file"), "write it like line-2.yaml".into())),
                    None => Ok(()),
                }
            }
            Self::File(_) | Self::Memory => {
                let kept = present.first().map(|(name, _)| name.as_str());
                if names.len() == 1 && names.first().copied() == kept {
                    return Ok(());
                }
                let name = kept.unwrap_or("plant.yaml");
                let hint = "run a folder (andon run plant/) to have several";
                Err((format!("this plant is one file, {name}"), hint.into()))
            }
        }
    }

    /// Replaces files by others; each is the old or the new one at any moment. Those that are equal are not touched.
    ///
    /// # Errors
    /// When one cannot be written; others may be written already.
    pub fn replace(&self, present: &[(String, String)], files: &[(String, String)]) -> anyhow::Result<()> {
        let Some(place) = self.path() else { return Ok(()) };
        for (name, text) in files.iter().filter(|file| !present.contains(file)) {
            let path = self.path_of(name);
            write_whole(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        }
        for (name, _) in present.iter().filter(|(name, _)| !files.iter().any(|(other, _)| other == name)) {
            let path = self.path_of(name);
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(error).with_context(|| format!("cannot remove {}", path.display()));
                }
                _ => {}
            }
        }
        if place.is_dir() {
            sync_folder(place).with_context(|| format!("cannot write {}", place.display()))?;
        }
        Ok(())
    }
}

/// The name of a file without its folder.
pub fn bare(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn is_plant_file(name: &str) -> bool {
    let plain = name.len() <= MAX_NAME && !name.starts_with('.') && !name.contains(['/', '\\', '\0']);
    plain && Path::new(name).extension().is_some_and(|extension| extension == "yaml" || extension == "yml")
}

/// Reads one file of text.
///
/// # Errors
/// When it cannot be read, is too large or no text.
pub fn read_one(path: &Path) -> anyhow::Result<String> {
    let reading = || format!("cannot read {}", path.display());
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(MAX_FILE_BYTES as u64 + 1).read_to_end(&mut bytes)).with_context(reading)?;
    ensure!(
        bytes.len() <= MAX_FILE_BYTES,
        "{} is larger than {} MiB; it is text for people, split it into a folder of files",
        path.display(),
        MAX_FILE_BYTES >> 20
    );
    String::from_utf8(bytes).map_err(|_| anyhow::anyhow!("it is not UTF-8 text")).with_context(reading)
}

/// Writes a file beside its place and moves it there when it is whole and on disk: at any moment there is the old text or the new one.
///
/// # Errors
/// When it cannot be written; then the old text stands.
pub fn write_whole(path: &Path, text: &str) -> io::Result<()> {
    // Behind a link is the file that is meant.
    let there = path.exists();
    let path = if there { fs::canonicalize(path)? } else { path.to_owned() };
    let mut part = path.clone().into_os_string();
    part.push(format!(".{PART}"));
    let written = File::create(&part).and_then(|mut file| {
        if there {
            file.set_permissions(fs::metadata(&path)?.permissions())?;
        }
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    let placed = written.and_then(|()| fs::rename(&part, &path));
    if placed.is_err() {
        // What is half written is of no use to anybody; the reason is told by the error.
        let _ = fs::remove_file(&part);
    }
    placed?;
    path.parent().map_or(Ok(()), sync_folder)
}

/// Puts what happened to the names in a folder on disk.
fn sync_folder(folder: &Path) -> io::Result<()> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(files: &[(&str, &str)]) -> Files {
        files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
    }

    #[test]
    fn a_folder_is_replaced_by_what_it_shall_be() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::of(folder.path());
        assert!(place.read().unwrap_err().to_string().contains("holds no .yaml"));
        let (old, new) = (files(&[("a.yaml", "1"), ("b.yml", "2")]), files(&[("a.yaml", "3"), ("c.yaml", "4")]));
        place.replace(&[], &old).unwrap();
        fs::write(folder.path().join("notes.txt"), "mine").unwrap();
        assert_eq!(place.read().unwrap(), old);
        place.replace(&old, &new).unwrap();
        assert_eq!(place.read().unwrap(), new);
        assert!(folder.path().join("notes.txt").exists());
    }

    #[test]
    fn a_write_that_fails_leaves_the_old_text() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plant.yaml");
        write_whole(&path, "old").unwrap();
        fs::create_dir(folder.path().join("plant.yaml.part")).unwrap();
        assert!(write_whole(&path, "new").is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
    }

    #[test]
    fn names_lead_nowhere_else() {
        let folder = Place::Folder("plant".into());
        for name in ["../x.yaml", "a/b.yaml", ".hidden.yaml", "x.txt", "", "a\\b.yaml"] {
            assert!(folder.takes(&[], &files(&[(name, "")])).is_err(), "{name}");
        }
        assert!(folder.takes(&[], &files(&[("x.yaml", ""), ("y.yml", "")])).is_ok());
        assert!(folder.takes(&[], &files(&[("x.yaml", ""), ("x.yaml", "")])).is_err());
        let file = Place::File("plant/a.yaml".into());
        assert!(file.takes(&files(&[("a.yaml", "")]), &files(&[("a.yaml", "x")])).is_ok());
        assert!(file.takes(&files(&[("a.yaml", "")]), &files(&[("b.yaml", "x")])).is_err());
    }
}
