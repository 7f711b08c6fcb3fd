//! Who may write a control and how far, beyond its type, list and range. Written in the plant file, kept by `andon-detectors`.

use crate::address::Address;
use serde::{Deserialize, Serialize};
use std::{fmt, sync::Arc, time::Duration};

/// The rules of one control. The default: any detector of its model may write it, nobody by hand.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WritePolicy {
    /// The largest change of the present value by one write, in the control's unit. The value is read from the device just before.
    pub step: Option<f64>,
    /// The detectors that may write it; none means all of its model.
    pub detectors: Option<Vec<Arc<str>>>,
    /// The lowest role that may write it by hand; none means nobody.
    pub by_hand: Option<HandRole>,
    /// Whether a write by hand needs a second person to confirm it.
    pub second_person: bool,
    /// Whether everything is done but sending.
    pub dry_run: bool,
    /// What a write does to the machine, for whoever is about to confirm it; may be empty.
    pub effect: Arc<str>,
    /// How often it is toggled while writes are armed, so that the controller notices when nobody watches any more.
    pub heartbeat: Option<Duration>,
    /// Where the value shows in the same source, when that is another address than the one written.
    pub feedback: Option<Address>,
}

/// Who writes by hand. Each role may do what the ones before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HandRole {
    /// Runs the machine.
    Operator,
    /// Changes definitions and arms writes.
    Engineer,
}

/// Whether a detector only pretends to write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DryRun {
    /// It writes.
    #[default]
    No,
    /// It never writes.
    Always,
    /// It pretends for at least so long, and until somebody releases it.
    AtLeast(Duration),
}

impl fmt::Display for HandRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Operator => "operator",
            Self::Engineer => "engineer",
        })
    }
}
