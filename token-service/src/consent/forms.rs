//! Whether a form that arrives comes from a page of ours.

use core::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, header};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use url::{Url, form_urlencoded};

use super::problem::Problem;

use crate::storage::Handle;

/// A form's fields, in order.
pub(super) type Fields = Vec<(String, String)>;

/// Reads a form: after its link has been found, for anybody can send one, and
/// not for long. The largest is that of a key.
///
/// # Errors
/// It is none, is too long, or does not come.
pub(super) async fn read(headers: &HeaderMap, body: Body) -> Result<Fields, Problem> {
    const LONGEST: usize = 64 * 1024;
    const PATIENCE: Duration = Duration::from_secs(2);
    let kind = headers.get(header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err(Problem::BadForm);
    }
    let read = tokio::time::timeout(PATIENCE, axum::body::to_bytes(body, LONGEST));
    let read = read.await.map_err(|_| Problem::BadForm)?;
    let bytes = read.map_err(|_| Problem::BadForm)?;
    Ok(form_urlencoded::parse(&bytes).into_owned().collect())
}

/// The field's value, if it is there once.
pub(super) fn one<'a>(fields: &'a Fields, name: &str) -> Option<&'a str> {
    let mut values = fields.iter().filter(|(found, _)| found == name);
    let (_, value) = values.next()?;
    values.next().is_none().then_some(value)
}

/// The value that proves that a form comes from the page of this handle in the
/// browser of this session: nobody else knows both.
pub(super) fn csrf(session: &Handle, connect: &Handle) -> String {
    let mut hash = Sha256::new();
    hash.update(b"mcp-token-service csrf 1");
    for part in [session, connect] {
        hash.update((part.expose().len() as u64).to_be_bytes());
        hash.update(part.expose());
    }
    URL_SAFE_NO_PAD.encode(hash.finalize())
}

/// Whether the form has that value.
pub(super) fn has_csrf(presented: Option<&str>, session: &Handle, connect: &Handle) -> bool {
    let expected = csrf(session, connect);
    presented.is_some_and(|text| text.as_bytes().ct_eq(expected.as_bytes()).into())
}

/// Whether the browser says that the request comes from another site's page.
///
/// `Sec-Fetch-Site` (Fetch Metadata) decides where it is there: our own pages
/// send no referrer, and `Origin` is then `null` even from them. What sends
/// neither header is no browser of today.
pub(super) fn is_foreign(headers: &HeaderMap, public_url: &Url) -> bool {
    if let Some(site) = headers.get("sec-fetch-site") {
        return site != "same-origin" && site != "none";
    }
    headers
        .get("origin")
        .is_some_and(|origin| origin != public_url.origin().ascii_serialization().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn foreign(site: Option<&'static str>, origin: Option<&'static str>) -> bool {
        let mut headers = HeaderMap::new();
        for (name, value) in [("sec-fetch-site", site), ("origin", origin)] {
            if let Some(value) = value {
                headers.insert(name, HeaderValue::from_static(value));
            }
        }
        is_foreign(&headers, &Url::parse("https://tokens.example/").unwrap())
    }

    #[test]
    fn a_form_of_our_own_pages_is_not_foreign() {
        assert!(!foreign(Some("same-origin"), Some("null")));
        assert!(!foreign(None, Some("https://tokens.example")));
        assert!(!foreign(None, None));
    }

    #[test]
    fn a_form_of_another_page_is_foreign() {
        assert!(foreign(Some("cross-site"), Some("https://tokens.example")));
        assert!(foreign(Some("same-site"), None));
        assert!(foreign(None, Some("null")));
        assert!(foreign(None, Some("https://evil.example")));
        assert!(foreign(None, Some("https://tokens.example.evil.example")));
        assert!(foreign(None, Some("http://tokens.example")));
    }

    #[test]
    fn the_proof_is_good_for_one_session_and_one_handle() {
        let [session, connect, other] = [(); 3].map(|()| Handle::fresh().unwrap());
        let proof = csrf(&session, &connect);
        assert!(has_csrf(Some(&proof), &session, &connect));
        assert!(!has_csrf(Some(&proof), &other, &connect));
        assert!(!has_csrf(Some(&proof), &session, &other));
        assert!(!has_csrf(Some(&proof), &connect, &session));
        assert!(!has_csrf(Some(""), &session, &connect));
        assert!(!has_csrf(None, &session, &connect));
    }
}
