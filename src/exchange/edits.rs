//! What the gate changes in the headers that it lets through.

use core::fmt;
use std::rc::Rc;

use super::head::Head;
use super::session::SessionUse;
use super::tasks::TaskName;
use crate::config::IdentityHeaders;
use crate::credential::{Credential, CredentialSource, PlacedBy};
use crate::http::Headers;
use crate::http::headers::FixedNames;
use crate::http::origin::Origin;
use crate::oauth::Identity;
use crate::site::Site;
use crate::text::Text;

/// Changes to a header map: first the removals, then the settings.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct HeaderEdits {
    /// Names of headers to remove.
    pub remove: Vec<Text>,
    /// Headers to set, in place of any of the same name.
    pub set: Vec<(Text, Text)>,
}

/// Names alone: among the values are credentials and session ids.
impl fmt::Debug for HeaderEdits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let set: Vec<&Text> = self.set.iter().map(|(name, _)| name).collect();
        f.debug_struct("HeaderEdits")
            .field("remove", &self.remove)
            .field("set", &set)
            .finish()
    }
}

impl HeaderEdits {
    /// Removes the headers whose names are so.
    #[inline(never)]
    pub(super) fn remove_where(&mut self, headers: &Headers, wanted: impl Fn(&[u8]) -> bool) {
        self.remove.extend(
            headers
                .names()
                .filter(|name| wanted(name))
                .filter_map(|name| core::str::from_utf8(name).ok())
                .map(|name| Text::Own(name.to_owned())),
        );
        self.remove.dedup();
    }

    /// Removes the client's headers that must not reach the upstream.
    fn remove_reserved(&mut self, headers: &Headers, site: &Site) {
        for name in headers.names() {
            let Some(reserved) = site.reserved_headers.find(name) else {
                continue;
            };
            self.remove.push(if reserved.as_bytes() == name {
                reserved.into()
            } else {
                other_spelling(name)
            });
        }
        if self.remove.len() > 1 {
            self.remove.dedup();
        }
    }

    /// Sets what an upstream asks for of this user.
    #[inline(never)]
    pub(crate) fn set_credential(&mut self, credential: &Credential) {
        let headers = credential.headers().iter();
        self.set
            .extend(headers.map(|(name, value)| (name.into(), value.into())));
    }

    /// Sets the header by which a request says that its answer has to be
    /// plain, where it does not say so already.
    fn want_plain_answer(&mut self, headers: &Headers) {
        const CODING: &str = "accept-encoding";
        const PLAIN: &str = "identity";
        if headers.only(CODING) == Ok(Some(PLAIN.as_bytes())) {
            self.keep(CODING);
        } else {
            self.set.push((CODING.into(), PLAIN.into()));
        }
    }

    #[cold]
    #[inline(never)]
    fn keep(&mut self, kept: &str) {
        self.remove.retain(|name| *name != *kept);
    }

    /// Sets the headers that tell the upstream who is calling.
    #[inline(never)]
    fn set_identity(&mut self, names: &IdentityHeaders, identity: &Identity) {
        let mut add = |name: &Option<Rc<str>>, value: &dyn Fn() -> Option<Text>| {
            if let Some(name) = name
                && let Some(value) = value()
            {
                self.set.push((name.into(), value));
            }
        };
        add(&names.subject, &|| Some(header_safe(identity.subject())));
        add(&names.issuer, &|| Some(header_safe(identity.issuer())));
        add(&names.client, &|| identity.client().map(header_safe));
        add(&names.scopes, &|| {
            Some(identity.scopes().to_string().into())
        });
        add(&names.subject_type, &|| {
            Some(identity.subject_type().as_str().into())
        });
    }
}

#[cold]
#[inline(never)]
fn other_spelling(name: &[u8]) -> Text {
    String::from_utf8_lossy(name).into_owned().into()
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
    // The token and another, the wish for a plain answer and the identity.
    let mut edits = HeaderEdits {
        remove: Vec::with_capacity(2),
        set: Vec::with_capacity(4),
    };
    edits.remove_reserved(headers, site);
    if !matches!(session, SessionUse::Untouched) {
        session.edit_request(headers, &mut edits);
    }
    if !matches!(task_name, TaskName::None) {
        task_name.edit_request(headers, &mut edits);
    }
    edits.want_plain_answer(headers);
    let names = &site.server.identity_headers;
    if names.names().next().is_some() {
        edits.set_identity(names, identity);
    }
    let placed_by_gate = |source: &Rc<CredentialSource>| source.placed_by == PlacedBy::Gate;
    if let Some(credential) = credential
        && site.server.credential.as_ref().is_some_and(placed_by_gate)
    {
        edits.set_credential(credential);
    }
    edits
}

/// A value that any HTTP implementation takes as it is: what is not visible
/// ASCII, and `%` itself, is percent-encoded (RFC 3986, section 2.1). Single
/// spaces inside stay.
#[inline(never)]
fn header_safe(value: &str) -> Text {
    let is_safe = |byte| matches!(byte, 0x21..=0x7e if byte != b'%');
    if value.bytes().all(is_safe) {
        return value.to_owned().into();
    }
    escaped(value)
}

#[cold]
#[inline(never)]
fn escaped(value: &str) -> Text {
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
    safe.into()
}

/// Headers by which a server steers how a client authenticates to it, or what
/// the client keeps for it (RFC 9110, section 11; RFC 6265; RFC 7615; Clear
/// Site Data). For the client the gate is that server: an upstream's challenge
/// would have it sign in elsewhere, and a cookie would go to every server
/// behind the gate.
const FOR_THE_UPSTREAM: FixedNames<7> = FixedNames::new([
    "www-authenticate",
    "proxy-authenticate",
    "authentication-info",
    "proxy-authentication-info",
    "set-cookie",
    "set-cookie2",
    "clear-site-data",
]);

/// Whether some of an upstream's headers must not reach the client.
pub fn steers_the_client(headers: &Headers) -> bool {
    headers.has_any(&FOR_THE_UPSTREAM)
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
    let mut edits = HeaderEdits {
        // The length of the body, mostly.
        remove: Vec::with_capacity(1),
        set: Vec::new(),
    };
    let steers = from_upstream && steers_the_client(headers);
    if steers || headers.names().any(is_of_cors) {
        remove_word_of_upstream(headers, steers, kept, &mut edits.remove);
    }
    if let Origin::Allowed(_) = origin {
        set_cors(headers, origin, &mut edits.set);
    }
    edits
}

#[inline]
fn is_of_cors(name: &[u8]) -> bool {
    name.starts_with(b"access-control-")
}

#[cold]
#[inline(never)]
fn remove_word_of_upstream(
    headers: &Headers,
    steers: bool,
    kept: &[String],
    remove: &mut Vec<Text>,
) {
    let is_kept = |name: &str| kept.iter().any(|kept| kept == name);
    for name in headers.names() {
        if is_of_cors(name) {
            remove.push(String::from_utf8_lossy(name).into_owned().into());
        } else if steers
            && let Some(name) = steering(name)
            && !is_kept(name)
        {
            remove.push(name.into());
        }
    }
    remove.dedup();
}

#[cold]
#[inline(never)]
fn set_cors(headers: &Headers, origin: &Origin, set: &mut Vec<(Text, Text)>) {
    for (name, value) in origin.response_headers() {
        let value = match name {
            "vary" => with_upstream_vary(headers, &value),
            _ => value,
        };
        set.push((name.into(), value.into()));
    }
}

/// The name of a header for the upstream's own client.
fn steering(name: &[u8]) -> Option<&'static str> {
    let mut names = FOR_THE_UPSTREAM.names.into_iter();
    names.find(|steering| steering.as_bytes() == name)
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
            remove: vec!["cookie".into()],
            set: vec![("authorization".into(), "Bearer hidden".into())],
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
        let names = FOR_THE_UPSTREAM.names.into_iter().chain(others);
        let headers = Headers::new(names.map(|name| (name.to_owned(), b"x".to_vec())).collect());
        assert!(steers_the_client(&headers));
        let edits = response_edits(&headers, &Origin::Absent, true, &[]);
        let removed: HashSet<&str> = edits.remove.iter().map(|name| &**name).collect();
        assert_eq!(removed, HashSet::from(FOR_THE_UPSTREAM.names));
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
            "access-control-allow-origin".into(),
            "https://a.example".into()
        )));
        assert!(
            edits
                .set
                .contains(&("vary".into(), "accept-encoding, Origin".into()))
        );
        let edits = response_edits(&headers, &Origin::Absent, true, &[]);
        assert!(edits.set.is_empty());
    }
}
