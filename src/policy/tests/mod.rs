mod arguments;
mod audit_only;
mod demonstration;
mod effects;
mod foreign_input;
mod reasons;
mod tasks;
mod visibility;
mod who;

use super::*;
use crate::config;
use crate::json::{Json, parse};

const READER: (&str, &str) = ("mcp:read", "{}");
const WRITER: (&str, &str) = ("mcp:read mcp:write", "{}");
const ADMIN: (&str, &str) = ("mcp:read mcp:write", r#"{"roles":["admin"]}"#);

fn identity((scopes, claims): (&str, &str)) -> Identity {
    Identity::for_test("somebody", scopes, claims)
}

fn json(text: &str) -> Json<'static> {
    parse(text.as_bytes(), 16).unwrap()
}

fn demo() -> Policy {
    let bytes = include_bytes!("../../../tests/config/good/demo.json");
    let config = config::parse(bytes, &|_| Some("x".repeat(32))).unwrap();
    assert_eq!(config.warnings, []);
    config.servers[0].policy.clone()
}

/// The policy of a server with these fields besides the usual ones.
fn policy(fields: &str) -> Policy {
    let text = format!(
        r#"{{"issuers":[{{"id":"demo","issuer":"https://issuer.example","algorithms":["RS256"],
             "keys":{{"discovery":{{"cluster":"as"}}}}}}],
            "servers":[{{"id":"s","resource":"https://mcp.example/s","issuers":["demo"],{fields}}}]}}"#
    );
    let config = config::parse(text.as_bytes(), &|_| None).unwrap();
    config.servers[0].policy.clone()
}

fn rules(rules: &str) -> Policy {
    policy(&format!(
        r#""obtainable_scopes":[{{"scopes":["w","x","y"]}},
            {{"scopes":["z"],"who":{{"subjects":["someone-else"]}}}}],"rules":[{rules}]"#
    ))
}

/// A decision in a few words.
fn decide(
    policy: &Policy,
    who: (&str, &str),
    method: &str,
    target: Target<'_>,
    arguments: &str,
) -> String {
    let arguments = json(arguments);
    let call = Call {
        method,
        target,
        arguments: arguments.as_object().map(crate::mcp::Arguments::Given),
        tasks: Vec::new(),
    };
    in_words(&policy.decide(&identity(who), &call))
}

fn in_words(decision: &Decision) -> String {
    match decision {
        Decision::Permit(permit) => match permit.unenforced() {
            None => format!("permit {}", permit.rule().map_or("-", |rule| rule)),
            Some(denied) => format!(
                "permit {} but {}",
                permit.rule().map_or("-", |rule| rule),
                denied_in_words(denied)
            ),
        },
        Decision::Deny(denied) => denied_in_words(denied),
    }
}

fn denied_in_words(denied: &Denied) -> String {
    let name = |rule: &Option<Rc<str>>| rule.as_deref().unwrap_or("-").to_owned();
    match denied {
        Denied::MissingScopes { rule, scopes } => format!("scopes {} [{scopes}]", name(rule)),
        Denied::Unknown { rule } => format!("unknown {}", name(rule)),
        Denied::Argument { rule, expectation } => format!("argument {rule}: {expectation}"),
        Denied::Rule { rule } => format!("rule {rule}"),
    }
}

fn tool(policy: &Policy, who: (&str, &str), name: &str, arguments: &str) -> String {
    decide(policy, who, "tools/call", Target::Tool(name), arguments)
}

fn resource(policy: &Policy, who: (&str, &str), uri: &str) -> String {
    decide(policy, who, "resources/read", Target::Resource(uri), "{}")
}
