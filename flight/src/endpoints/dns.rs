//! Addresses behind names: `dns+`, `dnssrv+`, `dnssrvnoa+`, `dnsdualstack+` (`pkg/discovery/dns`).

use std::net::IpAddr;
use std::time::Duration;

use engine::{Error, ErrorKind, Result};
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{RData, RecordType};

/// The most addresses that are taken from behind one name.
pub const ADDRESSES_MAX: usize = 4096;

/// How what stands behind a name is looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lookup {
    /// A, and AAAA where there is none.
    Ip,
    /// SRV, then A of each target.
    Srv,
    /// SRV; targets stay names.
    SrvNoA,
    /// AAAA and A.
    DualStack,
}

/// The kind of lookup that an address asks for, and the name; none for an address as it is.
pub fn split(address: &str) -> Option<(Lookup, &str)> {
    let (prefix, name) = address.split_once('+')?;
    let lookup = match prefix {
        "dns" => Lookup::Ip,
        "dnssrv" => Lookup::Srv,
        "dnssrvnoa" => Lookup::SrvNoA,
        "dnsdualstack" => Lookup::DualStack,
        _ => return None,
    };
    Some((lookup, name))
}

/// A resolver.
#[derive(Debug, Clone)]
pub struct Dns(TokioResolver);

impl Dns {
    /// The resolver of the system: `/etc/resolv.conf`; without that, a server on this machine, as in Go.
    pub fn system() -> Result<Self> {
        match TokioResolver::builder_tokio().and_then(Self::build) {
            Ok(resolver) => Ok(Self(resolver)),
            Err(error) => {
                tracing::warn!(err = %error, "the system's DNS configuration: 127.0.0.1 is asked");
                Self::server(std::net::SocketAddr::from(([127, 0, 0, 1], 53)))
            }
        }
    }

    /// A resolver that asks the server at an address, over UDP and TCP.
    pub fn server(address: std::net::SocketAddr) -> Result<Self> {
        let (mut udp, mut tcp) = (ConnectionConfig::udp(), ConnectionConfig::tcp());
        (udp.port, tcp.port) = (address.port(), address.port());
        let server = NameServerConfig::new(address.ip(), true, vec![udp, tcp]);
        let config = ResolverConfig::from_name_servers(vec![server]);
        let builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        Self::build(builder).map(Self).map_err(|error| {
            Error::new(ErrorKind::Unavailable, format!("DNS at {address}")).with_source(error)
        })
    }

    fn build(
        mut builder: hickory_resolver::ResolverBuilder<TokioRuntimeProvider>,
    ) -> Result<TokioResolver, NetError> {
        // We ask again as often as we want to know.
        let options = builder.options_mut();
        options.cache_size = 0;
        options.positive_max_ttl = Some(Duration::from_secs(1));
        options.negative_max_ttl = Some(Duration::from_secs(1));
        builder.build()
    }

    /// The addresses `host:port` behind `name`, sorted, each once; none if there is none.
    ///
    /// # Errors
    /// [`Unavailable`](ErrorKind::Unavailable) if the answer is not known,
    /// [`Invalid`](ErrorKind::Invalid) for a name without the port that it needs.
    pub async fn resolve(&self, lookup: Lookup, name: &str) -> Result<Vec<String>> {
        let (host, port) = match name.rsplit_once(':') {
            Some((host, port)) if port.parse::<u16>().is_ok() => (host, Some(port)),
            _ => (name, None),
        };
        let needs_port = || Error::invalid(format!("{name}: missing port in address"));
        let mut found = Vec::new();
        match lookup {
            Lookup::Ip => {
                let port = port.ok_or_else(needs_port)?;
                let ips = self.ips(host).await?;
                found.extend(ips.into_iter().map(|ip| joined(ip, port)));
            }
            Lookup::DualStack => {
                let port = port.ok_or_else(needs_port)?;
                let v6 = self.records(host, RecordType::AAAA).await;
                let v4 = self.records(host, RecordType::A).await;
                // One family is enough.
                let records = match (v6, v4) {
                    (Err(_), Err(error)) => return Err(error),
                    (v6, v4) => v6.into_iter().chain(v4).flatten(),
                };
                found.extend(records.filter_map(|data| ip(&data)).map(|ip| joined(ip, port)));
            }
            Lookup::Srv | Lookup::SrvNoA => {
                let mut targets = self.records(host, RecordType::SRV).await?;
                targets.truncate(ADDRESSES_MAX);
                for data in targets {
                    let RData::SRV(srv) = data else { continue };
                    let port = port.map_or_else(|| srv.port.to_string(), str::to_owned);
                    let target = srv.target.to_utf8();
                    if lookup == Lookup::SrvNoA {
                        found.push(format!("{}:{port}", target.trim_end_matches('.')));
                    } else {
                        let ips = self.ips(&target).await?;
                        found.extend(ips.into_iter().map(|ip| joined(ip, &port)));
                    }
                }
            }
        }
        found.sort_unstable();
        found.dedup();
        if found.len() > ADDRESSES_MAX {
            let (taken, left_out) = (ADDRESSES_MAX, found.len() - ADDRESSES_MAX);
            tracing::warn!(name, taken, left_out, "a name stands for too many addresses");
            found.truncate(ADDRESSES_MAX);
        }
        Ok(found)
    }

    async fn ips(&self, host: &str) -> Result<Vec<IpAddr>> {
        if let Ok(ip) = host.trim_matches(['[', ']']).parse() {
            return Ok(vec![ip]);
        }
        let mut records = self.records(host, RecordType::A).await?;
        if records.is_empty() {
            records = self.records(host, RecordType::AAAA).await?;
        }
        Ok(records.iter().filter_map(ip).collect())
    }

    /// The records of a name; a name that does not exist has none.
    async fn records(&self, host: &str, kind: RecordType) -> Result<Vec<RData>> {
        match self.0.lookup(host, kind).await {
            Ok(lookup) => Ok(lookup.answers().iter().map(|record| record.data.clone()).collect()),
            Err(error) if error.is_no_records_found() => Ok(Vec::new()),
            Err(error) => {
                let message = format!("lookup {kind} records of {host:?}");
                Err(Error::new(ErrorKind::Unavailable, message).with_source(error))
            }
        }
    }
}

fn ip(data: &RData) -> Option<IpAddr> {
    match data {
        RData::A(a) => Some(a.0.into()),
        RData::AAAA(aaaa) => Some(aaaa.0.into()),
        _ => None,
    }
}

fn joined(ip: IpAddr, port: &str) -> String {
    match ip {
        IpAddr::V4(ip) => format!("{ip}:{port}"),
        IpAddr::V6(ip) => format!("[{ip}]:{port}"),
    }
}
