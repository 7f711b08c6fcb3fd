//! `trend(asset, property, from, to, points)`: what a line of a chart needs, and no more.
//!
//! Of each stretch of time the first, lowest, highest and last point (M4: Jugel et al., VLDB 2014), so that the line through them
//! is the line through all; the same as the charts of the web interface.

use super::{
    arguments::{literal_count, literal_text, literal_time},
    series::{Reshape, Rows, SeriesNames, SeriesTable},
};
use crate::history::{MAX_POINTS, Thinner};
use andon_models::{Tqv, window::Window};
use datafusion::{
    catalog::{TableFunctionArgs, TableFunctionImpl, TableProvider},
    common::plan_err,
    error::Result,
};
use std::sync::Arc;

const NAME: &str = "trend";
/// As many points as a wide screen has room for.
const DEFAULT_POINTS: usize = 2_000;

/// The function.
#[derive(Debug)]
pub struct TrendFunction {
    names: Arc<SeriesNames>,
}

impl TrendFunction {
    /// Reads by these names.
    pub fn new(names: Arc<SeriesNames>) -> Self {
        Self { names }
    }
}

impl TableFunctionImpl for TrendFunction {
    fn call_with_args(&self, args: TableFunctionArgs<'_, '_>) -> Result<Arc<dyn TableProvider>> {
        let given = args.exprs();
        if !(4..=5).contains(&given.len()) {
            return plan_err!("write {NAME}('Line 2/Filler 2', 'fill_temp', from, to, 1000)");
        }
        let asset = literal_text(NAME, "the asset", given.first())?;
        let property = literal_text(NAME, "the property", given.get(1))?;
        let start = literal_time(NAME, "the start", given.get(2))?;
        let end = literal_time(NAME, "the end", given.get(3))?;
        let points = match given.get(4) {
            Some(points) => literal_count(NAME, "the number of points", Some(points))?,
            None => DEFAULT_POINTS,
        };
        if points > MAX_POINTS {
            return plan_err!("{NAME} gives at most {MAX_POINTS} points, not {points}");
        }
        let window = Window { start, end };
        Ok(Arc::new(SeriesTable {
            title: format!("{NAME}({asset}, {property}, {start}, {end}, {points})"),
            found: self.names.resolve(&asset, &property)?,
            names: self.names.clone(),
            window,
            carries: false,
            make: Arc::new(move |_| Box::new(Thinning(Some(Thinner::new(window, points))))),
        }))
    }
}

struct Thinning(Option<Thinner>);

impl Reshape for Thinning {
    fn push(&mut self, point: Tqv, _: &mut Rows) {
        if let Some(thinner) = &mut self.0 {
            thinner.add(point);
        }
    }

    fn finish(&mut self, rows: &mut Rows) {
        for point in self.0.take().into_iter().flat_map(Thinner::finish) {
            rows.push(point.time, &point.value, Some(point.quality));
        }
    }
}
