//! The definition of a running Andon, as `andon plan`, `andon apply` and `andon import --apply` ask for and change it.

use super::{client::Client, counted, print};
use crate::service::definition::Files;
use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The definition that a running Andon has.
#[derive(Deserialize)]
pub struct Remote {
    /// Names it.
    pub hash: String,
    /// `file`, `folder` or `memory`.
    pub place: String,
    files: Vec<File>,
    #[serde(skip)]
    client: Option<Client>,
}

#[derive(Deserialize)]
struct File {
    name: String,
    text: String,
}

/// What files would change.
#[derive(Deserialize, Serialize)]
pub struct Plan {
    base: String,
    hash: String,
    diagnostics: Vec<Told>,
    text: String,
    changes: Vec<Value>,
    consequences: Vec<String>,
}

#[derive(Deserialize, Serialize)]
struct Told {
    severity: String,
    file: String,
    line: usize,
    column: usize,
    message: String,
    hint: String,
}

impl Remote {
    /// Asks a running Andon.
    ///
    /// # Errors
    /// When none answers there.
    pub async fn at(url: &str) -> anyhow::Result<Self> {
        let client = Client::patient(url)?;
        let answer = client.get(&["api", "definition"], &[]).await?;
        let remote: Self =
            serde_json::from_value(answer).with_context(|| format!("{url} did not answer as this Andon does; is it older?"))?;
        Ok(Self { client: Some(client), ..remote })
    }

    /// Who is asked.
    ///
    /// # Errors
    /// When nobody is.
    pub fn client(&self) -> anyhow::Result<&Client> {
        self.client.as_ref().context("nobody was asked")
    }

    /// What the plant's files become: a folder replaces all of them. One file is the plant if that is one file; in a folder it replaces
    /// the file of its name, or is added.
    pub fn with(&self, files: Files, is_folder: bool) -> Files {
        match (self.place.as_str(), files.len()) {
            ("folder", 1) if !is_folder => self.merged(&files),
            ("file" | "memory", 1) => {
                let name = self.files.first().map_or("plant.yaml", |file| file.name.as_str());
                files.into_iter().map(|(_, text)| (name.to_owned(), text)).collect()
            }
            _ => files,
        }
    }

    /// The plant's files with others in their places or added.
    pub fn merged(&self, files: &Files) -> Files {
        let mut all: BTreeMap<String, String> = self.files.iter().map(|file| (file.name.clone(), file.text.clone())).collect();
        all.extend(files.iter().cloned());
        all.into_iter().collect()
    }

    /// Whether the plant defines nothing yet.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn is_empty(&self) -> anyhow::Result<bool> {
        let assets = self.client()?.get(&["api", "assets"], &[]).await?;
        let none = |list: &Value| list.as_array().is_some_and(Vec::is_empty);
        Ok(none(&assets) || none(&assets["assets"]))
    }

    /// Asks what files would change.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn plan(&self, files: &Files) -> anyhow::Result<Plan> {
        let answer = self.client()?.post(&["api", "definition", "plan"], &json!({ "files": shown(files) })).await?;
        Ok(serde_json::from_value(answer)?)
    }

    /// Has it run with files that were planned. Gives what is computed newly or otherwise, as a back-fill names it.
    ///
    /// # Errors
    /// Why it does not, and what to do.
    pub async fn apply(&self, plan: &Plan, files: &Files, comment: &str, name: &str) -> anyhow::Result<Vec<String>> {
        let body = json!({ "files": shown(files), "base": plan.base, "comment": comment, "name": name });
        self.done(self.client()?.post(&["api", "definition", "apply"], &body).await?)
    }

    /// Has it run with an earlier version again. Gives what is computed otherwise.
    ///
    /// # Errors
    /// Why it does not, and what to do.
    pub async fn revert(&self, version: i64, comment: &str, name: &str) -> anyhow::Result<Vec<String>> {
        let body = json!({ "version": version, "base": self.hash, "comment": comment, "name": name });
        let answer = self.client()?.post(&["api", "definition", "revert"], &body).await?;
        print(answer["text"].as_str().unwrap_or_default().trim_end())?;
        self.done(answer)
    }

    /// The files of a version.
    ///
    /// # Errors
    /// When there is no such version.
    pub async fn version(&self, version: i64) -> anyhow::Result<Files> {
        let answer = self.client()?.get(&["api", "definition", "versions", &version.to_string()], &[]).await?;
        let files: Vec<File> = serde_json::from_value(answer["files"].clone())?;
        Ok(files.into_iter().map(|File { name, text }| (name, text)).collect())
    }

    fn done(&self, answer: Value) -> anyhow::Result<Vec<String>> {
        for told in answer["consequences"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            eprintln!("note: {told}");
        }
        print(&format!("Applied; the plant runs with version {}.", answer["version"]))?;
        let changes = answer["changes"].as_array().into_iter().flatten();
        Ok(changes.filter_map(|change| change["backfill"].as_str().map(str::to_owned)).collect())
    }
}

impl Plan {
    /// Prints what is wrong to standard error, and what changes. False if the files cannot be used.
    ///
    /// # Errors
    /// When nothing can be printed.
    pub fn print(&self) -> anyhow::Result<bool> {
        for Told { severity, file, line, column, message, hint } in &self.diagnostics {
            eprintln!("{file}:{line}:{column}: {severity}: {message}{}{hint}", if hint.is_empty() { "" } else { "\n  " });
        }
        if self.has_errors() {
            return Ok(false);
        }
        print(match () {
            () if self.changes.is_empty() && self.is_same() => "Nothing changes: the plant runs with these files.",
            () if self.changes.is_empty() => "The files are written otherwise, and say the same.",
            () => self.text.trim_end(),
        })?;
        if !self.changes.is_empty() {
            eprintln!("{}", counted(self.changes.len(), "change"));
        }
        Ok(true)
    }

    /// Whether the plant runs with these very files.
    pub fn is_same(&self) -> bool {
        self.hash == self.base
    }

    /// Whether the files cannot be used.
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(|told| told.severity == "error")
    }
}

/// Files as they are sent.
fn shown(files: &Files) -> Vec<Value> {
    files.iter().map(|(name, text)| json!({ "name": name, "text": text })).collect()
}

/// Shows a plan, asks, and applies. Gives what is computed newly or otherwise, as a back-fill names it; none if nothing was applied.
///
/// # Errors
/// Why it was not applied.
pub async fn plan_and_apply(
    remote: &Remote,
    files: &Files,
    yes: bool,
    comment: &str,
    name: &str,
) -> anyhow::Result<Option<Vec<String>>> {
    let plan = remote.plan(files).await?;
    if !plan.print()? {
        bail!("the files have errors; nothing was changed");
    }
    if plan.is_same() {
        return Ok(Some(Vec::new()));
    }
    if !yes && !super::ask::agreed("Apply it?")? {
        print("Nothing was changed.")?;
        return Ok(None);
    }
    Ok(Some(remote.apply(&plan, files, comment, name).await?))
}
