//! The entries of servers.

use std::rc::Rc;

use super::address::{is_authority, origin, path_problem, resource, url, without_default_port};
use super::reader::{Members, Node};
use super::responses::{client_features, kept_headers, obtainable_entries, tasks_list};
use super::rules::{obtainable, rules};
use super::token_services::{Surroundings, credential};
use super::words::{HeaderUse, header_name, id, name_pattern, scopes};
use super::{
    AnswerStyle, Answers, ClientFeatures, Hosts, IdentityHeaders, MetadataFields,
    ObtainableEntries, Resource, Server, TasksList, warnings,
};
use crate::mcp::Revision;
use crate::names::repeat;
use crate::oauth::{Issuer, Scopes, SubjectType};
use crate::policy::Policy;

const FIELDS: [&str; 23] = [
    "id",
    "resource",
    "hosts",
    "path",
    "issuers",
    "audiences",
    "scopes",
    "obtainable_scopes",
    "metadata",
    "allowed_origins",
    "answers",
    "protocol_versions",
    "extra_methods",
    "identity_headers",
    "remove_headers",
    "audit_arguments",
    "audit_only",
    "credential",
    "lists",
    "client_features",
    "response_headers",
    "tasks_list",
    "rules",
];

/// An issuer's entry, as far as it could be read.
pub(super) struct KnownIssuer {
    pub(super) id: Option<String>,
    pub(super) issuer: Option<Rc<Issuer>>,
}

pub(super) fn server(
    node: &Node<'_>,
    known: &[KnownIssuer],
    surroundings: &Surroundings<'_>,
) -> Option<Server> {
    let members = node.members(&FIELDS)?;
    let id = members.required("id").and_then(|node| id(&node));
    let resource = members
        .required("resource")
        .and_then(|node| resource(&node));
    let hosts = hosts(&members, resource.as_ref());
    let path = match members.optional("path") {
        Some(node) => path(&node),
        None => resource.as_ref().map(|resource| resource.path.clone()),
    };
    let issuers = members
        .required("issuers")
        .and_then(|node| issuers(&node, known));
    let audiences = members.maybe("audiences", |node| {
        node.some_unique(|node| node.text().map(str::to_owned))
    });
    let base = members.or("scopes", Scopes::default(), scopes);
    let metadata = metadata(&members, base.as_ref());
    let allowed_origins = members.or("allowed_origins", Vec::new(), |node| node.unique(origin));
    let answers = answers(&members);
    let protocol_versions = members.or("protocol_versions", Revision::ALL.to_vec(), |node| {
        let known = Revision::ALL.map(|revision| (revision.as_str(), revision));
        node.some_unique(|node| node.one_of(&known))
    });
    let extra_methods = members.or("extra_methods", Vec::new(), |node| {
        node.unique(name_pattern)
    });
    let identity_headers = identity_headers(&members);
    let remove_headers = members.or("remove_headers", Vec::new(), |node| {
        node.unique(|node| header_name(node, HeaderUse::Remove))
    });
    let audit_arguments = members.or("audit_arguments", Vec::new(), |node| {
        node.unique(|node| node.text().map(str::to_owned))
    });
    let credential = members.maybe("credential", |node| {
        let headers = identity_headers.as_ref();
        credential(node, id.as_deref(), headers, surroundings).map(Rc::new)
    });
    let lists = members.or("lists", ObtainableEntries::default(), obtainable_entries);
    let features = members.or(
        "client_features",
        ClientFeatures::default(),
        client_features,
    );
    let kept_headers = members.or("response_headers", Vec::new(), kept_headers);
    let tasks_list = members.or("tasks_list", TasksList::default(), tasks_list);
    let audit_only = members.or("audit_only", false, Node::boolean);
    let issuer_ids = issuers.as_deref().map(|issuers| issuer_ids(issuers, known));
    let obtainable = members.or("obtainable_scopes", Vec::new(), |node| {
        obtainable(node, issuer_ids.as_deref())
    });
    let rules_node = members.required("rules");
    let rules = rules_node
        .as_ref()
        .and_then(|node| rules(node, issuer_ids.as_deref()));
    if let (Some(node), Some(rules), Some(base)) = (&rules_node, &rules, &base)
        && let (Some(obtainable), Some(extra_methods)) = (&obtainable, &extra_methods)
        && let (Some(versions), Some(issuers)) = (&protocol_versions, &issuers)
    {
        let around = warnings::Around {
            base,
            obtainable,
            extra_methods,
            versions,
            subject_types: subject_types(issuers, known),
        };
        warnings::of_rules(node, rules, &around);
    }
    let resource = resource?;
    let base = base?;
    Some(Server {
        id: id?.into(),
        hosts: hosts?,
        path: path?,
        issuers: issuers?,
        audiences: audiences?.unwrap_or_else(|| vec![resource.url.clone()]),
        metadata: metadata?,
        allowed_origins: allowed_origins?,
        answers: answers?,
        protocol_versions: protocol_versions?,
        extra_methods: extra_methods?,
        identity_headers: identity_headers?,
        remove_headers: remove_headers?,
        audit_arguments: audit_arguments?,
        credential: credential?,
        obtainable_entries: lists?,
        client_features: features?,
        keep_response_headers: kept_headers?,
        tasks_list: tasks_list?,
        policy: Policy::new(base.clone(), obtainable?, audit_only?, rules?),
        scopes: base,
        resource,
    })
}

fn hosts(members: &Members<'_>, resource: Option<&Resource>) -> Option<Hosts> {
    let Some(node) = members.optional("hosts") else {
        return resource.map(|resource| Hosts::Listed(vec![resource.authority.clone()]));
    };
    if let Some([only]) = node.value.as_array()
        && only.as_str() == Some("*")
    {
        return Some(Hosts::Any);
    }
    let scheme = resource.map_or("http", |resource| resource.scheme.as_str());
    node.some_unique(|node| {
        let text = node.string()?;
        if text == "*" {
            node.error("\"*\" alone, or hosts", "both");
            return None;
        }
        if !is_authority(text) {
            node.expected("a host in lower case, with or without a port");
            return None;
        }
        Some(without_default_port(scheme, text).to_owned())
    })
    .map(Hosts::Listed)
}

fn path(node: &Node<'_>) -> Option<String> {
    let text = node.string()?;
    if let Some(problem) = path_problem(text) {
        node.error("a path in its plain form", problem);
        return None;
    }
    Some(text.to_owned())
}

/// The issuers, as indexes. At most one of them is asked about opaque tokens,
/// and a token names one of them only.
fn issuers(node: &Node<'_>, known: &[KnownIssuer]) -> Option<Vec<usize>> {
    // An entry whose id could not be read may be the one that is meant.
    let all_known = !known.is_empty() && known.iter().all(|issuer| issuer.id.is_some());
    let indexes = node.some_unique(|node| {
        let text = node.string()?;
        let index = known
            .iter()
            .position(|issuer| issuer.id.as_deref() == Some(text));
        if index.is_none() && all_known {
            node.expected("the id of an entry of issuers");
        }
        index
    })?;
    let entries: Vec<&Issuer> = indexes
        .iter()
        .filter_map(|index| known.get(*index)?.issuer.as_deref())
        .collect();
    let opaque = entries
        .iter()
        .filter(|issuer| issuer.introspection.is_some());
    if opaque.count() > 1 {
        node.error("at most one issuer with introspection", "several");
    }
    if repeat(entries.iter().map(|issuer| &*issuer.issuer).collect()) {
        node.error("issuers with different issuer URLs", "two with the same");
    }
    Some(indexes)
}

fn issuer_ids(indexes: &[usize], known: &[KnownIssuer]) -> Vec<Rc<str>> {
    indexes
        .iter()
        .filter_map(|index| known.get(*index)?.id.as_deref().map(Rc::from))
        .collect()
}

/// The kinds of subject that tokens of these issuers can have.
fn subject_types(indexes: &[usize], known: &[KnownIssuer]) -> Vec<SubjectType> {
    indexes
        .iter()
        .filter_map(|index| known.get(*index)?.issuer.as_ref())
        .flat_map(|issuer| issuer.claims.subject_type.all())
        .collect()
}

fn metadata(members: &Members<'_>, base: Option<&Scopes>) -> Option<MetadataFields> {
    let default = base.cloned();
    let Some(node) = members.optional("metadata") else {
        return Some(MetadataFields {
            scopes_supported: default?,
            ..MetadataFields::default()
        });
    };
    let members = node.members(&[
        "scopes_supported",
        "resource_name",
        "resource_documentation",
        "resource_policy_uri",
        "resource_tos_uri",
    ])?;
    let supported = match members.optional("scopes_supported") {
        Some(node) => scopes(&node).inspect(|scopes| {
            if scopes.contains("offline_access") {
                node.error(
                    "scopes of this resource",
                    "offline_access, which is the authorization server's",
                );
            }
        }),
        None => default,
    };
    let name = members.maybe("resource_name", |node| node.text().map(str::to_owned));
    let link = |name| {
        members.maybe(name, |node: &Node<'_>| {
            url(node)?;
            node.string().map(str::to_owned)
        })
    };
    let documentation = link("resource_documentation");
    let policy = link("resource_policy_uri");
    let terms = link("resource_tos_uri");
    Some(MetadataFields {
        scopes_supported: supported?,
        resource_name: name?,
        resource_documentation: documentation?,
        resource_policy_uri: policy?,
        resource_tos_uri: terms?,
    })
}

fn answers(members: &Members<'_>) -> Option<Answers> {
    let Some(node) = members.optional("answers") else {
        return Some(Answers::default());
    };
    let members = node.members(&["unknown", "arguments", "denied"])?;
    let style = |node: &Node<'_>| {
        node.one_of(&[
            ("hidden", AnswerStyle::Hidden),
            ("tool_result", AnswerStyle::ToolResult),
            ("jsonrpc_error", AnswerStyle::JsonRpcError),
            ("http_403", AnswerStyle::Http403),
        ])
    };
    let default = Answers::default();
    let unknown = members.or("unknown", default.unknown, style);
    let arguments = members.or("arguments", default.arguments, style);
    let denied = members.or("denied", default.denied, style);
    Some(Answers {
        unknown: unknown?,
        arguments: arguments?,
        denied: denied?,
    })
}

/// `null` switches a header off, also one that is sent by default.
fn identity_headers(members: &Members<'_>) -> Option<IdentityHeaders> {
    let default = IdentityHeaders::default();
    let Some(node) = members.optional("identity_headers") else {
        return Some(default);
    };
    let members = node.members(&["subject", "issuer", "client", "scopes", "subject_type"])?;
    let header = |name, default| match members.optional(name) {
        None => Some(default),
        Some(node) if node.value.kind() == "null" => Some(None),
        Some(node) => header_name(&node, HeaderUse::Set).map(|name| Some(name.into())),
    };
    let subject = header("subject", default.subject);
    let issuer = header("issuer", default.issuer);
    let client = header("client", default.client);
    let scopes = header("scopes", default.scopes);
    let subject_type = header("subject_type", default.subject_type);
    let headers = IdentityHeaders {
        subject: subject?,
        issuer: issuer?,
        client: client?,
        scopes: scopes?,
        subject_type: subject_type?,
    };
    if repeat(headers.names().collect()) {
        node.error("a different header for each", "one header twice");
        return None;
    }
    Some(headers)
}
