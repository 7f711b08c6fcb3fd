//! `history(asset, property, from, to, step, mode)`: one row per step, whether or not a value came in.
//!
//! Steps lie at `from + step`, `from + 2 × step` and so on up to `to`, like the ends of windows. `locf` gives the last value at or
//! before the step, `linear` the straight line between the Good values around it, `avg` the time-weighted average since the step
//! before, by the rule of metrics. Where nothing is known there is no value, and `quality` says why.

use super::{
    arguments::{literal, literal_text, literal_time},
    carry::between_two,
    series::{Reshape, Rows, SeriesNames, SeriesTable},
    width::Width,
};
use andon_models::{Quality, Timestamp, Tqv, Value, ValueType, expression::Holding, expression::nearest, window::Window};
use datafusion::{
    catalog::{TableFunctionArgs, TableFunctionImpl, TableProvider},
    common::plan_err,
    error::Result,
};
use std::{sync::Arc, time::Duration};

const NAME: &str = "history";
/// Most rows of one call: more than eleven days by the second.
const MAX_STEPS: u128 = 1_000_000;
/// How far beyond the end a straight line looks for its next value.
const LOOK_AHEAD: Duration = Duration::from_secs(86_400);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Locf,
    Linear,
    Average,
}

/// The function.
#[derive(Debug)]
pub struct HistoryFunction {
    names: Arc<SeriesNames>,
}

impl HistoryFunction {
    /// Reads by these names.
    pub fn new(names: Arc<SeriesNames>) -> Self {
        Self { names }
    }
}

impl TableFunctionImpl for HistoryFunction {
    fn call_with_args(&self, args: TableFunctionArgs<'_, '_>) -> Result<Arc<dyn TableProvider>> {
        let given = args.exprs();
        if !(5..=6).contains(&given.len()) {
            return plan_err!("write {NAME}('Line 2/Filler 2', 'fill_temp', from, to, '1m', 'locf')");
        }
        let asset = literal_text(NAME, "the asset", given.first())?;
        let property = literal_text(NAME, "the property", given.get(1))?;
        let start = literal_time(NAME, "the start", given.get(2))?;
        let end = literal_time(NAME, "the end", given.get(3))?;
        let step = step(literal(NAME, "the step", given.get(4))?)?;
        let mode = match given.get(5) {
            Some(mode) => mode_named(&literal_text(NAME, "the mode", Some(mode))?)?,
            None => Mode::Locf,
        };
        let found = self.names.resolve(&asset, &property)?;
        if found.value_type == ValueType::String && mode != Mode::Locf {
            return plan_err!("'{property}' is a text: only 'locf' fills it");
        }
        let window = Window { start, end };
        let steps = window.span().as_nanos() / u128::from(step.unsigned_abs());
        if steps > MAX_STEPS {
            return plan_err!("{NAME} gives at most {MAX_STEPS} rows, and this span has {steps} steps; take a longer step");
        }
        let read = if mode == Mode::Linear { Window { start, end: end + LOOK_AHEAD } } else { window };
        Ok(Arc::new(SeriesTable {
            title: format!("{NAME}({asset}, {property}, {start}, {end}, {}s, {mode:?})", step as f64 / 1e9),
            names: self.names.clone(),
            found,
            window: read,
            carries: true,
            make: Arc::new(move |before| Box::new(Steps::new(mode, window, step, before))),
        }))
    }
}

fn step(value: &datafusion::scalar::ScalarValue) -> Result<i64> {
    match Width::of(value).and_then(Width::nanos) {
        Some(nanos) => Ok(nanos),
        None => plan_err!("the step of {NAME} is a span such as '1m' or INTERVAL '15 minutes', not {value}"),
    }
}

fn mode_named(name: &str) -> Result<Mode> {
    const MODES: [(&str, Mode); 3] = [("locf", Mode::Locf), ("linear", Mode::Linear), ("avg", Mode::Average)];
    if let Some((_, mode)) = MODES.iter().find(|(known, _)| *known == name) {
        return Ok(*mode);
    }
    let near = nearest(name, MODES.iter().map(|(known, _)| *known));
    let meant = near.map_or(String::new(), |near| format!("; did you mean '{near}'?"));
    plan_err!("{NAME} fills by 'locf', 'linear' or 'avg', not '{name}'{meant}")
}

/// Walks along the steps while points come.
struct Steps {
    mode: Mode,
    window: Window,
    step: i64,
    /// The next step to give; none when all are given.
    next: Option<Timestamp>,
    /// The last point, of any quality.
    last: Option<Tqv>,
    holding: Holding,
}

impl Steps {
    fn new(mode: Mode, window: Window, step: i64, before: Option<Tqv>) -> Self {
        let mut steps = Self { mode, window, step, next: None, last: before, holding: Holding::new(window) };
        steps.next = steps.after(window.start);
        steps.open();
        steps
    }

    fn after(&self, step: Timestamp) -> Option<Timestamp> {
        let next = step.as_nanos().checked_add(self.step).map(Timestamp::from_nanos)?;
        Some(next).filter(|next| *next <= self.window.end)
    }

    /// Begins the average of the next step with what is held.
    fn open(&mut self) {
        let Some(end) = self.next else { return };
        let start = Timestamp::from_nanos(end.as_nanos().saturating_sub(self.step));
        self.holding = Holding::new(Window { start, end });
        if let Some(last) = &self.last {
            self.holding.push(last.time, number(last));
        }
    }

    /// Gives the next step, knowing the point that follows.
    fn give(&mut self, step: Timestamp, following: Option<&Tqv>, rows: &mut Rows) {
        let good = |value: Value| (value, Some(Quality::Good));
        let poor = |tqv: Option<&Tqv>| (Value::Null, tqv.map(|tqv| tqv.quality).filter(|quality| *quality != Quality::Good));
        let last = self.last.as_ref();
        let (value, quality) = match (self.mode, last.filter(|last| last.quality == Quality::Good)) {
            (Mode::Average, _) => {
                self.holding.finish();
                self.holding.average().map_or_else(|| poor(last), |average| good(average.into()))
            }
            (_, None) => poor(last),
            (Mode::Locf, Some(last)) => good(last.value.clone()),
            (Mode::Linear, Some(last)) if last.time == step => number(last).map_or((Value::Null, None), |at| good(at.into())),
            (Mode::Linear, Some(last)) => {
                let next = following.filter(|next| next.quality == Quality::Good);
                let line = |next: &Tqv| {
                    between_two(last.time.as_nanos(), number(last)?, step.as_nanos(), next.time.as_nanos(), number(next)?)
                };
                next.and_then(line).map_or_else(|| poor(following), |height| good(height.into()))
            }
        };
        rows.push(step, &value, quality);
        self.next = self.after(step);
        if self.mode == Mode::Average {
            self.open();
        }
    }
}

/// What may be computed with.
fn number(tqv: &Tqv) -> Option<f64> {
    tqv.value.as_f64().filter(|_| tqv.quality == Quality::Good)
}

impl Reshape for Steps {
    fn push(&mut self, point: Tqv, rows: &mut Rows) {
        // What lies before the window was carried in.
        if point.time <= self.window.start {
            return;
        }
        while let Some(step) = self.next.filter(|step| *step < point.time) {
            self.give(step, Some(&point), rows);
        }
        if self.mode == Mode::Average {
            self.holding.push(point.time, number(&point));
        }
        self.last = Some(point);
    }

    fn finish(&mut self, rows: &mut Rows) {
        while let Some(step) = self.next {
            self.give(step, None, rows);
        }
    }

    fn is_complete(&self) -> bool {
        self.next.is_none()
    }
}
