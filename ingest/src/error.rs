//! What can go wrong between Andon and a device.

use crate::TagName;
use std::{sync::Arc, time::Duration};

/// Why a request to a device did not succeed. A variant exists because a caller acts on it.
#[derive(Clone, Debug, thiserror::Error)]
pub enum IngestError {
    /// Nothing was sent: there is no connection now. Worth another try after the source is back.
    #[error("source {source_name} is not connected: {reason}")]
    NotConnected {
        /// The source.
        source_name: Arc<str>,
        /// The last error of the connection.
        reason: Arc<str>,
    },
    /// The device did not answer. A request that changes something may have been carried out all the same.
    #[error("source {source_name} did not answer within {} ms", after.as_millis())]
    Timeout {
        /// The source.
        source_name: Arc<str>,
        /// How long was waited.
        after: Duration,
    },
    /// The connection broke while the request was under way.
    #[error("connection to source {source_name} broke: {reason}")]
    Broken {
        /// The source.
        source_name: Arc<str>,
        /// What the transport said.
        reason: Arc<str>,
    },
    /// The device answered with a refusal.
    #[error("source {source_name} refuses {tag}: {reason}")]
    Refused {
        /// The source.
        source_name: Arc<str>,
        /// The point.
        tag: TagName,
        /// The device's own words, and what to do about it.
        reason: Arc<str>,
    },
    /// The value does not fit the point; nothing was sent.
    #[error("{value} cannot be written to {tag}: {reason}")]
    DoesNotFit {
        /// The point.
        tag: TagName,
        /// The value.
        value: Arc<str>,
        /// What the point takes.
        reason: Arc<str>,
    },
    /// The source cannot do this at all.
    #[error("source {source_name} cannot do this: {reason}")]
    Unsupported {
        /// The source.
        source_name: Arc<str>,
        /// What it can do instead.
        reason: Arc<str>,
    },
    /// The tag is not one of this source's.
    #[error("source {source_name} has no such tag ({tag})")]
    UnknownTag {
        /// The source.
        source_name: Arc<str>,
        /// The tag.
        tag: TagName,
    },
    /// A bounded queue is full; nothing was sent.
    #[error("source {source_name} is busy with {limit} requests: nothing was sent, try again")]
    Busy {
        /// The source.
        source_name: Arc<str>,
        /// The bound.
        limit: usize,
    },
    /// Its deadline passed before it could be sent.
    #[error("its deadline passed before it could be sent")]
    Late,
}
