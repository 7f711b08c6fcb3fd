//! Answers that take many queries: made once for all who ask at the same time, and kept a few seconds. A page that goes away does
//! not stop the work, so whoever asks again finds it done.

use crate::error::ApiError;
use axum::http::StatusCode;
use futures::{
    FutureExt as _,
    future::{BoxFuture, Shared},
};
use std::{
    collections::HashMap,
    future::Future,
    hash::Hash,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// Figures of a shift move slowly; a few seconds of age do not show.
const FRESH: Duration = Duration::from_secs(5);
/// Answers at a time, made or in the making: more than the lines of a large plant that are looked at at once.
const MAX_KEPT: usize = 64;

type Answer<V> = Shared<BoxFuture<'static, Result<Arc<V>, ApiError>>>;

/// Answers by what was asked.
pub(crate) struct Kept<K, V>(Mutex<HashMap<K, (Instant, Answer<V>)>>);

impl<K, V> Default for Kept<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash, V: Send + Sync + 'static> Kept<K, V> {
    /// The answer to a question; `make` runs only if nobody has just asked the same.
    ///
    /// # Errors
    /// Those of `make`, and 503 when too much is asked at once.
    pub(crate) async fn get(
        &self,
        key: K,
        make: impl Future<Output = Result<V, ApiError>> + Send + 'static,
    ) -> Result<Arc<V>, ApiError> {
        self.answer(key, make)?.await
    }

    fn answer(&self, key: K, make: impl Future<Output = Result<V, ApiError>> + Send + 'static) -> Result<Answer<V>, ApiError> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|_, (asked, answer)| answer.peek().is_none() || asked.elapsed() < FRESH);
        if let Some((_, answer)) = kept.get(&key) {
            return Ok(answer.clone());
        }
        if kept.len() >= MAX_KEPT {
            return Err(ApiError::unavailable("too many different figures are being made at once", "try again in a moment"));
        }
        let work = tokio::spawn(make.map(|made| made.map(Arc::new)));
        let broken = |error| {
            ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, format!("the figures could not be made: {error}"), "see the log")
        };
        let answer = work.map(move |ended| ended.unwrap_or_else(|error| Err(broken(error)))).boxed().shared();
        kept.insert(key, (Instant::now(), answer.clone()));
        Ok(answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[tokio::test]
    async fn an_answer_is_made_once_for_all_who_ask() {
        let (kept, made) = (Kept::<u8, usize>::default(), Arc::new(AtomicUsize::new(0)));
        let make = || {
            let made = made.clone();
            async move {
                tokio::task::yield_now().await;
                Ok(made.fetch_add(1, Ordering::SeqCst))
            }
        };
        let (first, second) = tokio::join!(kept.get(1, make()), kept.get(1, make()));
        assert_eq!((*first.unwrap(), *second.unwrap()), (0, 0));
        assert_eq!(*kept.get(2, make()).await.unwrap(), 1, "another question");
        let lost = kept.get(3, async { Err(ApiError::not_found("", "")) }).await;
        assert_eq!(lost.unwrap_err().into_parts().0, StatusCode::NOT_FOUND);
    }
}
