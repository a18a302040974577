//! The cookies of the service.
//!
//! Their values are random handles; who is meant is in the database. Cookies
//! do not tell the ports of a host apart, so the names are our own.

use axum::http::{HeaderMap, HeaderValue, header};
use url::Url;

use crate::storage::Handle;

/// A cookie of the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cookie {
    /// Who is signed in.
    Session,
    /// Which browser has begun to sign in.
    SignIn,
}

impl Cookie {
    /// The name. `__Host-` keeps sibling hosts from setting it, and is possible
    /// under https only (RFC 6265bis, section 4.1.3.2).
    pub(super) fn name(self, public_url: &Url) -> &'static str {
        match (self, is_secure(public_url)) {
            (Self::Session, true) => "__Host-mcp_ts_session",
            (Self::Session, false) => "mcp_ts_session",
            (Self::SignIn, true) => "__Host-mcp_ts_sign_in",
            (Self::SignIn, false) => "mcp_ts_sign_in",
        }
    }

    /// The value that the browser sends: one, in the form of a handle.
    pub(super) fn read(self, headers: &HeaderMap, public_url: &Url) -> Option<Handle> {
        let name = self.name(public_url);
        let mut values = headers
            .get_all(header::COOKIE)
            .iter()
            .filter_map(|line| line.to_str().ok())
            .flat_map(|line| line.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .filter(|(found, _)| *found == name)
            .map(|(_, value)| Handle::presented(value));
        let handle = values.next().filter(Handle::is_well_formed)?;
        // Two cookies of one name come from two places, one of which is not us.
        values.next().is_none().then_some(handle)
    }

    /// The header that sets it, until the browser is closed; how long the value
    /// is good for, the database says.
    pub(super) fn set(self, handle: &Handle, public_url: &Url) -> Option<HeaderValue> {
        self.header(handle.expose(), "", public_url)
    }

    /// The header that removes it.
    pub(super) fn remove(self, public_url: &Url) -> Option<HeaderValue> {
        self.header("", "; Max-Age=0", public_url)
    }

    fn header(self, value: &str, more: &str, public_url: &Url) -> Option<HeaderValue> {
        let name = self.name(public_url);
        let secure = if is_secure(public_url) {
            "; Secure"
        } else {
            ""
        };
        // Lax: it comes along when an authorization server sends the browser
        // back, and not with another site's form.
        let text = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax{secure}{more}");
        let mut header = HeaderValue::try_from(text).ok()?;
        header.set_sensitive(true);
        Some(header)
    }
}

fn is_secure(public_url: &Url) -> bool {
    public_url.scheme() == "https"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    fn read(lines: &[&str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(header::COOKIE, HeaderValue::from_str(line).unwrap());
        }
        Cookie::Session
            .read(&headers, &url("http://127.0.0.1:8081"))
            .map(|handle| handle.expose().to_owned())
    }

    #[test]
    fn a_cookie_is_read_back_as_it_was_set() {
        for (address, flags) in [
            ("http://127.0.0.1:8081", "; Path=/; HttpOnly; SameSite=Lax"),
            (
                "https://tokens.example",
                "; Path=/; HttpOnly; SameSite=Lax; Secure",
            ),
        ] {
            let handle = Handle::fresh().unwrap();
            let set = Cookie::Session.set(&handle, &url(address)).unwrap();
            let (pair, rest) = set.to_str().unwrap().split_at(set.len() - flags.len());
            assert_eq!(rest, flags);
            assert_eq!(pair.starts_with("__Host-"), address.starts_with("https"));
            let mut headers = HeaderMap::new();
            let line = format!("other=1; {pair}; more=2");
            headers.insert(header::COOKIE, HeaderValue::try_from(line).unwrap());
            let read = Cookie::Session.read(&headers, &url(address)).unwrap();
            assert_eq!(read.hash(), handle.hash());
        }
    }

    #[test]
    fn only_one_value_in_the_form_of_a_handle_counts() {
        let good = "A".repeat(43);
        let pair = format!("mcp_ts_session={good}");
        assert_eq!(read(&[&pair]), Some(good.clone()));
        assert_eq!(read(&[&pair, &pair]), None);
        assert_eq!(read(&[&format!("{pair}; {pair}")]), None);
        assert_eq!(read(&["mcp_ts_session=short"]), None);
        assert_eq!(
            read(&[&format!("mcp_ts_session={}!", "A".repeat(42))]),
            None
        );
        assert_eq!(read(&[&format!("xmcp_ts_session={good}")]), None);
        assert_eq!(read(&[]), None);
    }
}
