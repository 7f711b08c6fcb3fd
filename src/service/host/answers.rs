//! What is asked about the definition without changing anything.

use super::{Answer, Files, Host, given, of_store, panicked};
use crate::service::definition::{hash, shown};
use andon_dashboards::{
    Applied, AskDefinition, ChangeView, Definition, DefinitionRefusal, DiagnosticView, Planned, Version, VersionFiles,
};
use andon_models::{
    definition::Plant,
    difference::{self, Difference},
    plant_file::{self, Loaded},
};
use tokio::task::spawn_blocking;

impl Host {
    /// Answers; whoever asked may have gone.
    pub(super) async fn answer(&self, ask: AskDefinition) {
        match ask {
            AskDefinition::Read(reply) => _ = reply.send(self.read().await),
            AskDefinition::Version(id, reply) => {
                let found = self.version(id).await;
                _ = reply.send(found.map(|(version, files)| VersionFiles { version, files: shown(&files) }));
            }
            AskDefinition::Check(files, reply) => {
                let loaded = self.load(given(files)).await;
                _ = reply.send(loaded.map(diagnostics));
            }
            AskDefinition::Plan(files, reply) => _ = reply.send(self.plan(given(files)).await),
            AskDefinition::Apply(_, reply) => {
                _ = reply.send(Err(DefinitionRefusal::NotNow("nothing was changed".into(), "try again".into())));
            }
        }
    }

    async fn read(&self) -> Answer<Definition> {
        let versions = of_store(self.data(), |store| store.versions()).await?;
        // Files that cannot be read are not what was loaded either.
        let changed_on_disk = self.on_disk().await.map_or(true, |found| found.is_some_and(|found| found != self.files));
        Ok(Definition {
            hash: hash(&self.files),
            place: self.site.place.word(),
            changed_on_disk,
            files: shown(&self.files),
            versions,
        })
    }

    /// A version with its files.
    pub(super) async fn version(&self, id: i64) -> Answer<(Version, Files)> {
        let found = of_store(self.data(), move |store| store.version(id)).await?;
        found.ok_or_else(|| {
            let hint = "GET /api/definition lists those that are kept";
            DefinitionRefusal::Unknown(format!("there is no version {id}"), hint.into())
        })
    }

    /// The files as they are on disk now; none where there are none.
    pub(super) async fn on_disk(&self) -> Answer<Option<Files>> {
        let place = self.site.place.clone();
        if place.path().is_none() {
            return Ok(None);
        }
        let read = spawn_blocking(move || place.read()).await.map_err(panicked)?;
        read.map(Some).map_err(|error| {
            let hint = "see the plant's files; nothing was changed";
            DefinitionRefusal::NotNow(format!("{error:#}"), hint.into())
        })
    }

    /// Reads and checks files.
    pub(super) async fn load(&self, files: Files) -> Answer<Loaded> {
        let variables = self.site.variables.clone();
        spawn_blocking(move || plant_file::load(&files, &|name| variables(name))).await.map_err(panicked)
    }

    /// What another plant changes in the one that runs.
    pub(super) fn difference(&self, plant: &Plant) -> Difference {
        let Some(running) = &self.running else { return Difference::default() };
        let standing = running.pages.live.detectors();
        Difference::of(&running.pages.catalog.plant, plant, standing.iter().map(|snapshot| &**snapshot))
    }

    async fn plan(&self, files: Files) -> Answer<Planned> {
        let (hash, base) = (hash(&files), hash(&self.files));
        let loaded = self.load(files).await?;
        let difference = loaded.plant.as_ref().map(|plant| self.difference(plant)).unwrap_or_default();
        let text = difference::text(&difference);
        let Difference { changes, consequences } = difference;
        let changes = changes.into_iter().map(ChangeView::from).collect();
        Ok(Planned { hash, base, diagnostics: diagnostics(loaded), changes, consequences, text })
    }

    /// What was applied; whether writes were armed before.
    pub(super) fn applied(&self, version: i64, mut difference: Difference, armed: bool) -> Applied {
        if armed && !self.is_armed() {
            difference.consequences.push("writes to machines are disarmed now; `andon arm` arms them".into());
        }
        let text = difference::text(&difference);
        let Difference { changes, consequences } = difference;
        let changes = changes.into_iter().map(ChangeView::from).collect();
        Applied { hash: hash(&self.files), version, changes, consequences, text }
    }
}

fn diagnostics(loaded: Loaded) -> Vec<DiagnosticView> {
    loaded.diagnostics.into_iter().map(DiagnosticView::from).collect()
}
