//! Versions of the definition in the data folder: who changed it when and why, and the files as they were.

use super::{Edition, Files, hash, place::bare};
use crate::service::store::Store;
use andon_dashboards::Version;
use andon_models::Timestamp;
use rusqlite::{Connection, Row, params};
use std::path::Path;

/// Versions that are kept; older ones go. A few years of a plant that changes weekly.
pub const MAX_VERSIONS: usize = 200;

impl Store {
    /// Keeps a definition as a new version, if it differs from the last one. Returns the version that holds now.
    ///
    /// # Errors
    /// When the database cannot be read or written.
    pub fn keep_definition(&self, at: Timestamp, edition: &Edition) -> anyhow::Result<i64> {
        let text = serde_json::to_string(&edition.files)?;
        let connection = self.connection();
        let last = connection.query_row("SELECT version, files FROM definition ORDER BY version DESC LIMIT 1", [], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?))
        });
        match last {
            Ok((version, stored)) if stored == text => return Ok(version),
            Ok(_) | Err(rusqlite::Error::QueryReturnedNoRows) => {}
            Err(error) => return Err(error.into()),
        }
        let Edition { files, by, comment } = edition;
        connection.execute(
            "INSERT INTO definition (at, files, by, comment, hash) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![at.to_string(), text, by, comment, hash(files)],
        )?;
        let version = connection.last_insert_rowid();
        forget_old(connection)?;
        Ok(version)
    }

    /// All versions, the newest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn versions(&self) -> anyhow::Result<Vec<Version>> {
        let mut statement = self.connection().prepare(&format!("SELECT {COLUMNS} FROM definition ORDER BY version DESC"))?;
        let rows = statement.query_map([], read)?;
        rows.map(|row| Ok(row?.0)).collect()
    }

    /// One version with its files; none if there is no such.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn version(&self, id: i64) -> anyhow::Result<Option<(Version, Files)>> {
        let found =
            self.connection().query_row(&format!("SELECT {COLUMNS} FROM definition WHERE version = ?1"), params![id], read);
        match found {
            Ok(found) => Ok(Some(found)),
            Err(rusqlite::Error::QueryReturnedNoRows) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

const COLUMNS: &str = "version, at, by, comment, hash, files";

fn read(row: &Row<'_>) -> rusqlite::Result<(Version, Files)> {
    let wrong = |error: Box<dyn std::error::Error + Send + Sync>| {
        rusqlite::Error::FromSqlConversionFailure(1, rusqlite::types::Type::Text, error)
    };
    let files: Files = serde_json::from_str(&row.get::<_, String>(5)?).map_err(|error| wrong(error.into()))?;
    // An earlier Andon kept names with their folders.
    let files: Files = files.into_iter().map(|(name, text)| (bare(Path::new(&name)), text)).collect();
    let kept: String = row.get(4)?;
    let version = Version {
        id: row.get(0)?,
        time: row.get::<_, String>(1)?.parse().map_err(|_| wrong("it is no time".into()))?,
        by: row.get(2)?,
        comment: row.get(3)?,
        hash: if kept.is_empty() { hash(&files) } else { kept },
    };
    Ok((version, files))
}

fn forget_old(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute(
        "DELETE FROM definition WHERE version NOT IN (SELECT version FROM definition ORDER BY version DESC LIMIT ?1)",
        params![i64::try_from(MAX_VERSIONS).unwrap_or(i64::MAX)],
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edition(text: &str, by: &str) -> Edition {
        Edition { files: vec![("plant.yaml".to_owned(), text.to_owned())], by: by.into(), comment: format!("why {text}") }
    }

    #[test]
    fn an_unchanged_definition_is_no_new_version() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let versions = ["a", "a", "b"].map(|text| store.keep_definition(Timestamp::EPOCH, &edition(text, "kim")).unwrap());
        assert_eq!(versions, [1, 1, 2]);
        let kept = store.versions().unwrap();
        assert_eq!(
            kept.iter().map(|version| (version.id, &*version.comment)).collect::<Vec<_>>(),
            [(2, "why b"), (1, "why a")]
        );
        let (version, files) = store.version(1).unwrap().unwrap();
        assert_eq!((version.by.as_str(), version.hash, files), ("kim", hash(&edition("a", "").files), edition("a", "").files));
        assert!(store.version(7).unwrap().is_none());
    }

    #[test]
    fn old_versions_go() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        for text in 0..MAX_VERSIONS + 3 {
            store.keep_definition(Timestamp::EPOCH, &edition(&text.to_string(), "")).unwrap();
        }
        let kept = store.versions().unwrap();
        assert_eq!((kept.len(), kept[0].id), (MAX_VERSIONS, MAX_VERSIONS as i64 + 3));
    }
}
