//! What is configured, and what DNS says.

use std::net::SocketAddr;
use std::path::PathBuf;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};

use super::dns::{self, Dns, Lookup};
use super::files;
use super::spec::{self, ClientSpec, Compression, Spec, TlsSpec};

#[test]
fn the_config_is_that_of_thanos() {
    let yaml = "
default_client_config:
  tls_config: {ca_file: ca.pem}
  server_name: stores
  compression: snappy
endpoints:
- address: dns+stores:10901
- address: a:10901
  strict: true
  client_config: {tls_config: {enabled: false}}
- address: b:10901
  client_config: {compression: none}
- address: dnssrv+_grpc._tcp.stores
  group: true
  service_config: '{}'
";
    let specs = spec::parse(yaml, &ClientSpec::default()).unwrap();
    let tls = TlsSpec { ca: Some(PathBuf::from("ca.pem")), ..TlsSpec::default() };
    let secure = ClientSpec {
        tls: Some(tls),
        server_name: "stores".to_owned(),
        compression: Compression::Snappy,
    };
    let plain = ClientSpec { tls: None, ..secure.clone() };
    let unpacked = ClientSpec { compression: Compression::None, ..secure.clone() };
    let spec = |address, strict, group, client: &ClientSpec| {
        Spec::new(address, strict, group, client.clone()).unwrap()
    };
    assert_eq!(
        specs,
        [
            spec("dns+stores:10901", false, false, &secure),
            spec("a:10901", true, false, &plain),
            spec("b:10901", false, false, &unpacked),
            spec("dnssrv+_grpc._tcp.stores", false, true, &secure),
        ]
    );
    assert_eq!(spec::parse("", &secure).unwrap(), []);
}

#[test]
fn what_is_wrong_is_named() {
    for (yaml, part) in [
        ("endpoints: [{adress: a}]", "adress"),
        ("endpoints: [{address: dns+a:1, strict: true}]", "dns+a:1"),
        ("endpoints: [{address: a:1, service_config: x}]", "service_config"),
        ("endpoints: [{address: a:1, client_config: {compression: gzip}}]", "gzip"),
        ("endpoints: [{address: x+a:1}]", "x+a:1"),
        ("endpoints: [{}]", "empty address"),
        ("default_client_config: {tls_config: {min_version: '1.1'}}", "1.1"),
        ("endpoint: []", "endpoint"),
        ("[", ""),
    ] {
        let error = spec::parse(yaml, &ClientSpec::default()).unwrap_err().to_string();
        assert!(error.contains(part), "{yaml}: {error}");
    }
}

#[test]
fn files_are_those_of_prometheus() {
    let folder = tempfile();
    std::fs::write(folder.join("a.yml"), "- targets: [a:1, b:1]\n  labels: {x: y}\n").unwrap();
    std::fs::write(folder.join("b.json"), r#"[{"targets": ["c:1"]}]"#).unwrap();
    std::fs::write(folder.join("c.yml"), "- target: [d:1]").unwrap();
    let patterns = [folder.join("*.yml"), folder.join("b.json"), folder.join("none.json")];
    let (read, failed) = files::targets(&patterns);
    assert!(failed.is_empty());
    let targets: Vec<String> = read.iter().flat_map(|(_, t)| t.iter().flatten()).cloned().collect();
    assert_eq!(targets, ["a:1", "b:1", "c:1"]);
    let wrong: Vec<String> =
        read.iter().filter_map(|(_, t)| t.as_ref().err()).map(ToString::to_string).collect();
    assert!(wrong[0].contains("c.yml") && wrong[1].contains("none.json"), "{wrong:?}");
    std::fs::remove_dir_all(folder).unwrap();
}

/// A folder of this test.
fn tempfile() -> PathBuf {
    let folder = std::env::temp_dir().join(format!("stoa-sd-files-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// A DNS server that knows four names: `some.test.` (two A), `none.test.` (nothing), `srv.test.` (SRV
/// to `some.test.`, port 7), `many.test.` (4,000 A, too many for UDP); all else is refused.
async fn server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let socket = UdpSocket::bind(address).await.unwrap();
    tokio::spawn(async move {
        let mut buffer = [0; 1500];
        while let Ok((length, peer)) = socket.recv_from(&mut buffer).await {
            let _ = socket.send_to(&answer(&buffer[..length], false), peer).await;
        }
    });
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                while let Ok(length) = stream.read_u16().await {
                    let mut query = vec![0; usize::from(length)];
                    stream.read_exact(&mut query).await?;
                    let answer = answer(&query, true);
                    stream.write_u16(answer.len() as u16).await?;
                    stream.write_all(&answer).await?;
                }
                std::io::Result::Ok(())
            });
        }
    });
    address
}

fn answer(query: &[u8], tcp: bool) -> Vec<u8> {
    let end = 12 + query[12..].iter().position(|&byte| byte == 0).unwrap() + 1;
    let kind = u16::from_be_bytes([query[end], query[end + 1]]);
    let name = query[12..end].to_ascii_lowercase();
    let labels = |text: &str| {
        let mut bytes = Vec::new();
        for label in text.split('.') {
            bytes.push(label.len() as u8);
            bytes.extend_from_slice(label.as_bytes());
        }
        bytes.push(0);
        bytes
    };
    let (mut refused, mut cut, mut records): (bool, bool, Vec<Vec<u8>>) = Default::default();
    match (name, kind) {
        (name, 1) if name == labels("some.test") => {
            records.extend([vec![10, 0, 0, 2], vec![10, 0, 0, 1]]);
        }
        (name, 1) if name == labels("many.test") && !tcp => cut = true,
        (name, 1) if name == labels("many.test") => {
            records.extend((0..4000u16).map(|at| vec![10, 1, (at >> 8) as u8, at as u8]));
        }
        (name, 33) if name == labels("srv.test") => {
            records.push([vec![0, 0, 0, 0, 0, 7], labels("some.test")].concat());
        }
        (name, _)
            if ["some.test", "many.test", "none.test", "srv.test"].map(labels).contains(&name) => {}
        _ => refused = true,
    }
    let mut bytes = query[..2].to_vec();
    bytes.extend([if cut { 0x87 } else { 0x85 }, if refused { 0x85 } else { 0x80 }, 0, 1]);
    bytes.extend((records.len() as u16).to_be_bytes());
    bytes.extend([0, 0, 0, 0]);
    bytes.extend_from_slice(&query[12..end + 4]);
    for data in records {
        bytes.extend([0xc0, 12]);
        bytes.extend_from_slice(&query[end..end + 4]);
        bytes.extend([0, 0, 0, 60]);
        bytes.extend((data.len() as u16).to_be_bytes());
        bytes.extend(data);
    }
    bytes
}

#[tokio::test]
async fn names_stand_for_addresses() {
    let dns = Dns::server(server().await).unwrap();
    let found = async |address: &str| {
        let (lookup, name) = dns::split(address).unwrap();
        dns.resolve(lookup, name).await
    };
    assert_eq!(found("dns+some.test:1").await.unwrap(), ["10.0.0.1:1", "10.0.0.2:1"]);
    assert_eq!(found("dnsdualstack+some.test:1").await.unwrap().len(), 2);
    assert_eq!(found("dnssrv+srv.test").await.unwrap(), ["10.0.0.1:7", "10.0.0.2:7"]);
    assert_eq!(found("dnssrv+srv.test:9").await.unwrap(), ["10.0.0.1:9", "10.0.0.2:9"]);
    assert_eq!(found("dnssrvnoa+srv.test").await.unwrap(), ["some.test:7"]);
    assert_eq!(found("dns+127.0.0.1:5").await.unwrap(), ["127.0.0.1:5"]);
    assert!(found("dns+none.test:1").await.unwrap().is_empty());
    assert_eq!(found("dns+many.test:1").await.unwrap().len(), 4000);
    assert!(found("dns+other.test:1").await.is_err());
    let error = found("dns+some.test").await.unwrap_err();
    assert!(error.message().contains("missing port"), "{error}");
    assert_eq!(dns::split("a:1"), None);
    assert_eq!(dns::split("dnssrv+a"), Some((Lookup::Srv, "a")));
}
