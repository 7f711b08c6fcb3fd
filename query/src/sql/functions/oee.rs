//! `oee_figures(record)` and `oee_stops(record)`: what a stored record of a window says, as columns. The views `oee` and `stops` read it
//! with them, so a table shows what was stored, by the rules that stored it.

use crate::table::columns::time_type;
use andon_models::{
    Timestamp,
    oee::{OeeFigures, OeeRecord, Stop},
};
use arrow::{
    array::{ArrayRef, AsArray, BooleanArray, Float64Array, ListArray, StringArray, StructArray, TimestampMicrosecondArray},
    buffer::OffsetBuffer,
    datatypes::{DataType, Field, FieldRef, Fields},
};
use datafusion::{
    error::Result,
    logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility},
};
use std::sync::{Arc, LazyLock};

/// What is taken out of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// All figures, as one struct.
    Figures,
    /// The stops, as a list of structs.
    Stops,
}

/// The functions.
pub fn functions() -> [OfRecord; 2] {
    [Part::Figures, Part::Stops]
        .map(|part| OfRecord { part, signature: Signature::exact(vec![DataType::Utf8], Volatility::Immutable) })
}

/// One of the functions.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct OfRecord {
    part: Part,
    signature: Signature,
}

macro_rules! numbers {
    ($($name:ident),+ $(,)?) => {
        /// The figures that are numbers, by name.
        const NUMBERS: &[(&str, fn(&OeeFigures) -> Option<f64>)] = &[$((stringify!($name), |figures| figures.$name.into())),+];
    };
}

numbers!(
    availability,
    performance,
    quality_rate,
    oee,
    teep,
    nee,
    utilisation,
    technical_efficiency,
    setup_rate,
    scrap_ratio,
    rework_ratio,
    first_pass_yield,
    throughput_per_hour,
    mtbf_s,
    mttr_s,
    mttf_s,
    good,
    bad,
    rework,
    total,
    calendar_s,
    schedule_loss_s,
    planned_busy_s,
    running_s,
    micro_stop_s,
    setup_s,
    breakdown_s,
    unknown_s,
    coverage,
);

static FIGURES: LazyLock<Fields> = LazyLock::new(|| {
    let numbers = NUMBERS.iter().map(|(name, _)| Field::new(*name, DataType::Float64, true));
    let others = [
        Field::new("start", time_type(), true),
        Field::new("no_value_reason", DataType::Utf8, true),
        Field::new("ideal_rate_suspect", DataType::Boolean, true),
    ];
    numbers.chain(others).collect()
});

static STOP: LazyLock<Fields> = LazyLock::new(|| {
    let field = |name: &str, data_type: DataType| Field::new(name, data_type, true);
    [
        field("start", time_type()),
        field("end", time_type()),
        field("seconds", DataType::Float64),
        field("reason", DataType::Utf8),
        field("class", DataType::Utf8),
        field("planned", DataType::Boolean),
        field("micro", DataType::Boolean),
        field("continued", DataType::Boolean),
        field("comment", DataType::Utf8),
        field("by", DataType::Utf8),
    ]
    .into_iter()
    .collect()
});

fn stop_item() -> FieldRef {
    Arc::new(Field::new("item", DataType::Struct(STOP.clone()), true))
}

impl ScalarUDFImpl for OfRecord {
    fn name(&self) -> &str {
        match self.part {
            Part::Figures => "oee_figures",
            Part::Stops => "oee_stops",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(match self.part {
            Part::Figures => DataType::Struct(FIGURES.clone()),
            Part::Stops => DataType::List(stop_item()),
        })
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let texts = args.args[0].to_array(args.number_rows)?;
        let texts = texts.as_string::<i32>();
        let records: Vec<Option<OeeRecord>> = texts.iter().map(|text| text.and_then(OeeRecord::read)).collect();
        Ok(ColumnarValue::Array(match self.part {
            Part::Figures => figures(&records)?,
            Part::Stops => stops(&records)?,
        }))
    }
}

fn figures(records: &[Option<OeeRecord>]) -> Result<ArrayRef> {
    let figures: Vec<Option<OeeFigures>> = records.iter().map(|record| record.as_ref().map(OeeRecord::figures)).collect();
    let number = |of: fn(&OeeFigures) -> Option<f64>| -> ArrayRef {
        Arc::new(figures.iter().map(|figures| figures.as_ref().and_then(of)).collect::<Float64Array>())
    };
    let mut columns: Vec<ArrayRef> = NUMBERS.iter().map(|(_, of)| number(*of)).collect();
    columns.push(instants(records.iter().map(|record| record.as_ref().map(|record| record.window.start))));
    let reason = figures.iter().map(|figures| figures.as_ref().map(|figures| figures.no_value_reason));
    columns.push(Arc::new(reason.collect::<StringArray>()));
    let suspect = figures.iter().map(|figures| figures.as_ref().map(|figures| figures.ideal_rate_suspect));
    columns.push(Arc::new(suspect.collect::<BooleanArray>()));
    Ok(Arc::new(StructArray::try_new(FIGURES.clone(), columns, None)?))
}

fn stops(records: &[Option<OeeRecord>]) -> Result<ArrayRef> {
    let counts = records.iter().map(|record| record.as_ref().map_or(0, |record| record.stops.len()));
    let offsets = OffsetBuffer::from_lengths(counts);
    let stops: Vec<&Stop> = records.iter().flatten().flat_map(|record| &record.stops).collect();
    let text =
        |of: fn(&Stop) -> &str| -> ArrayRef { Arc::new(stops.iter().map(|stop| Some(of(stop))).collect::<StringArray>()) };
    let flag =
        |of: fn(&Stop) -> bool| -> ArrayRef { Arc::new(stops.iter().map(|stop| Some(of(stop))).collect::<BooleanArray>()) };
    let seconds = stops.iter().map(|stop| Some(stop.window.span().as_secs_f64()));
    let columns: Vec<ArrayRef> = vec![
        instants(stops.iter().map(|stop| Some(stop.window.start))),
        instants(stops.iter().map(|stop| Some(stop.window.end))),
        Arc::new(seconds.collect::<Float64Array>()),
        text(|stop| &stop.reason),
        text(|stop| stop.class.word()),
        flag(|stop| stop.planned),
        flag(|stop| stop.micro),
        flag(|stop| stop.continued),
        text(|stop| &stop.comment),
        text(|stop| &stop.by),
    ];
    let items = StructArray::try_new(STOP.clone(), columns, None)?;
    Ok(Arc::new(ListArray::try_new(stop_item(), offsets, Arc::new(items), None)?))
}

fn instants(times: impl Iterator<Item = Option<Timestamp>>) -> ArrayRef {
    Arc::new(times.map(|time| time.map(Timestamp::as_micros)).collect::<TimestampMicrosecondArray>().with_timezone("UTC"))
}
