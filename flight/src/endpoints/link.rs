//! How an endpoint is reached: a connection and the clients over it. When TLS files change, another link
//! takes its place; calls that are under way end on the old one.

use std::sync::{Mutex, PoisonError};

use engine::Result;
use tokio::sync::mpsc;
use tonic::transport::channel::Change;
use tonic::transport::{Channel, Endpoint as Connector};

use super::channel;
use super::connection::Connection;
use super::spec::ClientSpec;
use crate::grpc::tls::{Stamp, stamp};
use crate::runs::Node;
use crate::storeapi::client::{ClientSettings, StoreApi};

/// How many changes of a group's addresses may wait to be looked at.
const CHANGES: usize = 2 * super::dns::ADDRESSES_MAX;

/// A connection and the clients over it.
#[derive(Debug)]
pub(super) struct Link {
    stamps: Vec<Stamp>,
    pub(super) connection: Connection,
    pub(super) store: StoreApi,
    pub(super) node: Node,
    group: Option<Mutex<Group>>,
}

/// The addresses of a group, and who hears of their changes.
#[derive(Debug)]
struct Group {
    addresses: Vec<String>,
    changes: mpsc::Sender<Change<String, Connector>>,
}

impl Link {
    /// A link to `address`; a group has no addresses yet.
    ///
    /// # Errors
    /// [`Invalid`](engine::ErrorKind::Invalid) for what cannot be an address, and for wrong TLS files.
    pub(super) fn new(
        address: &str,
        group: bool,
        client: &ClientSpec,
        settings: &ClientSettings,
    ) -> Result<Self> {
        let stamps = stamps(client);
        let (channel, group) = if group {
            let (channel, changes) = Channel::balance_channel(CHANGES);
            (channel, Some(Mutex::new(Group { addresses: Vec::new(), changes })))
        } else {
            (channel::endpoint(address, client)?.connect_lazy(), None)
        };
        let connection = Connection::new(channel, client.compression);
        let store = StoreApi::new(address, connection.clone(), settings.clone());
        let node = Node::new(address, connection.clone(), settings.clone(), store.clone());
        Ok(Self { stamps, connection, store, node, group })
    }

    /// Whether the TLS files are those that it was made with.
    pub(super) fn is_current(&self, client: &ClientSpec) -> bool {
        self.stamps == stamps(client)
    }

    /// The same link with TLS files read anew.
    pub(super) fn renewed(
        &self,
        address: &str,
        client: &ClientSpec,
        settings: &ClientSettings,
    ) -> Result<Self> {
        if self.group.is_some() {
            // A group finds out by its addresses, which is too late.
            channel::endpoint("localhost:0", client)?;
        }
        let new = Self::new(address, self.group.is_some(), client, settings)?;
        new.store.learn(self.store.facts());
        if let Some(group) = &self.group {
            let addresses = group.lock().unwrap_or_else(PoisonError::into_inner).addresses.clone();
            new.regroup(&addresses, client);
        }
        Ok(new)
    }

    /// Gives a group its addresses.
    pub(super) fn regroup(&self, addresses: &[String], client: &ClientSpec) {
        let Some(group) = &self.group else { return };
        let mut group = group.lock().unwrap_or_else(PoisonError::into_inner);
        let mut changes = Vec::new();
        for gone in group.addresses.iter().filter(|known| !addresses.contains(known)) {
            changes.push(Change::Remove(gone.clone()));
        }
        for new in addresses.iter().filter(|new| !group.addresses.contains(new)) {
            match channel::endpoint(new, client) {
                Ok(connector) => changes.push(Change::Insert(new.clone(), connector)),
                Err(error) => tracing::warn!(err = %error, "an address of a group"),
            }
        }
        for change in changes {
            if group.changes.try_send(change).is_err() {
                tracing::warn!("changes of a group come too fast");
            }
        }
        group.addresses = addresses.to_vec();
    }
}

/// What tells that the TLS files changed.
fn stamps(client: &ClientSpec) -> Vec<Stamp> {
    let files = client.tls.iter().flat_map(|tls| [&tls.cert, &tls.key, &tls.ca]);
    files.flatten().map(|path| stamp(path)).collect()
}
