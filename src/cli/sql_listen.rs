//! `--sql-listen` of `andon run` and `andon demo`: PostgreSQL's protocol, for psql, Grafana and what else speaks it.

use super::sql_user::generated_password;
use crate::service::{SqlServer, sql_users, store::Store};
use andon_dashboards::{Doors, Listener};
use andon_query::postgres::{self, SqlUser};
use anyhow::{Context, ensure};
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio::net::TcpListener;

/// Where SQL clients connect.
#[derive(clap::Args)]
pub struct SqlListen {
    /// Address for psql, psycopg, Grafana and other PostgreSQL clients; off without it. Needs a user: andon sql-user add.
    #[arg(long, value_name = "ADDRESS", help_heading = "SQL clients")]
    sql_listen: Option<SocketAddr>,
    /// Certificate (PEM) for encrypted connections; then others are refused.
    #[arg(long, value_name = "FILE", requires_all = ["sql_tls_key", "sql_listen"], help_heading = "SQL clients")]
    sql_tls_cert: Option<PathBuf>,
    /// Key (PEM) of the certificate.
    #[arg(long, value_name = "FILE", requires = "sql_tls_cert", help_heading = "SQL clients")]
    sql_tls_key: Option<PathBuf>,
}

/// What the page of connections says: the open ports, and who may ask.
pub fn doors(http: SocketAddr, sql: Option<&SqlServer>, data: &Path) -> Doors {
    let folder = data.to_owned();
    let sql = sql.and_then(|server| Some(Listener { address: server.listener.local_addr().ok()?, tls: server.tls.is_some() }));
    Doors {
        http: Some(Listener { address: http, tls: false }),
        sql_users: Some(Arc::new(move || {
            Store::open(&folder).and_then(|store| store.sql_users()).map_err(|error| format!("{error:#}"))
        })),
        sql,
        data: Some(data.to_owned()),
    }
}

impl SqlListen {
    /// The same for the demo: where nobody may ask yet, a user of the demo may, with a password that is printed.
    ///
    /// # Errors
    /// As [`Self::bind`].
    pub async fn bind_demo(&self, data: &Path) -> anyhow::Result<Option<SqlServer>> {
        if self.sql_listen.is_some() {
            let store = Store::open(data)?;
            if store.sql_users()?.is_empty() {
                let password = generated_password();
                store.put_sql_user(&SqlUser::new("demo", &password).map_err(anyhow::Error::msg)?)?;
                eprintln!("SQL clients log in as demo with the password {password}");
            }
        }
        self.bind(data).await
    }

    /// Binds the port, if there is to be one. The data folder must hold a user.
    ///
    /// # Errors
    /// When the port must not or cannot be opened.
    pub async fn bind(&self, data: &Path) -> anyhow::Result<Option<SqlServer>> {
        let Some(address) = self.sql_listen else { return Ok(None) };
        let tls = match (&self.sql_tls_cert, &self.sql_tls_key) {
            (Some(certificate), Some(key)) => Some(postgres::tls(certificate, key).map_err(anyhow::Error::msg)?),
            _ => None,
        };
        ensure!(
            address.ip().is_loopback() || tls.is_some(),
            "{address} is not a loopback address; give --sql-tls-cert and --sql-tls-key, so that nobody reads along"
        );
        let folder = data.to_owned();
        let users = tokio::task::spawn_blocking(move || sql_users::users(&folder)).await??;
        let listener = TcpListener::bind(address)
            .await
            .with_context(|| format!("cannot listen on {address}; choose another --sql-listen"))?;
        let address = listener.local_addr()?;
        eprintln!(
            "SQL clients connect to {address} (database andon): psql -h {} -p {} -U NAME andon",
            address.ip(),
            address.port()
        );
        Ok(Some(SqlServer { listener: listener.into_std()?, users, tls }))
    }
}
