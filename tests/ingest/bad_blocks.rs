//! Damaged and dishonest blocks: a clear error that names file and place, never a panic, never
//! samples that Prometheus did not write.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use engine::{ErrorKind, Result};
use ingest::tsdb::{LocalBlock, TsdbBlock};

use super::dump::write_block;
use crate::support;

/// Reads everything.
fn read(dir: &Path) -> Result<u64> {
    let block = TsdbBlock::open(Arc::new(LocalBlock::new(dir)))?;
    let rows: Vec<u32> = (0..block.table().len() as u32).collect();
    let counts = block.scan(&rows, None, &mut |_| Ok(()))?;
    Ok(counts.floats + counts.histograms)
}

fn fails(dir: &Path, kind: ErrorKind, words: &[&str]) {
    let error = read(dir).expect_err("the block is bad");
    assert_eq!(error.kind(), kind, "{error}");
    let message = error.to_string();
    for word in words {
        assert!(message.contains(word), "{word:?} is not in: {message}");
    }
}

/// Changes a file and the checksum of the chunk at `at`, so that only its content is wrong.
fn edit_chunk(file: &Path, at: usize, edit: impl FnOnce(&mut [u8])) {
    let mut bytes = fs::read(file).expect("the segment");
    let (mut length, mut header) = (0usize, 0);
    loop {
        let byte = bytes[at + header];
        length |= usize::from(byte & 0x7f) << (7 * header);
        header += 1;
        if byte < 0x80 {
            break;
        }
    }
    let content = at + header..at + header + 1 + length;
    edit(&mut bytes[content.clone()]);
    let crc = crc32c(&bytes[content.clone()]);
    bytes[content.end..content.end + 4].copy_from_slice(&crc.to_be_bytes());
    fs::write(file, bytes).expect("the segment is written");
}

/// CRC32C bit by bit, so that the test does not trust the code under test.
fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            if crc & 1 == 1 { crc >> 1 ^ 0x82f6_3b78 } else { crc >> 1 }
        })
    })
}

#[test]
fn overlapping_and_disordered_chunks_are_refused() {
    let scratch = support::scratch();
    let overlap = write_block(scratch.path(), "overlap");
    fails(
        &overlap,
        ErrorKind::Corrupt,
        &["overlap/chunks/000001: chunk at byte", "the index says"],
    );
    let disorder = write_block(scratch.path(), "disorder");
    fails(&disorder, ErrorKind::Corrupt, &["chunks/000001: chunk at byte 8", "out of order"]);
}

#[test]
fn missing_and_empty_files_are_named() {
    let scratch = support::scratch();
    let dir = write_block(scratch.path(), "disorder");
    let missing = |file: &str| {
        let kept = fs::read(dir.join(file)).expect("the file");
        fs::remove_file(dir.join(file)).expect("the file goes");
        fails(&dir, ErrorKind::Corrupt, &[&format!("disorder/{file} does not exist")]);
        fs::write(dir.join(file), b"").expect("an empty file");
        fails(&dir, ErrorKind::Corrupt, &[&format!("disorder/{file}")]);
        fs::write(dir.join(file), kept).expect("the file is back");
    };
    missing("meta.json");
    missing("index");
    missing("chunks/000001");
    fs::write(dir.join("tombstones"), b"\x01\x30\xba").expect("a tombstones file");
    fails(&dir, ErrorKind::Corrupt, &["disorder/tombstones"]);
}

#[test]
fn unknown_versions_and_encodings_are_unsupported() {
    let scratch = support::scratch();
    let dir = write_block(scratch.path(), "overlap");
    let edit = |file: &str, edit: &dyn Fn(&mut Vec<u8>)| {
        let kept = fs::read(dir.join(file)).expect("the file");
        let mut bytes = kept.clone();
        edit(&mut bytes);
        fs::write(dir.join(file), bytes).expect("the file is written");
        kept
    };
    let index = edit("index", &|bytes| bytes[4] = 9);
    fails(&dir, ErrorKind::Unsupported, &["overlap/index: index version 9"]);
    fs::write(dir.join("index"), index).expect("the file is back");

    let segment = edit("chunks/000001", &|bytes| bytes[4] = 2);
    fails(&dir, ErrorKind::Unsupported, &["chunks/000001", "chunk segment version 2"]);
    fs::write(dir.join("chunks/000001"), &segment).expect("the file is back");

    edit_chunk(&dir.join("chunks/000001"), 8, |chunk| chunk[0] = 7);
    let words = ["overlap/chunks/000001: chunk at byte 8: unknown chunk encoding 7"];
    fails(&dir, ErrorKind::Unsupported, &words);
    fs::write(dir.join("chunks/000001"), &segment).expect("the file is back");

    let meta = edit("meta.json", &|bytes| {
        *bytes = String::from_utf8_lossy(bytes).replace("\"version\": 1", "\"version\": 2").into();
    });
    fails(&dir, ErrorKind::Unsupported, &["overlap/meta.json: meta.json version 2"]);
    fs::write(dir.join("meta.json"), meta).expect("the file is back");
}

#[test]
fn lying_counts_with_valid_checksums_are_corrupt() {
    let scratch = support::scratch();
    let dir = write_block(scratch.path(), "overlap");
    let segment = dir.join("chunks/000001");
    let kept = fs::read(&segment).expect("the segment");
    for (count, words) in
        [(u16::MAX, "claims 65535 samples"), (2000, "ends early"), (0, "chunk without samples")]
    {
        edit_chunk(&segment, 8, |chunk| chunk[1..3].copy_from_slice(&count.to_be_bytes()));
        fails(&dir, ErrorKind::Corrupt, &["overlap/chunks/000001: chunk at byte 8", words]);
        fs::write(&segment, &kept).expect("the segment is back");
    }
}

/// Any file cut anywhere, and any bit flipped anywhere: an error, or (in what nobody reads) all of
/// the samples.
#[test]
fn cuts_and_flips_are_found() {
    let scratch = support::scratch();
    let dir = write_block(scratch.path(), "tombstones");
    let whole = read(&dir).expect("the block is good");
    // Steps that are prime reach every kind of place without taking hours.
    for (file, step) in [("index", 4_001), ("chunks/000001", 160_001), ("tombstones", 331)] {
        let path = dir.join(file);
        let kept = fs::read(&path).expect("the file");
        for at in (0..kept.len()).step_by(step) {
            fs::write(&path, &kept[..at]).expect("the file is cut");
            let error = read(&dir).expect_err("a cut is found");
            assert!(error.to_string().contains(file), "{file} cut at {at}: {error}");

            let mut flipped = kept.clone();
            flipped[at] ^= 1 << (at % 8);
            fs::write(&path, &flipped).expect("the file is changed");
            match read(&dir) {
                Ok(count) => {
                    assert_eq!(file, "index", "bit {at} of {file} was not found");
                    assert_eq!(count, whole, "bit {at} of {file} lost samples");
                }
                Err(error) => {
                    let kind = error.kind();
                    let known = matches!(kind, ErrorKind::Corrupt | ErrorKind::Unsupported);
                    assert!(known, "{file}, bit flipped at {at}: {error}");
                    assert!(error.to_string().contains(file), "{file} flipped at {at}: {error}");
                }
            }
        }
        fs::write(&path, &kept).expect("the file is back");
    }
}
