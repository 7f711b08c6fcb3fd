//! Builds the web interface (`web/`) with npm and Vite into `OUT_DIR/web`, from where the crate embeds it.
//!
//! The sources are copied to `OUT_DIR` first, so that nothing is ever written into the source tree. Without npm, when the
//! build fails, or with `ANDON_SKIP_UI=1`, a one-page notice takes the place of the interface and cargo shows a warning.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    process::Command,
};

/// What lies in `web/` but is no source.
const NOT_SOURCES: [&str; 4] = ["node_modules", "dist", "coverage", "test-results"];
/// Lines of npm's complaint that are repeated as cargo warnings: enough to see the cause, few enough to read.
const COMPLAINT_LINES: usize = 12;

fn main() {
    let sources = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR")).join("web");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=ANDON_SKIP_UI");
    println!("cargo:rerun-if-env-changed=PATH");
    for source in entries(&sources) {
        println!("cargo:rerun-if-changed={}", source.display());
    }
    let built = if env::var("ANDON_SKIP_UI").is_ok_and(|skip| !skip.is_empty() && skip != "0") {
        Err("ANDON_SKIP_UI is set".to_owned())
    } else {
        build(&sources, &out)
    };
    if let Err(reason) = built {
        for line in reason.lines().take(COMPLAINT_LINES) {
            println!("cargo:warning=web interface left out: {line}");
        }
        notice(&out.join("web"), &reason).expect("OUT_DIR is writable");
    }
}

/// What is copied and watched: everything in `web/` that is neither hidden nor made by a tool.
fn entries(sources: &Path) -> Vec<PathBuf> {
    let Ok(listing) = fs::read_dir(sources) else { return Vec::new() };
    let mut entries: Vec<PathBuf> =
        listing.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| is_source(path)).collect();
    entries.sort();
    entries
}

fn is_source(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    !name.starts_with('.') && !NOT_SOURCES.contains(&&*name)
}

fn build(sources: &Path, out: &Path) -> Result<(), String> {
    if !sources.join("package-lock.json").is_file() {
        return Err(format!("{} has no package-lock.json", sources.display()));
    }
    let work = out.join("web-src");
    refresh(sources, &work).map_err(|error| format!("copying {} to {}: {error}", sources.display(), work.display()))?;
    install(&work)?;
    let fresh = out.join("web-new");
    let out_dir = fresh.to_string_lossy();
    npm(&work, &["run", "build", "--", "--outDir", &out_dir, "--emptyOutDir"])?;
    if !fresh.join("index.html").is_file() {
        return Err(format!("vite wrote no index.html to {out_dir}"));
    }
    let place = out.join("web");
    remove(&place).and_then(|()| fs::rename(&fresh, &place)).map_err(|error| format!("moving {out_dir}: {error}"))
}

/// Brings the copy of the sources up to date; installed packages stay.
fn refresh(sources: &Path, work: &Path) -> io::Result<()> {
    fs::create_dir_all(work)?;
    for old in entries(work) {
        remove(&old)?;
    }
    entries(sources).iter().try_for_each(|source| copy(source, &work.join(source.file_name().unwrap_or_default())))
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    if !from.is_dir() {
        return fs::copy(from, to).map(|_| ());
    }
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        copy(&entry.path(), &to.join(entry.file_name()))?;
    }
    Ok(())
}

fn remove(path: &Path) -> io::Result<()> {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    removed.or_else(|error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) })
}

/// Installs the packages of the lock file, unless exactly these are installed already. Their install scripts do not run.
fn install(work: &Path) -> Result<(), String> {
    let lock = fs::read(work.join("package-lock.json")).map_err(|error| format!("package-lock.json: {error}"))?;
    let stamp = work.join("node_modules").join(".andon-lock");
    if fs::read(&stamp).is_ok_and(|installed| installed == lock) {
        return Ok(());
    }
    npm(
        work,
        &["ci", "--include=dev", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline", "--fetch-retries=1"],
    )?;
    fs::write(&stamp, lock).map_err(|error| format!("{}: {error}", stamp.display()))
}

fn npm(folder: &Path, arguments: &[&str]) -> Result<(), String> {
    let program = if cfg!(windows) { "npm.cmd" } else { "npm" };
    let run = Command::new(program).args(arguments).current_dir(folder).env("NO_COLOR", "1").output();
    let output = run.map_err(|error| format!("npm does not start ({error}); install Node.js 20.19 or newer"))?;
    if output.status.success() {
        return Ok(());
    }
    let complaint = String::from_utf8_lossy(&output.stderr);
    let complaint = if complaint.trim().is_empty() { String::from_utf8_lossy(&output.stdout) } else { complaint };
    Err(format!("npm {} ended with {}\n{}", arguments.join(" "), output.status, complaint.trim()))
}

/// Writes the page that stands in for the interface.
fn notice(folder: &Path, reason: &str) -> io::Result<()> {
    remove(folder)?;
    fs::create_dir_all(folder)?;
    let reason = reason.lines().next().unwrap_or_default().replace('&', "&amp;").replace('<', "&lt;");
    let page = format!(
        r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="andon-ui" content="left-out">
<title>Andon</title>
<style>:root{{color-scheme:light dark}}body{{font:16px/1.5 system-ui,sans-serif;max-width:40rem;margin:4rem auto;padding:0 1rem}}</style>
</head>
<body>
<h1>Andon runs, without its web interface</h1>
<p>This binary was built without it: {reason}.</p>
<p>Install Node.js 20.19 or newer with npm and build again without <code>ANDON_SKIP_UI</code>.</p>
<p>The HTTP interface works: <a href="/api/openapi.json">/api/openapi.json</a>, <a href="/healthz">/healthz</a>.</p>
</body>
</html>
"#
    );
    fs::write(folder.join("index.html"), page)
}
