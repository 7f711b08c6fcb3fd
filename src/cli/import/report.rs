//! What an import prints.

use super::super::progress::{grouped, rate};
use andon_query::transfer::{Names, Problems, Tally};
use std::{process::ExitCode, time::Duration};

/// Mistakes shown; all are counted.
const MAX_SHOWN: usize = 20;
/// Series shown of a dry run.
const MAX_SERIES: usize = 50;

/// Prints what an import would do.
pub fn dry_run(names: &Names, mut tally: Tally, problems: &Problems, skip: bool) -> anyhow::Result<ExitCode> {
    problems_if_any(problems);
    let series = tally.series();
    let mut lines = Vec::new();
    for (series, of_series) in series.iter().take(MAX_SERIES) {
        let name = names.alias_of(*series).unwrap_or_default();
        lines.push((grouped(of_series.rows), format!("{} to {}", of_series.from, of_series.to), name));
    }
    let (width, span_width) = lines.iter().fold((0, 0), |(rows, span), line| (rows.max(line.0.len()), span.max(line.1.len())));
    let mut shown: Vec<String> =
        lines.iter().map(|(rows, span, name)| format!("{rows:>width$}  {span:<span_width$}  {name}")).collect();
    if series.len() > MAX_SERIES {
        shown.push(format!("… and {} more series", grouped((series.len() - MAX_SERIES) as u64)));
    }
    let count = series.len();
    let span = tally.span().map_or(String::new(), |(from, to)| format!(", {from} to {to}"));
    shown.push(format!("{} rows of {} series{span}", grouped(tally.rows()), grouped(count as u64)));
    match tally.doubles() {
        Some(0) => {}
        Some(doubles) => shown.push(format!(
            "{} rows repeat series, time and quality of another; of these the last one counts",
            grouped(doubles)
        )),
        None => shown.push("too many rows to tell whether some repeat others".into()),
    }
    let fine = problems.count() == 0 || skip;
    shown.push(match (problems.count(), skip) {
        (0, _) => "nothing was written; without --dry-run all of it is imported".into(),
        (wrong, true) => format!("nothing was written; without --dry-run all but {} wrong lines are imported", grouped(wrong)),
        (wrong, false) => format!("nothing was written, and nothing would be: {} lines are wrong", grouped(wrong)),
    });
    super::super::print(&shown.join("\n"))?;
    Ok(if fine { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn problems_if_any(found: &Problems) {
    if found.count() > 0 {
        problems(found);
    }
}

/// Prints the first mistakes and how many there are.
pub fn problems(problems: &Problems) {
    let first = problems.first(MAX_SHOWN);
    let mut shown = 0;
    for problem in &first {
        shown += problem.lines;
        let place = if problem.line > 0 { format!(":{}", problem.line) } else { String::new() };
        let more = match problem.lines - 1 {
            0 => String::new(),
            1 => " (and 1 more line)".into(),
            more => format!(" (and {} more lines)", grouped(more)),
        };
        eprintln!("{}{place}: {}{more}", problem.file.display(), problem.message);
    }
    let rest = problems.count() - shown;
    if rest > 0 {
        eprintln!("… and {} more lines", grouped(rest));
    }
    eprintln!("{} {} wrong", grouped(problems.count()), if problems.count() == 1 { "line is" } else { "lines are" });
}

/// Prints what was imported.
pub fn imported(tally: &Tally, problems: &Problems, elapsed: Duration) -> std::io::Result<()> {
    let span = tally.span().map_or(String::new(), |(from, to)| format!(", {from} to {to}"));
    let left_out = match problems.count() {
        0 => String::new(),
        wrong => format!("; {} wrong {} left out", grouped(wrong), if wrong == 1 { "line was" } else { "lines were" }),
    };
    super::super::print(&format!(
        "imported {} rows of {} series{span}, in {:.1} s ({}){left_out}",
        grouped(tally.rows()),
        grouped(tally.series().len() as u64),
        elapsed.as_secs_f64(),
        rate(tally.rows(), elapsed),
    ))
}
