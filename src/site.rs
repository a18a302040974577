//! Where requests go: the servers of the configuration, by host and path,
//! with everything about them that does not depend on a request.

use core::cmp::Ordering;
use std::rc::Rc;

use crate::config::{Config, Hosts, Server};
use crate::http::headers::HeaderNames;
use crate::http::target::normal_authority;
use crate::names::distinct;
use crate::oauth::challenge::{Challenge, ChallengeError};
use crate::oauth::metadata::{ResourceMetadata, document, well_known_path};
use crate::oauth::{Audience, Scopes};

/// One server, made ready to be asked.
#[derive(Debug)]
pub struct Site {
    /// Its entry in the configuration.
    pub server: Rc<Server>,
    /// Its index in the configuration.
    pub index: usize,
    /// Scheme and authority of the resource, as a serialized origin.
    pub own_origin: String,
    /// URL of the protected resource metadata, which every challenge names.
    pub metadata_url: String,
    /// The protected resource metadata (RFC 9728).
    pub metadata_document: Rc<str>,
    /// The challenge to a request without credentials.
    pub challenge: Rc<str>,
    /// Names of the arguments of calls that something may look into.
    pub asked_arguments: Vec<String>,
    /// Headers of a client's request that do not go on: the credentials, the
    /// encodings of a response (it has to be read), those that the gate or the
    /// credential sets, and those that the configuration names.
    pub reserved_headers: HeaderNames,
}

/// What a path is, for the server that it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The MCP endpoint.
    Endpoint,
    /// The protected resource metadata document.
    Metadata,
}

/// The servers that have one path, each on hosts of its own.
type Places = Vec<(Rc<Site>, Place)>;

/// All servers, by path.
#[derive(Debug, Default)]
pub struct Sites {
    /// In the order of [`shorter_first`].
    by_path: Vec<(String, Places)>,
}

impl Sites {
    /// From a configuration.
    pub fn new(config: &Config) -> Self {
        let mut sites = Self::default();
        for (index, server) in config.servers.iter().enumerate() {
            let issuers: Vec<&str> = server
                .issuers
                .iter()
                .filter_map(|index| config.issuers.get(*index))
                .map(|issuer| issuer.issuer.as_ref())
                .collect();
            let site = Rc::new(Site::new(index, server, &issuers));
            sites.add(server.path.clone(), &site, Place::Endpoint);
            sites.add(
                well_known_path(&server.resource.path),
                &site,
                Place::Metadata,
            );
        }
        sites
    }

    fn add(&mut self, path: String, site: &Rc<Site>, place: Place) {
        let found = (Rc::clone(site), place);
        match self.position(&path) {
            Ok(position) => {
                if let Some((_, places)) = self.by_path.get_mut(position) {
                    places.push(found);
                }
            }
            Err(position) => self.by_path.insert(position, (path, vec![found])),
        }
    }

    fn position(&self, path: &str) -> Result<usize, usize> {
        self.by_path
            .binary_search_by(|(known, _)| shorter_first(known, path))
    }

    /// The server of a request, and what of it is asked for. Paths are
    /// compared to the character: whatever spelling an upstream might also
    /// take for the path (`%2f`, `//`, `/../`, another case) belongs to none.
    pub fn find(&self, authority: &str, path: &str) -> Option<(&Rc<Site>, Place)> {
        let (_, places) = self.by_path.get(self.position(path).ok()?)?;
        places
            .iter()
            .find(|(site, _)| site.has_host(authority))
            .map(|(site, place)| (site, *place))
    }
}

/// An order of paths in which only those of one length have to be compared to
/// the character.
fn shorter_first(left: &str, right: &str) -> Ordering {
    let by_length = left.len().cmp(&right.len());
    by_length.then_with(|| left.cmp(right))
}

/// Those that rules have conditions on, and those that are recorded.
fn asked_arguments(server: &Server) -> Vec<String> {
    let recorded = server.audit_arguments.iter().map(String::as_str);
    let names = server.policy.arguments().chain(recorded).collect();
    distinct(names).into_iter().map(str::to_owned).collect()
}

impl Site {
    fn new(index: usize, server: &Rc<Server>, issuers: &[&str]) -> Self {
        let resource = &server.resource;
        let own_origin = format!("{}://{}", resource.scheme, resource.authority);
        let metadata_url = format!("{own_origin}{}", well_known_path(&resource.path));
        let challenge = Challenge {
            error: None,
            description: None,
            scope: Some(&server.scopes),
            resource_metadata: &metadata_url,
        }
        .header_value();
        let metadata_document = document(&ResourceMetadata {
            resource: &resource.url,
            authorization_servers: issuers,
            scopes_supported: &server.metadata.scopes_supported,
            resource_name: server.metadata.resource_name.as_deref(),
            resource_documentation: server.metadata.resource_documentation.as_deref(),
            resource_policy_uri: server.metadata.resource_policy_uri.as_deref(),
            resource_tos_uri: server.metadata.resource_tos_uri.as_deref(),
        });
        let credential_headers = server
            .credential
            .as_ref()
            .map_or(&[][..], |source| &source.headers);
        Self {
            server: Rc::clone(server),
            index,
            own_origin,
            metadata_url,
            metadata_document: metadata_document.into(),
            challenge: challenge.into(),
            asked_arguments: asked_arguments(server),
            reserved_headers: ["authorization", "accept-encoding"]
                .into_iter()
                .chain(server.identity_headers.names())
                .chain(server.remove_headers.iter().map(String::as_str))
                .chain(credential_headers.iter().map(String::as_str))
                .collect(),
        }
    }

    fn has_host(&self, authority: &str) -> bool {
        match &self.server.hosts {
            Hosts::Any => true,
            Hosts::Listed(hosts) => {
                // Nearly every request has the listed spelling already.
                hosts.iter().any(|host| host == authority) || {
                    let normal = normal_authority(authority, &self.server.resource.scheme);
                    hosts.contains(&normal)
                }
            }
        }
    }

    /// Whom this server's tokens have to be meant for.
    pub fn audience(&self) -> Audience<'_> {
        Audience {
            server: self.index,
            issuers: &self.server.issuers,
            audiences: &self.server.audiences,
        }
    }

    /// The name that a user knows the server by.
    pub fn display_name(&self) -> &str {
        let name = self.server.metadata.resource_name.as_deref();
        name.unwrap_or(&self.server.id)
    }

    /// A challenge with an error.
    pub fn challenge_with(
        &self,
        error: ChallengeError,
        description: &str,
        scope: &Scopes,
    ) -> String {
        Challenge {
            error: Some(error),
            description: Some(description),
            scope: Some(scope),
            resource_metadata: &self.metadata_url,
        }
        .header_value()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert_eq, proptest};

    use super::*;
    use crate::config;

    fn sites(servers: &[(&str, &str)]) -> (Config, Sites) {
        let server = |(id, (host, path)): (usize, &(&str, &str))| {
            format!(
                r#"{{"id":"s{id}","resource":"https://{host}{path}","issuers":["demo"],
                     "rules":[{{"id":"r","what":{{"tools":["*"]}}}}]}}"#
            )
        };
        let servers: Vec<String> = servers.iter().enumerate().map(server).collect();
        let text = format!(
            r#"{{"issuers":[{{"id":"demo","issuer":"https://issuer.example","algorithms":["RS256"],
                 "keys":{{"discovery":{{"cluster":"as"}}}}}}],"servers":[{}]}}"#,
            servers.join(",")
        );
        let config = config::parse(text.as_bytes(), &|_| None).unwrap();
        let sites = Sites::new(&config);
        (config, sites)
    }

    const SERVERS: [(&str, &str); 7] = [
        ("a.example", "/mcp"),
        ("b.example", "/mcp"),
        ("a.example", "/mcq"),
        ("a.example", "/abc"),
        ("b.example", "/a"),
        ("b.example", "/a/mcp"),
        ("c.example", "/zzzzzzzzzz"),
    ];

    /// The server of a request, and what of it is asked for, out of a list.
    fn expected(config: &Config, authority: &str, path: &str) -> Option<(usize, Place)> {
        let mut servers = config.servers.iter().enumerate();
        servers.find_map(|(index, server)| {
            let is_asked_for = server.resource.authority == authority;
            if is_asked_for && server.path == path {
                Some((index, Place::Endpoint))
            } else if is_asked_for && well_known_path(&server.resource.path) == path {
                Some((index, Place::Metadata))
            } else {
                None
            }
        })
    }

    proptest! {
        #[test]
        fn a_server_is_found_by_its_host_and_its_path_to_the_character(
            host in 0..3_usize,
            is_metadata in proptest::bool::ANY,
            path in "(/[a-z]{0,3}){0,2}|/mc[pq]/?|/a/mcp|/z{8,12}",
        ) {
            let (config, sites) = sites(&SERVERS);
            let host = ["a.example", "b.example", "c.example"][host];
            let path = if is_metadata { well_known_path(&path) } else { path };
            let found = sites.find(host, &path).map(|(site, place)| (site.index, place));
            prop_assert_eq!(found, expected(&config, host, &path));
        }
    }

    #[test]
    fn every_server_is_found() {
        let (config, sites) = sites(&SERVERS);
        for (index, (host, path)) in SERVERS.into_iter().enumerate() {
            for (path, place) in [
                (path.to_owned(), Place::Endpoint),
                (well_known_path(path), Place::Metadata),
            ] {
                let found = sites.find(host, &path);
                let found = found.map(|(site, place)| (site.index, place));
                assert_eq!(found, Some((index, place)), "{host}{path}");
                assert_eq!(found, expected(&config, host, &path));
            }
        }
        assert!(sites.find("d.example", "/mcp").is_none());
        assert!(sites.find("a.example", "").is_none());
    }
}
