//! Questions about what sources offer, on their way from the web server to the connections. Each goes by itself, and each source has room
//! for its own, so that a slow or busy device keeps only those waiting who look at it; a question goes on when whoever asked is gone,
//! so that no connection is left half-way.

use super::sources::Sources;
use andon_dashboards::AskBrowse;
use andon_models::browse::{Browse, BrowseRefusal, BrowseTrouble, Browsed};
use std::{collections::HashMap, sync::Arc};
use tokio::sync::{Semaphore, mpsc};

/// Questions on their way to being given to their source, which waits for nothing.
const MAX_ON_THE_WAY: usize = 16;
/// Questions of one source, the one it is asked and those waiting: it answers one at a time within some 10 s, and a few pages look at it.
const MAX_OF_A_SOURCE: usize = 8;

/// Starts the way; it ends with the web server.
pub fn start(sources: Arc<Sources>) -> mpsc::Sender<AskBrowse> {
    let (asks, queue) = mpsc::channel::<AskBrowse>(MAX_ON_THE_WAY);
    tokio::spawn(hand_over(queue, move |source, ask| {
        let sources = sources.clone();
        async move { sources.browse(&source, &ask).await }
    }));
    asks
}

async fn hand_over<A>(mut queue: mpsc::Receiver<AskBrowse>, answer: impl Fn(Arc<str>, Browse) -> A)
where
    A: Future<Output = Result<Browsed, BrowseRefusal>> + Send + 'static,
{
    // The web server lets through names of sources only, so there are as many as the plant has.
    let mut rooms: HashMap<Arc<str>, Arc<Semaphore>> = HashMap::new();
    while let Some(AskBrowse { source, ask, reply }) = queue.recv().await {
        let room = rooms.entry(source.clone()).or_insert_with(|| Arc::new(Semaphore::new(MAX_OF_A_SOURCE)));
        // Whoever asked may be gone.
        let Ok(place) = room.clone().try_acquire_owned() else {
            let _ = reply.send(Err(full(&source)));
            continue;
        };
        let answer = answer(source, ask);
        tokio::spawn(async move {
            let _ = reply.send(answer.await);
            drop(place);
        });
    }
}

fn full(source: &str) -> BrowseRefusal {
    BrowseRefusal {
        trouble: BrowseTrouble::Busy,
        message: format!("{MAX_OF_A_SOURCE} questions wait for {source} already; it answers one at a time"),
        hint: "ask again in a few seconds; other sources answer meanwhile".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::oneshot;

    #[tokio::test]
    async fn a_source_that_does_not_answer_holds_up_nobody_else() {
        let (asks, queue) = mpsc::channel(MAX_ON_THE_WAY);
        let held = Arc::new(Semaphore::new(0));
        let gate = held.clone();
        tokio::spawn(hand_over(queue, move |source, _| {
            let gate = gate.clone();
            async move {
                if &*source == "slow" {
                    gate.acquire().await.unwrap().forget();
                }
                Ok(Browsed { note: source.to_string(), ..Browsed::default() })
            }
        }));
        #[expect(clippy::async_yields_async, reason = "one place waits for the answer, another lets it come later")]
        let ask = async |source: &str| {
            let (reply, answer) = oneshot::channel();
            asks.send(AskBrowse { source: source.into(), ask: Browse::default(), reply }).await.unwrap();
            answer
        };
        let mut waiting = Vec::new();
        for _ in 0..MAX_OF_A_SOURCE {
            waiting.push(ask("slow").await);
        }
        let refused = ask("slow").await.await.unwrap().unwrap_err();
        assert_eq!(refused.trouble, BrowseTrouble::Busy);
        assert!(refused.message.contains("wait for slow already"), "{refused}");
        // More of them than all there was room for before.
        for _ in 0..2 * MAX_ON_THE_WAY {
            assert_eq!(ask("quick").await.await.unwrap().unwrap().note, "quick");
        }
        held.add_permits(MAX_OF_A_SOURCE + 1);
        for answer in waiting {
            assert_eq!(answer.await.unwrap().unwrap().note, "slow");
        }
        assert_eq!(ask("slow").await.await.unwrap().unwrap().note, "slow", "there is room again");
    }
}
