//! Files that no table names any more, until nobody can be reading them.
//!
//! Our own queries hold a pin on the files they read. Others that read the tables get a span of grace.

use super::delta::Table;
use crate::{QueryError, table::files::DataFile};
use deltalake::DeltaTableError;
use futures::TryStreamExt;
use object_store::{ObjectStoreExt, path::Path as ObjectPath};
use std::{collections::HashSet, time::Duration};
use tokio::time::Instant;

/// Files of one table that wait to be deleted.
pub struct Trash {
    grace: Duration,
    files: Vec<(Instant, Removed)>,
}

/// A file that no table names.
enum Removed {
    /// By us, just now; queries that began before may hold it.
    Replaced(DataFile),
    /// Found at the start: by an earlier run, or a file that was never committed.
    Found(ObjectPath),
}

impl Removed {
    fn location(&self) -> &ObjectPath {
        match self {
            Self::Replaced(file) => &file.location,
            Self::Found(location) => location,
        }
    }

    fn is_read(&self) -> bool {
        matches!(self, Self::Replaced(file) if file.pin.is_shared())
    }
}

impl Trash {
    /// An empty one; files stay in it for so long at least.
    pub fn new(grace: Duration) -> Self {
        Self { grace, files: Vec::new() }
    }

    /// Takes files that a table has just let go.
    pub fn add(&mut self, files: Vec<DataFile>) {
        let now = Instant::now();
        self.files.extend(files.into_iter().map(|file| (now, Removed::Replaced(file))));
    }

    /// Takes what lies in a table's folder without belonging to it.
    ///
    /// # Errors
    /// When the folder cannot be listed.
    pub async fn find(&mut self, table: &Table) -> Result<(), QueryError> {
        let (place, now) = (table.place(), Instant::now());
        let active: HashSet<&ObjectPath> = table.files().iter().map(|file| &file.location).collect();
        let known: HashSet<ObjectPath> = self.files.iter().map(|(_, file)| file.location().clone()).collect();
        let stray = |location: &ObjectPath| {
            let own = location.filename().is_some_and(|name| name.ends_with(".parquet")) && !is_log(location);
            own && !active.contains(location) && !known.contains(location)
        };
        let mut listed = place.store().list(Some(place.prefix()));
        let mut found = Vec::new();
        while let Some(file) = listed.try_next().await.map_err(DeltaTableError::from)? {
            if stray(&file.location) {
                found.push((now, Removed::Found(file.location)));
            }
        }
        self.files.extend(found);
        Ok(())
    }

    /// Deletes what has lain long enough and nobody reads; returns how many files.
    ///
    /// # Errors
    /// When a file cannot be deleted; it is tried again.
    pub async fn empty(&mut self, table: &Table) -> Result<usize, QueryError> {
        let now = Instant::now();
        let due = |(since, file): &(Instant, Removed)| now.duration_since(*since) >= self.grace && !file.is_read();
        let (delete, keep): (Vec<_>, Vec<_>) = std::mem::take(&mut self.files).into_iter().partition(due);
        self.files = keep;
        let (mut deleted, mut failed) = (0, None);
        for entry in delete {
            match table.place().store().delete(entry.1.location()).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => deleted += 1,
                Err(error) => {
                    failed = Some(DeltaTableError::from(error).into());
                    self.files.push(entry);
                }
            }
        }
        failed.map_or(Ok(deleted), Err)
    }
}

fn is_log(location: &ObjectPath) -> bool {
    location.parts().any(|part| part.as_ref() == "_delta_log")
}
