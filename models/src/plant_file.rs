//! The plant file: what an engineer writes, read into a [`Plant`], with every mistake named at its place.
//!
//! The way through: YAML with positions ([`tree`]) → sections of all files merged ([`site`]) → models declared, so that all names
//! are known ([`model`], [`declare`]) → assets, which say what protocol each slot speaks ([`assets`], [`bindings`]) → formulas in the order they
//! need one another ([`resolve`]) → detectors and the finished models ([`detectors`], [`build`]).
//! Nothing here reads a file, the environment or a clock, and no input makes it panic.

use crate::definition::Plant;

mod actions;
mod alarm;
mod assets;
mod bindings;
mod build;
mod control;
mod declare;
mod declared;
mod detectors;
mod diagnostic;
mod fields;
mod keyed;
mod keys;
mod model;
mod notify;
mod oee;
mod origin;
mod reasons;
mod render;
mod resolve;
mod schema;
mod scope;
mod site;
mod sources;
mod traps;
mod tree;

pub use diagnostic::{Diagnostic, MAX_DIAGNOSTICS, Severity};
pub(crate) use model::{MAX_KEY, RESERVED};
pub use render::render;
pub use schema::schema;
pub use tree::MAX_FILE_BYTES;

/// Whether a word has a meaning of its own among the keys of an asset, so that children cannot be called so.
pub(crate) fn is_key_of_assets(word: &str) -> bool {
    keys::is_of_assets(word)
}

/// What came of loading a plant.
#[derive(Debug)]
pub struct Loaded {
    /// The plant; none if there is any error.
    pub plant: Option<Plant>,
    /// Errors and warnings, in file order.
    pub diagnostics: Vec<Diagnostic>,
}

impl Loaded {
    /// Whether anything forbids to use the files.
    pub fn has_errors(&self) -> bool {
        self.plant.is_none()
    }
}

/// Loads a plant from its files, given as name and text. `variable` says what `$NAME` stands for in sources and notify targets.
pub fn load(files: &[(String, String)], variable: &dyn Fn(&str) -> Option<String>) -> Loaded {
    let report = diagnostic::Report::new(files);
    let plant = read(&report, files, &sources::Variables(variable)).filter(|_| report.errors() == 0);
    Loaded { plant, diagnostics: report.finish() }
}

fn read(report: &diagnostic::Report<'_>, files: &[(String, String)], variables: &sources::Variables<'_>) -> Option<Plant> {
    let trees: Vec<_> = files.iter().enumerate().map(|(index, (_, text))| tree::read(report, index, text)).collect();
    // What a file that is no YAML would have defined is not known: everything else said about it would be noise.
    let trees: Vec<tree::Node> = trees.into_iter().collect::<Option<_>>()?;
    let sections = site::merge(report, &trees);
    let (name, time_zone) = site::plant(report, sections.plant);
    let calendar = site::calendar(report, time_zone, &sections.shifts, &sections.exceptions);
    let sources = sources::sources(report, variables, &sections.sources);
    let notify = notify::targets(report, variables, &sections.notify, &sources);
    let drafts = declare::declare(report, &sections.models);
    let assets = assets::assets(report, &sections.assets, &drafts, &sources);
    origin::unique(report, "the asset", assets.iter().map(|draft| (draft.asset.id.0, draft.at, &*draft.asset.path)));
    let bindings = bindings::bind(report, &drafts, &assets, &sources);
    let formulas = resolve::formulas(report, &drafts);
    // By the names in the file: a target with a mistake is known all the same.
    let targets: Vec<&str> = sections.notify.iter().map(|entry| entry.key.as_str()).collect();
    let reasons = reasons::reasons(report, &sections.reasons).into();
    let models = build::models(report, &drafts, &formulas, &bindings, &targets, &reasons);
    build::check_rates(report, &models, &assets);
    let (inputs, detectors) = keyed::keyed(report, &sections.inputs, &sections.detectors, &sources);
    let stand_ins = keyed::targets(report, &sections.targets, &targets);
    let sources = sources.into_iter().filter_map(|(_, source)| source).collect();
    let assets = assets.into_iter().map(|draft| draft.asset).collect();
    Some(Plant { name, calendar, sources, notify, models, assets, inputs, targets: stand_ins, detectors })
}
