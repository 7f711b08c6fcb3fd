//! Reads Parquet files into points: of pandas, DuckDB, Spark, and Andon's own.

use super::{
    cell::{self, Cell},
    columns::Column,
    layout::{Layout, Long, Wide},
    rows::{Rows, Said},
};
use crate::directory::Target;
use andon_models::{Quality, StatusCode, Timestamp};
use arrow::array::RecordBatch;
use parquet::{
    arrow::{ProjectionMask, arrow_reader::ParquetRecordBatchReaderBuilder},
    errors::ParquetError,
};
use std::{fs::File, ops::ControlFlow, sync::Arc, time::Duration};

/// Rows converted at once: enough to make work per column cheap.
const BATCH_ROWS: usize = 8_192;

/// Reads a file to its end, or until it is told to stop. Lines are numbers of rows, from 1.
///
/// # Errors
/// When the file is damaged or cannot be read.
pub fn read(file: File, size: u64, rows: &mut Rows<'_, '_>) -> Result<(), ParquetError> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(file)?;
    let schema = builder.schema().clone();
    let header: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    let layout = match Layout::of(&header) {
        Ok(layout) => layout,
        Err(reason) => {
            let _ = rows.problem(0, reason);
            return Ok(());
        }
    };
    let total = u64::try_from(builder.metadata().file_metadata().num_rows()).unwrap_or(0).max(1);
    let wanted = needed(&layout);
    let mask = ProjectionMask::roots(builder.parquet_schema(), wanted.iter().copied());
    let batches = builder.with_projection(mask).with_batch_size(BATCH_ROWS).build()?;
    let mut first = 1;
    for batch in batches {
        let batch = batch?;
        let columns = match Columns::of(&batch, &wanted, header.len()) {
            Ok(columns) => columns,
            Err(reason) => {
                let _ = rows.problem(first, reason);
                return Ok(());
            }
        };
        let flow = match &layout {
            Layout::Long(long) => long_rows(long, &columns, batch.num_rows(), first, rows),
            Layout::Wide(wide) => wide_rows(wide, &columns, batch.num_rows(), first, rows),
        };
        first += batch.num_rows() as u64;
        let done = u128::from(size) * u128::from(first) / u128::from(total);
        if flow.is_break() || rows.progress(u64::try_from(done).unwrap_or(size).min(size)).is_break() {
            return Ok(());
        }
    }
    let _ = rows.flush();
    Ok(())
}

/// The positions of the columns that are read, in order.
fn needed(layout: &Layout) -> Vec<usize> {
    let mut needed: Vec<usize> = match layout {
        Layout::Long(long) => {
            let Long { time, nanos, asset, property, alias, values, quality, status } = long;
            let optional = [nanos, asset, property, alias, quality, status];
            optional.into_iter().copied().flatten().chain([*time]).chain(values.iter().copied()).collect()
        }
        Layout::Wide(Wide { time, asset, values }) => {
            values.iter().map(|(column, _)| *column).chain([*time]).chain(*asset).collect()
        }
    };
    needed.sort_unstable();
    needed.dedup();
    needed
}

/// The columns of a batch at their place in the file.
struct Columns(Vec<Column>);

impl Columns {
    fn of(batch: &RecordBatch, wanted: &[usize], count: usize) -> Result<Self, String> {
        let mut columns: Vec<Column> = (0..count).map(|_| Column::Null).collect();
        for (place, array) in wanted.iter().zip(batch.columns()) {
            let name = || batch.schema().field(wanted.binary_search(place).unwrap_or(0)).name().clone();
            columns[*place] = Column::of(array).map_err(|reason| format!("the column `{}`: {reason}", name()))?;
        }
        Ok(Self(columns))
    }

    fn text(&self, column: Option<usize>, row: usize) -> &str {
        column.and_then(|column| self.0[column].text(row)).unwrap_or_default()
    }
}

fn long_rows(long: &Long, columns: &Columns, count: usize, first: u64, rows: &mut Rows<'_, '_>) -> ControlFlow<()> {
    for row in 0..count {
        match long_row(long, columns, row, rows) {
            Ok(flow) => flow?,
            Err(reason) => rows.problem(first + row as u64, reason)?,
        }
    }
    ControlFlow::Continue(())
}

fn long_row(long: &Long, columns: &Columns, row: usize, rows: &mut Rows<'_, '_>) -> Result<ControlFlow<()>, Arc<str>> {
    let asset = columns.text(long.asset, row);
    let name = if asset.is_empty() && long.alias.is_some() { long.alias } else { long.property };
    let cells = long.values.iter().map(|column| columns.0[*column].cell(row));
    let value = cells.into_iter().find(|cell| *cell != Cell::Empty).unwrap_or(Cell::Empty);
    let target = rows.resolver.find(asset, columns.text(name, row), &value)?;
    let mut time = time(&columns.0[long.time], row, rows, target)?;
    if let Some(nanos) = long.nanos.and_then(|column| columns.0[column].integer(row)) {
        time = time + Duration::from_nanos(nanos.unsigned_abs());
    }
    let said = Said { quality: quality(long, columns, row)?, status: status(long, columns, row)? };
    Ok(rows.add(target, time, value, said)?)
}

/// Qualities are words, or the numbers of the files of the history: 0 good, 1 uncertain, 2 bad.
fn quality(long: &Long, columns: &Columns, row: usize) -> Result<Option<Quality>, String> {
    let Some(column) = long.quality else { return Ok(None) };
    match columns.0[column].cell(row) {
        Cell::Empty => Ok(None),
        Cell::Text(word) => cell::quality(word),
        Cell::Integer(0 | 192) => Ok(Some(Quality::Good)),
        Cell::Integer(1 | 64) => Ok(Some(Quality::Uncertain)),
        Cell::Integer(2) => Ok(Some(Quality::Bad)),
        other => Err(format!("`{other:?}` is no quality; write good, uncertain or bad")),
    }
}

fn status(long: &Long, columns: &Columns, row: usize) -> Result<Option<StatusCode>, String> {
    let Some(column) = long.status else { return Ok(None) };
    match columns.0[column].cell(row) {
        Cell::Empty => Ok(None),
        Cell::Text(word) => cell::status(word),
        Cell::Integer(number) => match u32::try_from(number) {
            Ok(number) => Ok(Some(StatusCode(number))),
            Err(_) => Err(format!("`{number}` is no status code")),
        },
        other => Err(format!("`{other:?}` is no status code")),
    }
}

fn time(column: &Column, row: usize, rows: &mut Rows<'_, '_>, target: Target) -> Result<Timestamp, String> {
    match column {
        Column::Instant(numbers, unit, utc) if !numbers.is_null_at(row) => {
            let number = numbers.value(row);
            let nanos = number.checked_mul(*unit).ok_or_else(|| format!("`{number}` is no instant between 1677 and 2262"))?;
            if *utc {
                return Ok(Timestamp::from_nanos(nanos));
            }
            let previous = rows.previous(target.series);
            rows.clock.local(nanos, previous)
        }
        Column::Integer(_) | Column::Text(_) | Column::Words(..) => match column.cell(row) {
            Cell::Integer(number) => rows.clock.number(number),
            Cell::Text(text) => {
                let previous = rows.previous(target.series);
                rows.clock.read(text, previous)
            }
            _ => Err("there is no time".into()),
        },
        Column::Instant(..) => Err("there is no time".into()),
        _ => Err("the column of times holds neither timestamps nor whole numbers nor texts".into()),
    }
}

trait NullAt {
    fn is_null_at(&self, row: usize) -> bool;
}

impl NullAt for arrow::array::Int64Array {
    fn is_null_at(&self, row: usize) -> bool {
        arrow::array::Array::is_null(self, row)
    }
}

fn wide_rows(wide: &Wide, columns: &Columns, count: usize, first: u64, rows: &mut Rows<'_, '_>) -> ControlFlow<()> {
    let mut asset: Option<&str> = None;
    let mut targets: Vec<Option<Target>> = Vec::new();
    for row in 0..count {
        let line = first + row as u64;
        let own = columns.text(wide.asset, row);
        if wide.asset.is_some() && own.is_empty() {
            rows.problem(line, "there is no asset")?;
            continue;
        }
        if asset != Some(own) {
            targets.clear();
            for (column, name) in &wide.values {
                let cell = columns.0[*column].cell(row);
                let found = rows.resolver.find(own, name, &cell);
                if let Err(reason) = &found
                    && cell != Cell::Empty
                {
                    rows.problem(line, reason.clone())?;
                }
                targets.push(found.ok());
            }
            asset = Some(own);
        }
        let Some(any) = targets.iter().flatten().next().copied() else { continue };
        let time = match time(&columns.0[wide.time], row, rows, any) {
            Ok(time) => time,
            Err(reason) => {
                rows.problem(line, reason)?;
                continue;
            }
        };
        for ((column, name), target) in wide.values.iter().zip(&targets) {
            let Some(target) = target else { continue };
            let cell = columns.0[*column].cell(row);
            if cell.is_empty(target.value_type) {
                continue;
            }
            match rows.add(*target, time, cell, Said::default()) {
                Ok(flow) => flow?,
                Err(reason) => rows.problem(line, format!("{name}: {reason}"))?,
            }
        }
    }
    ControlFlow::Continue(())
}
