//! stub
use super::{FlushRequest, Inner, delta::Tables};
use std::sync::Weak;
use tokio::sync::mpsc;
pub async fn run(_inner: Weak<Inner>, _tables: Tables, mut requests: mpsc::Receiver<FlushRequest>) {
    while let Some(request) = requests.recv().await {
        if let Some(done) = request {
            let _ = done.send(Ok(()));
        }
    }
}
