//! What of a server's entry is about what comes back from the upstream.

use super::reader::Node;
use super::{ClientFeatures, ObtainableEntries, TasksList};
use crate::http::UrlHost;

/// `lists`
pub(super) fn obtainable_entries(node: &Node<'_>) -> Option<ObtainableEntries> {
    let members = node.members(&["obtainable"])?;
    members.or("obtainable", ObtainableEntries::default(), |node| {
        node.one_of(&[
            ("shown", ObtainableEntries::Shown),
            ("hidden", ObtainableEntries::Hidden),
        ])
    })
}

/// `client_features`
pub(super) fn client_features(node: &Node<'_>) -> Option<ClientFeatures> {
    let members = node.members(&["sampling", "elicitation", "roots", "url_elicitation_hosts"])?;
    let default = ClientFeatures::default();
    let sampling = members.or("sampling", default.sampling, Node::boolean);
    let elicitation = members.or("elicitation", default.elicitation, Node::boolean);
    let roots = members.or("roots", default.roots, Node::boolean);
    let hosts = members.or(
        "url_elicitation_hosts",
        default.url_elicitation_hosts,
        |node| {
            let hosts = node.unique(url_host)?;
            if elicitation == Some(false) && !hosts.is_empty() {
                node.warning("these hosts are for nothing, since \"elicitation\" is false");
            }
            Some(hosts)
        },
    );
    Some(ClientFeatures {
        sampling: sampling?,
        elicitation: elicitation?,
        roots: roots?,
        url_elicitation_hosts: hosts?,
    })
}

fn url_host(node: &Node<'_>) -> Option<UrlHost> {
    let host = UrlHost::parse(node.string()?);
    if host.is_none() {
        node.expected(
            "a host of URLs in lower case, with or without a port, such as connect.example.com, \
             *.example.com for everything below it, or 127.0.0.1:8080 (a loopback host has to \
             have its port)",
        );
    }
    host
}

/// `response_headers`: the names of those that are kept, lower case.
pub(super) fn kept_headers(node: &Node<'_>) -> Option<Vec<String>> {
    let members = node.members(&["keep"])?;
    let names = ["set-cookie", "www-authenticate", "proxy-authenticate"];
    members.or("keep", Vec::new(), |node| {
        node.unique(|node| {
            let name = node.one_of(&names.map(|name| (name, name)))?;
            Some(name.to_owned())
        })
    })
}

/// `tasks_list`
pub(super) fn tasks_list(node: &Node<'_>) -> Option<TasksList> {
    node.one_of(&[
        ("refused", TasksList::Refused),
        ("trusted", TasksList::Trusted),
    ])
}
