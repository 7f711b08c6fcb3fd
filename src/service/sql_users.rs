//! Who may ask over PostgreSQL's protocol, in `andon.db`: names and what checks a password, never the password.

use super::store::Store;
use andon_query::postgres::{SqlUser, Users};
use anyhow::Context;
use rusqlite::{OptionalExtension, params};
use std::{
    path::Path,
    sync::{Arc, Mutex},
};

impl Store {
    /// Adds a user, or changes the password of one.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn put_sql_user(&self, user: &SqlUser) -> anyhow::Result<()> {
        self.connection().execute(
            "INSERT OR REPLACE INTO sql_user (name, salt, iterations, stored_key, server_key) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![user.name, user.salt, user.iterations, user.stored_key, user.server_key],
        )?;
        Ok(())
    }

    /// Removes a user. False when there was none of that name.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn remove_sql_user(&self, name: &str) -> anyhow::Result<bool> {
        Ok(self.connection().execute("DELETE FROM sql_user WHERE name = ?1", [name])? > 0)
    }

    /// The names of all users.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn sql_users(&self) -> anyhow::Result<Vec<String>> {
        let mut statement = self.connection().prepare("SELECT name FROM sql_user ORDER BY name")?;
        let names = statement.query_map([], |row| row.get(0))?;
        Ok(names.collect::<Result<_, _>>()?)
    }

    /// A user by name.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn sql_user(&self, name: &str) -> anyhow::Result<Option<SqlUser>> {
        let read = |row: &rusqlite::Row<'_>| {
            Ok(SqlUser {
                name: row.get(0)?,
                salt: row.get(1)?,
                iterations: row.get(2)?,
                stored_key: row.get(3)?,
                server_key: row.get(4)?,
            })
        };
        let sql = "SELECT name, salt, iterations, stored_key, server_key FROM sql_user WHERE name = ?1";
        Ok(self.connection().query_row(sql, [name], read).optional()?)
    }
}

/// Looks users up in a data folder each time, so that a change holds at once.
///
/// # Errors
/// When the folder's database cannot be opened, or holds no user.
pub fn users(data: &Path) -> anyhow::Result<Users> {
    let store = Store::open(data)?;
    anyhow::ensure!(
        !store.sql_users()?.is_empty(),
        "nobody may ask over PostgreSQL's protocol yet, so Andon does not start with --sql-listen; add a user with\n  andon sql-user add NAME --data {}",
        data.display()
    );
    let store = Mutex::new(store);
    Ok(Arc::new(move |name| {
        let store = store.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        store.sql_user(name).context("cannot read the users").map_err(|error| format!("{error:#}"))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_kept_without_their_passwords_and_changes_are_seen_at_once() {
        let folder = tempfile::tempdir().unwrap();
        assert!(users(folder.path()).is_err_and(|error| error.to_string().contains("sql-user add")));
        let store = Store::open(folder.path()).unwrap();
        let ann = SqlUser::new("ann", "a long password").unwrap();
        store.put_sql_user(&ann).unwrap();
        let users = users(folder.path()).unwrap();
        assert_eq!(users("ann").unwrap(), Some(ann));
        assert_eq!(users("bob").unwrap(), None);
        store.put_sql_user(&SqlUser::new("bob", "a long password").unwrap()).unwrap();
        assert!(users("bob").unwrap().is_some());
        assert_eq!(store.sql_users().unwrap(), ["ann", "bob"]);
        assert!(store.remove_sql_user("ann").unwrap() && !store.remove_sql_user("ann").unwrap());
        assert_eq!(users("ann").unwrap(), None);
        for file in std::fs::read_dir(folder.path()).unwrap() {
            let bytes = std::fs::read(file.unwrap().path()).unwrap();
            assert!(!bytes.windows(15).any(|window| window == b"a long password"));
        }
    }
}
