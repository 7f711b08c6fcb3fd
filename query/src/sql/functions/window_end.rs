//! `window_end(window, time [, offset])`: the end of the window a metric would count an instant to.
//!
//! Windows exclude their start, include their end and are stamped at the end; see [`andon_models::window`], which is asked here.

use super::arguments::{as_time, constant_text, instants, nanos, time_type};
use andon_models::{
    Timestamp,
    calendar::ShiftCalendar,
    window::{Window, WindowSpec},
};
use arrow::{array::Int64Array, datatypes::DataType};
use datafusion::{
    common::plan_err,
    error::Result,
    logical_expr::{
        ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
        sort_properties::{ExprProperties, SortProperties},
    },
};

const NAME: &str = "window_end";

/// The function.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct WindowEnd {
    signature: Signature,
}

impl Default for WindowEnd {
    fn default() -> Self {
        Self { signature: Signature::user_defined(Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for WindowEnd {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(time_type())
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        let [_, time] = given else { return plan_err!("{NAME} wants a window and a time: {NAME}('5m', time)") };
        Ok(vec![DataType::Utf8, as_time(NAME, time)?])
    }

    /// Later instants never lie in earlier windows, so what is sorted by time is sorted by window.
    fn output_ordering(&self, inputs: &[ExprProperties]) -> Result<SortProperties> {
        Ok(inputs.get(1).map_or(SortProperties::Unordered, |time| time.sort_properties))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let text = constant_text(NAME, "the window", &args.args[0])?;
        let spec = match text.parse::<WindowSpec>() {
            Ok(spec @ WindowSpec::Tumbling { .. }) => spec,
            Ok(_) => {
                return plan_err!(
                    "{NAME} knows no shifts: use the metric of the plant file, or time_bucket('1 day', time, 'Europe/Berlin', '6h')"
                );
            }
            Err(error) => return plan_err!("{error}"),
        };
        let calendar = ShiftCalendar::new(jiff::tz::TimeZone::UTC);
        let mut last: Option<Window> = None;
        let mut end = |time: i64| {
            let time = Timestamp::from_nanos(time);
            last = last.filter(|window| window.contains(time)).or_else(|| spec.window_of(time, &calendar));
            last.map(|window| window.end.as_nanos())
        };
        let times = nanos(&args.args[1].to_array(args.number_rows)?)?;
        let ends: Int64Array = times.iter().map(|time| time.and_then(&mut end)).collect();
        Ok(ColumnarValue::Array(instants(ends)))
    }
}
