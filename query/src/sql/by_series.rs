//! Groups samples by the number of their series where a question groups them by names.
//!
//! `GROUP BY asset, property, …` compares texts, row by row. Names follow from the series, so the rows are counted by series first,
//! in the order in which they lie in the files, and what remains, a row per series, is given its names and put together by them.
//! Only aggregates that can be put together again are taken; a question with any other is left alone.

use super::{
    question::{Part, Question},
    shortcut::Shortcut,
};
use crate::{
    directory::{Directory, NAMES},
    table::named::NamedTable,
};
use arrow::{
    array::AsArray,
    datatypes::{DataType, Int32Type},
};
use datafusion::{
    common::{
        Column, exec_err,
        tree_node::{Transformed, TreeNode},
    },
    datasource::provider_as_source,
    error::Result,
    functions_aggregate::expr_fn::{count, max, min, sum},
    logical_expr::{
        Aggregate, ColumnarValue, Expr, LogicalPlan, LogicalPlanBuilder, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl,
        Signature, Volatility, lit, utils::conjunction,
    },
    prelude::{cast, coalesce},
};
use std::{
    hash::{Hash, Hasher},
    sync::Arc,
};

/// What groups by series are called between the two aggregations.
const SERIES: &str = "__series";

/// Groups by series first.
pub struct GroupBySeries {
    samples: Arc<NamedTable>,
    directory: Arc<Directory>,
}

impl GroupBySeries {
    /// For the table `samples`.
    pub fn new(samples: Arc<NamedTable>, directory: Arc<Directory>) -> Self {
        Self { samples, directory }
    }
}

impl Shortcut for GroupBySeries {
    fn plan(&self, aggregate: &Aggregate, question: &Question) -> Result<Option<LogicalPlan>> {
        let Some(groups) = question.groups.iter().map(Group::of).collect::<Option<Vec<Group>>>() else { return Ok(None) };
        if !groups.iter().any(|group| matches!(group, Group::Names(_))) {
            return Ok(None);
        }
        let fields = aggregate.schema.fields().iter().skip(question.groups.len());
        let parts = question.aggregates.iter().zip(fields).enumerate();
        let parts = parts.map(|(index, (aggregate, field))| Step::of(index, aggregate, field.data_type()));
        let Some(parts) = parts.collect::<Option<Vec<Step>>>() else { return Ok(None) };
        self.build(aggregate, question, groups, parts).map(Some)
    }
}

impl GroupBySeries {
    fn build(&self, aggregate: &Aggregate, question: &Question, groups: Vec<Group>, parts: Vec<Step>) -> Result<LogicalPlan> {
        let table = question.scan.table_name.clone();
        let scan = LogicalPlanBuilder::scan(table.clone(), provider_as_source(self.samples.clone()), None)?;
        let filtered = match conjunction(question.conditions.iter().cloned()) {
            Some(condition) => scan.filter(condition)?,
            None => scan,
        };
        let inner = |name: String| Expr::Column(Column::from_name(name));
        let called = |index: usize| format!("__group_{index}");
        let by_series = std::iter::once(Expr::Column(Column::new(Some(table), "series")).alias(SERIES));
        let others = groups.iter().enumerate().filter_map(|(index, group)| match group {
            Group::Other(expression) => Some(expression.clone().alias(called(index))),
            Group::Names(_) => None,
        });
        let first = filtered.aggregate(by_series.chain(others), parts.iter().flat_map(Step::of_samples))?;
        let named: Result<Vec<Expr>> = groups
            .into_iter()
            .enumerate()
            .map(|(index, group)| match group {
                Group::Other(_) => Ok(inner(called(index))),
                Group::Names(expression) => Ok(self.by_number(expression)?.alias(called(index))),
            })
            .collect();
        let named = named?;
        let count = named.len();
        let second = first.aggregate(named, parts.iter().flat_map(Step::of_series))?;
        let values = (0..count).map(|index| inner(called(index))).chain(parts.iter().map(Step::result));
        let names = aggregate.schema.iter();
        let values =
            values.zip(names).map(|(value, (qualifier, field))| value.alias_qualified(qualifier.cloned(), field.name()));
        second.project(values.collect::<Vec<_>>())?.build()
    }

    /// An expression over names as one over the number of the series.
    fn by_number(&self, expression: Expr) -> Result<Expr> {
        let name = |column: &str| {
            let function = NameOf::new(self.directory.clone());
            ScalarUDF::from(function).call(vec![Expr::Column(Column::from_name(SERIES)), lit(column)])
        };
        let replaced = expression.transform(|node| {
            Ok(match node {
                Expr::Column(column) => Transformed::yes(name(&column.name)),
                other => Transformed::no(other),
            })
        })?;
        Ok(replaced.data)
    }
}

/// What is grouped by.
enum Group {
    /// Something that follows from names.
    Names(Expr),
    /// Something that has nothing to do with them.
    Other(Expr),
}

impl Group {
    /// None for a mixture, and where the question already groups by the number.
    fn of(expression: &Expr) -> Option<Self> {
        let expression = expression.clone().unalias();
        let columns = expression.column_refs();
        let is_name = |column: &&Column| NAMES.contains(&column.name.as_str());
        if columns.is_empty() || expression.is_volatile() || columns.iter().any(|column| column.name == "series") {
            return None;
        }
        match columns.iter().copied().filter(is_name).count() {
            0 => Some(Self::Other(expression)),
            names if names == columns.len() => Some(Self::Names(expression)),
            _ => None,
        }
    }
}

/// An aggregate in two steps. Its number tells its columns from those of others.
struct Step {
    index: usize,
    part: Part,
    argument: Expr,
}

impl Step {
    /// None where the parts do not come to a value of the type that is `wanted`: means and sums of decimals and durations.
    fn of(index: usize, expression: &Expr, wanted: &DataType) -> Option<Self> {
        let (part, argument) = Part::of(expression)?;
        let typed = match part {
            Part::Count | Part::Minimum | Part::Maximum => true,
            Part::Sum => matches!(wanted, DataType::Int64 | DataType::UInt64 | DataType::Float64),
            Part::Average => *wanted == DataType::Float64,
        };
        let of_names = argument.column_refs().iter().any(|column| NAMES.contains(&column.name.as_str()));
        (typed && !argument.is_volatile() && !of_names).then(|| Self { index, part, argument: argument.clone() })
    }

    fn name(&self, what: &str) -> String {
        format!("__{what}_{}", self.index)
    }

    fn column(&self, what: &str) -> Expr {
        Expr::Column(Column::from_name(self.name(what)))
    }

    /// The aggregates of a series' samples.
    fn of_samples(&self) -> Vec<Expr> {
        let argument = || self.argument.clone();
        match self.part {
            Part::Count => vec![count(argument()).alias(self.name("count"))],
            Part::Sum => vec![sum(argument()).alias(self.name("sum"))],
            Part::Minimum => vec![min(argument()).alias(self.name("min"))],
            Part::Maximum => vec![max(argument()).alias(self.name("max"))],
            Part::Average => {
                vec![sum(argument()).alias(self.name("sum")), count(argument()).alias(self.name("count"))]
            }
        }
    }

    /// The aggregates of what series came to.
    fn of_series(&self) -> Vec<Expr> {
        let summed = |what: &str| sum(self.column(what)).alias(self.name(what));
        match self.part {
            Part::Count => vec![summed("count")],
            Part::Sum => vec![summed("sum")],
            Part::Minimum => vec![min(self.column("min")).alias(self.name("min"))],
            Part::Maximum => vec![max(self.column("max")).alias(self.name("max"))],
            Part::Average => vec![summed("sum"), summed("count")],
        }
    }

    fn result(&self) -> Expr {
        match self.part {
            Part::Count => coalesce(vec![self.column("count"), lit(0_i64)]),
            Part::Sum => self.column("sum"),
            Part::Minimum => self.column("min"),
            Part::Maximum => self.column("max"),
            Part::Average => cast(self.column("sum"), DataType::Float64) / cast(self.column("count"), DataType::Float64),
        }
    }
}

/// A name of a series: its number and which name in, the text out. Only plans made here have it.
#[derive(Debug)]
struct NameOf {
    directory: Arc<Directory>,
    signature: Signature,
}

impl NameOf {
    fn new(directory: Arc<Directory>) -> Self {
        let number_and_name = vec![DataType::Int32, DataType::Utf8];
        Self { directory, signature: Signature::exact(number_and_name, Volatility::Stable) }
    }
}

impl PartialEq for NameOf {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.directory, &other.directory)
    }
}

impl Eq for NameOf {}

impl Hash for NameOf {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name().hash(state);
    }
}

impl ScalarUDFImpl for NameOf {
    fn name(&self) -> &str {
        "name_of_series"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(crate::table::named::name_type())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let ColumnarValue::Scalar(which) = &args.args[1] else { return exec_err!("which name is wanted must be a constant") };
        let Some(which) = which.try_as_str().flatten() else { return exec_err!("which name is wanted must be a text") };
        let series = args.args[0].to_array(args.number_rows)?;
        let mut names = self.directory.names().columns(series.as_primitive::<Int32Type>().values(), &[which])?;
        Ok(ColumnarValue::Array(names.swap_remove(0)))
    }
}

#[cfg(test)]
mod tests;
