//! The functions that SQL has beside DataFusion's own, each for a question that people ask of a plant's history.
//!
//! | function | kind |
//! |---|---|
//! | `time_bucket`, `window_end`, `good`, `oee_figures`, `oee_stops` | of one row |
//! | `first`, `last`, `time_weighted_avg`, `state_duration`, `increase` | of a group of rows |
//! | `locf`, `interpolate` | over a window of rows |
//! | `value_at` | of one row, looking up another series: the as-of join |
//! | `history`, `trend` | tables |
//!
//! What a metric of a plant file computes too is computed by the same rule of `andon-models`.

mod arguments;
mod bounded;
mod bucket;
mod carry;
mod first_last;
mod good;
mod holding;
mod lookup;
mod oee;
mod sampled;
mod series;
mod trend;
mod value_at;
mod width;
mod window_end;

#[cfg(test)]
mod tests;

use crate::{directory::Directory, historian::store::Store};
use datafusion::{
    error::Result,
    logical_expr::{AggregateUDF, ScalarUDF, WindowUDF},
    prelude::SessionContext,
};
pub use holding::needs_whole_group;
use series::SeriesNames;
use std::sync::Arc;

/// Functions that make gigabytes of one row, which no memory pool sees: one word of them could end the process.
const UNBOUNDED: [&str; 10] = [
    "repeat",
    "lpad",
    "rpad",
    "array_repeat",
    "list_repeat",
    "array_resize",
    "list_resize",
    "range",
    "gen_series",
    "generate_series",
];

/// Registers all of them.
///
/// # Errors
/// When a name is taken.
pub fn register(session: &SessionContext, store: &Arc<Store>, directory: &Arc<Directory>) -> Result<()> {
    UNBOUNDED.iter().for_each(|name| session.deregister_udf(name));
    bounded::register(session);
    session.register_udf(ScalarUDF::new_from_impl(bucket::TimeBucket::default()));
    session.register_udf(ScalarUDF::new_from_impl(window_end::WindowEnd::default()));
    session.register_udf(ScalarUDF::new_from_impl(good::Good::default()));
    for function in oee::functions() {
        session.register_udf(ScalarUDF::new_from_impl(function));
    }
    for function in first_last::functions() {
        session.register_udaf(AggregateUDF::new_from_impl(function));
    }
    for function in holding::functions() {
        session.register_udaf(AggregateUDF::new_from_impl(function));
    }
    for function in carry::functions() {
        session.register_udwf(WindowUDF::new_from_impl(function));
    }
    let names = Arc::new(SeriesNames::new(session, store.clone(), directory.clone()));
    session.register_udf(value_at::function(names.clone()));
    session.register_udtf("history", Arc::new(sampled::HistoryFunction::new(names.clone())));
    session.register_udtf("trend", Arc::new(trend::TrendFunction::new(names)));
    Ok(())
}
