//! Looks over the messages of a stream before any is decoded: nobody may make us take memory that was only claimed.

use crate::QueryError;
use arrow::ipc::{MessageHeader, root_as_message};

/// Refuses what is no stream, ends in a message, or is compressed within: how large that becomes is only known too late.
///
/// # Errors
/// What is wrong.
pub fn check(stream: &[u8]) -> Result<(), QueryError> {
    let refused = |why: &str| Err(QueryError::Refused(format!("the body is no Arrow IPC stream: {why}")));
    let (mut rest, mut messages) = (stream, 0);
    while !rest.is_empty() {
        let (Some(marker), Some(length)) = (word(rest, 0), word(rest, 4)) else { return refused("it ends within a message") };
        if marker != u32::MAX {
            return refused("a message does not begin with its marker; write the stream format, not the file format");
        }
        if length == 0 {
            break;
        }
        let Some((metadata, behind)) = rest[8..].split_at_checked(length as usize) else {
            return refused("it ends within a message");
        };
        let Ok(message) = root_as_message(metadata) else { return refused("a message cannot be read") };
        let batch = match message.header_type() {
            MessageHeader::RecordBatch => message.header_as_record_batch(),
            MessageHeader::DictionaryBatch => message.header_as_dictionary_batch().and_then(|batch| batch.data()),
            _ => None,
        };
        if batch.is_some_and(|batch| batch.compression().is_some()) {
            return refused("its batches are compressed; write them plain, and pack the whole body with gzip");
        }
        let body = usize::try_from(message.bodyLength()).ok().and_then(|length| behind.split_at_checked(length));
        let Some((_, behind)) = body else { return refused("it ends within a message") };
        rest = behind;
        messages += 1;
    }
    if messages == 0 { refused("it is empty") } else { Ok(()) }
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}
