//! What a message asks for, in the terms that rules are written in.

use crate::json::Object;

/// One thing that a client asks for. The gate decides on calls only.
#[derive(Clone, Debug, PartialEq)]
pub struct Call<'a> {
    /// The JSON-RPC method. Three pseudo-methods stand for what has none:
    /// [`Call::GET`], [`Call::DELETE`] and [`Call::RESPONSE`].
    pub method: &'a str,
    /// What it is aimed at.
    pub target: Target<'a>,
    /// The arguments of a tool call or a prompt, if there are any.
    pub arguments: Option<&'a Object>,
}

/// What a call is aimed at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target<'a> {
    /// A tool (`tools/call`).
    Tool(&'a str),
    /// A prompt (`prompts/get`, `completion/complete` of a prompt).
    Prompt(&'a str),
    /// A resource or a resource template (`resources/read`, `subscribe`,
    /// `unsubscribe`, `completion/complete` of a template).
    Resource(&'a str),
    /// Resources that have to be permitted each, besides the method itself
    /// (`subscriptions/listen`).
    Subscriptions(Vec<&'a str>),
    /// Nothing but the method itself.
    Method,
}

impl Call<'_> {
    /// Opening the legacy event stream (HTTP GET).
    pub const GET: &'static str = "GET";
    /// Ending a legacy session (HTTP DELETE).
    pub const DELETE: &'static str = "DELETE";
    /// A JSON-RPC response of the client to a request of the server.
    pub const RESPONSE: &'static str = "response";
}
