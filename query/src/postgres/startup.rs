//! From the first byte to a connection that may ask: encryption, names, password.

use super::{
    failure::{Failure, code},
    outgoing::Out,
    scram::challenge,
    users::{Gates, SqlUser, Users},
    wire::{Body, Incoming, Reader, Writer, malformed},
};
use bytes::Bytes;
use std::{collections::BTreeMap, io};
use tokio::io::{AsyncRead, AsyncWrite};

/// First messages that are no log-in.
const SSL_REQUEST: i32 = 80_877_103;
const GSS_REQUEST: i32 = 80_877_104;
const CANCEL_REQUEST: i32 = 80_877_102;
/// Random bytes of a challenge, as PostgreSQL takes.
const NONCE: usize = 18;
/// The only way to log in.
const SCRAM: &str = "SCRAM-SHA-256";

/// What a client wants first.
#[derive(Debug)]
pub enum First {
    /// An encrypted connection.
    Tls,
    /// Another kind of encryption, which there is not.
    Gss,
    /// To end a statement of another connection.
    Cancel { pid: i32, secret: i32 },
    /// To log in, with these names.
    LogIn { minor: u16, parameters: BTreeMap<String, String> },
}

/// Reads the first message.
///
/// # Errors
/// When it is none that is known.
pub fn first(body: Bytes) -> io::Result<First> {
    let mut body = Body(body);
    let unknown = || malformed("the first message");
    Ok(match body.int().ok_or_else(unknown)? {
        SSL_REQUEST => First::Tls,
        GSS_REQUEST => First::Gss,
        CANCEL_REQUEST => First::Cancel { pid: body.int().ok_or_else(unknown)?, secret: body.int().ok_or_else(unknown)? },
        version if version >> 16 == 3 => {
            let mut parameters = BTreeMap::new();
            loop {
                let name = body.text().ok_or_else(unknown)?;
                if name.is_empty() {
                    break;
                }
                parameters.insert(name, body.text().ok_or_else(unknown)?);
            }
            First::LogIn { minor: (version & 0xffff) as u16, parameters }
        }
        _ => return Err(unknown()),
    })
}

/// Lets a client in, or not. What is answered is pushed, not sent.
///
/// # Errors
/// A failure that the client is told.
pub async fn log_in<R: AsyncRead + Unpin, W: AsyncWrite + Unpin>(
    from: &mut Reader<R>,
    to: &mut Writer<W>,
    parameters: &BTreeMap<String, String>,
    minor: u16,
    users: &Users,
    gates: &Gates,
    secret: uuid::Uuid,
) -> Result<String, Failure> {
    let unexpected = |error: io::Error| Failure::new(code::PROTOCOL, error.to_string());
    let name = parameters.get("user").cloned().ok_or_else(|| Failure::new("28000", "a user is needed"))?;
    let options: Vec<String> = parameters.keys().filter(|name| name.starts_with("_pq_.")).cloned().collect();
    if minor > 0 || !options.is_empty() {
        to.push(Out::NegotiateVersion(options));
    }
    let known = {
        let (users, name) = (users.clone(), name.clone());
        let looked_up = tokio::task::spawn_blocking(move || users(&name)).await;
        looked_up.map_err(|error| error.to_string()).and_then(|user| user).map_err(|error| Failure::new("58000", error))?
    };
    let gate = gates.of(known.as_ref().map(|user| user.name.as_str()));
    let user = known.unwrap_or_else(|| SqlUser::nobody(&name, secret));

    to.push(Out::Sasl(SCRAM));
    to.flush().await.map_err(unexpected)?;
    let wrong = || Failure::new(code::WRONG_PASSWORD, format!("password authentication failed for user \"{name}\""));
    let mut body = Body(password(from).await?);
    let method = body.text();
    let length = body.int().and_then(|length| usize::try_from(length).ok());
    let start = length.and_then(|length| body.bytes(length)).filter(|_| method.as_deref() == Some(SCRAM)).ok_or_else(wrong)?;
    let nonce: [u8; NONCE] = rand::random();
    let (asked, exchange) = challenge(&start, user.keys(), &user.salt, user.iterations, &nonce).ok_or_else(wrong)?;
    to.push(Out::SaslContinue(asked));
    to.flush().await.map_err(unexpected)?;
    let proof = password(from).await?;
    let done = Gates::pass(&gate, || exchange.finish(&proof)).await.ok_or_else(wrong)?;
    to.push(Out::SaslFinal(done));
    to.push(Out::Welcome);
    Ok(name)
}

async fn password<R: AsyncRead + Unpin>(from: &mut Reader<R>) -> Result<Bytes, Failure> {
    match from.next().await {
        Ok(Some(Incoming::Password(body))) => Ok(body),
        Ok(_) => Err(Failure::new(code::PROTOCOL, "a password was expected")),
        Err(error) => Err(Failure::new(code::PROTOCOL, error.to_string())),
    }
}
