//! Says what was probably meant when a statement names what does not exist.

use andon_models::expression::nearest;
use datafusion::{error::DataFusionError, prelude::SessionContext};

/// The error with what may have been meant.
pub fn with_hint(session: &SessionContext, error: DataFusionError) -> DataFusionError {
    let text = error.strip_backtrace();
    match hint(session, &text) {
        Some(message) => DataFusionError::Plan(message),
        None => error,
    }
}

fn hint(session: &SessionContext, text: &str) -> Option<String> {
    let between = |before: &str, after: &str| {
        let rest = text.split_once(before)?.1;
        Some(rest.split_once(after)?.0.to_owned())
    };
    if let Some(name) = between("table function '", "' not found") {
        let state = session.state();
        let near = nearest(&name, state.table_functions().keys().map(String::as_str));
        return Some(format!("there is no function '{name}' that makes a table{}; docs/sql.md lists them", meant(near)));
    }
    if let Some(path) = between("table '", "' not found") {
        let name = path.rsplit('.').next().unwrap_or(&path).to_owned();
        let known = tables(session);
        let near = nearest(&name, known.iter().map(String::as_str));
        return Some(format!("there is no table '{name}'{}; SHOW TABLES lists them", meant(near)));
    }
    if let Some(name) = between("Invalid function '", "'") {
        let state = session.state();
        let scalar = state.scalar_functions().keys().chain(state.aggregate_functions().keys());
        let known = scalar.chain(state.window_functions().keys()).map(String::as_str);
        let near = nearest(&name, known);
        return Some(format!("there is no function '{name}'{}; docs/sql.md lists Andon's own", meant(near)));
    }
    if text.to_lowercase().contains("asof") {
        return Some("ASOF JOIN is not understood; write value_at(asset, property, time) in the SELECT list".into());
    }
    let name = between("No field named ", ".").filter(|_| !text.contains("Did you mean"))?;
    let (_, columns) = text.split_once("Valid fields are ")?;
    let columns: Vec<String> = columns.trim_end_matches('.').split(", ").map(|column| column.replace(['"', '`'], "")).collect();
    let last = |path: &str| path.rsplit('.').next().unwrap_or(path).to_owned();
    let (short, name) = (columns.iter().map(|column| last(column)).collect::<Vec<_>>(), name.replace('"', ""));
    let near = nearest(&name, short.iter().map(String::as_str));
    Some(format!("there is no column '{name}'{}; there are {}", meant(near), short.join(", ")))
}

fn meant(near: Option<&str>) -> String {
    near.map_or(String::new(), |near| format!("; did you mean '{near}'?"))
}

fn tables(session: &SessionContext) -> Vec<String> {
    let config = session.copied_config();
    let names = &config.options().catalog;
    let schema = session.catalog(&names.default_catalog).and_then(|catalog| catalog.schema(&names.default_schema));
    schema.map_or_else(Vec::new, |schema| schema.table_names())
}
