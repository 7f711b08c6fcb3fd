//! Reads CSV files into points.

use super::{
    cell::{self, Cell},
    layout::{Layout, Long, Wide},
    rows::{Rows, Said},
    separated::{Field, Read, Reader, separator_of},
};
use crate::directory::Target;
use std::{
    collections::HashMap,
    io::{self, BufRead},
    ops::ControlFlow,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// Rows between two reports of progress.
const PROGRESS_ROWS: u64 = 8_192;

/// Assets whose columns are remembered in the wide form.
const MAX_ASSETS: usize = 100_000;

/// Reads a file to its end, or until it is told to stop. `read` says how many bytes of the file were read so far.
///
/// # Errors
/// When the file cannot be read.
pub fn read(input: impl BufRead, consumed: &AtomicU64, rows: &mut Rows<'_, '_>) -> io::Result<()> {
    let mut reader = Reader::new(input, b'\0');
    // Split by a byte that no text has, the header is one field.
    let header = match reader.next()? {
        Read::Record => reader.field(0).text.to_owned(),
        Read::Damaged(reason) => return stop(rows.problem(reader.line(), format!("the header {reason}"))),
        Read::End => return stop(rows.problem(1, "the file is empty; its first line must name the columns")),
    };
    let separator = separator_of(&header);
    let mut names = Reader::new(header.as_bytes(), separator);
    if let Read::Damaged(reason) = names.next()? {
        return stop(rows.problem(1, format!("the header {reason}")));
    }
    let header: Vec<&str> = names.fields().map(|field| field.text).collect();
    let layout = match Layout::of(&header) {
        Ok(layout) => layout,
        Err(reason) => return stop(rows.problem(reader.line(), reason)),
    };
    reader.separate_by(separator);
    let mut wide = WideColumns::default();
    loop {
        let flow = match reader.next()? {
            Read::End => break,
            Read::Damaged(reason) => rows.problem(reader.line(), format!("the line {reason}")),
            Read::Record if reader.len() != header.len() => {
                rows.problem(reader.line(), format!("the line has {} fields, the header {}", reader.len(), header.len()))
            }
            Read::Record => match &layout {
                Layout::Long(long) => long_row(long, &reader, rows),
                Layout::Wide(columns) => wide_row(columns, &mut wide, &reader, rows),
            },
        };
        let reported =
            reader.line().is_multiple_of(PROGRESS_ROWS) && rows.progress(consumed.load(Ordering::Relaxed)).is_break();
        if flow.is_break() || reported {
            return Ok(());
        }
    }
    stop(rows.flush())
}

/// Whether somebody has heard enough makes no difference at the end.
fn stop(_: ControlFlow<()>) -> io::Result<()> {
    Ok(())
}

fn long_row<R: BufRead>(long: &Long, reader: &Reader<R>, rows: &mut Rows<'_, '_>) -> ControlFlow<()> {
    match long_values(long, reader, rows) {
        Ok(flow) => flow,
        Err(reason) => rows.problem(reader.line(), reason),
    }
}

fn long_values<R: BufRead>(long: &Long, reader: &Reader<R>, rows: &mut Rows<'_, '_>) -> Result<ControlFlow<()>, Arc<str>> {
    let text = |column: Option<usize>| column.map_or("", |column| reader.field(column).text.trim());
    let asset = text(long.asset);
    // Without an asset, the alias names the series, or the property does.
    let name = if asset.is_empty() && long.alias.is_some() { text(long.alias) } else { text(long.property) };
    let value = long.values.iter().map(|column| word(reader.field(*column))).find(|cell| *cell != Cell::Empty);
    let value = value.unwrap_or(Cell::Empty);
    let target = rows.resolver.find(asset, name, &value)?;
    let previous = rows.previous(target.series);
    let mut time = rows.clock.read(reader.field(long.time).text, previous)?;
    if let Some(column) = long.nanos {
        let nanos = reader.field(column).text.trim();
        let nanos: u64 =
            if nanos.is_empty() { 0 } else { nanos.parse().map_err(|_| format!("`{nanos}` is no number of nanoseconds"))? };
        time = time + std::time::Duration::from_nanos(nanos);
    }
    let said = Said { quality: cell::quality(text(long.quality))?, status: cell::status(text(long.status))? };
    Ok(rows.add(target, time, value, said)?)
}

/// A quoted nothing is an empty text, a bare nothing is no value.
fn word(field: Field<'_>) -> Cell<'_> {
    if field.is_empty() { Cell::Empty } else { Cell::Word(field.text) }
}

/// The series of the columns of a wide file, by asset.
#[derive(Default)]
struct WideColumns {
    assets: HashMap<String, Vec<Option<Target>>>,
}

fn wide_row<R: BufRead>(wide: &Wide, known: &mut WideColumns, reader: &Reader<R>, rows: &mut Rows<'_, '_>) -> ControlFlow<()> {
    let line = reader.line();
    let asset = wide.asset.map_or("", |column| reader.field(column).text.trim());
    if wide.asset.is_some() && asset.is_empty() {
        return rows.problem(line, "there is no asset");
    }
    if !known.assets.contains_key(asset) {
        let mut targets = Vec::with_capacity(wide.values.len());
        let mut told: Option<Arc<str>> = None;
        for (column, name) in &wide.values {
            let cell = word(reader.field(*column));
            let found = rows.resolver.find(asset, name, &cell);
            // A property that this asset does not have only matters where it has a value.
            if let Err(reason) = &found
                && (wide.asset.is_none() || cell != Cell::Empty)
                && told.as_ref() != Some(reason)
            {
                told = Some(reason.clone());
                let line = if wide.asset.is_none() { 1 } else { line };
                rows.problem(line, reason.clone())?;
            }
            targets.push(found.ok());
        }
        if known.assets.len() >= MAX_ASSETS {
            known.assets.clear();
        }
        known.assets.insert(asset.to_owned(), targets);
    }
    let targets = &known.assets[asset];
    let first = targets.iter().flatten().next().map_or(i64::MIN, |target| rows.previous(target.series));
    let time = match rows.clock.read(reader.field(wide.time).text, first) {
        Ok(time) => time,
        Err(reason) => return rows.problem(line, reason),
    };
    for ((column, name), target) in wide.values.iter().zip(targets) {
        let cell = word(reader.field(*column));
        let Some(target) = target else { continue };
        // A table has a place for every property at every instant; an empty one says nothing.
        if cell.is_empty(target.value_type) {
            continue;
        }
        match rows.add(*target, time, cell, Said::default()) {
            Ok(flow) => flow?,
            Err(reason) => rows.problem(line, format!("{name}: {reason}"))?,
        }
    }
    ControlFlow::Continue(())
}
