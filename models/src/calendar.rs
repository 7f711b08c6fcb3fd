//! The plant's shift calendar: shifts in plant time, with daylight saving; instants in UTC.

use crate::window::Window;
use jiff::tz::TimeZone;
use std::sync::Arc;

/// When the plant works.
#[derive(Clone, Debug)]
pub struct ShiftCalendar {
    /// The plant's time zone.
    pub time_zone: TimeZone,
    /// The shifts as written, in file order.
    pub shifts: Vec<Shift>,
}

/// One recurring shift, in plant time. It belongs to the day it starts on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shift {
    /// Its name.
    pub name: Arc<str>,
    /// The weekdays it starts on, Monday first.
    pub days: [bool; 7],
    /// Start in plant time.
    pub start: jiff::civil::Time,
    /// End in plant time; on the next day when it is not after the start.
    pub end: jiff::civil::Time,
}

/// One shift that takes place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShiftOccurrence {
    /// The shift's name.
    pub name: Arc<str>,
    /// The production day it belongs to.
    pub date: jiff::civil::Date,
    /// Its span in UTC.
    pub window: Window,
}
