//! Imports into a running Andon, over HTTP. Rows take the way of live values there: transforms, detectors and pages see them.

use super::{
    super::{
        client::Client,
        progress::{Progress, grouped},
    },
    folder::{Done, MAX_READ_AHEAD, read_all},
    report, total_size,
};
use andon_query::transfer::{Names, ReadOptions, Tally, arrow_stream};
use anyhow::{Context, bail};
use std::{
    path::PathBuf,
    sync::{Arc, atomic::Ordering},
};
use tokio::sync::mpsc;

/// Names asked for at once; an answer has no more rows.
const NAMES_PER_PAGE: usize = 10_000;

/// The names a running Andon knows.
///
/// # Errors
/// When nothing answers there.
pub async fn names_at(url: &str) -> anyhow::Result<Names> {
    let client = Client::new(url)?;
    let mut rows = Vec::new();
    loop {
        let statement = format!(
            "SELECT asset, property_name, property_alias, property_data_type FROM asset_property \
             ORDER BY property_alias LIMIT {NAMES_PER_PAGE} OFFSET {}",
            rows.len()
        );
        let page = client.sql(&statement).await?.rows;
        let full = page.len() == NAMES_PER_PAGE;
        rows.extend(page.into_iter().map(|row| {
            let text = |column: usize| row.get(column).and_then(|cell| cell.as_str()).unwrap_or_default().to_owned();
            [text(0), text(1), text(2), text(3)]
        }));
        if !full {
            return Ok(Names::of_rows(&rows)?);
        }
    }
}

/// Reads all files and sends what is right in them. What an Andon took is on its disk.
///
/// # Errors
/// When a file cannot be read, or the Andon refuses something.
pub async fn import(url: &str, names: Names, files: &[PathBuf], options: &ReadOptions) -> anyhow::Result<()> {
    let names = Arc::new(names);
    let progress = Progress::bytes("sending  ", total_size(files)?);
    let done = Arc::new(Done::default());
    let (batches, mut queue) = mpsc::channel(MAX_READ_AHEAD);
    let reading = {
        let (files, options, done, names) = (files.to_vec(), options.clone(), done.clone(), names.clone());
        tokio::task::spawn_blocking(move || read_all(&files, &names, &options, &done, &batches))
    };
    let (client, endpoint) = (reqwest::Client::new(), format!("{}/api/write/arrow", url.trim_end_matches('/')));
    let mut tally = Tally::new(false);
    while let Some(points) = queue.recv().await {
        let so_far = format!("{} rows are imported and stay; importing again goes over them", grouped(tally.rows()));
        send(&client, &endpoint, arrow_stream(&points, &names)?).await.context(so_far)?;
        tally.add(&points);
        progress.set(done.bytes.load(Ordering::Relaxed), tally.rows());
    }
    let problems = reading.await??;
    let elapsed = progress.elapsed();
    progress.finish();
    if problems.count() > 0 {
        report::problems(&problems);
    }
    Ok(report::imported(&tally, &problems, elapsed)?)
}

async fn send(client: &reqwest::Client, endpoint: &str, stream: Vec<u8>) -> anyhow::Result<()> {
    let request = client.post(endpoint).header("content-type", "application/vnd.apache.arrow.stream").body(stream);
    let response = request.send().await.with_context(|| format!("nothing answers at {endpoint}"))?;
    if response.status().is_success() {
        return Ok(());
    }
    let status = response.status();
    let body: serde_json::Value = response.json().await.unwrap_or_default();
    let text = |name: &str| body["error"][name].as_str().unwrap_or_default().to_owned();
    bail!("{endpoint} answers {status}: {}\n  {}", text("message"), text("hint"))
}
