//! `andon template`: ready models, to be put beside one's own plant file.

use andon_models::expression::nearest;
use anyhow::Context;
use std::process::ExitCode;

/// What there is: name, what it is, the file.
const TEMPLATES: [(&str, &str, &str); 1] = [(
    "packml",
    "a machine with PackML (ISA-TR88.00.02): states, modes, how long it was in each, OEE, alarms",
    include_str!("../../fixtures/plants/packml.yaml"),
)];

/// Arguments of `andon template`.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  \
    andon template                              what there is\n  \
    andon template packml > plant/packml.yaml   beside the other files of the folder `plant`, then andon check plant")]
pub struct Template {
    /// Which one; all are listed if none is named.
    name: Option<String>,
}

impl Template {
    /// Prints it.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let Some(name) = self.name else {
            let lines: Vec<String> = TEMPLATES.iter().map(|(name, what, _)| format!("{name}  {what}")).collect();
            super::print(&lines.join("\n"))?;
            return Ok(ExitCode::SUCCESS);
        };
        let found = TEMPLATES.iter().find(|(known, ..)| *known == name);
        let (.., text) = found.with_context(|| {
            let near = nearest(&name, TEMPLATES.iter().map(|(known, ..)| *known));
            let hint = near.map_or_else(String::new, |near| format!("; did you mean {near}"));
            format!("there is no template {name}{hint}; `andon template` lists what there is")
        })?;
        super::print(text.trim_end())?;
        Ok(ExitCode::SUCCESS)
    }
}
