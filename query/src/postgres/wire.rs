//! Messages of PostgreSQL's protocol 3: read with bounds, decoded without trust, written into one buffer.
//!
//! Source: PostgreSQL 15 manual, chapter 55, "Frontend/Backend Protocol".

use super::outgoing::Out;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Longest message once logged in: a statement of the largest size, or its parameters.
const MAX_MESSAGE: usize = 4 << 20;
/// Longest message before that: names and a proof.
const MAX_START: usize = 10_000;
/// Bytes kept for a client before they are sent: few large writes instead of one per row.
pub const SEND_AT: usize = 64 << 10;

/// What a client sends once it is connected.
#[derive(Debug)]
pub enum Incoming {
    /// Statements as text, answered in text.
    Query(String),
    /// Names a statement, which may have parameters.
    Parse { name: String, sql: String, types: Vec<u32> },
    /// Gives a statement its parameters.
    Bind(Bind),
    /// Asks what a statement or portal takes and answers.
    Describe { portal: bool, name: String },
    /// Wants rows of a portal; 0 means all.
    Execute { portal: String, rows: usize },
    /// Forgets a statement or portal.
    Close { portal: bool, name: String },
    /// Wants what there is.
    Flush,
    /// Ends a chain of messages, also after an error.
    Sync,
    /// A step of the log-in.
    Password(Bytes),
    /// What belongs to COPY, which is never under way.
    Copy,
    /// Says good-bye.
    Terminate,
}

/// A statement's parameters and the form of its answer.
#[derive(Debug)]
pub struct Bind {
    /// Name of the portal that is made.
    pub portal: String,
    /// Name of the statement.
    pub statement: String,
    /// Form of the parameters: 0 text, 1 binary; none means text, one is for all.
    pub formats: Vec<i16>,
    /// The parameters; none is null.
    pub parameters: Vec<Option<Bytes>>,
    /// Form of the columns, as above.
    pub results: Vec<i16>,
}

/// Reads messages of one client.
pub struct Reader<R> {
    from: R,
    buffer: BytesMut,
    /// Longest message that is taken.
    most: usize,
}

impl<R: AsyncRead + Unpin> Reader<R> {
    /// A reader of a client that may be anybody.
    pub fn new(from: R) -> Self {
        Self { from, buffer: BytesMut::new(), most: MAX_START }
    }

    /// The client has logged in: its messages may be long.
    pub fn let_in(&mut self) {
        self.most = MAX_MESSAGE;
    }

    /// The stream, if nothing of it was read ahead.
    pub fn into_inner(self) -> Option<R> {
        self.buffer.is_empty().then_some(self.from)
    }

    /// The first message of a connection, which has no kind. None when the client left.
    pub async fn start(&mut self) -> io::Result<Option<Bytes>> {
        if !self.fill(4).await? {
            return Ok(None);
        }
        let body = self.body(0).await?;
        Ok(Some(body))
    }

    /// The next message. None when the client left.
    pub async fn next(&mut self) -> io::Result<Option<Incoming>> {
        if !self.fill(5).await? {
            return Ok(None);
        }
        let kind = self.buffer[0];
        let mut body = Body(self.body(1).await?);
        decode(kind, &mut body).map(Some).ok_or_else(|| malformed(&format!("a message of kind {:?}", kind as char)))
    }

    async fn body(&mut self, offset: usize) -> io::Result<Bytes> {
        let length = i32::from_be_bytes([0, 1, 2, 3].map(|index| self.buffer[offset + index]));
        let length = usize::try_from(length).ok().filter(|length| (4..=self.most).contains(length));
        let length = length.ok_or_else(|| malformed("the length of a message"))?;
        if !self.fill(offset + length).await? {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut message = self.buffer.split_to(offset + length).freeze();
        message.advance(offset + 4);
        Ok(message)
    }

    /// Reads until the buffer holds so many bytes. False when the client left between two messages.
    async fn fill(&mut self, bytes: usize) -> io::Result<bool> {
        while self.buffer.len() < bytes {
            self.buffer.reserve((bytes - self.buffer.len()).min(SEND_AT));
            if self.from.read_buf(&mut self.buffer).await? == 0 {
                return if self.buffer.is_empty() { Ok(false) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
            }
        }
        Ok(true)
    }
}

/// What does not follow the protocol.
pub fn malformed(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{what} does not follow PostgreSQL's protocol"))
}

/// The bytes of one message, read from the front; nothing is taken that is not there.
pub struct Body(pub Bytes);

impl Body {
    /// Text up to its zero byte.
    pub fn text(&mut self) -> Option<String> {
        let end = self.0.iter().position(|byte| *byte == 0)?;
        let text = String::from_utf8(self.0.split_to(end).to_vec()).ok()?;
        self.0.advance(1);
        Some(text)
    }

    /// So many bytes.
    pub fn bytes(&mut self, count: usize) -> Option<Bytes> {
        (self.0.len() >= count).then(|| self.0.split_to(count))
    }

    /// A number of 32 bits.
    pub fn int(&mut self) -> Option<i32> {
        self.bytes(4).map(|mut bytes| bytes.get_i32())
    }

    fn short(&mut self) -> Option<i16> {
        self.bytes(2).map(|mut bytes| bytes.get_i16())
    }

    /// A count, and so many things.
    fn many<T>(&mut self, mut one: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let count = self.bytes(2)?.get_u16();
        (0..count).map(|_| one(self)).collect()
    }
}

fn decode(kind: u8, body: &mut Body) -> Option<Incoming> {
    Some(match kind {
        b'Q' => Incoming::Query(body.text()?),
        b'P' => Incoming::Parse {
            name: body.text()?,
            sql: body.text()?,
            types: body.many(|body| body.int().map(|oid| oid as u32))?,
        },
        b'B' => Incoming::Bind(Bind {
            portal: body.text()?,
            statement: body.text()?,
            formats: body.many(Body::short)?,
            parameters: body.many(|body| match body.int()? {
                -1 => Some(None),
                length => body.bytes(usize::try_from(length).ok()?).map(Some),
            })?,
            results: body.many(Body::short)?,
        }),
        b'D' => Incoming::Describe { portal: is_portal(body)?, name: body.text()? },
        b'E' => Incoming::Execute { portal: body.text()?, rows: usize::try_from(body.int()?).unwrap_or(0) },
        b'C' => Incoming::Close { portal: is_portal(body)?, name: body.text()? },
        b'H' => Incoming::Flush,
        b'S' => Incoming::Sync,
        b'p' => Incoming::Password(body.0.clone()),
        b'd' | b'c' | b'f' => Incoming::Copy,
        b'X' => Incoming::Terminate,
        _ => return None,
    })
}

fn is_portal(body: &mut Body) -> Option<bool> {
    match body.bytes(1)?[0] {
        b'P' => Some(true),
        b'S' => Some(false),
        _ => None,
    }
}

/// Writes messages to one client. What is pushed is whole, so a statement that ends halfway leaves no torn message.
pub struct Writer<W> {
    to: W,
    buffer: BytesMut,
}

impl<W: AsyncWrite + Unpin> Writer<W> {
    /// A writer with an empty buffer.
    pub fn new(to: W) -> Self {
        Self { to, buffer: BytesMut::new() }
    }

    /// Adds a message.
    pub fn push(&mut self, message: Out) {
        message.encode(&mut self.buffer);
    }

    /// Where rows are encoded to.
    pub fn buffer(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }

    /// Whether there is enough for a write.
    pub fn is_full(&self) -> bool {
        self.buffer.len() >= SEND_AT
    }

    /// Sends all that was pushed.
    pub async fn flush(&mut self) -> io::Result<()> {
        while self.buffer.has_remaining() {
            if self.to.write_buf(&mut self.buffer).await? == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
        }
        self.to.flush().await
    }
}

/// Writes a field: its length, and its bytes.
pub fn put_field(buffer: &mut BytesMut, field: impl FnOnce(&mut BytesMut)) {
    let start = buffer.len();
    buffer.put_i32(0);
    field(buffer);
    let length = i32::try_from(buffer.len() - start - 4).unwrap_or(i32::MAX);
    buffer[start..start + 4].copy_from_slice(&length.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(bytes: &[u8]) -> io::Result<Option<Incoming>> {
        Reader::new(bytes).next().await
    }

    #[tokio::test]
    async fn what_does_not_follow_the_protocol_is_an_error_and_no_panic() {
        assert!(matches!(read(b"Q\0\0\0\x0dSELECT 1\0").await, Ok(Some(Incoming::Query(sql))) if sql == "SELECT 1"));
        assert!(read(b"").await.unwrap().is_none());
        for bytes in [
            b"Q\0\0\0\x0dSELECT".as_slice(),
            b"Q\x7f\xff\xff\xff",
            b"Q\xff\xff\xff\xff",
            b"Q\0\0\0\0",
            b"Q\0\0\0\x06ab",
            b"B\0\0\0\x08\0\0\xff\xff",
            b"B\0\0\0\x10\0\0\0\0\0\x01\x7f\xff\xff\xff\0\0",
            b"P\0\0\0\x07\0\0\x7f",
            b"E\0\0\0\x05\0",
            b"D\0\0\0\x06Z\0",
            b"~\0\0\0\x04",
        ] {
            assert!(read(bytes).await.is_err(), "{bytes:?}");
        }
        let long = [b"p\0\0\x40\0".as_slice(), &[0; 0x4000 - 4]].concat();
        assert!(read(&long).await.is_err(), "before the log-in messages are short");
        let mut reader = Reader::new(&long[..]);
        reader.let_in();
        assert!(matches!(reader.next().await, Ok(Some(Incoming::Password(_)))));
        // Every cut of every kind of message, filled up with every byte.
        for kind in 0..=255u8 {
            for fill in [0u8, 1, 0x7f, 0xff] {
                for length in 0..24u8 {
                    let mut bytes = vec![kind, 0, 0, 0, length + 4];
                    bytes.extend(std::iter::repeat_n(fill, length.into()));
                    let _ = read(&bytes).await;
                }
            }
        }
    }
}
