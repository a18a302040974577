//! What a message asks for, in the terms that rules are written in.

use core::ops::Deref;

use super::revision::{self, Era, Revision};
use crate::json::{Json, Object};

/// One thing that a client asks for. The gate decides on calls only.
#[derive(Clone, Debug, PartialEq)]
pub struct Call<'a> {
    /// The JSON-RPC method. Three pseudo-methods stand for what has none:
    /// [`Call::GET`], [`Call::DELETE`] and [`Call::RESPONSE`].
    pub method: &'a str,
    /// What it is aimed at.
    pub target: Target<'a>,
    /// The arguments of a tool call or a prompt, if there are any.
    pub arguments: Option<Arguments<'a>>,
    /// The tasks that it names, by the ids that the client has of them
    /// (`tasks/get` and the like, `subscriptions/listen`).
    pub tasks: Vec<&'a str>,
}

/// Arguments by name.
#[derive(Clone, Debug, PartialEq)]
pub enum Arguments<'a> {
    /// As they stand in the parameters.
    Given(&'a Object<'a>),
    /// Put together from several places.
    Gathered(Object<'a>),
}

impl<'a> Deref for Arguments<'a> {
    type Target = Object<'a>;

    fn deref(&self) -> &Object<'a> {
        match self {
            Self::Given(arguments) => arguments,
            Self::Gathered(arguments) => arguments,
        }
    }
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

/// Methods that name a tool, a prompt or a resource: rules of that kind
/// decide them, rules on methods do not.
const TARGETED: [&str; 6] = [
    "tools/call",
    "prompts/get",
    "resources/read",
    "resources/subscribe",
    "resources/unsubscribe",
    "completion/complete",
];

/// Whether a method names a tool, a prompt or a resource.
pub fn is_targeted(method: &str) -> bool {
    TARGETED.contains(&method)
}

/// Every method that rules on methods decide in one of these revisions, the
/// pseudo-methods among them.
pub fn untargeted(revisions: &[Revision]) -> impl Iterator<Item = &'static str> {
    let is_legacy = |revision: &Revision| revision.era() == Era::Legacy;
    let pseudo =
        revisions
            .iter()
            .any(is_legacy)
            .then_some([Call::GET, Call::DELETE, Call::RESPONSE]);
    let is_in_some = move |method: &&str| {
        let mut revisions = revisions.iter();
        revisions.any(|revision| revision.has_request(method) || revision.has_notification(method))
    };
    pseudo
        .into_iter()
        .flatten()
        .chain(revision::methods().filter(is_in_some))
        .filter(|method| !is_targeted(method))
}

/// Parameters that do not say what the method needs to know (-32602).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParamsError(pub &'static str);

impl<'a> Call<'a> {
    /// Reads the call out of a request's or a notification's parameters.
    ///
    /// # Errors
    /// [`ParamsError`] where the target is missing, of the wrong type, or
    /// could be read in two ways.
    pub fn of(method: &'a str, params: &'a Object<'a>) -> Result<Self, ParamsError> {
        const READ: [&str; 13] = [
            "name",
            "arguments",
            "uri",
            "ref",
            "context",
            "argument",
            "notifications",
            "task",
            "taskId",
            "requestState",
            "inputResponses",
            "cursor",
            "_meta",
        ];
        if params.has_lookalike(&READ) {
            return Err(ParamsError(
                "a parameter's name differs from the protocol's only in letter case",
            ));
        }
        let (target, arguments) = match method {
            "tools/call" => (Target::Tool(name(params)?), arguments(params)?),
            "prompts/get" => (Target::Prompt(name(params)?), arguments(params)?),
            "resources/read" | "resources/subscribe" | "resources/unsubscribe" => {
                (Target::Resource(text(params, "uri")?), None)
            }
            "completion/complete" => (completed(params)?, completed_with(params)?),
            "subscriptions/listen" => (subscriptions(params)?, None),
            _ => (Target::Method, None),
        };
        Ok(Self {
            method,
            target,
            arguments,
            tasks: tasks(method, params)?,
        })
    }

    /// The name or the URI of the one tool, prompt or resource that it is
    /// aimed at; empty if it is not aimed at one.
    pub const fn target_name(&self) -> &'a str {
        match self.target {
            Target::Tool(name) | Target::Prompt(name) | Target::Resource(name) => name,
            Target::Subscriptions(_) | Target::Method => "",
        }
    }

    /// A call that has a pseudo-method only.
    pub const fn pseudo(method: &'static str) -> Self {
        Self::without_target(method)
    }

    /// A call of which the method is all that is known.
    pub const fn without_target(method: &'a str) -> Self {
        Self {
            method,
            target: Target::Method,
            arguments: None,
            tasks: Vec::new(),
        }
    }

    /// Opening the legacy event stream (HTTP GET).
    pub const GET: &'static str = "GET";
    /// Ending a legacy session (HTTP DELETE).
    pub const DELETE: &'static str = "DELETE";
    /// A JSON-RPC response of the client to a request of the server.
    pub const RESPONSE: &'static str = "response";
}

fn text<'a>(params: &'a Object, name: &'static str) -> Result<&'a str, ParamsError> {
    params
        .get(name)
        .and_then(Json::as_str)
        .ok_or(ParamsError(match name {
            "name" => "\"name\" must be a string",
            "uri" => "\"uri\" must be a string",
            "taskId" => "\"taskId\" must be a string",
            _ => "\"type\" must be a string",
        }))
}

/// Whether a call may have this name of a tool or a prompt. An upstream that
/// trims names, or cuts them at a NUL, would take `get-env ` for `get-env`,
/// which the rules tell apart.
pub(crate) fn is_callable(name: &str) -> bool {
    name.bytes().all(|byte| matches!(byte, b'!'..=b'~')) || is_callable_by_letter(name)
}

#[cold]
#[inline(never)]
fn is_callable_by_letter(name: &str) -> bool {
    name.trim() == name && !name.chars().any(char::is_control)
}

fn name<'a>(members: &'a Object<'a>) -> Result<&'a str, ParamsError> {
    let name = text(members, "name")?;
    if !is_callable(name) {
        return Err(ParamsError(
            "\"name\" must have no white space at its ends and no control characters",
        ));
    }
    Ok(name)
}

fn arguments<'a>(params: &'a Object<'a>) -> Result<Option<Arguments<'a>>, ParamsError> {
    match params.get("arguments") {
        None => Ok(None),
        // A reader without regard to case would take them for one: rules would
        // look at the one, the tool at the other.
        Some(Json::Object(arguments)) if arguments.has_twins() => {
            Err(ParamsError("two arguments differ in letter case only"))
        }
        Some(Json::Object(arguments)) => Ok(Some(Arguments::Given(arguments))),
        Some(_) => Err(ParamsError("\"arguments\" must be an object")),
    }
}

fn completed<'a>(params: &'a Object<'a>) -> Result<Target<'a>, ParamsError> {
    let reference = params
        .get("ref")
        .and_then(Json::as_object)
        .ok_or(ParamsError("\"ref\" must be an object"))?;
    if reference.has_lookalike(&["type", "name", "uri"]) {
        return Err(ParamsError(
            "a member of \"ref\" differs from the protocol's only in letter case",
        ));
    }
    match text(reference, "type")? {
        "ref/prompt" => name(reference).map(Target::Prompt),
        "ref/resource" => text(reference, "uri").map(Target::Resource),
        _ => Err(ParamsError(
            "\"ref\" must be of type ref/prompt or ref/resource",
        )),
    }
}

/// The arguments of a prompt as far as they are filled in: those that are
/// (`context.arguments`), and the one that is being (`argument`).
fn completed_with<'a>(params: &'a Object<'a>) -> Result<Option<Arguments<'a>>, ParamsError> {
    const ARGUMENT: ParamsError = ParamsError(
        "\"argument\" must have a \"name\" and a \"value\", and agree with \"context\"",
    );
    let filled_in = match params.get("context") {
        None => None,
        Some(Json::Object(context)) if !context.has_lookalike(&["arguments"]) => {
            arguments(context)?
        }
        Some(_) => return Err(ParamsError("\"context\" must be an object")),
    };
    let Some(argument) = params.get("argument") else {
        return Ok(filled_in);
    };
    let argument = argument.as_object().ok_or(ARGUMENT)?;
    if argument.has_lookalike(&["name", "value"]) {
        return Err(ARGUMENT);
    }
    let name = argument
        .get("name")
        .and_then(Json::as_str)
        .ok_or(ARGUMENT)?;
    let value = argument.get("value").ok_or(ARGUMENT)?;
    let all = filled_in.as_deref().cloned().unwrap_or_default();
    let all = all.with(name, value).ok_or(ARGUMENT)?;
    if all.has_twins() {
        return Err(ARGUMENT);
    }
    Ok(Some(Arguments::Gathered(all)))
}

fn subscriptions<'a>(params: &'a Object<'a>) -> Result<Target<'a>, ParamsError> {
    const INVALID: ParamsError =
        ParamsError("\"resourceSubscriptions\" must be an array of strings");
    let filter = match params.get("notifications") {
        None => return Ok(Target::Subscriptions(Vec::new())),
        Some(filter) => filter
            .as_object()
            .ok_or(ParamsError("\"notifications\" must be an object"))?,
    };
    if filter.has_lookalike(&["resourceSubscriptions", "taskIds"]) {
        return Err(INVALID);
    }
    let uris = texts(filter, "resourceSubscriptions").ok_or(INVALID)?;
    Ok(Target::Subscriptions(uris))
}

/// The tasks that a method of `tasks/` or `subscriptions/listen` names; the
/// prefix is the extension's own.
fn tasks<'a>(method: &str, params: &'a Object<'a>) -> Result<Vec<&'a str>, ParamsError> {
    match method {
        "tasks/list" => Ok(Vec::new()),
        "subscriptions/listen" => {
            // Each is looked for in each notification.
            const MOST: usize = 100;
            let filter = params.get("notifications").and_then(Json::as_object);
            filter
                .map_or(Some(Vec::new()), |filter| texts(filter, "taskIds"))
                .filter(|ids| ids.len() <= MOST)
                .ok_or(ParamsError(
                    "\"taskIds\" must be an array of at most 100 strings",
                ))
        }
        _ if method.starts_with("tasks/") => Ok(vec![text(params, "taskId")?]),
        _ => Ok(Vec::new()),
    }
}

/// The strings of an array, which need not be there.
fn texts<'a>(members: &'a Object<'a>, name: &str) -> Option<Vec<&'a str>> {
    let Some(array) = members.get(name) else {
        return Some(Vec::new());
    };
    array.as_array()?.iter().map(Json::as_str).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::parse;

    proptest::proptest! {
        #[test]
        fn a_name_of_visible_ascii_is_callable_and_others_are_looked_at_by_letter(
            name in "[ -~]{0,6}|[a \u{0}\u{7f}\u{85}\u{a0}\u{e9}\u{2028}\t]{0,4}",
        ) {
            proptest::prop_assert_eq!(is_callable(&name), is_callable_by_letter(&name));
        }
    }

    fn target(method: &str, params: &str) -> Result<String, ParamsError> {
        let params = parse(params.as_bytes(), 16).unwrap();
        Call::of(method, params.as_object().unwrap()).map(|call| format!("{:?}", call.target))
    }

    #[test]
    fn each_method_has_its_target() {
        for (method, params, expected) in [
            (
                "tools/call",
                r#"{"name":"echo","arguments":{"a":1}}"#,
                r#"Tool("echo")"#,
            ),
            ("prompts/get", r#"{"name":"p"}"#, r#"Prompt("p")"#),
            (
                "resources/read",
                r#"{"uri":"demo://a"}"#,
                r#"Resource("demo://a")"#,
            ),
            (
                "completion/complete",
                r#"{"ref":{"type":"ref/prompt","name":"p"}}"#,
                r#"Prompt("p")"#,
            ),
            (
                "completion/complete",
                r#"{"ref":{"type":"ref/resource","uri":"demo://{id}"}}"#,
                r#"Resource("demo://{id}")"#,
            ),
            (
                "subscriptions/listen",
                r#"{"notifications":{"resourceSubscriptions":["demo://a","demo://b"]}}"#,
                r#"Subscriptions(["demo://a", "demo://b"])"#,
            ),
            ("tools/list", "{}", "Method"),
        ] {
            assert_eq!(target(method, params).as_deref(), Ok(expected), "{method}");
        }
    }

    #[test]
    fn a_target_that_cannot_be_read_in_one_way_is_refused() {
        for (method, params) in [
            ("tools/call", "{}"),
            ("tools/call", r#"{"name":1}"#),
            ("tools/call", r#"{"name":"get-env "}"#),
            ("prompts/get", r#"{"name":"get-env\u0000"}"#),
            ("tools/call", r#"{"name":"echo","Name":"get-env"}"#),
            ("tools/call", r#"{"name":"echo","arguments":[]}"#),
            ("tools/call", r#"{"name":"echo","arguments":null}"#),
            (
                "tools/call",
                r#"{"name":"sum","arguments":{"a":1,"A":5000}}"#,
            ),
            ("resources/read", r#"{"URI":"demo://a"}"#),
            ("completion/complete", "{}"),
            (
                "completion/complete",
                r#"{"ref":{"type":"ref/other","name":"p"}}"#,
            ),
            (
                "subscriptions/listen",
                r#"{"notifications":{"resourceSubscriptions":[1]}}"#,
            ),
            (
                "subscriptions/listen",
                r#"{"notifications":{"ResourceSubscriptions":["demo://a"]}}"#,
            ),
            ("subscriptions/listen", r#"{"notifications":[]}"#),
            (
                "completion/complete",
                r#"{"ref":{"type":"ref/prompt","name":"p"},"context":{"arguments":{"d":"a"}},"Context":{"arguments":{"d":"b"}}}"#,
            ),
            (
                "completion/complete",
                r#"{"ref":{"type":"ref/prompt","name":"p"},"context":{"arguments":{"d":"a"}},"argument":{"name":"d","value":"b"}}"#,
            ),
        ] {
            assert!(target(method, params).is_err(), "{method} {params}");
        }
    }

    #[test]
    fn a_completion_is_about_all_arguments_that_it_names() {
        let params = r#"{"ref":{"type":"ref/prompt","name":"p"},"context":{"arguments":{"a":"1"}},"argument":{"name":"b","value":"2"}}"#;
        let params = parse(params.as_bytes(), 16).unwrap();
        let call = Call::of("completion/complete", params.as_object().unwrap()).unwrap();
        let arguments = call.arguments.unwrap();
        assert_eq!(arguments.get("a").and_then(Json::as_str), Some("1"));
        assert_eq!(arguments.get("b").and_then(Json::as_str), Some("2"));
    }

    #[test]
    fn many_arguments_are_still_told_apart_by_more_than_case() {
        let many: String = (0..40).map(|n| format!("\"k{n}\":0,")).collect();
        assert!(
            target(
                "tools/call",
                &format!(r#"{{"name":"t","arguments":{{{many}"K7":1}}}}"#)
            )
            .is_err()
        );
        assert!(
            target(
                "tools/call",
                &format!(r#"{{"name":"t","arguments":{{{many}"z":1}}}}"#)
            )
            .is_ok()
        );
    }
}
