//! How many statements run: from when one is planned until its task has ended, whoever asked and however it ended.

use datafusion::prelude::SessionContext;
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// The count of a session, and of all sessions made from its configuration.
#[derive(Debug, Default)]
pub struct Statements {
    running: AtomicU64,
}

/// A statement that is counted until this is dropped.
#[derive(Debug)]
pub struct Counted(Option<Arc<Statements>>);

impl Statements {
    fn of(session: &SessionContext) -> Option<Arc<Self>> {
        session.copied_config().get_extension::<Self>()
    }

    /// Counts one more.
    pub fn count(session: &SessionContext) -> Counted {
        let statements = Self::of(session);
        if let Some(statements) = &statements {
            statements.running.fetch_add(1, Ordering::Relaxed);
        }
        Counted(statements)
    }

    /// How many run now.
    pub fn running(session: &SessionContext) -> u64 {
        Self::of(session).map_or(0, |statements| statements.running.load(Ordering::Relaxed))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        if let Some(statements) = &self.0 {
            statements.running.fetch_sub(1, Ordering::Relaxed);
        }
    }
}
