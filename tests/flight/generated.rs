//! The committed code of the wire messages is what the schemas give.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use prost::Message;
use tempfile::TempDir;

use crate::support::{repository, scratch};

/// Set by `make proto`: the generated files are replaced, not compared.
const WRITE: &str = "STOA_WRITE_GENERATED";

/// What the schemas give, by file name.
fn generate(into: &TempDir) -> BTreeMap<String, Vec<u8>> {
    let schema = repository().join("flight/proto/schema");
    let mut schemas: Vec<_> = fs::read_dir(&schema)
        .expect("the schemas")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    schemas.sort();
    let mut descriptors =
        protox::compile(&schemas, [&schema]).unwrap_or_else(|e| panic!("the schemas: {e}"));
    for file in &mut descriptors.file {
        file.source_code_info = None;
    }
    let described = descriptors.encode_to_vec();
    tonic_prost_build::configure()
        .out_dir(into.path())
        .bytes(".thanos.Chunk.data")
        .bytes(".prometheus.Chunk.data")
        .emit_rerun_if_changed(false)
        .compile_fds(descriptors)
        .expect("code comes out");
    fs::write(into.path().join("descriptors.bin"), described).expect("a file");
    read(into.path())
}

fn read(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let files = fs::read_dir(folder).expect("a folder").map(|entry| {
        let entry = entry.expect("an entry");
        let name = entry.file_name().into_string().expect("UTF-8");
        (name, fs::read(entry.path()).expect("a file"))
    });
    files.collect()
}

#[test]
fn committed_code_is_what_the_schemas_give() {
    let folder = scratch();
    let generated = generate(&folder);
    let committed = repository().join("flight/proto/src/generated");
    if std::env::var_os(WRITE).is_some() {
        for (name, content) in &generated {
            fs::write(committed.join(name), content).expect("the file is written");
        }
    }
    let committed = read(&committed);
    let names = |files: &BTreeMap<String, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&committed), names(&generated));
    for (name, content) in &generated {
        assert!(committed[name] == *content, "{name} is not what `make proto` gives");
    }
}
