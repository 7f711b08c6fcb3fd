//! Shapes that several answers share. Times are RFC 3339 texts in objects and milliseconds since the epoch in arrays.

use andon_models::{Quality, Timestamp, Tqv, Value, alarm::Priority, calendar::ShiftOccurrence, snapshot::AlarmSnapshot};
use serde::{Serialize, Serializer};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        ArrayBuilder, KnownFormat, ObjectBuilder, RefOr, Schema, SchemaFormat, schema::ArrayItems, schema::SchemaType,
        schema::Type,
    },
};

/// An instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub(crate) struct Time(pub(crate) Timestamp);

impl PartialSchema for Time {
    fn schema() -> RefOr<Schema> {
        let object = ObjectBuilder::new().schema_type(SchemaType::new(Type::String));
        object.format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime))).description(Some("An instant in UTC")).into()
    }
}

impl ToSchema for Time {}

/// A value of a property: null, true or false, a number or a text.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(transparent)]
pub(crate) struct Datum(pub(crate) Value);

impl PartialSchema for Datum {
    fn schema() -> RefOr<Schema> {
        let types = SchemaType::from_iter([Type::Null, Type::Boolean, Type::Number, Type::String]);
        ObjectBuilder::new().schema_type(types).description(Some("A value of a property")).into()
    }
}

impl ToSchema for Datum {}

/// `[time in ms, value, quality 0 good | 1 uncertain | 2 bad]` in time order.
#[derive(Clone, Debug, PartialEq, Default)]
pub(crate) struct Points(pub(crate) Vec<Tqv>);

impl Serialize for Points {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        crate::live::encode_points(&self.0, serializer)
    }
}

impl PartialSchema for Points {
    fn schema() -> RefOr<Schema> {
        let point = ArrayBuilder::new().items(ArrayItems::False).prefix_items([i64::schema(), Datum::schema(), u8::schema()]);
        ArrayBuilder::new().items(point).into()
    }
}

impl ToSchema for Points {}

/// `good`, `uncertain` or `bad`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum QualityView {
    /// What the device measured.
    Good,
    /// May be old or outside its range.
    Uncertain,
    /// Must not be used.
    Bad,
}

impl From<Quality> for QualityView {
    fn from(quality: Quality) -> Self {
        match quality {
            Quality::Good => Self::Good,
            Quality::Uncertain => Self::Uncertain,
            Quality::Bad => Self::Bad,
        }
    }
}

/// A shift that takes place.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct ShiftView {
    /// Its name.
    pub(crate) name: String,
    /// Its start.
    pub(crate) start: Time,
    /// Its end.
    pub(crate) end: Time,
}

impl From<ShiftOccurrence> for ShiftView {
    fn from(shift: ShiftOccurrence) -> Self {
        Self { name: shift.name.to_string(), start: Time(shift.window.start), end: Time(shift.window.end) }
    }
}

/// The mark of an active alarm.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct AlarmMark {
    /// 1 (critical) to 4 (low).
    pub(crate) priority: u8,
    /// Whether somebody has seen it.
    pub(crate) acknowledged: bool,
    /// What it says, values filled in.
    pub(crate) message: String,
}

impl AlarmMark {
    /// The mark of an alarm, if it is active.
    pub(crate) fn of(alarm: &AlarmSnapshot) -> Option<Self> {
        alarm.state.is_active().then(|| Self {
            priority: alarm.priority.number(),
            acknowledged: !alarm.state.needs_acknowledgement(),
            message: alarm.message.to_string(),
        })
    }

    /// The more urgent first; of equals, the one nobody has seen.
    pub(crate) fn rank(&self) -> (u8, bool) {
        (self.priority, self.acknowledged)
    }
}

/// Active alarms by priority.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct AlarmCounts {
    /// Priority 1.
    pub(crate) critical: usize,
    /// Priority 2.
    pub(crate) high: usize,
    /// Priority 3.
    pub(crate) medium: usize,
    /// Priority 4.
    pub(crate) low: usize,
}

impl AlarmCounts {
    pub(crate) fn add(&mut self, priority: Priority) {
        match priority {
            Priority::Critical => self.critical += 1,
            Priority::High => self.high += 1,
            Priority::Medium => self.medium += 1,
            Priority::Low => self.low += 1,
        }
    }
}

/// Milliseconds of a span.
pub(crate) fn span_ms(span: std::time::Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
