//! The lease of a data folder: only the folder that was armed commands, never a copy of it.
//!
//! A lock keeps a second process out of one folder; a copy has a lock of its own. So the folder names the machine it commands from
//! and the very file that says so: its inode. A copy, a restored backup and a disk in another machine have another one. Moving or
//! renaming the folder keeps it. What cannot be told apart is what keeps both: a clone of a whole virtual machine with its machine
//! id, and a snapshot of the file system mounted on the same machine.

use anyhow::Context;
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File, OpenOptions},
    io::Write as _,
    path::{Path, PathBuf},
    sync::Arc,
};

const FILE: &str = "lease.json";

/// Where systemd and D-Bus keep the identity of an installed system.
const MACHINE_ID: [&str; 2] = ["/etc/machine-id", "/var/lib/dbus/machine-id"];

/// Said where a machine has no identity: containers and images that were never started.
const NO_MACHINE_ID: &str = "this machine has no id (/etc/machine-id is empty or missing), so a copy of the data folder that keeps \
     its file numbers could command on another machine; give it one (`systemd-machine-id-setup`), or mount the host's into the container";

/// What a data folder says about who may command with it.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Lease {
    machine: String,
    /// The number of the file itself.
    file: u64,
}

/// The lease of one data folder.
#[derive(Clone, Debug)]
pub struct Leases {
    path: PathBuf,
    machine: String,
}

impl Leases {
    /// The lease of a data folder on this machine.
    pub fn of(data: &Path) -> Self {
        Self { path: data.join(FILE), machine: machine_id(MACHINE_ID.map(Path::new)) }
    }

    /// What cannot be told from another here, in words.
    pub fn doubt(&self) -> Option<&'static str> {
        self.machine.is_empty().then_some(NO_MACHINE_ID)
    }

    /// Takes a folder that nobody has yet; says why it must not command if it is somebody else's.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub fn check(&self) -> anyhow::Result<Option<Arc<str>>> {
        let text = match fs::read(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                self.take()?;
                return Ok(None);
            }
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", self.path.display())),
        };
        let way_out = "if nothing else commands these machines, take it over: `andon arm --take-over`";
        let reason = match serde_json::from_slice::<Lease>(&text) {
            Ok(lease) if lease.file != number_of(&File::open(&self.path)?)? => {
                "this data folder is a copy of the one that commands"
            }
            Ok(lease) if lease.machine != self.machine => "this data folder commands from another machine",
            Ok(_) => return Ok(None),
            Err(_) => "the lease of this data folder cannot be read",
        };
        Ok(Some(format!("{reason}; {way_out}").into()))
    }

    /// Makes this folder, on this machine, the one that commands.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn take(&self) -> anyhow::Result<()> {
        let context = || format!("cannot write {}", self.path.display());
        // A new file: a copy made with hard links must not share the number.
        let _ = fs::remove_file(&self.path);
        let mut file = OpenOptions::new().write(true).create_new(true).open(&self.path).with_context(context)?;
        let lease = Lease { machine: self.machine.clone(), file: number_of(&file)? };
        file.write_all(&serde_json::to_vec(&lease)?).with_context(context)?;
        file.sync_all().with_context(context)
    }
}

/// The first identity there is; empty when there is none. A file without one, as in images of containers, says nothing.
fn machine_id<'a>(places: impl IntoIterator<Item = &'a Path>) -> String {
    let id = |place| fs::read_to_string(place).map(|id| id.trim().to_owned()).unwrap_or_default();
    places.into_iter().map(id).find(|id| !id.is_empty()).unwrap_or_default()
}

#[cfg(unix)]
fn number_of(file: &File) -> anyhow::Result<u64> {
    use std::os::unix::fs::MetadataExt as _;
    Ok(file.metadata()?.ino())
}

/// Where files have no number, the time of their making stands for it.
#[cfg(not(unix))]
fn number_of(file: &File) -> anyhow::Result<u64> {
    let created = file.metadata()?.created()?.duration_since(std::time::UNIX_EPOCH)?;
    Ok(u64::try_from(created.as_nanos()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_machine_id_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let [missing, empty, full] = ["missing", "empty", "full"].map(|name| folder.path().join(name));
        fs::write(&empty, "\n").unwrap();
        fs::write(&full, "4d2e\n").unwrap();
        assert_eq!(machine_id([&*missing, &*empty, &*full]), "4d2e");
        let nobody = Leases { machine: machine_id([&*missing, &*empty]), ..Leases::of(folder.path()) };
        assert!(nobody.doubt().unwrap().contains("/etc/machine-id"));
        assert_eq!(Leases { machine: "4d2e".into(), ..nobody }.doubt(), None);
    }

    #[test]
    fn a_copy_of_the_folder_and_another_machine_must_not_command() {
        let folder = tempfile::tempdir().unwrap();
        let (here, there) = (folder.path().join("here"), folder.path().join("there"));
        fs::create_dir(&here).unwrap();
        let lease = Leases { machine: "one".into(), ..Leases::of(&here) };
        assert_eq!((lease.check().unwrap(), lease.check().unwrap()), (None, None), "the first start takes it");
        // Renamed, it is the same folder.
        fs::rename(&here, &there).unwrap();
        let moved = Leases { machine: "one".into(), ..Leases::of(&there) };
        assert_eq!(moved.check().unwrap(), None);
        fs::create_dir(&here).unwrap();
        fs::copy(there.join(FILE), here.join(FILE)).unwrap();
        assert!(lease.check().unwrap().unwrap().contains("a copy"));
        let elsewhere = Leases { machine: "two".into(), ..moved.clone() };
        assert!(elsewhere.check().unwrap().unwrap().contains("another machine"));
        lease.take().unwrap();
        assert_eq!(lease.check().unwrap(), None);
        fs::write(there.join(FILE), "{").unwrap();
        assert!(moved.check().unwrap().unwrap().contains("cannot be read"));
    }
}
