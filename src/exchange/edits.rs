//! What the gate changes in the headers that it lets through.

use core::fmt;
use std::rc::Rc;

use super::head::Head;

use crate::credential::{Credential, CredentialSource, PlacedBy};
use crate::http::Headers;
use crate::http::headers::is_spelling_of;
use crate::http::origin::Origin;
use crate::oauth::Identity;
use crate::site::Site;

/// Changes to a header map: first the removals, then the settings.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct HeaderEdits {
    /// Names of headers to remove.
    pub remove: Vec<String>,
    /// Headers to set, in place of any of the same name.
    pub set: Vec<(String, String)>,
}

/// Names alone: among the values are credentials and session ids.
impl fmt::Debug for HeaderEdits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let set: Vec<&str> = self.set.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("HeaderEdits")
            .field("remove", &self.remove)
            .field("set", &set)
            .finish()
    }
}

impl HeaderEdits {
    /// Removes the headers whose names are so.
    pub(super) fn remove_where(&mut self, headers: &Headers, wanted: impl Fn(&str) -> bool) {
        self.remove.extend(
            headers
                .names()
                .filter(|name| wanted(name))
                .map(str::to_owned),
        );
        self.remove.dedup();
    }
}

/// The request as the upstream gets it: without the client's token, without
/// anything that the client might pass off as the gate's word, with the
/// identity, the upstream's own session and, where there is one, the
/// credential; and with the wish for an answer that can be read, which is one
/// without a content coding (RFC 9110, section 12.5.3).
pub(super) fn request_edits(
    head: &Head,
    identity: &Identity,
    credential: Option<&Credential>,
) -> HeaderEdits {
    let Head {
        site,
        headers,
        session,
        task_name,
        ..
    } = head;
    let mut edits = HeaderEdits::default();
    edits.remove_where(headers, |name| is_reserved(name, site));
    session.edit_request(headers, &mut edits);
    task_name.edit_request(headers, &mut edits);
    let identity_coding = ("accept-encoding".to_owned(), "identity".to_owned());
    edits.set.push(identity_coding);
    let names = &site.server.identity_headers;
    let mut add = |name: &Option<String>, value: &dyn Fn() -> Option<String>| {
        if let Some(name) = name
            && let Some(value) = value()
        {
            edits.set.push((name.clone(), value));
        }
    };
    add(&names.subject, &|| Some(header_safe(identity.subject())));
    add(&names.issuer, &|| Some(header_safe(identity.issuer())));
    add(&names.client, &|| identity.client().map(header_safe));
    add(&names.scopes, &|| Some(identity.scopes().to_string()));
    add(&names.subject_type, &|| {
        Some(identity.subject_type().to_string())
    });
    let placed_by_gate = |source: &Rc<CredentialSource>| source.placed_by == PlacedBy::Gate;
    if let Some(credential) = credential
        && site.server.credential.as_ref().is_some_and(placed_by_gate)
    {
        edits.set.extend_from_slice(credential.headers());
    }
    edits
}

/// Whether a client's header must not reach the upstream.
pub(super) fn is_reserved(header: &str, site: &Site) -> bool {
    let mut reserved = site.reserved_headers.iter();
    reserved.any(|name| is_spelling_of(header, name))
}

/// A value that any HTTP implementation takes as it is: what is not visible
/// ASCII, and `%` itself, is percent-encoded (RFC 3986, section 2.1). Single
/// spaces inside stay.
fn header_safe(value: &str) -> String {
    let mut safe = String::with_capacity(value.len());
    let last = value.len().saturating_sub(1);
    for (index, byte) in value.bytes().enumerate() {
        match byte {
            b'%' => safe.push_str("%25"),
            0x21..=0x7e => safe.push(char::from(byte)),
            b' ' if index != 0 && index != last => safe.push(' '),
            _ => safe.push_str(&format!("%{byte:02X}")),
        }
    }
    safe
}

/// Headers by which a server steers how a client authenticates to it, or what
/// the client keeps for it (RFC 9110, section 11; RFC 6265; RFC 7615; Clear
/// Site Data). For the client the gate is that server: an upstream's challenge
/// would have it sign in elsewhere, and a cookie would go to every server
/// behind the gate.
const FOR_THE_UPSTREAM: [&str; 7] = [
    "www-authenticate",
    "proxy-authenticate",
    "authentication-info",
    "proxy-authentication-info",
    "set-cookie",
    "set-cookie2",
    "clear-site-data",
];

/// Whether some of an upstream's headers must not reach the client.
pub fn steers_the_client(headers: &Headers) -> bool {
    FOR_THE_UPSTREAM.iter().any(|name| headers.has(name))
}

/// The response as the client gets it: the gate alone says who may read it
/// in a browser, and where clients are to sign in. `kept` are the names of
/// headers that the configuration lets pass all the same.
pub(super) fn response_edits(
    headers: &Headers,
    origin: &Origin,
    from_upstream: bool,
    kept: &[String],
) -> HeaderEdits {
    let is_removed = |name: &str| {
        from_upstream && FOR_THE_UPSTREAM.contains(&name) && !kept.iter().any(|kept| kept == name)
    };
    let mut remove: Vec<String> = headers
        .names()
        .filter(|name| name.starts_with("access-control-") || is_removed(name))
        .map(str::to_owned)
        .collect();
    remove.dedup();
    let mut set: Vec<(String, String)> = origin
        .response_headers()
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    for (name, value) in &mut set {
        if name == "vary" {
            *value = with_upstream_vary(headers, value);
        }
    }
    HeaderEdits { remove, set }
}

fn with_upstream_vary(headers: &Headers, own: &str) -> String {
    let mut fields: Vec<String> = headers
        .all("vary")
        .filter_map(|value| core::str::from_utf8(value).ok())
        .flat_map(|value| value.split(','))
        .map(|field| field.trim().to_owned())
        .filter(|field| !field.is_empty() && !field.eq_ignore_ascii_case(own))
        .collect();
    fields.push(own.to_owned());
    fields.join(", ")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn printed_edits_have_names_and_no_values() {
        let edits = HeaderEdits {
            remove: vec!["cookie".to_owned()],
            set: vec![("authorization".to_owned(), "Bearer hidden".to_owned())],
        };
        let printed = format!("{edits:?}");
        assert!(printed.contains("authorization") && printed.contains("cookie"));
        assert!(!printed.contains("hidden"), "{printed}");
    }

    #[test]
    fn identity_values_are_safe_in_a_header() {
        assert_eq!(header_safe("auth0|jane doe"), "auth0|jane doe");
        assert_eq!(header_safe(" a\r\nx: y"), "%20a%0D%0Ax: y");
        assert_eq!(header_safe("é%"), "%C3%A9%25");
        assert_eq!(header_safe(""), "");
    }

    #[test]
    fn what_steers_a_client_goes_nowhere_and_envoys_own_stays() {
        let others = ["set-cookie", "x-other", "cookie"];
        let names = FOR_THE_UPSTREAM.into_iter().chain(others);
        let headers = Headers::new(names.map(|name| (name.to_owned(), b"x".to_vec())).collect());
        assert!(steers_the_client(&headers));
        let edits = response_edits(&headers, &Origin::Absent, true, &[]);
        let removed: HashSet<&str> = edits.remove.iter().map(String::as_str).collect();
        assert_eq!(removed, HashSet::from(FOR_THE_UPSTREAM));
        let edits = response_edits(&headers, &Origin::Absent, false, &[]);
        assert!(edits.remove.is_empty());
        assert!(!steers_the_client(&Headers::from([("x-other", "1")])));
    }

    #[test]
    fn what_the_configuration_keeps_stays() {
        let headers = Headers::from([
            ("set-cookie", "a"),
            ("www-authenticate", "Bearer"),
            ("proxy-authenticate", "Basic"),
            ("clear-site-data", "*"),
        ]);
        for kept in ["set-cookie", "www-authenticate", "proxy-authenticate"] {
            let edits = response_edits(&headers, &Origin::Absent, true, &[kept.to_owned()]);
            assert_eq!(edits.remove.len(), 3, "{kept}");
            assert!(!edits.remove.iter().any(|name| name == kept), "{kept}");
        }
    }

    #[test]
    fn the_upstreams_word_on_cors_is_replaced() {
        let headers = Headers::from([
            ("access-control-allow-origin", "*"),
            ("vary", "accept-encoding"),
        ]);
        let origin = Origin::Allowed("https://a.example".to_owned());
        let edits = response_edits(&headers, &origin, true, &[]);
        assert_eq!(edits.remove, ["access-control-allow-origin"]);
        assert!(edits.set.contains(&(
            "access-control-allow-origin".to_owned(),
            "https://a.example".to_owned()
        )));
        assert!(
            edits
                .set
                .contains(&("vary".to_owned(), "accept-encoding, Origin".to_owned()))
        );
        let edits = response_edits(&headers, &Origin::Absent, true, &[]);
        assert!(edits.set.is_empty());
    }
}
