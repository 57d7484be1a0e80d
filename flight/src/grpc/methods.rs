//! Which methods there are, and whether they stream: labels of the metrics.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use prost::Message;
use prost_types::{FileDescriptorSet, MethodDescriptorProto};

/// A method, as Go's servers name it in their metrics.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Method {
    pub(super) service: Arc<str>,
    pub(super) name: Arc<str>,
    pub(super) kind: &'static str,
}

static METHODS: LazyLock<HashMap<String, Method>> = LazyLock::new(|| {
    let sets = [
        proto::DESCRIPTORS,
        tonic_health::pb::FILE_DESCRIPTOR_SET,
        tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET,
        tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET,
    ];
    let mut methods = HashMap::new();
    for files in sets.into_iter().flat_map(FileDescriptorSet::decode) {
        for file in &files.file {
            for service in &file.service {
                let service_name: Arc<str> =
                    Arc::from(format!("{}.{}", file.package(), service.name()));
                for method in &service.method {
                    let path = format!("/{service_name}/{}", method.name());
                    let service = Arc::clone(&service_name);
                    let name = Arc::from(method.name());
                    methods.insert(path, Method { service, name, kind: kind(method) });
                }
            }
        }
    }
    // Its descriptors are not published with its code.
    let runs = Method {
        service: Arc::from("arrow.flight.protocol.FlightService"),
        name: Arc::from("DoGet"),
        kind: "server_stream",
    };
    methods.insert(format!("/{}/{}", runs.service, runs.name), runs);
    methods
});

fn kind(method: &MethodDescriptorProto) -> &'static str {
    match (method.client_streaming(), method.server_streaming()) {
        (false, false) => "unary",
        (false, true) => "server_stream",
        (true, false) => "client_stream",
        (true, true) => "bidi_stream",
    }
}

/// The method at `path`. What a client makes up is one method, so that it makes no series.
pub(super) fn method(path: &str) -> Method {
    match METHODS.get(path) {
        Some(method) => method.clone(),
        None => Method { service: Arc::from("unknown"), name: Arc::from("unknown"), kind: "unary" },
    }
}
