//! Bodies of writes: bounded in size, also unpacked, and in number.

use super::Refusal;
use axum::{
    body::{Body, BodyDataStream, Bytes},
    extract::Request,
    http::{HeaderMap, StatusCode, header},
};
use flate2::read::MultiGzDecoder;
use futures::StreamExt;
use std::{io::Read, sync::Arc, time::Duration};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

/// Largest body, packed or not, and also after unpacking: some 300,000 lines. A larger one is split by its sender.
pub(crate) const MAX_WRITE_BYTES: usize = 32 << 20;
/// Bytes of all bodies that are worked on at once: a part of the memory budget that lets thousands of usual bodies in.
const MAX_BYTES_AT_ONCE: usize = 192 << 20;
/// Bodies up to here are small: most are.
const SMALL: usize = 1 << 20;
/// The part of that room in which only small bodies are worked on, so that a few large ones do not hold them up.
const ROOM_OF_SMALL: usize = 64 << 20;
/// The unit in which room is given away; no body takes less.
const ROOM_UNIT: usize = 4 << 10;
/// A body of which nothing comes for so long is given up, and its room is free again.
const MAX_SILENCE: Duration = Duration::from_secs(10);
/// So much of a body that is too large is still taken, and thrown away: a sender reads no answer before it has sent all.
const MAX_DRAINED: usize = 64 << 20;
/// How long a body waits for room.
const MAX_WAIT: Duration = Duration::from_secs(20);
/// Larger bodies are unpacked on a thread of their own, so that others are answered meanwhile.
const UNPACKED_ASIDE: usize = 256 << 10;

/// Room for bodies.
#[derive(Clone, Debug)]
pub(crate) struct Room {
    small: Arc<Semaphore>,
    large: Arc<Semaphore>,
    silence: Duration,
}

impl Default for Room {
    fn default() -> Self {
        let room = |bytes: usize| Arc::new(Semaphore::new(bytes / ROOM_UNIT));
        Self { small: room(ROOM_OF_SMALL), large: room(MAX_BYTES_AT_ONCE - ROOM_OF_SMALL), silence: MAX_SILENCE }
    }
}

impl Room {
    /// Waits for room, then reads and unpacks a body. The room is taken until what is returned is dropped.
    ///
    /// # Errors
    /// When there is no room for long, the body does not come, is too large or cannot be unpacked.
    pub(crate) async fn read(&self, request: Request) -> Result<(Bytes, OwnedSemaphorePermit), Refusal> {
        let headers = request.headers();
        let packed = is_packed(headers)?;
        let length: Option<usize> = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        if length.is_some_and(|length| length > MAX_WRITE_BYTES) {
            self.drain(request.into_body().into_data_stream()).await;
            return Err(too_large());
        }
        // A packed body may become as large as any.
        let size = if packed { MAX_WRITE_BYTES } else { length.unwrap_or(MAX_WRITE_BYTES) };
        let place = self.place(size).await?;
        let body = self.receive(request.into_body(), length.unwrap_or_default()).await?;
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

    async fn place(&self, size: usize) -> Result<OwnedSemaphorePermit, Refusal> {
        let room = if size <= SMALL { &self.small } else { &self.large };
        let units = u32::try_from(size / ROOM_UNIT + 1).unwrap_or(u32::MAX);
        let busy = || {
            let message = format!("more than {} MiB are being written already", MAX_BYTES_AT_ONCE >> 20);
            Refusal::new(StatusCode::SERVICE_UNAVAILABLE, message, "send it again a little later, or in smaller parts")
        };
        timeout(MAX_WAIT, room.clone().acquire_many_owned(units)).await.map_err(|_| busy())?.map_err(|_| busy())
    }

    async fn drain(&self, mut parts: BodyDataStream) {
        let mut drained = 0;
        while drained < MAX_DRAINED
            && let Ok(Some(Ok(part))) = timeout(self.silence, parts.next()).await
        {
            drained += part.len();
        }
    }

    async fn receive(&self, body: Body, length: usize) -> Result<Bytes, Refusal> {
        let mut parts = body.into_data_stream();
        let mut received = Vec::with_capacity(length);
        loop {
            let Ok(part) = timeout(self.silence, parts.next()).await else {
                let message = format!("nothing more of the body came for {:?}; nothing was stored", self.silence);
                return Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, message, "send it again"));
            };
            match part {
                None => return Ok(received.into()),
                Some(Err(error)) => return Err(Refusal::bad(format!("the body broke off: {error}"), "send it again")),
                Some(Ok(part)) if received.len() + part.len() > MAX_WRITE_BYTES => {
                    drop((part, received));
                    self.drain(parts).await;
                    return Err(too_large());
                }
                Some(Ok(part)) => received.extend_from_slice(&part),
            }
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use futures::{FutureExt, stream};

    fn request(length: usize, parts: impl futures::Stream<Item = Result<Bytes, std::io::Error>> + Send + 'static) -> Request {
        Request::builder().header(header::CONTENT_LENGTH, length).body(Body::from_stream(parts)).unwrap()
    }

    fn whole(length: usize) -> Request {
        request(length, stream::iter([Ok(vec![b'a'; length / 2].into()), Ok(vec![b'b'; length - length / 2].into())]))
    }

    #[tokio::test]
    async fn bodies_that_do_not_come_hold_up_nobody_for_long() {
        let room = Room { silence: Duration::from_millis(1), ..Room::default() };
        let patient = Room { silence: Duration::from_secs(3_600), ..room.clone() };
        let silent = || request(MAX_WRITE_BYTES, stream::once(async { Ok(Bytes::from_static(b"a")) }).chain(stream::pending()));
        let mut waiting = [(); 5].map(|()| Box::pin(patient.read(silent())));
        waiting.iter_mut().for_each(|one| assert!(one.now_or_never().is_none(), "more than there is room for"));
        let (body, _place) = patient.read(whole(1_000)).await.unwrap();
        assert_eq!(body.len(), 1_000, "small ones have room of their own");
        drop(waiting);
        assert_eq!(room.read(silent()).await.unwrap_err().status, StatusCode::REQUEST_TIMEOUT);
        assert_eq!(room.read(whole(MAX_WRITE_BYTES + 1)).await.unwrap_err().status, StatusCode::PAYLOAD_TOO_LARGE);
    }
}
