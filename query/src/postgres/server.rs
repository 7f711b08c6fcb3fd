//! Takes connections: as many as there are places for, each for as long as it behaves.

use super::{
    TlsAcceptor,
    connection::{self, Shared},
    failure::Failure,
    portal::flush,
    startup::{First, first, log_in},
    users::{Gates, Users},
    wire::{Reader, Writer, malformed},
};
use crate::Historian;
use std::{
    collections::{BTreeMap, HashMap},
    future::Future,
    io,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI32, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf},
    net::{TcpListener, TcpStream},
    sync::{Notify, OwnedSemaphorePermit, Semaphore, SemaphorePermit},
    task::JoinSet,
    time::timeout,
};

/// Clients at once, as PostgreSQL has it; each takes little while it is quiet.
const MAX_CONNECTIONS: usize = 100;
/// Connections that have not logged in. More are closed at once, so that strangers take no place from those who are in.
const MAX_AT_DOOR: usize = 32;
/// How long a client may take from its first byte to its password.
const HANDSHAKE: Duration = Duration::from_secs(15);
/// How long nothing is accepted after that failed, for instance because there are no file handles.
const AFTER_FAILURE: Duration = Duration::from_millis(100);

/// Either kind of stream.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send + Sync {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + Sync> Stream for S {}

/// Serves until `shutdown`; then open connections end.
///
/// # Errors
/// Never by itself; the signature is that of other servers.
pub async fn serve(
    historian: Historian,
    listener: TcpListener,
    users: Users,
    tls: Option<TlsAcceptor>,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let server = Arc::new(Server {
        shared: Shared::new(historian),
        users,
        tls,
        gates: Gates::default(),
        door: Arc::new(Semaphore::new(MAX_AT_DOOR)),
        places: Semaphore::new(MAX_CONNECTIONS),
        running: Mutex::default(),
        pids: AtomicI32::new(1_000),
        secret: uuid::Uuid::new_v4(),
    });
    let mut connections = JoinSet::new();
    tokio::pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => return Ok(()),
            // A connection that broke has no one to tell.
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    if let Ok(at_door) = server.door.clone().try_acquire_owned() {
                        connections.spawn(server.clone().connect(stream, at_door));
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a PostgreSQL connection");
                    tokio::time::sleep(AFTER_FAILURE).await;
                }
            }
        }
    }
}

struct Server {
    shared: Shared,
    users: Users,
    tls: Option<TlsAcceptor>,
    gates: Gates,
    door: Arc<Semaphore>,
    places: Semaphore,
    /// Connections by number, with the secret that ends their statements.
    running: Mutex<HashMap<i32, (i32, Arc<Notify>)>>,
    pids: AtomicI32,
    secret: uuid::Uuid,
}

/// Takes a connection off the list when it ends.
struct Listed<'a> {
    server: &'a Server,
    pid: i32,
}

impl Drop for Listed<'_> {
    fn drop(&mut self) {
        self.server.running.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.pid);
    }
}

type Halves = (Reader<ReadHalf<Box<dyn Stream>>>, Writer<WriteHalf<Box<dyn Stream>>>);

/// A client that has logged in.
struct Guest<'a> {
    halves: Halves,
    user: String,
    parameters: BTreeMap<String, String>,
    _place: SemaphorePermit<'a>,
}

impl Server {
    async fn connect(self: Arc<Self>, stream: TcpStream, at_door: OwnedSemaphorePermit) {
        let peer = stream.peer_addr().ok();
        let _ = stream.set_nodelay(true);
        let entered = timeout(HANDSHAKE, self.shake_hands(stream)).await;
        drop(at_door);
        match entered {
            Ok(Ok(Some(guest))) => {
                let pid = self.pids.fetch_add(1, Ordering::Relaxed);
                let (secret, cancel) = (rand::random(), Arc::new(Notify::new()));
                self.running.lock().unwrap_or_else(PoisonError::into_inner).insert(pid, (secret, cancel.clone()));
                let _listed = Listed { server: &self, pid };
                tracing::debug!(user = guest.user, ?peer, "PostgreSQL log-in");
                let hello = connection::Hello { user: guest.user, pid, secret, parameters: guest.parameters };
                let (from, to) = guest.halves;
                if let Err(error) = connection::run(&self.shared, from, to, hello, &cancel).await {
                    tracing::debug!(%error, ?peer, "PostgreSQL connection ended");
                }
            }
            Ok(Ok(None)) => {}
            Ok(Err(error)) => tracing::debug!(%error, ?peer, "no PostgreSQL log-in"),
            Err(_) => tracing::debug!(?peer, "PostgreSQL log-in took too long"),
        }
    }

    async fn shake_hands(&self, stream: TcpStream) -> io::Result<Option<Guest<'_>>> {
        let mut stream: Box<dyn Stream> = Box::new(stream);
        let mut encrypted = false;
        // Encryption is asked for once of each kind.
        for _ in 0..3 {
            let mut reader = Reader::new(stream);
            let Some(body) = reader.start().await? else { return Ok(None) };
            match first(body)? {
                First::Tls => {
                    // What was sent before encryption must not count as sent within.
                    stream = reader.into_inner().ok_or_else(|| malformed("what follows the wish for encryption"))?;
                    let accepted = self.tls.as_ref().filter(|_| !encrypted);
                    stream.write_all(if accepted.is_some() { b"S" } else { b"N" }).await?;
                    stream.flush().await?;
                    if let Some(tls) = accepted {
                        stream = Box::new(tls.accept(stream).await?);
                        encrypted = true;
                    }
                }
                First::Gss => {
                    stream = reader.into_inner().ok_or_else(|| malformed("what follows the wish for encryption"))?;
                    stream.write_all(b"N").await?;
                    stream.flush().await?;
                }
                First::Cancel { pid, secret } => {
                    self.cancel(pid, secret);
                    return Ok(None);
                }
                First::LogIn { minor, parameters } => {
                    let stream = reader.into_inner().ok_or_else(|| malformed("what follows the names"))?;
                    let (from, to) = tokio::io::split(stream);
                    let (mut from, mut to) = (Reader::new(from), Writer::new(to));
                    let entered = if self.tls.is_some() && !encrypted {
                        Err(Failure::new("28000", "this server wants encrypted connections; use sslmode=require"))
                    } else {
                        log_in(&mut from, &mut to, &parameters, minor, &self.users, &self.gates, self.secret).await
                    };
                    let full = |_| Failure::new("53300", format!("there are {MAX_CONNECTIONS} connections already; close one"));
                    return match entered.and_then(|user| Ok((user, self.places.try_acquire().map_err(full)?))) {
                        Ok((user, _place)) => Ok(Some(Guest { halves: (from, to), user, parameters, _place })),
                        Err(failure) => {
                            let error = io::Error::other(failure.message.clone());
                            to.push(failure.message(true));
                            let _ = flush(&mut to).await;
                            Err(error)
                        }
                    };
                }
            }
        }
        Err(malformed("a third wish for encryption"))
    }

    fn cancel(&self, pid: i32, secret: i32) {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, cancel)) = running.get(&pid).filter(|(own, _)| *own == secret) {
            cancel.notify_waiters();
        }
    }
}
