//! `andon import` of definitions: models and assets of AWS IoT SiteWise become a plant file.

use super::Import;
use crate::{
    cli::{
        block_on, counted, print,
        remote::{Remote, plan_and_apply},
    },
    service::definition::place::{read_one, write_whole},
};
use andon_models::{
    cloudformation::Parameters,
    import::{self, Finding, Imported, Severity, looks_like_definitions},
};
use anyhow::{Context, bail, ensure};
use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
    process::ExitCode,
};

/// First bytes looked at to tell definitions from values.
const HEAD: u64 = 4_096;
/// Most files of definitions at once: what a person lists, or a script that exports a model per file.
const MAX_FILES: usize = 10_000;

/// Whether the files are definitions. Values and definitions at once have no meaning together.
pub(super) fn are(files: &[PathBuf]) -> anyhow::Result<bool> {
    let mut sorted: [Vec<&Path>; 2] = Default::default();
    for file in files {
        sorted[usize::from(is(file))].push(file);
    }
    match &sorted {
        [values, definitions] if !values.is_empty() && !definitions.is_empty() => bail!(
            "{} holds values and {} definitions: import the definitions first, then the values",
            values[0].display(),
            definitions[0].display()
        ),
        [values, _] => Ok(values.is_empty()),
    }
}

fn is(file: &Path) -> bool {
    let mut head = Vec::new();
    let read = File::open(file).and_then(|file| file.take(HEAD).read_to_end(&mut head));
    // A file that cannot be read is reported by whoever reads it.
    read.is_ok() && looks_like_definitions(&String::from_utf8_lossy(&head))
}

impl Import {
    /// Reads definitions, and writes the plant file or says what it would hold.
    pub(super) fn definitions(&self) -> anyhow::Result<ExitCode> {
        ensure!(self.files.len() <= MAX_FILES, "these are more than {MAX_FILES} files; put several definitions into one file");
        let parameters = self.parameter.iter().map(|given| {
            let pair = given.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
            pair.with_context(|| format!("`{given}` is no parameter: write NAME=VALUE"))
        });
        let parameters = Parameters::of(parameters.collect::<anyhow::Result<Vec<_>>>()?);
        let mut import = import::Import::new(parameters).tidied(self.tidy);
        if let Some(name) = &self.name {
            import = import.named(name);
        }
        for file in &self.files {
            import.add(&file.display().to_string(), &read_one(file)?);
        }
        let imported = import.finish();
        if self.apply {
            report(&imported);
            ensure!(
                !imported.has_errors(),
                "nothing was changed; mend the errors above, or write a plant file with -o and mend that"
            );
            let url = self.url.as_deref().unwrap_or("http://127.0.0.1:8080");
            let applied = block_on(self.apply_to(url, &imported.yaml))??;
            return Ok(if applied { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        if self.dry_run {
            for line in &imported.made {
                print(line)?;
            }
        } else if let Some(output) = &self.output {
            write(output, &imported.yaml, self.force)?;
            eprintln!("{} is written; check it with `andon check {0}`, run it with `andon run {0}`", output.display());
        } else {
            print(imported.yaml.trim_end())?;
        }
        report(&imported);
        Ok(if imported.has_errors() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }
}

impl Import {
    /// Puts the imported definitions into a running plant: as a file of their own into a folder, as the whole of a plant that defines
    /// nothing yet. Names that both define are told by the check of all files together.
    async fn apply_to(&self, url: &str, yaml: &str) -> anyhow::Result<bool> {
        let remote = Remote::at(url).await?;
        let files = if remote.place == "folder" {
            remote.merged(&vec![(self.own_file(), without_plant(yaml))])
        } else {
            ensure!(
                remote.is_empty().await?,
                "the plant at {url} is one file with assets of its own: write the import to a file (-o imported.yaml) and merge the two, \
                 or run the plant from a folder (andon run plant/), where the import becomes a file of its own"
            );
            remote.with(vec![(self.own_file(), yaml.to_owned())], false)
        };
        if self.dry_run {
            let plan = remote.plan(&files).await?;
            return plan.print();
        }
        Ok(plan_and_apply(&remote, &files, self.yes, &self.comment, "").await?.is_some())
    }

    /// The name of the file in the plant's folder: importing the same again replaces it.
    fn own_file(&self) -> String {
        let stem = self.files.first().and_then(|file| file.file_stem()).unwrap_or_default().to_string_lossy().into_owned();
        let plain: String = stem.chars().map(|c| if c.is_alphanumeric() || c == '-' || c == '_' { c } else { '-' }).collect();
        format!("imported-{}.yaml", plain.trim_matches('-'))
    }
}

/// A plant file without the section of the plant's name: the plant has one.
fn without_plant(yaml: &str) -> String {
    let mut inside = false;
    let kept = yaml.lines().filter(|line| {
        if line.starts_with("plant:") {
            inside = true;
        } else if inside && !line.is_empty() && !line.starts_with([' ', '#']) {
            inside = false;
        }
        !inside
    });
    kept.fold(String::new(), |text, line| text + line + "\n")
}

/// Writes a file that is not there yet, or over one with `--force`: then it is written beside it and takes its place when it is whole.
fn write(path: &Path, text: &str, force: bool) -> anyhow::Result<()> {
    ensure!(force || !path.exists(), "{} is there already; write over it with --force, or name another file", path.display());
    write_whole(path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// Says what was not taken as it was meant, errors last, where they are seen.
fn report(imported: &Imported) {
    let of = |severity: Severity| imported.findings.iter().filter(move |finding| finding.severity == severity);
    for (severity, title) in
        [(Severity::NotCarriedOver, "not carried over"), (Severity::Warning, "warning"), (Severity::Error, "error")]
    {
        of(severity).for_each(|finding| eprintln!("{title}: {}", line(finding)));
    }
    let count = |severity| of(severity).count();
    let (errors, warnings, lost) = (count(Severity::Error), count(Severity::Warning), count(Severity::NotCarriedOver));
    let lost = format!("{lost} not carried over");
    eprintln!("{}, {}, {lost}", counted(errors, "error"), counted(warnings, "warning"));
}

fn line(finding: &Finding) -> String {
    let place: Vec<&str> = [finding.file.as_str(), finding.path.as_str()].into_iter().filter(|part| !part.is_empty()).collect();
    match place.is_empty() {
        true => finding.message.clone(),
        false => format!("{}: {}", place.join(" "), finding.message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn the_name_of_the_plant_is_left_to_the_plant() {
        let text = "# made\nplant: { name: X }\n\nmodels:\n  a: {}\n";
        assert_eq!(without_plant(text), "# made\nmodels:\n  a: {}\n");
        assert_eq!(without_plant("plant:\n  name: X\nassets: {}\n"), "assets: {}\n");
    }

    #[test]
    fn a_plant_file_is_written_over_as_a_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plant.yaml");
        write(&path, "old", false).unwrap();
        assert!(write(&path, "new", false).unwrap_err().to_string().contains("--force"));
        // A write that fails in the middle: the old file stands.
        fs::create_dir(folder.path().join("plant.yaml.part")).unwrap();
        assert!(write(&path, "new", true).is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        fs::remove_dir(folder.path().join("plant.yaml.part")).unwrap();
        write(&path, "new", true).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
