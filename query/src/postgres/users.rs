//! Who may ask over PostgreSQL's protocol: names with what SCRAM-SHA-256 needs to check a password (RFC 5802, RFC 7677). The
//! password itself is nowhere.

use super::scram::{Keys, keys};
use std::{collections::HashMap, num::NonZeroU32, sync::Arc, time::Duration};
use tokio::{sync::Mutex, time::Instant};

/// Rounds of hashing between a password and its check: PostgreSQL's own number, so that every client agrees to it.
const ITERATIONS: NonZeroU32 = NonZeroU32::new(4_096).expect("not zero");
/// Bytes of salt, as PostgreSQL takes.
const SALT: usize = 16;
/// Shortest password: what is shorter is found by trying.
pub const MIN_PASSWORD: usize = 8;
/// How long the next attempt for a name waits after a wrong password: half a billion guesses take seven years.
const AFTER_FAILURE: Duration = Duration::from_millis(500);

/// Looks up a user by name, now: what was changed a moment ago holds. May block.
pub type Users = Arc<dyn Fn(&str) -> Result<Option<SqlUser>, String> + Send + Sync>;

/// What is kept of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqlUser {
    /// The name.
    pub name: String,
    /// Salt of the password.
    pub salt: Vec<u8>,
    /// Rounds of hashing.
    pub iterations: u32,
    /// Checks the client.
    pub stored_key: Vec<u8>,
    /// Proves the server.
    pub server_key: Vec<u8>,
}

impl SqlUser {
    /// Makes a user from a password, which is not kept.
    ///
    /// # Errors
    /// When the name or the password does not do.
    pub fn new(name: &str, password: &str) -> Result<Self, String> {
        if name.is_empty() || name.len() > 63 || name.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err("a user's name has 1 to 63 characters without spaces".into());
        }
        if password.chars().count() < MIN_PASSWORD {
            return Err(format!("a password has at least {MIN_PASSWORD} characters"));
        }
        // Other characters may be typed in several ways, and clients would have to agree which one is meant (RFC 4013).
        if !password.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
            return Err("a password has letters, digits and signs of ASCII only".into());
        }
        let salt: [u8; SALT] = rand::random();
        let Keys { stored_key, server_key } = keys(password, &salt, ITERATIONS);
        Ok(Self { name: name.into(), salt: salt.to_vec(), iterations: ITERATIONS.get(), stored_key, server_key })
    }

    /// Somebody who does not exist, for ever the same: a wrong name looks like a wrong password.
    pub fn nobody(name: &str, secret: uuid::Uuid) -> Self {
        let salt = uuid::Uuid::new_v5(&secret, name.as_bytes()).into_bytes().to_vec();
        let key = || rand::random::<[u8; 32]>().to_vec();
        Self { name: name.into(), salt, iterations: ITERATIONS.get(), stored_key: key(), server_key: key() }
    }

    /// For the exchange.
    pub fn keys(&self) -> Keys {
        Keys { stored_key: self.stored_key.clone(), server_key: self.server_key.clone() }
    }
}

/// Slows down guessing: after a wrong password, attempts for that name come one after the other. Names that do not exist share one.
#[derive(Default)]
pub struct Gates(std::sync::Mutex<HashMap<String, Arc<Gate>>>);

/// When the next attempt for a name may be checked.
pub type Gate = Mutex<Option<Instant>>;

impl Gates {
    /// The gate of a user; there are as many as users.
    pub fn of(&self, name: Option<&str>) -> Arc<Gate> {
        let mut gates = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        gates.entry(name.unwrap_or_default().to_owned()).or_default().clone()
    }

    /// Waits for its turn, checks, and makes the next one wait if that failed. It holds up only attempts for the same name.
    pub async fn pass<T>(gate: &Gate, check: impl FnOnce() -> Option<T>) -> Option<T> {
        let mut next = gate.lock().await;
        if let Some(next) = *next {
            tokio::time::sleep_until(next).await;
        }
        let checked = check();
        *next = checked.is_none().then(|| Instant::now() + AFTER_FAILURE);
        checked
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn guessing_is_slow_and_a_right_password_is_not() {
        let (gates, start) = (Gates::default(), Instant::now());
        let (ann, bob) = (gates.of(Some("ann")), gates.of(Some("bob")));
        Gates::pass(&ann, || Some(())).await.unwrap();
        let passed = std::sync::Mutex::new(Vec::new());
        let guess = async || {
            Gates::pass(&ann, || None::<()>).await;
            passed.lock().unwrap().push("ann");
        };
        let other = async {
            Gates::pass(&bob, || Some(())).await.unwrap();
            passed.lock().unwrap().push("bob");
        };
        futures::join!(guess(), guess(), guess(), other);
        assert!(start.elapsed() >= AFTER_FAILURE * 2, "{:?}", start.elapsed());
        assert_eq!(*passed.lock().unwrap(), ["ann", "bob", "ann", "ann"], "another name does not wait");
    }

    #[test]
    fn a_user_holds_no_password() {
        let user = SqlUser::new("grafana", "correct horse").unwrap();
        assert!(!format!("{user:?}").contains("correct"));
        assert_ne!(user, SqlUser::new("grafana", "correct horse").unwrap(), "salted");
        assert!(SqlUser::new("a b", "correct horse").is_err() && SqlUser::new("a", "short").is_err());
    }
}
