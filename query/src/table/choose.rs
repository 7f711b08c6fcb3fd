//! Which series conditions on names mean: asked of the names, before a row is read.
//!
//! A million data streams are not looked through where the condition says that it means none of them, or which one.

use crate::directory::{Directory, NAMES, NOT_OF_STREAMS, series_of};
use arrow::array::{Array, AsArray, RecordBatch};
use datafusion::{
    catalog::Session,
    common::{
        Column, DFSchema, ToDFSchema,
        tree_node::{Transformed, TreeNode},
    },
    error::Result,
    logical_expr::{BinaryExpr, Expr, Operator, utils::split_conjunction},
    scalar::ScalarValue,
};
use std::collections::BTreeSet;

/// The series whose names pass all conditions that are on names alone; none when there is no such condition.
///
/// # Errors
/// When a condition cannot be evaluated.
pub fn series(directory: &Directory, state: &dyn Session, conditions: &[Expr]) -> Result<Option<BTreeSet<i32>>> {
    let on_names = conditions.iter().flat_map(|condition| split_conjunction(condition)).filter(|condition| {
        let columns = condition.column_refs();
        !columns.is_empty() && columns.iter().all(|column| NAMES.contains(&column.name.as_str()))
    });
    let on_names: Result<Vec<Expr>> = on_names.map(|condition| unqualified(condition.clone())).collect();
    let on_names = on_names?;
    let streams = on_names.iter().find_map(|condition| meant_streams(directory, condition));
    let Some(condition) = on_names.into_iter().reduce(Expr::and) else { return Ok(None) };
    let names = directory.names();
    let known: DFSchema = names.schema().to_dfschema()?;
    let condition = state.create_physical_expr(condition, &known)?;
    let mut chosen = BTreeSet::new();
    let mut choose = |rows: &RecordBatch| -> Result<()> {
        let passed = condition.evaluate(rows)?.into_array(rows.num_rows())?;
        let passed = passed.as_boolean();
        let series = series_of(rows).iter().enumerate();
        chosen.extend(series.filter(|(row, _)| passed.is_valid(*row) && passed.value(*row)).map(|(_, series)| *series));
        Ok(())
    };
    choose(names.properties())?;
    match streams {
        None => names.streams().try_for_each(|rows| choose(&rows))?,
        Some(Streams::None) => {}
        Some(Streams::One(series)) => names.row(series).as_ref().map_or(Ok(()), &mut choose)?,
    }
    Ok(Some(chosen))
}

/// The streams that can pass a condition, where that is known without looking.
enum Streams {
    None,
    One(i32),
}

/// What `column = 'text'` says about streams.
fn meant_streams(directory: &Directory, condition: &Expr) -> Option<Streams> {
    let Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) = condition else { return None };
    let (Expr::Column(column), Expr::Literal(value, _)) = (plain(left), plain(right)) else {
        let (Expr::Literal(value, _), Expr::Column(column)) = (plain(left), plain(right)) else { return None };
        return meant(directory, column, value);
    };
    meant(directory, column, value)
}

fn meant(directory: &Directory, column: &Column, value: &ScalarValue) -> Option<Streams> {
    let text = value.try_as_str().flatten()?;
    if NOT_OF_STREAMS.contains(&column.name.as_str()) {
        return Some(Streams::None);
    }
    let stream = directory.streams.find(text);
    (column.name == "alias").then(|| stream.map_or(Streams::None, |(series, _)| Streams::One(series.0.cast_signed())))
}

/// Looks through casts: a text stays the same text as a dictionary's or a view.
fn plain(expression: &Expr) -> &Expr {
    match expression {
        Expr::Cast(cast) => plain(&cast.expr),
        Expr::Alias(alias) => plain(&alias.expr),
        _ => expression,
    }
}

/// The condition without table names, so that it fits the columns of the directory.
fn unqualified(condition: Expr) -> Result<Expr> {
    let plain = condition.transform(|node| {
        Ok(match node {
            Expr::Column(column) => Transformed::yes(Expr::Column(Column::from_name(column.name))),
            other => Transformed::no(other),
        })
    })?;
    Ok(plain.data)
}
