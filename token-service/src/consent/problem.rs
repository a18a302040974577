//! What people are told when something is not as it should be.

use axum::http::StatusCode;
use axum::response::Response;

use crate::pages::{Link, Message, page};

/// Why a request of the flow ends here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Problem {
    /// The address is none that the service ever made.
    NoSuchLink,
    /// The link has been used, or its time is over.
    LinkIsOver,
    /// The server of the link is no longer there.
    NoSuchServer,
    /// The form is not from our page, or from one of an earlier time.
    OldPage(String),
    /// The form has fields that our page does not have.
    BadForm,
    /// What an authorization server sent the browser back with is incomplete.
    BadAnswer,
    /// The way was begun in another browser.
    OtherBrowser,
    /// Nobody signed in; the handle to go back to.
    NotSignedIn(String),
    /// The sign-in's answer cannot be trusted; the handle to go back to.
    UnusableSignIn(String),
    /// The sign-in does not answer; the handle to go back to.
    SignInUnreachable(String),
    /// The operator has set up no sign-in for the link's owner.
    NoSignIn,
    /// The service itself has trouble.
    Unavailable,
}

const AGAIN: &str = "Go back to your application and call the tool again: it gives you a new link.";

impl Problem {
    /// Whether the operator should know.
    pub(super) const fn is_trouble(&self) -> bool {
        matches!(
            self,
            Self::UnusableSignIn(_)
                | Self::SignInUnreachable(_)
                | Self::NoSignIn
                | Self::Unavailable
        )
    }

    /// The page that says so.
    pub(super) fn page(self, request_id: &str) -> Response {
        let request_id = self.is_trouble().then(|| request_id.to_owned());
        let (status, title, text, advice) = self.words();
        let message = Message {
            title: title.to_owned(),
            text: text.to_owned(),
            is_problem: true,
            advice,
            link: self.back(),
            request_id,
        };
        page(status, &message, &[])
    }

    const fn words(&self) -> (StatusCode, &'static str, &'static str, Option<&'static str>) {
        match self {
            Self::NoSuchLink => (
                StatusCode::NOT_FOUND,
                "There is no such link",
                "The address is not one of this service. It may have been cut off.",
                Some(AGAIN),
            ),
            Self::LinkIsOver => (
                StatusCode::GONE,
                "This link is no longer good",
                "It has been used, or its ten minutes are over.",
                Some(AGAIN),
            ),
            Self::NoSuchServer => (
                StatusCode::NOT_FOUND,
                "This server is no longer there",
                "What the link was made for has been removed.",
                None,
            ),
            Self::OldPage(_) => (
                StatusCode::FORBIDDEN,
                "This page is out of date",
                "The form did not come from the current page, or you are no longer signed in. Nothing was changed.",
                None,
            ),
            Self::BadForm => (
                StatusCode::BAD_REQUEST,
                "The form cannot be used",
                "It has other fields than the page. Nothing was changed.",
                Some(AGAIN),
            ),
            Self::BadAnswer => (
                StatusCode::BAD_REQUEST,
                "The answer cannot be used",
                "The sign-in sent you back here with an answer that is incomplete.",
                Some(AGAIN),
            ),
            Self::OtherBrowser => (
                StatusCode::FORBIDDEN,
                "This was begun in another browser",
                "The answer belongs to another browser, or to an earlier session in this one. Nothing was changed.",
                Some(AGAIN),
            ),
            Self::NotSignedIn(_) => (
                StatusCode::FORBIDDEN,
                "You are not signed in",
                "The sign-in was cancelled. Nothing was changed.",
                None,
            ),
            Self::UnusableSignIn(_) => (
                StatusCode::BAD_GATEWAY,
                "The sign-in did not work",
                "The sign-in gave an answer that cannot be used. Nothing was changed.",
                None,
            ),
            Self::SignInUnreachable(_) => (
                StatusCode::BAD_GATEWAY,
                "The sign-in does not answer",
                "Your link stays good for its ten minutes. Try again in a moment.",
                None,
            ),
            Self::NoSignIn => (
                StatusCode::SERVICE_UNAVAILABLE,
                "There is no sign-in",
                "The operator of this service has not set up a sign-in for your account.",
                None,
            ),
            Self::Unavailable => (
                StatusCode::SERVICE_UNAVAILABLE,
                "The service has trouble",
                "What you have connected before is kept. Try again in a moment.",
                None,
            ),
        }
    }

    fn back(self) -> Option<Link> {
        match self {
            Self::OldPage(handle)
            | Self::NotSignedIn(handle)
            | Self::UnusableSignIn(handle)
            | Self::SignInUnreachable(handle) => Some(Link {
                target: format!("/connect/{handle}"),
                text: "Back to the link",
            }),
            _ => None,
        }
    }
}
