//! `andon sql-user`: who may ask over PostgreSQL's protocol.

use super::{block_on, print, stop::StopSignal};
use crate::service::{audit, clock, store::Store};
use andon_query::postgres::SqlUser;
use anyhow::{Context, bail, ensure};
use clap::Subcommand;
use std::{
    io::{IsTerminal, Read, Write},
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
};
use tokio::sync::oneshot;

/// Bytes read of a password file; a password is far shorter.
const MAX_PASSWORD_FILE: u64 = 4_096;
/// Characters of a generated password: 120 bits.
const GENERATED: usize = 24;

/// Arguments of `andon sql-user`.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  andon sql-user add grafana --generate        prints a password, once\n  \
                  andon sql-user add ann                       asks for one, without showing it\n  \
                  andon sql-user add ann --password-file pw    reads its first line; - is standard input\n  \
                  andon sql-user list --data /var/lib/andon\n  andon sql-user remove ann\n\n\
                  A running Andon sees changes at once. Passwords are not stored, only what checks them (SCRAM-SHA-256).")]
pub struct SqlUsers {
    #[command(subcommand)]
    action: Action,
    /// The data folder.
    #[arg(long, default_value = "data", global = true)]
    data: PathBuf,
}

#[derive(Subcommand)]
enum Action {
    /// Adds a user, or changes a password.
    Add {
        /// The user's name.
        name: String,
        /// Reads the password from the first line of a file; - is standard input.
        #[arg(long, conflicts_with = "generate")]
        password_file: Option<PathBuf>,
        /// Makes a password and prints it once.
        #[arg(long)]
        generate: bool,
    },
    /// Lists the users.
    List,
    /// Removes a user. Connections that are open stay until they end.
    Remove {
        /// The user's name.
        name: String,
    },
}

impl SqlUsers {
    /// Adds, lists or removes.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        match self.action {
            Action::Add { name, password_file, generate } => {
                let generated = generate.then(generated_password);
                let password = match (&generated, password_file) {
                    (Some(password), _) => password.clone(),
                    (None, Some(file)) => read_password(&file)?,
                    (None, None) => ask(&name)?,
                };
                let user = SqlUser::new(&name, &password).map_err(anyhow::Error::msg)?;
                let store = Store::open(&self.data)?;
                // Before: what is not recorded is not done.
                audit::note_by_hand(&self.data, "put_sql_user", &name, &clock::system())?;
                store.put_sql_user(&user)?;
                if let Some(password) = generated {
                    print(&password)?;
                }
                eprintln!("{name} may ask now");
            }
            Action::List => {
                let names = existing(&self.data)?.sql_users()?;
                names.iter().try_for_each(|name| print(name))?;
            }
            Action::Remove { name } => {
                let store = existing(&self.data)?;
                ensure!(store.sql_user(&name)?.is_some(), "there is no user {name}");
                audit::note_by_hand(&self.data, "remove_sql_user", &name, &clock::system())?;
                store.remove_sql_user(&name)?;
                eprintln!("{name} may not ask any more");
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The database of a folder that has one; looking must not make one.
fn existing(data: &Path) -> anyhow::Result<Store> {
    ensure!(data.join("andon.db").exists(), "{} is no data folder of an Andon; choose another with --data", data.display());
    Store::open(data)
}

/// A password that nobody has had.
pub fn generated_password() -> String {
    // 32 characters that nobody mistakes for one another.
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let random: [u8; GENERATED] = rand::random();
    random.iter().map(|byte| char::from(LETTERS[usize::from(byte % 32)])).collect()
}

fn read_password(file: &Path) -> anyhow::Result<String> {
    let mut text = String::new();
    if file == Path::new("-") {
        std::io::stdin().take(MAX_PASSWORD_FILE).read_to_string(&mut text).context("cannot read standard input")?;
    } else {
        let opened = std::fs::File::open(file).with_context(|| format!("cannot open {}", file.display()))?;
        opened.take(MAX_PASSWORD_FILE).read_to_string(&mut text).with_context(|| format!("cannot read {}", file.display()))?;
    }
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

/// Asks on the terminal, or reads what is piped in.
fn ask(name: &str) -> anyhow::Result<String> {
    if !std::io::stdin().is_terminal() {
        return read_password(Path::new("-"));
    }
    let quiet = Quiet::start()?;
    let name = name.to_owned();
    let typed = block_on(async move {
        let mut stop = StopSignal::listen()?;
        // A thread that reads from a terminal cannot be stopped: it ends with the process.
        let (done, typed) = oneshot::channel();
        std::thread::spawn(move || done.send(twice(&name)));
        tokio::select! {
            typed = typed => typed?,
            () = stop.received() => bail!("nothing was changed"),
        }
    })?;
    drop(quiet);
    typed
}

fn twice(name: &str) -> anyhow::Result<String> {
    let first = line(&format!("password for {name}: "))?;
    ensure!(first == line("again: ")?, "the two are not the same");
    Ok(first)
}

fn line(question: &str) -> anyhow::Result<String> {
    eprint!("{question}");
    std::io::stderr().flush()?;
    let mut text = String::new();
    std::io::stdin().read_line(&mut text)?;
    eprintln!();
    Ok(text.trim_end_matches(['\n', '\r']).to_owned())
}

/// The terminal shows nothing of what is typed until this is dropped, however that comes.
struct Quiet;

impl Quiet {
    fn start() -> anyhow::Result<Self> {
        match stty("-echo") {
            Ok(true) => Ok(Self),
            _ => bail!("the terminal cannot hide what is typed; use --password-file or --generate"),
        }
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        let _ = stty("echo");
    }
}

fn stty(mode: &str) -> std::io::Result<bool> {
    let status = Command::new("stty").arg(mode).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    Ok(status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_passwords_are_long_and_differ() {
        let passwords = [generated_password(), generated_password()];
        assert!(passwords.iter().all(|password| password.len() == GENERATED));
        assert_ne!(passwords[0], passwords[1]);
    }
}
