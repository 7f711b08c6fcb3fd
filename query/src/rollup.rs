//! Roll-ups: what every series did in each minute, quarter of an hour, hour and day.
//!
//! Four Delta tables, written in the same flush as the points. A flush adds the totals of its new rows, which needs no look at
//! anything older; a window that late or repeated rows touch is computed again, minutes from the points, coarser ones from finer
//! ones, and replaces what was stored. So the cost follows the new data, never the history.
//!
//! A question is answered from stored totals, the totals of the buffer, and fresh ones of the windows that late rows in the buffer
//! touch: at any moment exactly what the points themselves would say.
//!
//! Windows are those of [`andon_models::window`]: the start is outside, the end inside, and the end is the stamp. Each total knows
//! its parts without the row exactly at the end, so windows that take their start and leave out their end, as `date_bin` makes
//! them, follow from the same totals.

pub(crate) mod columns;
pub(crate) mod compact;
pub(crate) mod fill;
pub(crate) mod flush;
pub(crate) mod pieces;
pub(crate) mod resolution;
pub(crate) mod rewrite;
pub(crate) mod spans;
pub(crate) mod stale;
pub(crate) mod table;
pub(crate) mod tables;
#[cfg(test)]
mod tests;
pub(crate) mod total;
pub(crate) mod view;

pub(crate) use resolution::Resolution;
