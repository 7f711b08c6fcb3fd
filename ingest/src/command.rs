//! One write to a device: sent once, read back until the value shows, reported. The same for every protocol.
//!
//! It never sends twice. Whether the value may be written was decided and recorded before it got here.

use crate::{IngestError, Shared, TagName};
use andon_models::{
    Timestamp, Value,
    catalog::Tag,
    command::{Command, CommandOutcome, CommandState},
};
use std::{future::Future, sync::Arc, time::Duration};
use tokio::time::Instant;

/// Pause between two read-backs: short against any `verify`, long enough not to crowd a PLC.
const READ_BACK_EVERY: Duration = Duration::from_millis(100);

/// A device that takes writes. One real implementation per protocol.
pub(crate) trait WritableDevice {
    /// Writes a value once and returns it as the device is going to show it.
    ///
    /// `left` is asked at the last moment before the value is sent: how long it may take, none when it is too late.
    fn write(
        &self,
        tag: &Tag,
        value: &Value,
        left: &(dyn Fn() -> Option<Duration> + Send + Sync),
    ) -> impl Future<Output = Result<Value, IngestError>> + Send;

    /// Reads a value.
    fn read(&self, tag: &Tag) -> impl Future<Output = Result<Value, IngestError>> + Send;
}

/// Reads a tag in the type of its property, a control where its value shows.
pub(crate) async fn read<D: WritableDevice>(device: &D, tag: &Tag) -> Result<Value, IngestError> {
    let shown = tag.feedback.as_ref().map(|address| Tag { address: address.clone(), ..tag.clone() });
    let tag = shown.as_ref().unwrap_or(tag);
    let value = device.read(tag).await?;
    Ok(value.clone().coerce(tag.value_type).unwrap_or(value))
}

/// The outcome when the source has as many writes under way as it may.
pub(crate) fn too_many(shared: &Shared, command: &Command, limit: usize) -> CommandOutcome {
    let error = IngestError::Busy { source_name: shared.source.name.clone(), limit };
    outcome(shared, command, CommandState::Failed, Value::Null, &error.to_string())
}

/// Carries out one command.
pub(crate) async fn write<D: WritableDevice>(shared: &Arc<Shared>, device: &D, command: &Command) -> CommandOutcome {
    let source_name = &shared.source.name;
    let done = |state, read_back, reason: &str| outcome(shared, command, state, read_back, reason);
    if !shared.source.writes_allowed {
        let reason = format!("source {source_name} allows no writes: add `writes: allow` to it in the plant file");
        return done(CommandState::Refused, Value::Null, &reason);
    }
    let Some(tag) = shared.tags.get(&command.tag) else {
        let tag = TagName(format!("number {}", command.tag.0).into());
        let error = IngestError::UnknownTag { source_name: source_name.clone(), tag };
        return done(CommandState::Failed, Value::Null, &error.to_string());
    };
    let left = || time_left((shared.now)(), command);
    if left().is_none() {
        return done(CommandState::Expired, Value::Null, &IngestError::Late.to_string());
    }
    let sent = device.write(tag, &command.value, &left).await;
    let (expected, doubt) = match sent {
        Ok(expected) => (expected, None),
        Err(IngestError::Late) => return done(CommandState::Expired, Value::Null, &IngestError::Late.to_string()),
        // It may have been carried out: the read-back decides.
        Err(error @ (IngestError::Timeout { .. } | IngestError::Broken { .. })) => (command.value.clone(), Some(error)),
        Err(error) => return done(CommandState::Failed, Value::Null, &error.to_string()),
    };
    // Where the value shows elsewhere, it shows as it was meant, whatever the written point makes of it.
    let expected = if tag.feedback.is_some() { command.value.clone() } else { expected };
    let last = read_back(device, tag, &expected, command.verify).await;
    match (last, doubt) {
        (Ok(value), _) if expected.is_shown_by(&value) => done(CommandState::Verified, value, ""),
        (Ok(value), None) => {
            let reason = format!("written, but it still reads {value} after {} ms", command.verify.as_millis());
            done(CommandState::Failed, value, &reason)
        }
        (Ok(value), Some(error)) => done(CommandState::Unknown, value, &format!("{error}; the write may still take effect")),
        (Err(error), None) => done(CommandState::Unknown, Value::Null, &format!("written, but not read back: {error}")),
        (Err(_), Some(error)) => done(CommandState::Unknown, Value::Null, &error.to_string()),
    }
}

fn time_left(now: Timestamp, command: &Command) -> Option<Duration> {
    (now <= command.deadline).then(|| command.deadline.since(now))
}

/// Reads until the value shows or `verify` is over; returns the last reading.
async fn read_back<D: WritableDevice>(device: &D, tag: &Tag, expected: &Value, verify: Duration) -> Result<Value, IngestError> {
    let until = Instant::now() + verify;
    loop {
        let last = read(device, tag).await;
        let shown = matches!(&last, Ok(value) if expected.is_shown_by(value));
        if shown || Instant::now() >= until {
            return last;
        }
        tokio::time::sleep_until(until.min(Instant::now() + READ_BACK_EVERY)).await;
    }
}

fn outcome(shared: &Shared, command: &Command, state: CommandState, read_back: Value, reason: &str) -> CommandOutcome {
    CommandOutcome { command: command.id, state, read_back, reason: reason.into(), time: (shared.now)() }
}
