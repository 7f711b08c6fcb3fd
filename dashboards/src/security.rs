//! The one layer every request passes: who asks, whether a browser was tricked into asking, and what the page may do.
//!
//! There is no log-in yet. Only this machine is served, and whoever sits at it is a local engineer. Two things a foreign web
//! page could still try from a browser on this machine are stopped here: reaching us under a foreign name (DNS rebinding: the
//! `Host` must be a loopback name) and sending requests that change something (forgery: `Origin` and `Sec-Fetch-Site` must
//! say that our own page asks).

use crate::{connection::Peer, error::ApiError};
use axum::{
    extract::{ConnectInfo, FromRequestParts, Request},
    http::{HeaderMap, HeaderName, HeaderValue, Method, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use std::{net::IpAddr, sync::Arc};
use utoipa::ToSchema;

/// No inline script, nothing from elsewhere. Inline style stays allowed: the SQL editor makes its style sheets at run time.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
    img-src 'self' data:; font-src 'self'; connect-src 'self'; worker-src 'self'; manifest-src 'self'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Headers of every answer.
const HEADERS: [(HeaderName, &str); 7] = [
    (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("permissions-policy"), "camera=(), microphone=(), geolocation=(), payment=(), usb=()"),
];

/// What somebody may do. Each role may do what the ones before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Looks.
    Viewer,
    /// Acknowledges and shelves alarms.
    Operator,
    /// Changes definitions and arms writes.
    Engineer,
}

impl Role {
    /// Its name, as users read it.
    fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Engineer => "engineer",
        }
    }
}

/// Who asks. Handlers ask the principal, never the transport.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Principal {
    /// The name that stands beside what they do.
    #[schema(value_type = String)]
    pub name: Arc<str>,
    /// What they may do.
    pub role: Role,
}

impl Principal {
    /// Whoever sits at this machine.
    fn local_engineer() -> Self {
        Self { name: "local engineer".into(), role: Role::Engineer }
    }

    /// Lets them pass if their role reaches.
    ///
    /// # Errors
    /// 403 with the role that is needed.
    pub(crate) fn require(&self, role: Role) -> Result<(), ApiError> {
        if self.role >= role {
            return Ok(());
        }
        let message = format!("{} has the role {} and may not do this", self.name, self.role.name());
        Err(ApiError::forbidden(message, format!("ask somebody with the role {}", role.name())))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Principal {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let principal = parts.extensions.get::<Self>().cloned();
        principal.ok_or_else(|| ApiError::forbidden("nobody is signed in", "open the page from this machine"))
    }
}

/// Checks a request, names its principal and puts the security headers on the answer.
pub(crate) async fn guard(ConnectInfo(Peer(peer)): ConnectInfo<Peer>, mut request: Request, next: Next) -> Response {
    let mut response =
        match check(peer.ip(), request.method(), request.uri().authority().map(|a| a.as_str()), request.headers()) {
            Ok(principal) => {
                request.extensions_mut().insert(principal);
                next.run(request).await
            }
            Err(refusal) => {
                tracing::warn!(%peer, method = %request.method(), path = request.uri().path(), "request refused");
                if asks_for_a_page(request.headers()) { refusal.into_words() } else { refusal.into_response() }
            }
        };
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Says who asks, or why nobody is answered.
fn check(peer: IpAddr, method: &Method, authority: Option<&str>, headers: &HeaderMap) -> Result<Principal, ApiError> {
    if !peer.to_canonical().is_loopback() {
        let hint = "open the page on the machine Andon runs on, or through an SSH tunnel";
        return Err(ApiError::forbidden("without users and TLS only this machine is served", hint));
    }
    let host = authority.or_else(|| text(headers, header::HOST)).unwrap_or_default();
    if !is_loopback_name(host) {
        let message = format!("this is not {host:?}");
        return Err(ApiError::new(
            axum::http::StatusCode::MISDIRECTED_REQUEST,
            message,
            "use http://localhost or http://127.0.0.1",
        ));
    }
    let upgrades = headers.contains_key(header::UPGRADE);
    if (upgrades || !method.is_safe()) && !is_own_page(host, headers) {
        return Err(ApiError::forbidden("the request comes from another web page", "act in Andon's own page"));
    }
    Ok(Principal::local_engineer())
}

/// Whether a browser asks, for a page that a person will read.
fn asks_for_a_page(headers: &HeaderMap) -> bool {
    text(headers, header::ACCEPT).is_some_and(|accepted| accepted.contains("text/html"))
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

/// Whether a `Host` names this machine by a name that nobody else can point elsewhere.
fn is_loopback_name(host: &str) -> bool {
    let bracketed = host.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    let name = bracketed.map_or_else(|| host.rsplit_once(':').map_or(host, |(name, _)| name), |(address, _)| address);
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Whether a request that changes something comes from our own page, or from no page at all (a script, a terminal).
fn is_own_page(host: &str, headers: &HeaderMap) -> bool {
    let site = text(headers, HeaderName::from_static("sec-fetch-site"));
    let same_site = site.is_none_or(|site| site == "same-origin" || site == "none");
    let same_origin = match headers.get(header::ORIGIN) {
        None => true,
        Some(origin) => origin.to_str().is_ok_and(|origin| {
            let authority = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
            authority.is_some_and(|authority| authority.eq_ignore_ascii_case(host))
        }),
    };
    same_site && same_origin
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(peer: &str, method: Method, headers: &[(&'static str, &'static str)]) -> bool {
        let headers = headers.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        check(peer.parse().unwrap(), &method, None, &headers.collect()).is_ok()
    }

    #[test]
    fn a_local_page_and_a_local_script_may_act() {
        assert!(outcome("127.0.0.1", Method::GET, &[("host", "127.0.0.1:8080")]));
        assert!(outcome("::1", Method::GET, &[("host", "[::1]:8080")]));
        assert!(outcome("::ffff:127.0.0.1", Method::GET, &[("host", "LOCALHOST")]));
        assert!(outcome("127.0.0.1", Method::POST, &[("host", "localhost:8080")]));
        let page = [("host", "localhost:8080"), ("origin", "http://localhost:8080"), ("sec-fetch-site", "same-origin")];
        assert!(outcome("127.0.0.1", Method::POST, &page));
    }

    #[test]
    fn another_machine_is_not_served() {
        assert!(!outcome("192.168.1.7", Method::GET, &[("host", "localhost")]));
    }

    #[test]
    fn a_foreign_name_for_this_machine_is_refused() {
        for host in ["evil.example", "evil.example:8080", "localhost.evil.example", "127.0.0.1.evil.example", "10.0.0.1", ""] {
            assert!(!outcome("127.0.0.1", Method::GET, &[("host", host)]), "{host}");
        }
        assert!(!outcome("127.0.0.1", Method::GET, &[]));
    }

    #[test]
    fn a_foreign_page_can_neither_change_nor_listen() {
        let foreign: [&[(&str, &str)]; 4] = [
            &[("host", "localhost:8080"), ("origin", "https://evil.example")],
            &[("host", "localhost:8080"), ("origin", "http://localhost:3000")],
            &[("host", "localhost:8080"), ("origin", "null")],
            &[("host", "localhost:8080"), ("sec-fetch-site", "cross-site")],
        ];
        for headers in foreign {
            assert!(!outcome("127.0.0.1", Method::POST, headers), "{headers:?}");
            let upgrade = [headers, &[("upgrade", "websocket")]].concat();
            assert!(!outcome("127.0.0.1", Method::GET, &upgrade), "{headers:?}");
            assert!(outcome("127.0.0.1", Method::GET, headers), "reading is left to the browser's own rules");
        }
    }

    #[test]
    fn a_role_reaches_up_to_its_own_rights() {
        let operator = Principal { name: "o".into(), role: Role::Operator };
        assert!(operator.require(Role::Viewer).is_ok());
        assert!(operator.require(Role::Operator).is_ok());
        assert!(operator.require(Role::Engineer).is_err());
    }
}
