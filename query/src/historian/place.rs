//! Where the tables are: a folder on this machine, or a prefix in an S3-compatible object store.
//!
//! Parquet is always written to a local file first, so one writer serves both. On a local disk that file is the table's own and is
//! made durable where it stands; for an object store it is uploaded and forgotten.

use crate::QueryError;
use datafusion::execution::object_store::ObjectStoreUrl;
use deltalake::{
    DeltaResult, DeltaTableBuilder, DeltaTableError,
    logstore::{
        LogStore, LogStoreFactory, ObjectStoreFactory, ObjectStoreRef, StorageConfig, default_logstore, logstore_factories,
        object_store_factories,
    },
};
use object_store::{
    ClientConfigKey, ObjectStore, ObjectStoreExt, RetryConfig, WriteMultipart,
    aws::{AmazonS3Builder, AmazonS3ConfigKey, S3ConditionalPut},
    local::LocalFileSystem,
    path::Path as ObjectPath,
};
use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
    sync::{Arc, Once},
    time::Duration,
};
use tempfile::TempPath;
use url::Url;

/// Bytes of one part of an upload: S3 takes no smaller ones but the last.
const PART_BYTES: usize = 8 << 20;
/// Parts of one upload that are on their way at once: bounds its memory.
const MAX_PARTS: usize = 4;

/// How often a request to an object store is made again.
const MAX_RETRIES: usize = 3;
/// How long it is made again: somebody at a terminal may be waiting. The keeper of the tables tries again by itself.
const RETRY_TIMEOUT: Duration = Duration::from_secs(15);
/// How long one request may take: a part of an upload on a slow line.
const REQUEST_TIMEOUT: &str = "10s";
/// How long a connection may take.
const CONNECT_TIMEOUT: &str = "3s";

/// A folder of an object store, the local disk being one of them.
#[derive(Clone)]
pub struct Place {
    url: Url,
    store: Arc<dyn ObjectStore>,
    root: ObjectStoreUrl,
    prefix: ObjectPath,
    folder: Option<PathBuf>,
}

impl std::fmt::Debug for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Place({})", self.url)
    }
}

/// A Parquet file that is being written.
pub struct Draft {
    /// Where it is written.
    pub path: PathBuf,
    relative: String,
    /// Whether it is only on its way to an object store.
    upload: bool,
    /// Removes the file unless it is the table's own.
    guard: Option<TempPath>,
}

impl Place {
    /// A folder on this machine.
    ///
    /// # Errors
    /// When the path cannot be made absolute.
    pub fn local(folder: &Path) -> Result<Self, QueryError> {
        let folder = std::path::absolute(folder).map_err(QueryError::io("cannot name", folder))?;
        let no_path = || QueryError::Internal(format!("{} is no path", folder.display()));
        let url = Url::from_directory_path(&folder).map_err(|()| no_path())?;
        Ok(Self {
            prefix: ObjectPath::from_absolute_path(&folder).map_err(|_| no_path())?,
            url,
            store: Arc::new(LocalFileSystem::new()),
            root: ObjectStoreUrl::local_filesystem(),
            folder: Some(folder),
        })
    }

    /// A prefix of a bucket: `s3://bucket/plant`. Credentials, region and endpoint come from the environment, as every AWS tool takes
    /// them (`AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_REGION`, `AWS_ENDPOINT_URL`).
    ///
    /// # Errors
    /// When the URL or the environment is wrong.
    pub fn bucket(url: &Url) -> Result<Self, QueryError> {
        know_s3();
        let mut url = url.clone();
        if !url.path().ends_with('/') {
            url.set_path(&format!("{}/", url.path()));
        }
        let root = ObjectStoreUrl::parse(&url[..url::Position::BeforePath])?;
        let prefix = ObjectPath::from_url_path(url.path()).map_err(object_store::Error::from).map_err(DeltaTableError::from)?;
        Ok(Self { store: s3(&url)?, root, prefix, url, folder: None })
    }

    /// A folder in it.
    ///
    /// # Errors
    /// When the name is no part of a URL.
    pub fn join(&self, name: &str) -> Result<Self, QueryError> {
        let url = self.url.join(&format!("{name}/")).map_err(|error| QueryError::Internal(error.to_string()))?;
        let folder = self.folder.as_ref().map(|folder| folder.join(name));
        let prefix = name.split('/').fold(self.prefix.clone(), |prefix, part| prefix.join(part));
        Ok(Self { url, folder, prefix, store: self.store.clone(), root: self.root.clone() })
    }

    /// What to ask the table format for.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Where it begins, from the root of the store.
    pub fn prefix(&self) -> &ObjectPath {
        &self.prefix
    }

    /// How the query engine knows the store.
    pub fn root(&self) -> &ObjectStoreUrl {
        &self.root
    }

    /// The store, from its root.
    pub fn store(&self) -> &Arc<dyn ObjectStore> {
        &self.store
    }

    /// The folder, if it is on this machine.
    pub fn folder(&self) -> Option<&Path> {
        self.folder.as_deref()
    }

    /// A file in it, from the root of the store.
    pub fn file(&self, relative: &str) -> ObjectPath {
        relative.split('/').fold(self.prefix.clone(), |path, part| path.join(part))
    }

    /// A table in it, not opened yet.
    ///
    /// # Errors
    /// When the table format does not know such places.
    pub fn table(&self) -> Result<DeltaTableBuilder, QueryError> {
        Ok(DeltaTableBuilder::from_url(self.url.clone())?)
    }

    /// Begins a file.
    ///
    /// # Errors
    /// When its folder cannot be made.
    pub fn draft(&self, relative: &str) -> Result<Draft, QueryError> {
        let relative = relative.to_owned();
        let Some(folder) = &self.folder else {
            let spool = tempfile::Builder::new().prefix("andon-").suffix(".parquet").tempfile();
            let spool = spool.map_err(QueryError::io("cannot make a file in", &std::env::temp_dir()))?.into_temp_path();
            return Ok(Draft { path: spool.to_path_buf(), relative, upload: true, guard: Some(spool) });
        };
        let path = folder.join(&relative);
        let parent = path.parent().unwrap_or(folder);
        std::fs::create_dir_all(parent).map_err(QueryError::io("cannot make", parent))?;
        let guard = TempPath::try_from_path(&path).map_err(QueryError::io("cannot name", &path))?;
        Ok(Draft { path, relative, upload: false, guard: Some(guard) })
    }

    /// Makes a written file durable in its place. Only then may a table name it.
    ///
    /// # Errors
    /// When it cannot be synced or uploaded.
    pub async fn publish(&self, draft: Draft) -> Result<(), QueryError> {
        if !draft.upload {
            return blocking(move || draft.sync()).await;
        }
        let upload = self.store.put_multipart(&self.file(&draft.relative)).await.map_err(DeltaTableError::from)?;
        let mut upload = WriteMultipart::new_with_chunk_size(upload, PART_BYTES);
        let mut file = File::open(&draft.path).map_err(QueryError::io("cannot open", &draft.path))?;
        loop {
            let (rest, part) = blocking(move || {
                let mut part = vec![0; PART_BYTES];
                let length = file.read(&mut part).map_err(QueryError::io("cannot read", Path::new("a file to upload")))?;
                part.truncate(length);
                Ok((file, part))
            })
            .await?;
            if part.is_empty() {
                break;
            }
            file = rest;
            upload.wait_for_capacity(MAX_PARTS).await.map_err(DeltaTableError::from)?;
            upload.put(part.into());
        }
        upload.finish().await.map_err(DeltaTableError::from)?;
        Ok(())
    }

    /// Makes a commit of a table durable: the log may forget what it holds only after this. An object store has done so already.
    ///
    /// # Errors
    /// When it cannot be synced.
    pub fn sync_commit(&self, version: impl std::fmt::Display) -> Result<(), QueryError> {
        let Some(folder) = &self.folder else { return Ok(()) };
        let log = folder.join("_delta_log");
        for path in [log.join(format!("{version:0>20}.json")), log] {
            File::open(&path).and_then(|file| file.sync_all()).map_err(QueryError::io("cannot sync", &path))?;
        }
        Ok(())
    }
}

impl Draft {
    fn sync(mut self) -> Result<(), QueryError> {
        let partition = self.path.parent();
        for path in [Some(self.path.as_path()), partition, partition.and_then(Path::parent)].into_iter().flatten() {
            File::open(path).and_then(|file| file.sync_all()).map_err(QueryError::io("cannot sync", path))?;
        }
        if let Some(guard) = self.guard.take() {
            guard.keep().map_err(|error| QueryError::io("cannot keep", &self.path)(error.error))?;
        }
        Ok(())
    }
}

/// Runs what waits for the disk where it holds up nobody.
///
/// # Errors
/// The work's own, or that it panicked.
pub async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, QueryError> + Send + 'static,
) -> Result<T, QueryError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| QueryError::Internal(error.to_string()))?
}

fn s3(url: &Url) -> Result<Arc<dyn ObjectStore>, DeltaTableError> {
    // Two writers must never both make the same version of a table: the store itself has to see to that.
    // Options of the environment, such as AWS_ALLOW_HTTP, are in the builder already; these only shorten its patience.
    let retry = RetryConfig { max_retries: MAX_RETRIES, retry_timeout: RETRY_TIMEOUT, ..RetryConfig::default() };
    let store = AmazonS3Builder::from_env()
        .with_url(url.as_str())
        .with_conditional_put(S3ConditionalPut::ETagMatch)
        .with_retry(retry)
        .with_config(AmazonS3ConfigKey::Client(ClientConfigKey::Timeout), REQUEST_TIMEOUT)
        .with_config(AmazonS3ConfigKey::Client(ClientConfigKey::ConnectTimeout), CONNECT_TIMEOUT)
        .build()?;
    Ok(Arc::new(store))
}

/// Teaches the table format, which knows local files only, the scheme `s3`.
fn know_s3() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let scheme: Url = "s3://".parse().expect("a scheme is a URL");
        object_store_factories().insert(scheme.clone(), Arc::new(Buckets));
        logstore_factories().insert(scheme, Arc::new(Buckets));
    });
}

struct Buckets;

impl ObjectStoreFactory for Buckets {
    fn parse_url_opts(&self, url: &Url, _: &StorageConfig) -> DeltaResult<(ObjectStoreRef, ObjectPath)> {
        Ok((s3(url)?, ObjectPath::from_url_path(url.path()).map_err(object_store::Error::from)?))
    }
}

impl LogStoreFactory for Buckets {
    fn with_options(
        &self,
        prefixed: ObjectStoreRef,
        root: ObjectStoreRef,
        location: &Url,
        options: &StorageConfig,
    ) -> DeltaResult<Arc<dyn LogStore>> {
        Ok(default_logstore(prefixed, root, location, options))
    }
}
