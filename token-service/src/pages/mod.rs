//! The pages that people see: plain HTML that needs no script.
//!
//! A template escapes whatever it is given. The rest of the service says what
//! is on a page, this module how it looks and which headers go with it.

mod headers;
#[cfg(test)]
mod tests;

use askama::Template;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use url::Url;

pub use headers::secure;

/// What all pages look like. The content security policy permits this text by
/// its hash and no other style.
pub(crate) const STYLE: &str = include_str!("../../templates/style.css");

/// Asks a person to sign in, to see whether the link is theirs.
#[derive(Clone, Debug, Template)]
#[template(path = "sign_in.html")]
pub struct SignIn<'a> {
    /// The name of what is to be connected.
    pub server: &'a str,
    /// Where they sign in.
    pub issuer_host: &'a str,
    /// The handle of the link.
    pub handle: &'a str,
}

/// Tells a person that the link is not theirs.
#[derive(Clone, Debug, Template)]
#[template(path = "wrong_person.html")]
pub struct WrongPerson<'a> {
    /// Who is signed in.
    pub person: &'a str,
    /// Where they have signed in.
    pub person_host: &'a str,
    /// The handle of the link.
    pub handle: &'a str,
}

/// Names what is to be connected, and lets its owner agree.
#[derive(Clone, Debug, Template)]
#[template(path = "connect.html")]
pub struct Connect<'a> {
    /// The name of what is to be connected.
    pub server: &'a str,
    /// Who is signed in.
    pub person: &'a str,
    /// Where they have signed in.
    pub person_host: &'a str,
    /// The handle of the link.
    pub handle: &'a str,
    /// Proves that a form comes from this page.
    pub csrf: &'a str,
    /// What it is made of.
    pub sources: Vec<Source<'a>>,
    /// Where to go without the rest.
    pub leave: Option<&'a str>,
}

/// A source on the page [`Connect`].
#[derive(Clone, Debug)]
pub struct Source<'a> {
    /// Its id.
    pub id: &'a str,
    /// Its name.
    pub name: &'a str,
    /// What went wrong with it.
    pub problem: Option<String>,
    /// What is to be done with it.
    pub step: Step<'a>,
}

/// What is to be done with a source.
#[derive(Clone, Debug)]
pub enum Step<'a> {
    /// Nothing.
    Connected,
    /// The person agrees at an authorization server.
    Agree {
        /// Which, if that could be found out.
        host: Option<String>,
        /// To these scopes.
        scopes: &'a [String],
    },
    /// The person enters a key, or what else the source wants.
    Enter {
        /// One for each value.
        fields: Vec<Field<'a>>,
    },
}

/// A field that a person fills.
#[derive(Clone, Debug)]
pub struct Field<'a> {
    /// Its name in the form.
    pub name: String,
    /// What the person reads.
    pub label: &'a str,
}

/// Says one thing.
#[derive(Clone, Debug, Default, Template)]
#[template(path = "message.html")]
pub struct Message {
    /// The heading.
    pub title: String,
    /// The thing.
    pub text: String,
    /// Whether it is bad news, which assistive technology then announces.
    pub is_problem: bool,
    /// What to do now.
    pub advice: Option<&'static str>,
    /// Where to go on.
    pub link: Option<Link>,
    /// What to name to the operator.
    pub request_id: Option<String>,
}

/// A link on a page.
#[derive(Clone, Debug)]
pub struct Link {
    /// Where it goes.
    pub target: String,
    /// What it says.
    pub text: &'static str,
}

/// The answer with a page. `form_targets` are addresses that the forms on it
/// may lead to by redirects.
pub fn page(status: StatusCode, page: &impl Template, form_targets: &[&Url]) -> Response {
    let mut response = match page.render() {
        Ok(html) => (status, Html(html)).into_response(),
        // Writing into a string does not fail.
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    };
    secure(&mut response, form_targets);
    response
}
