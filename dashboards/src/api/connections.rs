//! How to reach this service, and what it is reached by.

use crate::{
    Listener,
    app::App,
    error::ApiError,
    security::{Principal, Role},
};
use andon_models::definition::SourceProtocol;
use axum::{Json, extract::State};
use serde::Serialize;
use std::{fs, path::Path, sync::Arc};
use tokio::task;
use utoipa::ToSchema;

/// Files that are counted for the use of the disk; a folder with more is told as "at least".
const MAX_FILES: usize = 100_000;

/// What the service is reached by.
#[derive(Serialize, ToSchema)]
pub(crate) struct ConnectionsView {
    /// Pages and API.
    http: Option<ListenerView>,
    /// PostgreSQL's clients; null when the service was started without.
    sql: Option<ListenerView>,
    /// Who may ask over PostgreSQL's protocol.
    sql_users: Vec<SqlUserView>,
    /// Whether writes to machines are allowed now.
    armed: bool,
    /// Whether the plant file lets anybody write anything.
    can_write: bool,
    /// Brokers the plant file listens to: what is published there arrives here.
    brokers: Vec<Broker>,
    /// Where history is kept; null where the service does not say.
    data: Option<DataFolder>,
}

/// An open port.
#[derive(Serialize, ToSchema)]
pub(crate) struct ListenerView {
    /// Its address: `127.0.0.1:8080`.
    address: String,
    /// Whether connections are encrypted.
    tls: bool,
    /// Whether only this machine reaches it.
    loopback: bool,
}

/// Somebody who may ask.
#[derive(Serialize, ToSchema)]
pub(crate) struct SqlUserView {
    /// The name.
    name: String,
    /// What the user may do: `reads`.
    role: String,
}

/// A broker.
#[derive(Serialize, ToSchema)]
pub(crate) struct Broker {
    /// The source's name in the plant file.
    source: String,
    /// `host:port`.
    address: String,
    /// The topic listened to; `+` where part of an asset's path stands.
    topic: String,
}

/// The data folder.
#[derive(Serialize, ToSchema)]
pub(crate) struct DataFolder {
    /// Its path.
    path: String,
    /// Bytes of its files.
    bytes: u64,
    /// Its files.
    files: usize,
    /// Whether there are more files than were counted.
    more: bool,
}

/// Tells how the service is reached: open ports with their encryption, who may ask over SQL (names only), whether writes are armed, the
/// brokers listened to, and how much room the data takes.
#[utoipa::path(get, path = "/api/connections", tag = "service", responses((status = 200, body = ConnectionsView)))]
pub(crate) async fn connections(State(app): State<Arc<App>>, principal: Principal) -> Result<Json<ConnectionsView>, ApiError> {
    principal.require(Role::Viewer)?;
    let doors = app.state.info.doors.clone();
    let folder = doors.data.clone();
    let data = task::spawn_blocking(move || folder.map(|folder| measured(&folder))).await.unwrap_or_default();
    let (users, users_error) = match &doors.sql_users {
        Some(ask) => {
            let ask = ask.clone();
            match task::spawn_blocking(move || ask()).await {
                Ok(Ok(names)) => (names, None),
                Ok(Err(error)) => (Vec::new(), Some(error)),
                Err(_) => (Vec::new(), Some("the users could not be read".to_owned())),
            }
        }
        None => (Vec::new(), None),
    };
    if let Some(error) = users_error {
        return Err(ApiError::unavailable(error, "try again; see the log of the service"));
    }
    let plant = app.plant();
    let brokers = plant.sources.iter().filter_map(|source| match &source.protocol {
        SourceProtocol::Mqtt { host, port, topic, .. } => {
            Some(Broker { source: source.name.to_string(), address: format!("{host}:{port}"), topic: topic.to_string() })
        }
        _ => None,
    });
    Ok(Json(ConnectionsView {
        http: doors.http.map(ListenerView::from),
        sql: doors.sql.map(ListenerView::from),
        sql_users: users.into_iter().map(|name| SqlUserView { name, role: "reads".into() }).collect(),
        armed: app.state.live.armed(),
        can_write: plant.models.iter().any(|model| !model.controls.is_empty()),
        brokers: brokers.collect(),
        data,
    }))
}

impl From<Listener> for ListenerView {
    fn from(listener: Listener) -> Self {
        let Listener { address, tls } = listener;
        Self { address: address.to_string(), tls, loopback: address.ip().is_loopback() }
    }
}

/// The files below a folder. What vanishes meanwhile (a merged file) is left out.
fn measured(folder: &Path) -> DataFolder {
    let (mut bytes, mut files) = (0, 0);
    let mut open = vec![folder.to_owned()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(next).into_iter().flatten().flatten() {
            let Ok(about) = entry.metadata() else { continue };
            if about.is_dir() {
                open.push(entry.path());
            } else if files < MAX_FILES {
                files += 1;
                bytes += about.len();
            }
        }
        if files == MAX_FILES {
            break;
        }
    }
    DataFolder { path: folder.display().to_string(), bytes, files, more: files == MAX_FILES }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_room_of_a_folder_is_that_of_all_files_below_it() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("history")).unwrap();
        fs::write(folder.path().join("andon.db"), [0; 10]).unwrap();
        fs::write(folder.path().join("history/1.parquet"), [0; 32]).unwrap();
        let data = measured(folder.path());
        assert_eq!((data.bytes, data.files, data.more), (42, 2, false));
        assert_eq!(measured(&folder.path().join("nothing")).files, 0);
    }
}
