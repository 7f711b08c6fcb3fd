//! How long a failing disk is left alone: each time twice as long. Whoever asks for something gets it tried all the same.

use std::time::Duration;
use tokio::time::Instant;

/// When something that failed is tried again.
#[derive(Default)]
pub struct Patience {
    span: Duration,
    until: Option<Instant>,
}

const FIRST: Duration = Duration::from_millis(500);
/// A disk that is cleared should be noticed while the person who did it still looks.
const LONGEST: Duration = Duration::from_secs(4);

impl Patience {
    /// It has failed once more.
    pub fn longer(&mut self) {
        self.span = (self.span * 2).clamp(FIRST, LONGEST);
        self.until = Some(Instant::now() + self.span);
    }

    /// Whether it is too early to try by itself.
    pub fn is_waiting(&self) -> bool {
        self.until.is_some_and(|until| Instant::now() < until)
    }

    /// Ends when it is time to try again; never when nothing has failed.
    pub async fn over(&self) {
        match self.until {
            Some(until) => tokio::time::sleep_until(until).await,
            None => std::future::pending().await,
        }
    }
}
