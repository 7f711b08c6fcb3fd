//! One file of the log. It begins whole or not at all, and what is not durable in it is cut off again.

use super::{SEGMENT_BYTES, segment_path, sync_folder};
use crate::error::QueryError;
use std::{
    fs::{File, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
};

/// A segment that takes records.
pub struct Segment {
    path: PathBuf,
    file: File,
    /// So many bytes of it are on disk.
    durable: u64,
    disk: Disk,
}

impl Segment {
    /// Begins a segment with its first records. They are written beside it and take its name only when they are on disk: a new file
    /// has no page cache that an earlier failed sync could have left in doubt.
    ///
    /// # Errors
    /// When they did not get on disk. Nothing of them is left then.
    pub fn begin(folder: &Path, first: u64, bytes: &[u8], disk: &Disk) -> Result<Self, QueryError> {
        let path = segment_path(folder, first);
        let aside = path.with_extension("new");
        let begun = Self::write_aside(folder, &aside, &path, bytes, disk);
        if begun.is_err() {
            // On a full disk every byte counts; what cannot be removed is removed at the next start.
            let _ = std::fs::remove_file(&aside);
        }
        let file = begun?;
        Ok(Self { path, file, durable: bytes.len() as u64, disk: disk.clone() })
    }

    fn write_aside(folder: &Path, aside: &Path, path: &Path, bytes: &[u8], disk: &Disk) -> Result<File, QueryError> {
        let file = OpenOptions::new().create(true).write(true).truncate(true).open(aside);
        let mut file = file.map_err(QueryError::io("cannot make", aside))?;
        disk.write(&mut file, bytes).map_err(QueryError::io("cannot write", aside))?;
        disk.sync(&file, 0).map_err(QueryError::io("cannot sync", aside))?;
        std::fs::rename(aside, path).map_err(QueryError::io("cannot rename", aside))?;
        sync_folder(folder)?;
        Ok(file)
    }

    /// Whether it takes more.
    pub fn has_room(&self) -> bool {
        self.durable < SEGMENT_BYTES
    }

    /// Adds records.
    ///
    /// # Errors
    /// When they did not get on disk. The segment must not be used any more then; [`Self::give_up`] tidies it.
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), QueryError> {
        self.disk.write(&mut self.file, bytes).map_err(QueryError::io("cannot write", &self.path))?;
        self.disk.sync(&self.file, self.durable).map_err(QueryError::io("cannot sync", &self.path))?;
        self.durable += bytes.len() as u64;
        Ok(())
    }

    /// Cuts off what is not known to be on disk. Should that fail too, recovery finds those records a second time and skips them.
    pub fn give_up(self) {
        if let Err(error) = self.file.set_len(self.durable).and_then(|()| self.file.sync_all()) {
            tracing::warn!(%error, segment = %self.path.display(), "what was not written whole could not be cut off");
        }
    }
}

/// The two calls that a failing disk fails. Tests can make them fail.
#[derive(Clone, Debug, Default)]
pub struct Disk {
    #[cfg(test)]
    faults: std::sync::Arc<faults::Faults>,
}

impl Disk {
    fn write(&self, file: &mut File, bytes: &[u8]) -> std::io::Result<()> {
        #[cfg(test)]
        self.faults.write(file, bytes)?;
        file.write_all(bytes)
    }

    fn sync(&self, file: &File, #[cfg_attr(not(test), expect(unused_variables))] durable: u64) -> std::io::Result<()> {
        #[cfg(test)]
        self.faults.sync(file, durable)?;
        file.sync_data()
    }
}

#[cfg(test)]
pub mod faults {
    //! A disk that fails on demand.

    use super::*;
    use std::{
        io,
        sync::atomic::{AtomicBool, Ordering},
    };

    #[derive(Debug, Default)]
    pub struct Faults {
        full: AtomicBool,
        broken: AtomicBool,
    }

    impl Disk {
        /// Half of every write finds no room from now on, or again does.
        pub fn set_full(&self, full: bool) {
            self.faults.full.store(full, Ordering::SeqCst);
        }

        /// Every sync fails from now on, and takes with it what was not on disk yet; or works again.
        pub fn set_broken(&self, broken: bool) {
            self.faults.broken.store(broken, Ordering::SeqCst);
        }
    }

    impl Faults {
        pub fn write(&self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
            if self.full.load(Ordering::SeqCst) {
                file.write_all(&bytes[..bytes.len() / 2])?;
                return Err(io::ErrorKind::StorageFull.into());
            }
            Ok(())
        }

        pub fn sync(&self, file: &File, durable: u64) -> io::Result<()> {
            if self.broken.load(Ordering::SeqCst) {
                let length = file.metadata()?.len();
                file.set_len(durable)?;
                file.set_len(length)?;
                return Err(io::Error::other("input/output error"));
            }
            Ok(())
        }
    }
}
