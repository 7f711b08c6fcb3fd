//! From a URL to a session: own certificate, choice of the endpoint, log-in, and the task that drives the session.
//!
//! Every loss ends the session for good and a new one is built from the ground up: endpoints, namespaces and subscriptions are all
//! fresh, so nothing can be "active" and silent. Never falls back to a less secure endpoint by itself.

use crate::Shared;
use andon_models::{
    definition::{OpcUaSecurity, SourceProtocol},
    snapshot::ConnectionState,
};
use futures::{Stream, StreamExt};
use opcua::{
    client::{Client, ClientBuilder, IdentityToken, Password, Session, SessionPollResult, SubscriptionActivity},
    crypto::{CertificateStore, SecurityPolicy, X509, X509Data},
    types::{EndpointDescription, MessageSecurityMode, NamespaceMap, StatusCode},
};
use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{sync::watch, time::timeout};
use tokio_util::task::AbortOnDropHandle;
use url::Url;

use super::{canary::Canary, subscribe::keep_alive_interval};

/// Names Andon in its certificate; servers compare it with the one in the session request.
const APPLICATION_URI: &str = "urn:andon:collector";
/// Time limit of one request.
pub(super) const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// Time limit from the first packet to a session: several requests, some with asymmetric cryptography on a small PLC.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// How long an abandoned session stays in the server: small PLCs have few.
const SESSION_TIMEOUT: Duration = Duration::from_secs(60);
/// Validity of the own certificate: as long as machines live; who wants it shorter replaces the files.
const CERTIFICATE_DAYS: u32 = 20 * 365;
/// Length of the own key: what Basic256Sha256 takes and every server knows.
const KEY_BITS: u32 = 2048;
/// Longest array, message and chain of chunks that are accepted. The client's own defaults break with 1,000 changes at once.
const MAX_ARRAY: usize = 100_000;
const MAX_MESSAGE: usize = 64 << 20;
const MAX_CHUNKS: usize = 1024;
/// Secure endpoints in order of preference: the one every server has first.
const POLICIES: [SecurityPolicy; 3] =
    [SecurityPolicy::Basic256Sha256, SecurityPolicy::Aes256Sha256RsaPss, SecurityPolicy::Aes128Sha256RsaOaep];

/// Guards the making of the own certificate: several sources start at once and share a folder.
static OWN_CERTIFICATE: Mutex<()> = Mutex::new(());

/// Why there is no session.
#[derive(Debug)]
pub(super) struct Failure {
    pub state: ConnectionState,
    pub reason: String,
}

/// A session that stands.
pub(super) struct Connection {
    pub session: Arc<Session>,
    pub namespaces: NamespaceMap,
    /// Beats with every answer to a publish request: signs of life when the server has no canary.
    pub publishes: Arc<Canary>,
    phase: watch::Receiver<Phase>,
    _driver: AbortOnDropHandle<()>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Phase {
    Connecting,
    Up,
    Down(StatusCode),
}

impl Failure {
    pub fn lost(reason: impl Into<String>) -> Self {
        Self { state: ConnectionState::Lost, reason: reason.into() }
    }

    fn misconfigured(reason: impl Into<String>) -> Self {
        Self { state: ConnectionState::Misconfigured, reason: reason.into() }
    }
}

impl Connection {
    /// Connects and logs in.
    pub async fn open(shared: &Shared, pki_dir: &Path) -> Result<Self, Failure> {
        match timeout(CONNECT_TIMEOUT, Self::open_unlimited(shared, pki_dir)).await {
            Ok(result) => result,
            Err(_) => Err(Failure::lost(format!(
                "no session within {} s: the server is overloaded, or something on the way swallows its answers; see its log and the firewall",
                CONNECT_TIMEOUT.as_secs()
            ))),
        }
    }

    async fn open_unlimited(shared: &Shared, pki_dir: &Path) -> Result<Self, Failure> {
        let SourceProtocol::OpcUa { url, user, password, security } = &shared.source.protocol else {
            return Err(Failure::misconfigured("not an opcua source"));
        };
        let client = client(pki_dir.to_owned()).await?;
        let endpoints = client.get_server_endpoints_from_url(&**url).await;
        let endpoints = endpoints.map_err(|error| {
            Failure::lost(format!(
                "no answer from {url}: {error}; check that the server runs, its address and port, and the firewall"
            ))
        })?;
        let endpoint = choose(&endpoints, url, *security)?;
        let identity = match user {
            Some(user) => {
                let password = password.as_ref().map(|password| password.0.to_string()).unwrap_or_default();
                IdentityToken::UserName(user.0.to_string(), Password::new(password))
            }
            None => IdentityToken::Anonymous,
        };
        let certificate = X509::from_byte_string(&endpoint.server_certificate).ok();
        let explain = |code| explain(code, certificate.as_ref(), pki_dir);
        let builder = client.session_builder().connect_to_endpoint_directly(endpoint);
        let built = builder.and_then(|builder| builder.user_identity_token(identity).build(client.certificate_store().clone()));
        let (session, event_loop) = built.map_err(|error| explain(error.status()))?;
        let (sender, mut phase) = watch::channel(Phase::Connecting);
        let publishes = Arc::new(Canary::asked_for(keep_alive_interval(shared)));
        let driver = AbortOnDropHandle::new(tokio::spawn(drive(event_loop.enter(), sender, publishes.clone())));
        let settled = phase.wait_for(|phase| *phase != Phase::Connecting).await;
        match settled.map_or(Phase::Down(StatusCode::BadUnexpectedError), |phase| *phase) {
            Phase::Down(code) => return Err(explain(code)),
            Phase::Connecting | Phase::Up => {}
        }
        let namespaces = session.read_namespace_array().await;
        let namespaces = namespaces.map_err(|error| {
            Failure::lost(format!(
                "the server's namespaces cannot be read: {error}; check what the user of the source may read"
            ))
        })?;
        Ok(Self { session, namespaces, publishes, phase, _driver: driver })
    }

    /// Waits until the session is over; says why.
    pub async fn lost(&self) -> Failure {
        let mut phase = self.phase.clone();
        let down = phase.wait_for(|phase| matches!(phase, Phase::Down(_))).await;
        match down.as_deref() {
            Ok(Phase::Down(code)) => Failure::lost(format!(
                "the session is lost ({}); a new one is made. If this repeats, see the server's log",
                code_words(*code)
            )),
            _ => Failure::lost("the session is lost; a new one is made. If this repeats, see the server's log"),
        }
    }

    /// Says goodbye, so that the server need not keep the session.
    pub async fn close(self) {
        let _ = timeout(Duration::from_secs(2), self.session.disconnect()).await;
    }
}

async fn drive(
    events: impl Stream<Item = Result<SessionPollResult, StatusCode>>,
    phase: watch::Sender<Phase>,
    publishes: Arc<Canary>,
) {
    let mut events = std::pin::pin!(events);
    let code = loop {
        match events.next().await {
            Some(Ok(SessionPollResult::Reconnected(_))) => _ = phase.send(Phase::Up),
            Some(Ok(SessionPollResult::Subscription(SubscriptionActivity::Publish))) => publishes.beat(),
            Some(Ok(SessionPollResult::ConnectionLost(code) | SessionPollResult::ReconnectFailed(code)) | Err(code)) => {
                break code;
            }
            Some(Ok(_)) => {}
            None => break StatusCode::BadConnectionClosed,
        }
    };
    let _ = phase.send(Phase::Down(code));
}

/// A client with its own certificate, made at the first run.
async fn client(pki_dir: PathBuf) -> Result<Client, Failure> {
    let built = tokio::task::spawn_blocking(move || {
        ensure_own_certificate(&pki_dir)?;
        ClientBuilder::new()
            .application_name("Andon")
            .application_uri(APPLICATION_URI)
            .product_uri("urn:andon")
            .pki_dir(pki_dir)
            .create_sample_keypair(false)
            .trust_server_certs(false)
            .verify_server_certs(true)
            // We build a new session ourselves.
            .session_retry_limit(0)
            .recreate_subscriptions(false)
            .session_timeout(SESSION_TIMEOUT.as_millis() as u32)
            .request_timeout(REQUEST_TIMEOUT)
            .keep_alive_interval(REQUEST_TIMEOUT)
            .max_failed_keep_alive_count(2)
            .max_array_length(MAX_ARRAY)
            .max_message_size(MAX_MESSAGE)
            .max_chunk_count(MAX_CHUNKS)
            .client()
            .map_err(|errors| errors.join("; "))
    });
    match built.await {
        Ok(Ok(client)) => Ok(client),
        Ok(Err(reason)) => Err(Failure::misconfigured(reason)),
        Err(error) => Err(Failure::lost(format!("certificates could not be read: {error}; please report it"))),
    }
}

fn ensure_own_certificate(pki_dir: &Path) -> Result<(), String> {
    let _one_at_a_time =
        OWN_CERTIFICATE.lock().map_err(|_| "another source failed while it made the certificate".to_owned())?;
    let (certificate, key) = (pki_dir.join("own/cert.der"), pki_dir.join("private/private.pem"));
    if certificate.exists() && key.exists() {
        return Ok(());
    }
    let identity = X509Data {
        key_size: KEY_BITS,
        common_name: "Andon".into(),
        organization: "Andon".into(),
        organizational_unit: "Collector".into(),
        country: "XX".into(),
        state: "Plant".into(),
        alt_host_names: X509Data::alt_host_names(APPLICATION_URI, None, false, true, false),
        certificate_duration_days: CERTIFICATE_DAYS,
    };
    CertificateStore::create_certificate_and_key(&identity, true, &certificate, &key).map_err(|error| {
        format!("no certificate could be made in {}: {error}; check who may write there", pki_dir.display())
    })?;
    only_for_us(&key).map_err(|error| format!("{}: {error}; check who may change it", key.display()))
}

#[cfg(unix)]
fn only_for_us(key: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(key, std::fs::Permissions::from_mode(0o600))
}

#[cfg(not(unix))]
fn only_for_us(_: &Path) -> std::io::Result<()> {
    Ok(())
}

/// The endpoint to use, reached under the host and port of the plant file: servers often advertise a name nobody else can resolve.
fn choose(endpoints: &[EndpointDescription], url: &str, security: OpcUaSecurity) -> Result<EndpointDescription, Failure> {
    let offered = |mode: MessageSecurityMode, policy: SecurityPolicy| {
        endpoints.iter().find(|endpoint| {
            endpoint.security_mode == mode && SecurityPolicy::from_uri(endpoint.security_policy_uri.as_ref()) == policy
        })
    };
    let found = match security {
        OpcUaSecurity::SignAndEncrypt => {
            POLICIES.iter().find_map(|policy| offered(MessageSecurityMode::SignAndEncrypt, *policy))
        }
        OpcUaSecurity::None => offered(MessageSecurityMode::None, SecurityPolicy::None),
    };
    let Some(endpoint) = found else {
        let mut offers: Vec<_> = endpoints
            .iter()
            .map(|endpoint| {
                format!("{:?} {}", endpoint.security_mode, SecurityPolicy::from_uri(endpoint.security_policy_uri.as_ref()))
            })
            .collect();
        offers.sort_unstable();
        offers.dedup();
        let way_out = match security {
            OpcUaSecurity::SignAndEncrypt => {
                "enable Basic256Sha256 with SignAndEncrypt in the server, or accept an open connection with `security: none`"
            }
            OpcUaSecurity::None => "remove `security: none` from the source, or enable an endpoint without security",
        };
        return Err(Failure::misconfigured(format!("the server offers {}: {way_out}", offers.join(", "))));
    };
    let mut endpoint = endpoint.clone();
    let advertised = Url::parse(endpoint.endpoint_url.as_ref());
    let wanted = Url::parse(url).map_err(|error| Failure::misconfigured(format!("`{url}` is no URL: {error}")))?;
    if let Ok(mut reached) = advertised
        && reached.set_host(wanted.host_str()).is_ok()
        && reached.set_port(wanted.port()).is_ok()
    {
        endpoint.endpoint_url = reached.as_str().into();
    } else {
        endpoint.endpoint_url = url.into();
    }
    Ok(endpoint)
}

/// A failed connection in words, and whether a person must mend it.
fn explain(code: StatusCode, certificate: Option<&X509>, pki_dir: &Path) -> Failure {
    let words = code_words(code);
    let pki = pki_dir.display();
    let fingerprint = certificate.map_or_else(String::new, |certificate| certificate.thumbprint().as_hex_string());
    match code {
        StatusCode::BadCertificateUntrusted | StatusCode::BadSecurityChecksFailed => {
            let file = certificate.map_or_else(String::new, CertificateStore::cert_file_name);
            let theirs = !file.is_empty() && pki_dir.join("rejected").join(&file).exists();
            Failure::misconfigured(if theirs {
                format!(
                    "the server's certificate {fingerprint} is not trusted ({words}): compare it with the server's own display, then move \
                     `{file}` from {pki}/rejected to {pki}/trusted"
                )
            } else {
                format!("the server refuses Andon's certificate ({words}): trust {pki}/own/cert.der in the server")
            })
        }
        StatusCode::BadCertificateHostNameInvalid => Failure::misconfigured(format!(
            "the server's certificate {fingerprint} is for another host name ({words}): use the name in the certificate as host of the url"
        )),
        StatusCode::BadIdentityTokenRejected | StatusCode::BadIdentityTokenInvalid | StatusCode::BadUserAccessDenied => {
            Failure::misconfigured(format!("the server refuses the log-in ({words}): check user and password of the source"))
        }
        StatusCode::BadCertificateInvalid
        | StatusCode::BadCertificateTimeInvalid
        | StatusCode::BadCertificateUriInvalid
        | StatusCode::BadCertificateUseNotAllowed
        | StatusCode::BadSecurityPolicyRejected
        | StatusCode::BadSecurityModeRejected => {
            Failure::misconfigured(format!("no secure connection ({words}): check the certificates in {pki} and in the server"))
        }
        _ => Failure::lost(format!("no session ({words}): see the server's log, and how many sessions it allows")),
    }
}

/// `BadTimeout: The operation timed out.`
pub(super) fn code_words(code: StatusCode) -> String {
    let description = code.sub_code().description();
    format!("{code}: {description}")
}
