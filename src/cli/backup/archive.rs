//! The bytes of a backup: a folder, or a tar file compressed by zstd, with the manifest as its last file. Nothing stands under its
//! name before all of it is on disk.

use super::manifest::{FILE, FileEntry, Manifest};
use anyhow::{Context, bail, ensure};
use sha2::{Digest, Sha256};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    io::{self, BufReader, BufWriter, Read},
    path::{Component, Path, PathBuf},
};

/// Parquet is compressed already; the rest is small.
const ZSTD_LEVEL: i32 = 1;
/// Bytes copied at once.
const BUFFER: usize = 1 << 20;
/// Largest manifest: some ten million files.
const MAX_MANIFEST_BYTES: u64 = 2 << 30;

/// A backup being written.
pub struct Archive {
    form: Form,
    part: PathBuf,
    output: PathBuf,
    whole: bool,
}

enum Form {
    Folder,
    Tar(Box<tar::Builder<zstd::Encoder<'static, BufWriter<File>>>>),
}

impl Archive {
    /// Begins a backup. The name says its form.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn create(output: &Path) -> anyhow::Result<Self> {
        let name = output.file_name().with_context(|| format!("{} names no file", output.display()))?;
        let mut part = name.to_owned();
        part.push(".part");
        let part = output.with_file_name(part);
        let making = || format!("cannot make {}", part.display());
        let packed = name.to_string_lossy();
        let form = if packed.ends_with(".tar.zst") || packed.ends_with(".tzst") {
            let file = private(&part).with_context(making)?;
            Form::Tar(Box::new(tar::Builder::new(zstd::Encoder::new(BufWriter::with_capacity(BUFFER, file), ZSTD_LEVEL)?)))
        } else {
            ensure!(output.extension().is_none(), "{} is neither a folder nor ends in .tar.zst", output.display());
            fs::create_dir(&part).with_context(making)?;
            Form::Folder
        };
        Ok(Self { form, part, output: output.to_owned(), whole: false })
    }

    /// Adds a file; `copied` hears how many of its bytes are done. Returns its checksum.
    ///
    /// # Errors
    /// When it cannot be read or written, or is shorter than it was.
    pub fn add(&mut self, from: &Path, entry: &FileEntry, copied: &mut dyn FnMut(u64)) -> anyhow::Result<String> {
        let reading = || format!("cannot read {}", from.display());
        let file = File::open(from).with_context(reading)?;
        let mut source = Hashing { input: file.take(entry.size), hash: Sha256::new(), read: 0, copied };
        match &mut self.form {
            Form::Folder => {
                let to = self.part.join(&entry.path);
                write(&mut source, &to).with_context(|| format!("cannot write {}", to.display()))?;
            }
            Form::Tar(builder) => {
                let mut header = tar::Header::new_gnu();
                header.set_size(entry.size);
                header.set_mode(0o600);
                builder.append_data(&mut header, &entry.path, &mut source).context("cannot write the backup")?;
            }
        }
        ensure!(source.read == entry.size, "{} became shorter while it was copied", from.display());
        Ok(hex(&source.hash.finalize()))
    }

    /// Ends the backup with its manifest, and gives it its name.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(mut self, manifest: &Manifest) -> anyhow::Result<()> {
        let bytes = serde_json::to_vec_pretty(manifest)?;
        match std::mem::replace(&mut self.form, Form::Folder) {
            Form::Folder => {
                write(&mut &bytes[..], &self.part.join(FILE))?;
                sync_folders(&self.part)?;
            }
            Form::Tar(mut builder) => {
                let mut header = tar::Header::new_gnu();
                header.set_size(bytes.len() as u64);
                header.set_mode(0o600);
                builder.append_data(&mut header, FILE, &bytes[..])?;
                let out = builder.into_inner()?.finish()?.into_inner().map_err(io::IntoInnerError::into_error)?;
                out.sync_all()?;
            }
        }
        fs::rename(&self.part, &self.output).with_context(|| format!("cannot make {}", self.output.display()))?;
        self.whole = true;
        let folder = self.output.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Ok(File::open(folder)?.sync_all()?)
    }
}

impl Drop for Archive {
    fn drop(&mut self) {
        if !self.whole {
            // What is not whole is no backup; that it cannot be removed is no further harm.
            let _ = if self.part.is_dir() { fs::remove_dir_all(&self.part) } else { fs::remove_file(&self.part) };
        }
    }
}

/// Unpacks a backup into an empty folder and checks every byte.
///
/// # Errors
/// What is damaged, missing or too much.
pub fn unpack(backup: &Path, into: &Path) -> anyhow::Result<Manifest> {
    let damaged = || format!("{} is damaged, or no backup", backup.display());
    let file = File::open(backup).with_context(|| format!("cannot open {}", backup.display()))?;
    let mut archive = tar::Archive::new(zstd::Decoder::new(file).with_context(damaged)?);
    let mut found: BTreeMap<PathBuf, (u64, String)> = BTreeMap::new();
    let mut manifest = None;
    for entry in archive.entries().with_context(damaged)? {
        let mut entry = entry.with_context(damaged)?;
        let path = entry.path().with_context(damaged)?.into_owned();
        ensure!(manifest.is_none(), "{}: there is something behind the manifest", damaged());
        ensure!(
            entry.header().entry_type().is_file() && is_inside(&path),
            "{}: {} is no file of it",
            damaged(),
            path.display()
        );
        if path == Path::new(FILE) {
            let mut bytes = Vec::new();
            entry.by_ref().take(MAX_MANIFEST_BYTES).read_to_end(&mut bytes).with_context(damaged)?;
            manifest = Some(Manifest::parse(&bytes).with_context(damaged)?);
            continue;
        }
        let mut source = Hashing { input: entry, hash: Sha256::new(), read: 0, copied: &mut |_| {} };
        write(&mut source, &into.join(&path))
            .with_context(|| format!("cannot unpack {} of {}", path.display(), backup.display()))?;
        found.insert(path, (source.read, hex(&source.hash.finalize())));
    }
    let manifest = manifest.with_context(|| format!("{}: it ends before its manifest", damaged()))?;
    compare(&manifest, &found).with_context(damaged)?;
    sync_folders(into)?;
    Ok(manifest)
}

/// Checks every byte of a backup that is a folder.
///
/// # Errors
/// What is damaged, missing or too much.
pub fn check_folder(backup: &Path) -> anyhow::Result<Manifest> {
    let damaged = || format!("{} is damaged, or no backup", backup.display());
    let manifest = fs::read(backup.join(FILE)).with_context(|| format!("{} has no {FILE}", backup.display()))?;
    let manifest = Manifest::parse(&manifest).with_context(damaged)?;
    let mut found = BTreeMap::new();
    for file in super::manifest::files(backup)?.into_iter().filter(|file| file.path != Path::new(FILE)) {
        let input = File::open(backup.join(&file.path))?;
        let mut source = Hashing { input, hash: Sha256::new(), read: 0, copied: &mut |_| {} };
        io::copy(&mut source, &mut io::sink()).with_context(|| format!("cannot read {}", file.path.display()))?;
        found.insert(file.path, (source.read, hex(&source.hash.finalize())));
    }
    compare(&manifest, &found).with_context(damaged)?;
    Ok(manifest)
}

/// Copies a backup that is a folder, file by file.
///
/// # Errors
/// When it cannot be read or written.
pub fn copy_folder(backup: &Path, manifest: &Manifest, into: &Path) -> anyhow::Result<()> {
    for file in &manifest.files {
        let mut input = BufReader::with_capacity(BUFFER, File::open(backup.join(&file.path))?);
        write(&mut input, &into.join(&file.path)).with_context(|| format!("cannot copy {}", file.path.display()))?;
    }
    sync_folders(into)
}

fn compare(manifest: &Manifest, found: &BTreeMap<PathBuf, (u64, String)>) -> anyhow::Result<()> {
    for file in &manifest.files {
        match found.get(&file.path) {
            None => bail!("{} is missing", file.path.display()),
            Some((size, _)) if *size != file.size => bail!("{} has {size} bytes instead of {}", file.path.display(), file.size),
            Some((_, hash)) if *hash != file.sha256 => bail!("{} does not have the checksum it had", file.path.display()),
            Some(_) => {}
        }
    }
    let listed: BTreeSet<&PathBuf> = manifest.files.iter().map(|file| &file.path).collect();
    match found.keys().find(|path| !listed.contains(path)) {
        Some(extra) => bail!("{} does not belong to it", extra.display()),
        None => Ok(()),
    }
}

/// Whether a path stays in the folder it is relative to.
fn is_inside(path: &Path) -> bool {
    path.components().all(|component| matches!(component, Component::Normal(_)))
}

fn write(source: &mut dyn Read, to: &Path) -> io::Result<()> {
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut out = BufWriter::with_capacity(BUFFER, private(to)?);
    io::copy(source, &mut out)?;
    out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
}

/// A new file that only its owner reads: keys of connections may be in it.
fn private(path: &Path) -> io::Result<File> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Makes the names in a folder and below it durable.
fn sync_folders(folder: &Path) -> anyhow::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_folders(&entry.path())?;
        }
    }
    Ok(File::open(folder)?.sync_all()?)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Reads and makes a checksum of what it reads.
struct Hashing<'c, R> {
    input: R,
    hash: Sha256,
    read: u64,
    copied: &'c mut dyn FnMut(u64),
}

impl<R: Read> Read for Hashing<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buffer)?;
        self.hash.update(&buffer[..read]);
        self.read += read as u64;
        (self.copied)(self.read);
        Ok(read)
    }
}
