//! The definition store: SQLite with the definitions and their versions, and the series directory that keeps history readable.

use andon_models::{AssetId, PropertyId, SeriesId, catalog::SeriesDirectory};
use anyhow::Context;
use rusqlite::{Connection, TransactionBehavior, params};
use std::path::Path;

/// Each entry moves the database one version on; entries are never edited, only added.
const MIGRATIONS: [&str; 3] = [
    "
    CREATE TABLE definition (version INTEGER PRIMARY KEY, at TEXT NOT NULL, files TEXT NOT NULL);
    CREATE TABLE series (id INTEGER PRIMARY KEY, asset TEXT NOT NULL, property TEXT NOT NULL, UNIQUE (asset, property));
",
    "
    CREATE TABLE sql_user (name TEXT PRIMARY KEY, salt BLOB NOT NULL, iterations INTEGER NOT NULL, stored_key BLOB NOT NULL,
        server_key BLOB NOT NULL);
",
    "
    ALTER TABLE definition ADD COLUMN by TEXT NOT NULL DEFAULT '';
    ALTER TABLE definition ADD COLUMN comment TEXT NOT NULL DEFAULT '';
    ALTER TABLE definition ADD COLUMN hash TEXT NOT NULL DEFAULT '';
",
];

/// How long to wait for another process that writes; it writes for milliseconds.
const BUSY: std::time::Duration = std::time::Duration::from_secs(5);

/// The definition store of one data folder.
pub struct Store {
    connection: Connection,
}

impl Store {
    /// Opens or makes `andon.db` in a data folder and brings it to the current version.
    ///
    /// # Errors
    /// When the file cannot be opened, is not a database, or was written by a newer Andon.
    pub fn open(data: &Path) -> anyhow::Result<Self> {
        std::fs::create_dir_all(data).with_context(|| format!("cannot make the data folder {}", data.display()))?;
        let path = data.join("andon.db");
        let connection = Connection::open(&path).with_context(|| format!("cannot open {}", path.display()))?;
        // `andon sql-user` may write beside a running Andon.
        connection.busy_timeout(BUSY)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        let version: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
        let version = version as usize;
        anyhow::ensure!(version <= MIGRATIONS.len(), "{} was written by a newer Andon; use that one", path.display());
        for (done, migration) in MIGRATIONS.iter().enumerate().skip(version) {
            connection.execute_batch(&format!("BEGIN; {migration} PRAGMA user_version = {}; COMMIT;", done + 1))?;
        }
        Ok(Self { connection })
    }

    /// The files of the definition that a data folder was last run with; none when it was never.
    ///
    /// # Errors
    /// When the database is there and cannot be read.
    pub fn last_definition(data: &Path) -> anyhow::Result<Option<Vec<(String, String)>>> {
        if !data.join("andon.db").is_file() {
            return Ok(None);
        }
        let store = Self::open(data)?;
        let files = store
            .connection
            .query_row("SELECT files FROM definition ORDER BY version DESC LIMIT 1", [], |row| row.get::<_, String>(0));
        match files {
            Ok(files) => Ok(Some(serde_json::from_str(&files)?)),
            Err(rusqlite::Error::QueryReturnedNoRows) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Writes a copy of a data folder's database to a new file, also while an Andon writes it: what was committed when it began.
    ///
    /// # Errors
    /// When the database cannot be read or the copy not be written.
    pub fn copy_to(data: &Path, copy: &Path) -> anyhow::Result<()> {
        let store = Self::open(data)?;
        let copy = copy.to_str().context("the path is not UTF-8")?;
        store.connection.execute("VACUUM INTO ?1", params![copy])?;
        Ok(())
    }

    /// The database, for what other modules keep in it.
    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Numbers the series of a definition: those known keep their numbers. One transaction, so that two that open a folder at the
    /// same moment never give one number twice. `known` are the numbers that history itself remembers: they count where this database
    /// is new.
    ///
    /// # Errors
    /// When the database cannot be read or written, or does not belong to the history.
    pub fn number_series<T>(
        &mut self,
        known: impl IntoIterator<Item = (AssetId, PropertyId, SeriesId)>,
        define: impl FnOnce(&mut SeriesDirectory) -> T,
    ) -> anyhow::Result<T> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut directory = known_series(&transaction)?;
        for (asset, property, series) in known {
            anyhow::ensure!(
                directory.learn(asset, property, series),
                "andon.db and the history do not belong together: series {} is another one there. Restore both from the same backup",
                series.0
            );
        }
        let defined = define(&mut directory);
        {
            let mut insert = transaction.prepare(
                "INSERT INTO series (id, asset, property) VALUES (?1, ?2, ?3) ON CONFLICT (asset, property) DO NOTHING",
            )?;
            for (asset, property, series) in directory.entries() {
                insert.execute(params![series.0, asset.to_string(), property.to_string()])?;
            }
        }
        transaction.commit()?;
        Ok(defined)
    }
}

fn known_series(connection: &Connection) -> anyhow::Result<SeriesDirectory> {
    let mut statement = connection.prepare("SELECT asset, property, id FROM series")?;
    let rows = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get(2)?)))?;
    let mut entries = Vec::new();
    for row in rows {
        let (asset, property, id) = row?;
        entries.push((asset.parse::<AssetId>()?, property.parse::<PropertyId>()?, SeriesId(id)));
    }
    Ok(SeriesDirectory::restore(entries))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_keep_their_numbers_over_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let (asset, property) = (AssetId::from_name("a"), PropertyId::from_name("p"));
        let number = {
            let mut store = Store::open(folder.path()).unwrap();
            store.number_series([], |directory| directory.number(AssetId::from_name("other"), property)).unwrap();
            store.number_series([], |directory| directory.number(asset, property)).unwrap()
        };
        let mut store = Store::open(folder.path()).unwrap();
        let [again, new] = ["a", "new"]
            .map(|name| store.number_series([], |directory| directory.number(AssetId::from_name(name), property)).unwrap());
        assert_eq!(again, number);
        assert_ne!(new, number);
    }
}
