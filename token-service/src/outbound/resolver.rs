//! Names to addresses, without those that must not be called.
//!
//! The check is part of the connection: the addresses that pass here are the
//! ones that are connected to, so that a name that resolves differently the
//! next time (DNS rebinding) gains nothing.

use core::fmt;
use core::future::Future;
use core::pin::Pin;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::address::is_public;
use super::allow::Network;

/// Addresses that are being looked up.
pub type LookingUp = Pin<Box<dyn Future<Output = std::io::Result<Vec<IpAddr>>> + Send>>;

/// How names become addresses.
pub trait Lookup: Send + Sync + 'static {
    /// The addresses of a name.
    fn lookup(&self, name: String) -> LookingUp;
}

/// The resolver of the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemLookup;

/// Which addresses a connection may go to.
#[derive(Clone, Debug)]
pub(super) enum Reach {
    /// Any: the operator named the host.
    Anywhere,
    /// Public ones and the operator's networks.
    Public(Arc<[Network]>),
    /// The operator's networks alone.
    Networks(Arc<[Network]>),
}

/// The resolver of one kind of connections.
pub(super) struct Guarded {
    pub(super) lookup: Arc<dyn Lookup>,
    pub(super) reach: Reach,
}

/// The name leads to no address that may be called.
#[derive(Clone, Copy, Debug)]
pub(super) struct AddressRefused;

impl Reach {
    pub(super) fn permits(&self, address: IpAddr) -> bool {
        let within = |networks: &[Network]| networks.iter().any(|one| one.contains(address));
        match self {
            Self::Anywhere => true,
            Self::Public(networks) => is_public(address) || within(networks),
            Self::Networks(networks) => within(networks),
        }
    }
}

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let looking_up = self.lookup.lookup(name.as_str().to_owned());
        let reach = self.reach.clone();
        Box::pin(async move {
            let addresses: Vec<SocketAddr> = looking_up
                .await?
                .into_iter()
                .filter(|address| reach.permits(*address))
                // The port of the URL takes the place of 0.
                .map(|address| SocketAddr::new(address, 0))
                .collect();
            if addresses.is_empty() {
                return Err(AddressRefused.into());
            }
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

impl Lookup for SystemLookup {
    fn lookup(&self, name: String) -> LookingUp {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }
}

impl fmt::Display for AddressRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name leads to no address that may be called")
    }
}

impl core::error::Error for AddressRefused {}
