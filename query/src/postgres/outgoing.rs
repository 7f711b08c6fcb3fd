//! Messages to the client, except rows.
//!
//! Source: PostgreSQL 15 manual, 55.7 "Message Formats".

use super::{encode::format, types::Column};
use bytes::{BufMut, BytesMut};
use std::sync::Arc;

/// Where a connection stands in a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// In none.
    Idle,
    /// In one.
    Transaction,
    /// In one that failed.
    Failed,
}

/// A message to the client.
#[derive(Clone, Debug)]
pub enum Out {
    /// Ways to log in.
    Sasl(&'static str),
    /// The challenge.
    SaslContinue(String),
    /// The server's proof.
    SaslFinal(String),
    /// The client is in.
    Welcome,
    /// Protocol 3.0 is spoken, without these options.
    NegotiateVersion(Vec<String>),
    /// A setting.
    Parameter(&'static str, String),
    /// What ends statements of this connection.
    Key { pid: i32, secret: i32 },
    /// The next statement may come.
    Ready(Status),
    /// A statement was read.
    Parsed,
    /// A portal was made.
    Bound,
    /// A statement or portal was forgotten.
    Closed,
    /// There may be more rows.
    Suspended,
    /// There are no columns.
    NoData,
    /// There was no statement.
    Empty,
    /// A statement is done.
    Complete(String),
    /// Types of parameters.
    Parameters(Vec<u32>),
    /// Columns, and their forms.
    Columns(Arc<[Column]>, Vec<i16>),
    /// Something went wrong; if it is fatal, the connection ends.
    Failed { fatal: bool, code: &'static str, message: String },
}

impl Out {
    /// Adds the message to what is sent.
    pub fn encode(&self, out: &mut BytesMut) {
        let kind = match self {
            Self::Sasl(_) | Self::SaslContinue(_) | Self::SaslFinal(_) | Self::Welcome => b'R',
            Self::NegotiateVersion(_) => b'v',
            Self::Parameter(..) => b'S',
            Self::Key { .. } => b'K',
            Self::Ready(_) => b'Z',
            Self::Parsed => b'1',
            Self::Bound => b'2',
            Self::Closed => b'3',
            Self::Suspended => b's',
            Self::NoData => b'n',
            Self::Empty => b'I',
            Self::Complete(_) => b'C',
            Self::Parameters(_) => b't',
            Self::Columns(..) => b'T',
            Self::Failed { .. } => b'E',
        };
        out.put_u8(kind);
        let start = out.len();
        out.put_i32(0);
        self.body(out);
        let length = i32::try_from(out.len() - start).unwrap_or(i32::MAX);
        out[start..start + 4].copy_from_slice(&length.to_be_bytes());
    }

    fn body(&self, out: &mut BytesMut) {
        match self {
            Self::Sasl(way) => {
                out.put_i32(10);
                put_text(out, way);
                out.put_u8(0);
            }
            Self::SaslContinue(text) => {
                out.put_i32(11);
                out.put_slice(text.as_bytes());
            }
            Self::SaslFinal(text) => {
                out.put_i32(12);
                out.put_slice(text.as_bytes());
            }
            Self::Welcome => out.put_i32(0),
            Self::NegotiateVersion(options) => {
                out.put_i32(0);
                out.put_i32(i32::try_from(options.len()).unwrap_or(0));
                options.iter().for_each(|option| put_text(out, option));
            }
            Self::Parameter(name, value) => {
                put_text(out, name);
                put_text(out, value);
            }
            Self::Key { pid, secret } => {
                out.put_i32(*pid);
                out.put_i32(*secret);
            }
            Self::Ready(status) => out.put_u8(match status {
                Status::Idle => b'I',
                Status::Transaction => b'T',
                Status::Failed => b'E',
            }),
            Self::Parsed | Self::Bound | Self::Closed | Self::Suspended | Self::NoData | Self::Empty => {}
            Self::Complete(tag) => put_text(out, tag),
            Self::Parameters(types) => {
                out.put_u16(u16::try_from(types.len()).unwrap_or(u16::MAX));
                types.iter().for_each(|oid| out.put_u32(*oid));
            }
            Self::Columns(columns, formats) => put_columns(out, columns, formats),
            Self::Failed { fatal, code, message } => {
                let severity = if *fatal { "FATAL" } else { "ERROR" };
                for (field, text) in [(b'S', severity), (b'V', severity), (b'C', code), (b'M', message.as_str())] {
                    out.put_u8(field);
                    put_text(out, text);
                }
                out.put_u8(0);
            }
        }
    }
}

/// Text ends at its first zero byte, which it must not have in it.
fn put_text(out: &mut BytesMut, text: &str) {
    text.bytes().filter(|byte| *byte != 0).for_each(|byte| out.put_u8(byte));
    out.put_u8(0);
}

fn put_columns(out: &mut BytesMut, columns: &[Column], formats: &[i16]) {
    out.put_u16(u16::try_from(columns.len()).unwrap_or(u16::MAX));
    for (index, column) in columns.iter().enumerate() {
        put_text(out, &column.name);
        // Which table and column it is from is not told.
        out.put_i32(0);
        out.put_i16(0);
        out.put_u32(column.r#type.oid());
        out.put_i16(column.r#type.size());
        out.put_i32(-1);
        out.put_i16(format(formats, index));
    }
}
