//! Notifications to a program: started without a shell, the message on its standard input, ended at the deadline.
//!
//! A plant file may come from anywhere, so it cannot run programs by itself: whoever starts Andon names the folder whose programs
//! may be run (`--allow-programs`), and a target names a file in it.

use andon_models::notice::outbox::Attempt;
use std::{
    ffi::OsStr,
    io,
    path::{Component, Path, PathBuf},
    process::{ExitStatus, Stdio},
    sync::Arc,
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    process::{Child, Command},
    task::JoinSet,
};

/// Bytes that are read of what a program says: the rest is thrown away.
const MOST_OUTPUT: u64 = 4 << 10;

/// Of these so many letters are told.
const MOST_TOLD: usize = 200;

/// How long the last words of a program that has failed are waited for.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Runs a program of the folder with a message; without a folder none may be run.
pub async fn run(folder: Option<&Path>, command: &[Arc<str>], message: &serde_json::Value, deadline: Duration) -> Attempt {
    let program = match allowed(folder, command) {
        Ok(program) => program,
        Err(reason) => return Attempt::Refused(reason),
    };
    let mut child = match start(&program, &command[1..]) {
        Ok(child) => child,
        Err(error) => return later(format!("cannot run {}: {error}", program.display())),
    };
    let ended = tokio::time::timeout(deadline, speak(&mut child, format!("{message}\n").into_bytes())).await;
    match ended {
        Ok(Ok((status, _))) if status.success() => Attempt::Taken,
        Ok(Ok((status, said))) => later(format!("{} ended with {status}{said}", command[0])),
        Ok(Err(error)) => later(format!("{} broke off: {error}", command[0])),
        Err(_) => {
            // Already ended is as good.
            let _ = child.kill().await;
            later(format!("{} did not end within {} s and was ended", command[0], deadline.as_secs_f64()))
        }
    }
}

/// The program that a command names, if it may be run.
fn allowed(folder: Option<&Path>, command: &[Arc<str>]) -> Result<PathBuf, String> {
    let Some(name) = command.first() else { return Err("the target names no program".into()) };
    let Some(folder) = folder else {
        return Err(format!("{name} may not be run: start Andon with `--allow-programs DIR`, the folder it is in"));
    };
    let mut parts = Path::new(&**name).components();
    if !matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None)) {
        return Err(format!("{name} is no name of a file in {}: write the name alone", folder.display()));
    }
    let inside = |error: io::Error| format!("cannot run {name}: {error}");
    let folder = folder.canonicalize().map_err(inside)?;
    // A link must not lead out of the folder.
    let program = folder.join(&**name).canonicalize().map_err(inside)?;
    match program.parent() == Some(&*folder) && program.is_file() {
        true => Ok(program),
        false => Err(format!("{name} is no file in {}", folder.display())),
    }
}

fn start(program: &Path, arguments: &[Arc<str>]) -> io::Result<Child> {
    let mut command = Command::new(program);
    command.args(arguments.iter().map(|argument| OsStr::new(&**argument)));
    // Secrets of Andon's environment are none of its business.
    command.env_clear();
    for name in ["PATH", "HOME", "LANG", "TZ"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    if let Some(folder) = program.parent() {
        command.current_dir(folder);
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true).spawn()
}

/// Gives it the message and waits for its end; gives what one that failed said. What it left behind may hold its ends of the pipes
/// for as long as it likes: the program itself has ended, and must not be run again for that.
async fn speak(child: &mut Child, message: Vec<u8>) -> io::Result<(ExitStatus, String)> {
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let mut beside = JoinSet::new();
    beside.spawn(async move {
        if let Some(mut stdin) = stdin {
            // One that does not want to read it may still do its work.
            let _ = stdin.write_all(&message).await;
        }
    });
    let said = async { tokio::join!(read(stdout), read(stderr)) };
    tokio::pin!(said);
    let (status, words) = tokio::select! {
        words = &mut said => (child.wait().await?, Some(words)),
        status = child.wait() => (status?, None),
    };
    let words = match words {
        None if !status.success() => tokio::time::timeout(LAST_WORDS, said).await.ok(),
        words => words,
    };
    let (said, failed) = words.unwrap_or_default();
    Ok((status, if failed.is_empty() { said } else { failed }))
}

/// The first words that come, until the end.
async fn read(from: Option<impl AsyncRead + Unpin>) -> String {
    let Some(mut from) = from else { return String::new() };
    let mut bytes = Vec::new();
    // What breaks off says what came.
    let _ = (&mut from).take(MOST_OUTPUT).read_to_end(&mut bytes).await;
    let _ = tokio::io::copy(&mut from, &mut tokio::io::sink()).await;
    let text = String::from_utf8_lossy(&bytes);
    let words: String = text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(MOST_TOLD).collect();
    if words.is_empty() { words } else { format!(": {words}") }
}

fn later(reason: String) -> Attempt {
    Attempt::Later { reason, after: None }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;
    use std::{fs, os::unix::fs::PermissionsExt};

    const PATIENCE: Duration = Duration::from_secs(60);

    fn script(folder: &Path, name: &str, text: &str) {
        let path = folder.join(name);
        fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    async fn attempt(folder: Option<&Path>, command: &[&str], deadline: Duration) -> Attempt {
        let command: Vec<Arc<str>> = command.iter().map(|part| Arc::from(*part)).collect();
        // A file that another test is still writing cannot be run (ETXTBSY); it is tried again, as a target is.
        for _ in 0..100 {
            let attempt = run(folder, &command, &serde_json::json!({"id": "a b"}), deadline).await;
            match &attempt {
                Attempt::Later { reason, .. } if reason.contains("Text file busy") => tokio::task::yield_now().await,
                _ => return attempt,
            }
        }
        panic!("busy for ever")
    }

    fn reason(attempt: Attempt) -> String {
        match attempt {
            Attempt::Later { reason, .. } | Attempt::Refused(reason) => reason,
            Attempt::Taken => panic!("it was taken"),
        }
    }

    #[tokio::test]
    async fn a_program_gets_the_message_and_its_arguments_as_they_are() {
        let folder = tempfile::tempdir().unwrap();
        script(folder.path(), "horn", "cat > got; printf '%s|' \"$@\" >> got; printf '%s' \"$SECRET\" >> got");
        let taken = attempt(Some(folder.path()), &["horn", "$(id)", "a b"], PATIENCE).await;
        assert_eq!(taken, Attempt::Taken);
        assert_eq!(fs::read_to_string(folder.path().join("got")).unwrap(), "{\"id\":\"a b\"}\n$(id)|a b|");
    }

    #[tokio::test]
    async fn one_that_fails_says_why_and_one_that_hangs_is_ended() {
        let folder = tempfile::tempdir().unwrap();
        script(folder.path(), "sad", "echo no horn here >&2; head -c 100000 /dev/zero; exit 3");
        let failed = reason(attempt(Some(folder.path()), &["sad"], PATIENCE).await);
        assert!(failed.contains("exit status: 3: no horn here"), "{failed}");
        script(folder.path(), "slow", "echo $$ > pid; exec sleep 600");
        let hung = reason(attempt(Some(folder.path()), &["slow"], Duration::from_secs(2)).await);
        assert!(hung.contains("did not end within 2 s"), "{hung}");
        let pid = fs::read_to_string(folder.path().join("pid")).unwrap();
        assert!(!Path::new("/proc").join(pid.trim()).exists(), "{pid} still runs");
    }

    #[tokio::test]
    async fn one_that_leaves_something_running_has_ended_all_the_same() {
        let folder = tempfile::tempdir().unwrap();
        script(folder.path(), "siren", "sleep 600 & echo $! > pid");
        // Were the pipes waited for, it would count as hanging and be run again.
        assert_eq!(attempt(Some(folder.path()), &["siren"], PATIENCE).await, Attempt::Taken);
        let pid = fs::read_to_string(folder.path().join("pid")).unwrap();
        assert!(Path::new("/proc").join(pid.trim()).exists());
        std::process::Command::new("kill").arg(pid.trim()).status().unwrap();
    }

    #[tokio::test]
    async fn only_files_of_the_folder_are_run() {
        let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        script(elsewhere.path(), "evil", "touch ran");
        std::os::unix::fs::symlink(elsewhere.path().join("evil"), folder.path().join("link")).unwrap();
        let path = elsewhere.path().join("evil").display().to_string();
        for (name, wanted) in [
            ("/bin/sh", "no name of a file"),
            ("../evil", "no name of a file"),
            (&*path, "no name"),
            ("link", "no file in"),
            ("gone", "cannot run"),
        ] {
            let refused = attempt(Some(folder.path()), &[name], PATIENCE).await;
            assert!(matches!(&refused, Attempt::Refused(reason) if reason.contains(wanted)), "{name}: {refused:?}");
        }
        let forbidden = attempt(None, &["evil"], PATIENCE).await;
        assert!(matches!(&forbidden, Attempt::Refused(reason) if reason.contains("--allow-programs")), "{forbidden:?}");
        assert!(!elsewhere.path().join("ran").exists());
    }
}
