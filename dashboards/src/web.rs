//! The web interface, embedded in the binary by `build.rs`.

use crate::error::ApiError;
use axum::{
    http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use rust_embed::{EmbeddedFile, RustEmbed};
use std::fmt::Write as _;

/// The page that every address without a file of its own shows: the interface finds its way by the address.
const INDEX: &str = "index.html";
/// Vite puts a hash of the content into these names, so they never change.
const HASHED: &str = "assets/";

#[derive(RustEmbed)]
#[folder = "$OUT_DIR/web"]
struct Web;

/// Answers everything that is not an API: the file of that name, or the index page for addresses of the interface.
pub(crate) async fn page(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    if method != Method::GET && method != Method::HEAD {
        return ApiError::new(StatusCode::METHOD_NOT_ALLOWED, format!("{method} does nothing here"), "see /api/openapi.json")
            .into_response();
    }
    let path = uri.path().trim_start_matches('/');
    // A dot alone does not make a file: assets may be named `Pump 2.1`.
    let is_page = path.is_empty() || mime_guess::from_path(path).first().is_none();
    let name = if is_page { INDEX } else { path };
    match Web::get(name) {
        Some(file) => answer(name, file, &headers),
        None => ApiError::not_found(format!("there is no page {}", uri.path()), "start at /").into_response(),
    }
}

fn answer(name: &str, file: EmbeddedFile, headers: &HeaderMap) -> Response {
    let tag = etag(&file);
    let caching = if name.starts_with(HASHED) { "public, max-age=31536000, immutable" } else { "no-cache" };
    let known = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let mut response = if known.is_some_and(|known| known.split(',').any(|one| one.trim().trim_start_matches("W/") == tag)) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let kind = mime_guess::from_path(name).first_or_octet_stream();
        let kind = if kind.type_() == "text" { format!("{kind}; charset=utf-8") } else { kind.to_string() };
        ([(header::CONTENT_TYPE, kind)], file.data).into_response()
    };
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

/// Half of the SHA-256 of the content: 128 bits name a file well enough.
fn etag(file: &EmbeddedFile) -> String {
    let mut tag = String::from('"');
    for byte in &file.metadata.sha256_hash()[..16] {
        let _ = write!(tag, "{byte:02x}");
    }
    tag + "\""
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn fetch(method: Method, path: &str, headers: HeaderMap) -> Response {
        page(method, path.parse().unwrap(), headers).await
    }

    #[tokio::test]
    async fn addresses_of_the_interface_show_the_index_page() {
        for path in ["/", "/alarms", "/assets/7d0f", "/detector/x/overheat", "/asset/Pump%202.1"] {
            let response = fetch(Method::GET, path, HeaderMap::new()).await;
            assert_eq!(response.status(), StatusCode::OK, "{path}");
            assert_eq!(response.headers()[header::CONTENT_TYPE], "text/html; charset=utf-8");
            assert_eq!(response.headers()[header::CACHE_CONTROL], "no-cache");
        }
    }

    #[tokio::test]
    async fn a_missing_file_is_not_the_index_page() {
        assert_eq!(fetch(Method::GET, "/assets/none.js", HeaderMap::new()).await.status(), StatusCode::NOT_FOUND);
        assert_eq!(fetch(Method::POST, "/", HeaderMap::new()).await.status(), StatusCode::METHOD_NOT_ALLOWED);
    }

    #[tokio::test]
    async fn a_known_page_is_not_sent_again() {
        let first = fetch(Method::GET, "/", HeaderMap::new()).await;
        let tag = first.headers()[header::ETAG].clone();
        let again = fetch(Method::GET, "/", HeaderMap::from_iter([(header::IF_NONE_MATCH, tag)])).await;
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
        let other = HeaderMap::from_iter([(header::IF_NONE_MATCH, HeaderValue::from_static("\"0\""))]);
        assert_eq!(fetch(Method::GET, "/", other).await.status(), StatusCode::OK);
    }
}
