//! Bodies of writes: bounded in size, also unpacked, and in number.

use super::Refusal;
use axum::{
    body::{Body, Bytes},
    extract::{FromRequest, Request},
    http::{HeaderMap, StatusCode, header},
};
use flate2::read::MultiGzDecoder;
use std::{io::Read, sync::Arc, time::Duration};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

/// Largest body, packed or not, and also after unpacking: some 300,000 lines. A larger one is split by its sender.
pub(crate) const MAX_WRITE_BYTES: usize = 32 << 20;
/// Bytes of all bodies that are worked on at once: a part of the memory budget that lets thousands of usual bodies in.
const MAX_BYTES_AT_ONCE: usize = 192 << 20;
/// The unit in which that room is given away; no body takes less.
const ROOM_UNIT: usize = 4 << 10;
/// How long a body waits for room.
const MAX_WAIT: Duration = Duration::from_secs(20);
/// Larger bodies are unpacked on a thread of their own, so that others are answered meanwhile.
const UNPACKED_ASIDE: usize = 256 << 10;

/// Room for bodies.
#[derive(Clone, Debug)]
pub(crate) struct Room(Arc<Semaphore>);

impl Default for Room {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MAX_BYTES_AT_ONCE / ROOM_UNIT)))
    }
}

impl Room {
    /// Waits for room, then reads and unpacks a body. The room is taken until what is returned is dropped.
    ///
    /// # Errors
    /// When there is no room for long, or the body is too large or cannot be unpacked.
    pub(crate) async fn read(&self, request: Request) -> Result<(Bytes, OwnedSemaphorePermit), Refusal> {
        let headers = request.headers();
        let packed = is_packed(headers)?;
        let length: Option<usize> = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        // A packed body may become as large as any.
        let size = if packed { MAX_WRITE_BYTES } else { length.unwrap_or(MAX_WRITE_BYTES).min(MAX_WRITE_BYTES) };
        let units = u32::try_from(size / ROOM_UNIT + 1).unwrap_or(u32::MAX);
        let busy = || {
            let message = format!("more than {} MiB are being written already", MAX_BYTES_AT_ONCE >> 20);
            Refusal::new(StatusCode::SERVICE_UNAVAILABLE, message, "send it again a little later, or in smaller parts")
        };
        let place = timeout(MAX_WAIT, self.0.clone().acquire_many_owned(units)).await;
        let place = place.map_err(|_| busy())?.map_err(|_| busy())?;
        let (parts, body) = request.into_parts();
        let body = Bytes::from_request(Request::from_parts(parts, Body::new(body)), &()).await;
        let body = body.map_err(|rejection| match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => too_large(),
            status => Refusal::new(status, rejection.body_text(), ""),
        })?;
        let body = match packed {
            false => body,
            true if body.len() < UNPACKED_ASIDE => unpack(&body)?,
            true => {
                let unpacked = tokio::task::spawn_blocking(move || unpack(&body)).await;
                unpacked.map_err(|error| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string(), ""))??
            }
        };
        Ok((body, place))
    }
}

fn is_packed(headers: &HeaderMap) -> Result<bool, Refusal> {
    let encoding = headers.get(header::CONTENT_ENCODING).map_or(Ok(""), |encoding| encoding.to_str());
    match encoding.unwrap_or("?").trim() {
        "" | "identity" => Ok(false),
        encoding if encoding.eq_ignore_ascii_case("gzip") => Ok(true),
        other => {
            let message = format!("a body packed as {other:?} is not understood");
            Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message, "pack it with gzip, or not at all"))
        }
    }
}

fn unpack(packed: &[u8]) -> Result<Bytes, Refusal> {
    let mut plain = Vec::new();
    let read = MultiGzDecoder::new(packed).take(MAX_WRITE_BYTES as u64 + 1).read_to_end(&mut plain);
    read.map_err(|error| Refusal::bad(format!("the body is no gzip: {error}"), "pack it with gzip, or not at all"))?;
    if plain.len() > MAX_WRITE_BYTES { Err(too_large()) } else { Ok(plain.into()) }
}

fn too_large() -> Refusal {
    let message = format!("a write has at most {} MiB, also unpacked; nothing was stored", MAX_WRITE_BYTES >> 20);
    Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, message, "send it in several parts")
}
