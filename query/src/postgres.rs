//! PostgreSQL's wire protocol: psql, psycopg, Grafana and what else speaks it may ask, and only ask.
//!
//! The protocol is small, and what trusts a client is kept short: messages, log-in and portals are written here, so that every
//! length is checked and no answer is ever collected in memory. Each connection has a session of its own over the shared tables, its
//! statements go the way of all SQL ([`crate::Historian::sql`]), and rows are sent as they are made. What never happens: a log-in
//! without a password, a statement that writes, state that one connection sees of another.

mod catalog;
mod connection;
mod encode;
mod failure;
mod outgoing;
mod parameters;
mod portal;
mod rewrite;
mod scram;
mod server;
mod settings;
mod startup;
mod statement;
#[cfg(test)]
mod tests;
mod types;
mod users;
mod wire;

pub use server::serve;
pub use tokio_rustls::TlsAcceptor;
pub use users::{MIN_PASSWORD, SqlUser, Users};

/// Reads a certificate and its key, both PEM, for encrypted connections.
///
/// # Errors
/// When a file is no such thing, or they do not belong together.
pub fn tls(certificate: &std::path::Path, key: &std::path::Path) -> Result<TlsAcceptor, String> {
    use tokio_rustls::rustls::{
        ServerConfig,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    };
    let wrong = |path: &std::path::Path, error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let chain = CertificateDer::pem_file_iter(certificate).map_err(|error| wrong(certificate, &error))?;
    let chain: Vec<_> = chain.collect::<Result<_, _>>().map_err(|error| wrong(certificate, &error))?;
    let secret = PrivateKeyDer::from_pem_file(key).map_err(|error| wrong(key, &error))?;
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, secret);
    let mut config = config.map_err(|error| wrong(key, &error))?;
    config.alpn_protocols = vec![b"postgresql".to_vec()];
    Ok(TlsAcceptor::from(std::sync::Arc::new(config)))
}
