//! What a bucket needs beside the tables: who writes it, and the small files without which nobody could read it.
//!
//! Log, lock and checkpoint live on the writer's own disk. After each flush the bucket gets copies of the files that name series and
//! newest values, so that readers elsewhere, and a new writer after the loss of a machine, find everything in one place.

use super::place::{Place, blocking};
use crate::QueryError;
use deltalake::DeltaTableError;
use object_store::{ObjectStoreExt, PutMode, PutPayload};
use std::path::Path;
use uuid::Uuid;

/// Names the writer, in the bucket and on its own disk.
const WRITER: &str = "writer";
/// What readers need beside the tables.
const COPIED: [&str; 3] = ["directory.json", "streams.bin", "checkpoint.bin"];

/// Makes this folder the one that writes the bucket.
///
/// # Errors
/// When another one does, unless it is to be taken over.
pub async fn claim(bucket: &Place, dir: &Path, take_over: bool) -> Result<(), QueryError> {
    let id = identity(dir)?;
    let here = bucket.file(WRITER);
    let create = bucket.store().put_opts(&here, PutPayload::from(id.clone()), PutMode::Create.into()).await;
    match create {
        Ok(_) => Ok(()),
        Err(object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }) if take_over => {
            bucket.store().put(&here, id.into()).await.map_err(DeltaTableError::from)?;
            Ok(())
        }
        Err(object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }) => own(bucket, dir).await,
        Err(error) => Err(DeltaTableError::from(error).into()),
    }
}

/// Checks that nobody else has taken the bucket over.
///
/// # Errors
/// When somebody has.
pub async fn own(bucket: &Place, dir: &Path) -> Result<(), QueryError> {
    let id = identity(dir)?;
    let found = bucket.store().get(&bucket.file(WRITER)).await.map_err(DeltaTableError::from)?;
    let found = found.bytes().await.map_err(DeltaTableError::from)?;
    if found == id.as_bytes() { Ok(()) } else { Err(QueryError::Taken(bucket.url().to_string())) }
}

fn identity(dir: &Path) -> Result<String, QueryError> {
    let path = dir.join(WRITER);
    match std::fs::read_to_string(&path) {
        Ok(id) => Ok(id),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let id = Uuid::new_v4().to_string();
            super::checkpoint::write_atomically(&path, id.as_bytes())?;
            Ok(id)
        }
        Err(error) => Err(QueryError::io("cannot read", &path)(error)),
    }
}

/// Copies the small files to the bucket.
///
/// # Errors
/// When one cannot be read or sent.
pub async fn copy_to(bucket: &Place, dir: &Path) -> Result<(), QueryError> {
    for name in COPIED {
        let path = dir.join(name);
        let bytes = blocking(move || match std::fs::read(&path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(QueryError::io("cannot read", &path)(error)),
        });
        if let Some(bytes) = bytes.await? {
            bucket.store().put(&bucket.file(name), bytes.into()).await.map_err(DeltaTableError::from)?;
        }
    }
    Ok(())
}

/// Fetches the small files, where the folder has none of its own.
///
/// # Errors
/// When one cannot be fetched or written.
pub async fn copy_from(bucket: &Place, dir: &Path) -> Result<(), QueryError> {
    for name in COPIED {
        let path = dir.join(name);
        if path.exists() {
            continue;
        }
        match bucket.store().get(&bucket.file(name)).await {
            Ok(found) => {
                let bytes = found.bytes().await.map_err(DeltaTableError::from)?;
                blocking(move || super::checkpoint::write_atomically(&path, &bytes)).await?;
            }
            Err(object_store::Error::NotFound { .. }) => {}
            Err(error) => return Err(DeltaTableError::from(error).into()),
        }
    }
    Ok(())
}
