//! The web server of a process: one port, and behind it the plant that runs at the moment.
//!
//! The definition of a plant changes while people look at it: the plant is stopped and started again, and the port stays. Requests
//! that come in between wait for the plant to be back; live pages connect again. What is asked about the definition itself
//! ([`crate::api::definition`]) is answered here, whether a plant runs or not.

use crate::{
    AppState,
    api::{self, definition::Definitions},
    app::App,
    board::Board,
    connection::{BoundedListener, Peer},
    error::ApiError,
    layers, plant_router, security,
};
use axum::{
    Router,
    extract::{Request, State},
    middleware,
    response::{IntoResponse, Response},
};
use std::{io, sync::Arc, time::Duration};
use tokio::{net::TcpListener, sync::watch, task::JoinHandle, time::timeout};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt as _;

/// How long answers under way may take once the plant or the server ends.
const MAX_FAREWELL: Duration = Duration::from_secs(3);
/// How long a request waits for a plant that is being started: a start takes well below a second, with a large log some.
const MAX_WAIT: Duration = Duration::from_secs(30);
/// Longest time for an answer about the definition: a clean stop of the plant may take 100 s on a disk that is slow, then it starts.
const MAX_CHANGE_TIME: Duration = Duration::from_secs(180);
/// Longest body that carries a definition: the largest plant file, with what JSON adds to it.
const MAX_DEFINITION_BYTES: usize = 20 << 20;

/// A web server that runs.
pub struct Server {
    door: Door,
    serving: JoinHandle<io::Result<()>>,
}

/// What a request needs to get in.
#[derive(Clone)]
struct Door {
    plant: watch::Sender<Option<Open>>,
    /// Cancelled when the server ends.
    end: CancellationToken,
}

/// A plant that answers.
struct Open {
    router: Router,
    app: Arc<App>,
    /// Its answers under way.
    answers: TaskTracker,
}

impl Server {
    /// Serves a port. `definitions` is where the definition is asked for and changed.
    pub fn start(listener: TcpListener, definitions: Definitions) -> Self {
        let door = Door { plant: watch::Sender::new(None), end: CancellationToken::new() };
        let (service, end) = (router(door.clone(), definitions), door.end.clone());
        let serving = tokio::spawn(async move {
            let service = service.into_make_service_with_connect_info::<Peer>();
            let serving =
                axum::serve(BoundedListener::new(listener), service).with_graceful_shutdown(end.clone().cancelled_owned());
            tokio::select! {
                result = serving => result,
                () = farewell(end) => Ok(()),
            }
        });
        Self { door, serving }
    }

    /// Lets requests in to a plant that runs now.
    pub async fn open(&self, state: AppState) {
        let app = Arc::new(App::new(state));
        let recalling = app.clone();
        let recalled = app.state.historian.workers().spawn(async move {
            recalling.recall().await;
            // So that the first page does not wait for them.
            Board::renew(&recalling);
        });
        if let Err(error) = recalled.await {
            tracing::error!(%error, "what was before the start could not be counted; please report it");
        }
        let open = Open { router: plant_router(app.clone()), app, answers: TaskTracker::new() };
        self.door.plant.send_replace(Some(open));
    }

    /// Lets no more requests in to the plant and gives answers under way a moment to end. New ones wait for the next plant.
    pub async fn close(&self) {
        let Some(open) = self.door.plant.send_replace(None) else { return };
        open.app.end.cancel();
        open.answers.close();
        if timeout(MAX_FAREWELL, open.answers.wait()).await.is_err() {
            tracing::info!("answers under way took too long; they were not waited for");
        }
    }

    /// Ends the server; answers under way get a moment.
    pub async fn stop(mut self) {
        self.close().await;
        self.door.end.cancel();
        // One that has failed was reported by `failed`.
        if !self.serving.is_finished() {
            let _ = (&mut self.serving).await;
        }
    }

    /// Waits until it ends by itself, which it does only when it has failed.
    pub async fn failed(&mut self) -> io::Error {
        match (&mut self.serving).await {
            Ok(Err(error)) => error,
            Ok(Ok(())) => io::Error::other("it has ended by itself"),
            Err(error) => io::Error::other(error),
        }
    }
}

async fn farewell(end: CancellationToken) {
    end.cancelled().await;
    tokio::time::sleep(MAX_FAREWELL).await;
}

fn router(door: Door, definitions: Definitions) -> Router {
    let definition = Router::new()
        .nest("/api", api::definition::router())
        .method_not_allowed_fallback(layers::wrong_method)
        .with_state(definitions);
    layers::around(definition, MAX_DEFINITION_BYTES, MAX_CHANGE_TIME)
        .merge(Router::new().fallback(enter).with_state(door))
        .layer(middleware::from_fn(security::guard))
}

/// Hands a request to the plant that runs, or that will run in a moment.
async fn enter(State(door): State<Door>, request: Request) -> Response {
    let mut plant = door.plant.subscribe();
    let entered = async {
        let open = plant.wait_for(Option::is_some).await.ok()?;
        // Taken while nobody can close the door.
        open.as_ref().map(|open| (open.router.clone(), open.answers.token()))
    };
    let entered = tokio::select! {
        entered = timeout(MAX_WAIT, entered) => entered.ok().flatten(),
        () = door.end.cancelled() => None,
    };
    let Some((router, _under_way)) = entered else {
        return ApiError::unavailable("no plant is running just now", "it is being started or stopped; try again")
            .into_response();
    };
    match router.oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}
