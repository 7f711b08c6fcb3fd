//! The plant in words: nouns and pure rules, and nothing that waits, reads a clock, a file or a socket.
//!
//! Everything else in Andon is written in the words defined here. Time always comes in as an argument.
//!
//! # Glossary
//!
//! Device side
//! - **source**: one connection to a device or broker. **tag**: one readable or writable point of a source, named by its
//!   **address**. **sample**: one reading of a tag.
//!
//! Model side
//! - **asset model**: the kind of a machine; **asset**: one machine; **hierarchy**: the named link from parent to children.
//! - **property**: an *attribute* (constant), *measurement* (from a tag), *transform* (computed per sample) or
//!   *metric* (computed per window). **control**: a writable point.
//! - **TQV**: time, quality, value. **quality**: Good, Uncertain or Bad data (bare "quality" is data quality).
//! - **series**: the history of one property of one asset.
//! - **expression**: a formula over properties. **window**: a span of time, start exclusive and end inclusive.
//! - **shift**: a recurring span of plant time. **OEE**: overall equipment effectiveness, ISO 22400-2.
//!
//! Decisions
//! - **detector model**: a hierarchical state machine written by the user; **detector**: its instance for one asset.
//! - **state**, **rule** (its *guard* and its *actions*), **timer**, **variable**: parts of a detector.
//! - **alarm**: ISA-18.2 alarm of a detector; **command**: one write to a machine, with its life cycle.
//! - **explanation**: why a detector moved: guard, inputs with time and quality, and every sub-expression's result.
//! - **event**: anything that happened: transition, alarm change, command change, notification, operator's deed.

pub mod address;
pub mod admission;
pub mod alarm;
pub mod audit;
pub mod browse;
pub mod calendar;
pub mod catalog;
pub mod cloudformation;
pub mod command;
pub mod correction;
pub mod definition;
pub mod detector;
pub mod difference;
pub mod document;
pub mod event;
pub mod explained;
pub mod expression;
pub mod id;
pub mod import;
pub mod iot_events;
pub mod notice;
pub mod oee;
pub mod operator;
pub mod plant_file;
pub mod preview;
pub mod schedule;
pub mod sitewise;
pub mod snapshot;
pub mod time;
pub mod topic;
pub mod transform;
pub mod unit;
pub mod value;
pub mod window;

pub use id::{AssetId, CommandId, EventId, ModelId, PropertyId, SeriesId, TagId};
pub use time::Timestamp;
pub use value::{Point, Quality, Sample, StatusCode, Tqv, Value, ValueType};
