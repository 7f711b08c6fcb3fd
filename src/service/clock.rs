//! The wall clock: the only place in the program that reads system time.

use andon_models::Timestamp;
use std::{sync::Arc, time::SystemTime};

/// The wall clock, handed to whoever needs the time.
pub type Now = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The system's clock.
pub fn system() -> Now {
    Arc::new(now)
}

/// A clock that starts at the system's time and runs faster than it.
pub fn faster(speed: f64) -> Now {
    let start = now();
    Arc::new(move || if speed == 1.0 { now() } else { start + now().since(start).mul_f64(speed) })
}

/// The time now.
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the wall clock")]
fn now() -> Timestamp {
    match SystemTime::now().duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) => Timestamp::EPOCH + since,
        Err(before) => Timestamp::EPOCH - before.duration(),
    }
}
