//! The rules of a server's entry.

use std::rc::Rc;

use super::conditions::{arguments, claims};
use super::issuers::subject_type_name;
use super::reader::{Members, Node};
use super::words::{id, name_pattern, scopes, some_scopes, uri_pattern};
use crate::mcp::call::is_targeted;
use crate::oauth::Scopes;
use crate::policy::{Effect, Obtainable, Pattern, Patterns, Rule, What, Who};

/// The ids of the server's issuers, or `None` where they could not be read.
type IssuerIds<'i> = Option<&'i [Rc<str>]>;

pub(super) fn rules(node: &Node<'_>, issuers: IssuerIds<'_>) -> Option<Vec<Rule>> {
    let nodes = node.elements()?;
    let ids: Vec<Option<&str>> = nodes.iter().map(id_text).collect();
    nodes
        .iter()
        .enumerate()
        .map(|(index, node)| {
            let earlier = ids.get(..index).unwrap_or_default();
            let id = id_text(node);
            if id.is_some() && earlier.contains(&id) {
                let place = node.member("id")?;
                place.error(
                    "an id of its own for each rule",
                    "one that was there before",
                );
            }
            rule(node, issuers)
        })
        // Every rule is read, also after one that cannot be.
        .collect::<Vec<_>>()
        .into_iter()
        .collect()
}

fn id_text<'a>(node: &Node<'a>) -> Option<&'a str> {
    node.value.as_object()?.get("id")?.as_str()
}

fn rule(node: &Node<'_>, issuers: IssuerIds<'_>) -> Option<Rule> {
    let members = node.members(&["id", "effect", "audit_only", "who", "what", "arguments"])?;
    let id = members.required("id").and_then(|node| id(&node));
    let effect = members.or("effect", Effect::Allow, |node| {
        node.one_of(&[("allow", Effect::Allow), ("deny", Effect::Deny)])
    });
    let audit_only = members.or("audit_only", false, Node::boolean);
    let who = members.or("who", Who::default(), |node| who(node, issuers, true));
    let what = members.required("what").and_then(|node| what(&node));
    let arguments = members.or("arguments", Vec::new(), arguments);
    if let (Some(what), Some(node)) = (&what, members.optional("arguments"))
        && !(what.resources.is_empty() && what.methods.is_empty())
    {
        node.error(
            "arguments only in rules on tools and prompts",
            "a rule on resources or methods",
        );
    }
    Some(Rule {
        id: id?.into(),
        effect: effect?,
        audit_only: audit_only?,
        who: who?,
        what: what?,
        arguments: arguments?,
    })
}

pub(super) fn obtainable(node: &Node<'_>, issuers: IssuerIds<'_>) -> Option<Vec<Obtainable>> {
    node.elements()?
        .iter()
        .map(|node| {
            let members = node.members(&["scopes", "who"])?;
            let scopes = members
                .required("scopes")
                .and_then(|node| some_scopes(&node));
            let who = members.or("who", Who::default(), |node| who(node, issuers, false));
            Some(Obtainable {
                scopes: scopes?,
                who: who?,
            })
        })
        .collect::<Vec<_>>()
        .into_iter()
        .collect()
}

fn who(node: &Node<'_>, issuers: IssuerIds<'_>, with_scopes: bool) -> Option<Who> {
    const FIELDS: [&str; 6] = [
        "scopes",
        "subjects",
        "subject_types",
        "clients",
        "issuers",
        "claims",
    ];
    let without_scopes = FIELDS.split_first().map_or(&[][..], |(_, rest)| rest);
    let members = node.members(if with_scopes { &FIELDS } else { without_scopes })?;
    let scopes = if with_scopes {
        members.or("scopes", Scopes::default(), scopes)
    } else {
        Some(Scopes::default())
    };
    let subjects = members.maybe("subjects", |node| node.some_unique(name_pattern));
    let subject_types = members.maybe("subject_types", |node| node.some_unique(subject_type_name));
    let clients = members.maybe("clients", |node| node.some_unique(name_pattern));
    let issuers = members.maybe("issuers", |node| {
        node.some_unique(|node| issuer_id(node, issuers))
    });
    let claims = members.or("claims", Vec::new(), claims);
    Some(Who {
        scopes: scopes?,
        subjects: subjects?,
        subject_types: subject_types?,
        clients: clients?,
        issuers: issuers?,
        claims: claims?,
    })
}

fn issuer_id(node: &Node<'_>, known: IssuerIds<'_>) -> Option<Rc<str>> {
    let text = node.string()?;
    if known.is_some_and(|known| !known.iter().any(|id| **id == *text)) {
        node.expected("the id of one of this server's issuers");
        return None;
    }
    Some(text.into())
}

fn what(node: &Node<'_>) -> Option<What> {
    const KINDS: [&str; 4] = ["tools", "prompts", "resources", "methods"];
    let members = node.members(&["tools", "prompts", "resources", "methods", "except"])?;
    if members.present(&KINDS).is_empty() {
        members.error(
            "at least one of tools, prompts, resources, methods",
            "none of them",
        );
        return None;
    }
    let tools = patterns(&members, "tools", name_pattern);
    let prompts = patterns(&members, "prompts", name_pattern);
    let resources = patterns(&members, "resources", uri_pattern);
    let methods = patterns(&members, "methods", method_pattern);
    let except_names = patterns(&members, "except", name_pattern);
    // The names are the same texts, so what is wrong was reported above.
    let except_uris = except_names
        .iter()
        .flatten()
        .filter_map(|pattern| Pattern::uri(pattern.as_str()).ok())
        .collect();
    Some(What {
        tools: tools?,
        prompts: prompts?,
        resources: resources?,
        methods: methods?,
        except_names: Patterns::new(except_names?),
        except_uris,
    })
}

fn patterns(
    members: &Members<'_>,
    name: &str,
    read: impl Fn(&Node<'_>) -> Option<Pattern>,
) -> Option<Vec<Pattern>> {
    members.or(name, Vec::new(), |node| node.some_unique(read))
}

/// Rules on methods do not decide what names a tool, prompt or resource.
fn method_pattern(node: &Node<'_>) -> Option<Pattern> {
    let pattern = name_pattern(node)?;
    if is_targeted(pattern.as_str()) {
        node.expected("a method that names no tool, prompt or resource");
        return None;
    }
    Some(pattern)
}
