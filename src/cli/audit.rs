//! `andon audit`: whether the chain of who did what is as it was written.

use super::{
    print,
    progress::{Progress, grouped},
};
use crate::service::{
    audit::{FOLDER, check::Check},
    telemetry,
};
use andon_models::audit::{BadRecord, Head};
use anyhow::{Context, ensure};
use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Fewest digits that tell a hash from all others.
const LEAST_DIGITS: usize = 12;

/// Arguments of `andon audit`.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  andon audit verify                              is the record of ./data as it was written?\n  \
                  andon audit verify --data /var/lib/andon\n  andon audit verify --expect 3f9a20c4b17e        is that head still in it?"
)]
pub struct Audit {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Reads every record back; exit code 1 if one was changed, removed, inserted or exchanged.
    Verify(Verify),
}

/// Arguments of `andon audit verify`.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  andon audit verify                              of ./data, while Andon runs or not\n  \
                  andon audit verify --data /var/lib/andon\n  \
                  andon audit verify --expect 3f9a20c4b17e        is the head that was noted then still in it?\n  \
                  tail -n 3 data/audit/2026-11.jsonl | jq .       records are lines of JSON\n\n\
                  A chain tells that somebody changed a record, unless the one who did made all records behind it anew.\n\
                  Note the head elsewhere now and then, and give it with --expect: then that is told as well.")]
pub struct Verify {
    /// The data folder (with history in a bucket, the local one).
    #[arg(long, default_value = "data")]
    data: PathBuf,
    /// The hash of a record that must be in the chain: 12 or more of its first digits.
    #[arg(long, value_name = "HASH", value_parser = digits)]
    expect: Option<String>,
}

impl Audit {
    /// Verifies.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        telemetry::log_to_stderr("warn");
        match self.command {
            Command::Verify(verify) => verify.run(),
        }
    }
}

impl Verify {
    fn run(self) -> anyhow::Result<ExitCode> {
        let folder = self.data.join(FOLDER);
        ensure!(
            folder.is_dir(),
            "{} holds no audit; choose the data folder of an Andon with --data (one that never ran with this version has none)",
            self.data.display()
        );
        let progress = Progress::bytes("verifying", size(&folder)?);
        let (mut check, mut bytes, mut found) = (Check::new(&folder), 0, None);
        let outcome = check.go_on(&mut |head: &Head, length| {
            bytes += length;
            progress.set(bytes, 0);
            if self.expect.as_ref().is_some_and(|expected| head.hash.to_string().starts_with(expected)) {
                found = Some(head.record);
            }
        });
        progress.finish();
        if let Err(bad) = outcome.with_context(|| format!("cannot read {}", folder.display()))? {
            print(&broken(&folder, &bad))?;
            return Ok(ExitCode::FAILURE);
        }
        print(&whole(&folder, &check))?;
        match (&self.expect, found) {
            (Some(expected), None) => {
                print(&format!(
                    "NO RECORD HAS THE HASH {expected}. The chain is whole, but it is not the one that the hash was noted of."
                ))?;
                Ok(ExitCode::FAILURE)
            }
            (Some(expected), Some(record)) => {
                print(&format!("{expected} is record {record}"))?;
                Ok(ExitCode::SUCCESS)
            }
            (None, _) => Ok(ExitCode::SUCCESS),
        }
    }
}

/// Reads the chain of an unpacked backup, if it has one, and says what was found.
///
/// # Errors
/// When it cannot be read, or is not as it was written.
pub fn of_backup(unpacked: &Path) -> anyhow::Result<Option<String>> {
    let folder = unpacked.join(FOLDER);
    if !folder.is_dir() {
        return Ok(None);
    }
    let mut check = Check::new(&folder);
    let outcome = check.go_on(&mut |_, _| {}).with_context(|| format!("cannot read {}", folder.display()))?;
    outcome.map_err(|bad| anyhow::anyhow!("{}", broken(Path::new(FOLDER), &bad)))?;
    Ok(Some(format!("its audit is whole: {} records, head {}", grouped(check.head().record), check.head().hash)))
}

fn broken(folder: &Path, bad: &BadRecord) -> String {
    let BadRecord { record, file, line, time, wrong, advice } = bad;
    let place = if *line > 0 {
        format!("{}, line {line}", folder.join(file).display())
    } else {
        folder.join(file).display().to_string()
    };
    let time = time.map_or_else(String::new, |time| format!(", {time}"));
    format!("THE CHAIN IS BROKEN at record {record} ({place}{time}): {wrong}\nWhat to do: {advice}")
}

fn whole(folder: &Path, check: &Check) -> String {
    let head = check.head();
    let mut told = match check.span() {
        Some((first, last)) => {
            format!("{}: whole. {} records from {first} to {last}\nhead {}", folder.display(), grouped(head.record), head.hash)
        }
        None => format!("{}: no records yet", folder.display()),
    };
    if check.torn() > 0 {
        let lines = if check.torn() == 1 { "line was" } else { "lines were" };
        told.push_str(&format!("\n{} {lines} cut off by a crash; the record behind each owns up to it", check.torn()));
    }
    if check.open_bytes() > 0 {
        told.push_str(&format!(
            "\nthe last line has {} bytes and no end: it is being written, or a crash has cut it off; nobody was told that it is done, and the next start says so",
            check.open_bytes()
        ));
    }
    told
}

fn size(folder: &Path) -> anyhow::Result<u64> {
    let mut sum = 0;
    for entry in fs::read_dir(folder)? {
        sum += entry?.metadata()?.len();
    }
    Ok(sum)
}

fn digits(text: &str) -> Result<String, String> {
    let text = text.to_ascii_lowercase();
    let fine = text.len() >= LEAST_DIGITS && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if fine {
        Ok(text)
    } else {
        Err(format!("write {LEAST_DIGITS} to 64 digits of 0-9 and a-f, as `andon audit verify` prints them"))
    }
}
