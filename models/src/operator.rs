//! What a person may ask of the running plant.

use crate::{AssetId, Timestamp, command::HandRole, correction::Edit, iot_events::InputMessage, oee::edits::StopEdit};
use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::Duration};

/// A request with the person behind it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OperatorRequest {
    /// Who asks.
    pub by: Arc<str>,
    /// What for.
    pub deed: OperatorDeed,
}

/// What a person may ask for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "deed", rename_all = "snake_case")]
pub enum OperatorDeed {
    /// Acknowledges the alarm of a detector.
    Acknowledge {
        /// The asset.
        asset: AssetId,
        /// The detector.
        detector: Arc<str>,
        /// A note; may be empty.
        note: Arc<str>,
    },
    /// Shelves the alarm of a detector for a while.
    Shelve {
        /// The asset.
        asset: AssetId,
        /// The detector.
        detector: Arc<str>,
        /// For how long.
        span: Duration,
        /// Why; required.
        note: Arc<str>,
    },
    /// Ends a shelving.
    Unshelve {
        /// The asset.
        asset: AssetId,
        /// The detector.
        detector: Arc<str>,
    },
    /// Hides the alarm of a detector until it is shown again.
    Suppress {
        /// The asset.
        asset: AssetId,
        /// The detector.
        detector: Arc<str>,
        /// Why; required.
        note: Arc<str>,
    },
    /// Ends a suppression by hand.
    Unsuppress {
        /// The asset.
        asset: AssetId,
        /// The detector.
        detector: Arc<str>,
        /// A note; may be empty.
        note: Arc<str>,
    },
    /// Takes the alarm of a detector out of service.
    RemoveFromService {
        /// The asset.
        asset: AssetId,
        /// The detector.
        detector: Arc<str>,
        /// Why; required.
        note: Arc<str>,
    },
    /// Puts the alarm of a detector back into service.
    ReturnToService {
        /// The asset.
        asset: AssetId,
        /// The detector.
        detector: Arc<str>,
        /// A note; may be empty.
        note: Arc<str>,
    },
    /// Lets go of a latched alarm.
    Reset {
        /// The asset.
        asset: AssetId,
        /// The detector.
        detector: Arc<str>,
        /// A note; may be empty.
        note: Arc<str>,
    },
    /// Says something about the alarm of a detector.
    Comment {
        /// The asset.
        asset: AssetId,
        /// The detector.
        detector: Arc<str>,
        /// What there is to say; required.
        note: Arc<str>,
    },
    /// Hands a message to the detectors that listen to an input.
    Message(InputMessage),
    /// Says why a machine stood, splits a stop or comments on it.
    EditStop {
        /// The machine.
        asset: AssetId,
        /// What is done: `assign_reason`, `split_stop` or `comment_stop`.
        verb: Arc<str>,
        /// The stop, and what was said before and is said now, in words.
        detail: Arc<str>,
        /// What holds from now on.
        edits: Vec<StopEdit>,
    },
    /// Sets or corrects values of the past.
    Edit(Edit),
    /// Keeps what somebody tells the next shift about a line or a machine.
    Note {
        /// The line or the machine.
        asset: AssetId,
        /// What there is to say; required, except to take a note about an hour back.
        text: Arc<str>,
        /// The start of the hour it is about; none if it is about the shift. The newest about an hour of an asset is the one that counts.
        #[serde(default)]
        hour: Option<Timestamp>,
    },
    /// Allows (`true`) or forbids (`false`) all writes to machines.
    Arm {
        /// Whether writes are allowed.
        armed: bool,
        /// For how long; none means until somebody forbids them.
        #[serde(default)]
        span: Option<Duration>,
        /// Whether a data folder that was copied or moved to another machine is taken over for good.
        #[serde(default)]
        take_over: bool,
    },
    /// Ends the dry run of a detector: from now on it writes.
    Release {
        /// The asset.
        asset: AssetId,
        /// The detector.
        detector: Arc<str>,
    },
    /// Confirms a write that was prepared.
    Confirm {
        /// The token of what was prepared.
        token: Arc<str>,
        /// What whoever confirms it may: no less than whoever prepares it.
        role: HandRole,
    },
}

/// Why a request was not done, or not to its end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OperatorRefusal {
    /// There is no such detector.
    #[error("there is no detector {0}")]
    UnknownDetector(Arc<str>),
    /// The alarm is not in a state that allows it, or a rule forbids the write.
    #[error("{0}")]
    NotNow(Arc<str>),
    /// No detector takes the message.
    #[error("{0}")]
    NotTaken(Arc<str>),
    /// It could not be recorded; nothing was done.
    #[error("not recorded, so not done: {0}")]
    NotRecorded(Arc<str>),
    /// It was done and is in the log; the audit takes it up when it can be written.
    #[error("done, but not in the audit yet: {0}")]
    NotAudited(Arc<str>),
}
