//! Index files made by hand, version 1 and 2: what is in them reads, and whatever their sections
//! hold under a valid checksum, the reader ends with series or an error.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::tsdb::files::memory::MemoryBlock;

type Series = (Vec<(&'static str, &'static str)>, Vec<ChunkMeta>);

fn chunk(reference: u64, min: i64, max: i64) -> ChunkMeta {
    ChunkMeta { reference, min, max }
}

fn example() -> Vec<Series> {
    vec![
        (vec![("__name__", "a"), ("job", "x")], vec![chunk(8, -5, 10), chunk(50, 11, 11)]),
        (vec![("__name__", "a"), ("job", "y")], vec![chunk(90, 0, 100)]),
        (vec![("__name__", "ü"), ("z", "")], vec![chunk(1 << 32 | 8, 7, 8), chunk(200, 9, 30)]),
    ]
}

fn uvarint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn varint(out: &mut Vec<u8>, value: i64) {
    uvarint(out, (value << 1 ^ value >> 63) as u64);
}

/// Writes an index; `change` may alter the content of each section before it is signed.
fn write(version: Version, all: &[Series], change: &mut dyn FnMut(&str, &mut Vec<u8>)) -> Vec<u8> {
    let mut file = MAGIC.to_be_bytes().to_vec();
    file.push(if version == Version::V1 { 1 } else { 2 });
    let mut section = |file: &mut Vec<u8>, name: &str, mut content: Vec<u8>| -> u64 {
        let at = file.len() as u64;
        change(name, &mut content);
        if name == "series" {
            uvarint(file, content.len() as u64);
        } else if name != "toc" {
            file.extend((content.len() as u32).to_be_bytes());
        }
        file.extend(&content);
        file.extend(crc32c::crc32c(&content).to_be_bytes());
        at
    };
    let texts: BTreeSet<&str> = all
        .iter()
        .flat_map(|(labels, _)| labels)
        .flat_map(|(name, value)| [*name, *value])
        .collect();
    let mut content = (texts.len() as u32).to_be_bytes().to_vec();
    let mut references = std::collections::BTreeMap::new();
    for (number, text) in texts.iter().enumerate() {
        let reference = match version {
            Version::V1 => file.len() + 4 + content.len(),
            Version::V2 => number,
        };
        references.insert(*text, reference as u64);
        uvarint(&mut content, text.len() as u64);
        content.extend(text.as_bytes());
    }
    let mut toc = vec![section(&mut file, "symbols", content)];
    toc.push(file.len() as u64);
    let mut list = (all.len() as u32).to_be_bytes().to_vec();
    for (labels, chunks) in all {
        if version == Version::V2 {
            file.resize(file.len().next_multiple_of(16), 0);
        }
        let mut content = Vec::new();
        uvarint(&mut content, labels.len() as u64);
        for (name, value) in labels {
            uvarint(&mut content, references[name]);
            uvarint(&mut content, references[value]);
        }
        uvarint(&mut content, chunks.len() as u64);
        let mut last: Option<ChunkMeta> = None;
        for meta in chunks {
            match last {
                None => {
                    varint(&mut content, meta.min);
                    uvarint(&mut content, meta.max.wrapping_sub(meta.min) as u64);
                    uvarint(&mut content, meta.reference);
                }
                Some(last) => {
                    uvarint(&mut content, meta.min.wrapping_sub(last.max) as u64);
                    uvarint(&mut content, meta.max.wrapping_sub(meta.min) as u64);
                    varint(&mut content, meta.reference.wrapping_sub(last.reference) as i64);
                }
            }
            last = Some(*meta);
        }
        let at = section(&mut file, "series", content) as u32;
        let reference = if version == Version::V1 { at } else { at / 16 };
        list.extend(reference.to_be_bytes());
    }
    toc.extend([file.len() as u64; 3]);
    let at = section(&mut file, "list", list);
    let mut table = 1u32.to_be_bytes().to_vec();
    table.extend([2, 0, 0]);
    uvarint(&mut table, at);
    toc.push(section(&mut file, "table", table));
    let content = toc.iter().flat_map(|offset| offset.to_be_bytes()).collect();
    section(&mut file, "toc", content);
    file
}

/// All series of an index: labels as texts, and chunks.
fn read(file: Vec<u8>) -> Result<Vec<(Vec<(String, String)>, Vec<ChunkMeta>)>> {
    let index = Index::open(Arc::new(MemoryBlock::of([(INDEX_FILE, file)])))?;
    let series = index.all_series()?;
    let mut all = Vec::new();
    index.each_series(&series, |_, entry| {
        let (mut labels, mut chunks) = (Vec::new(), Vec::new());
        entry.labels(|name, value| {
            let text =
                |reference| index.symbols().number(reference).map(|n| index.symbols().text(n));
            labels.push((text(name)?.to_string(), text(value)?.to_string()));
            Ok(())
        })?;
        entry.chunks(&mut chunks)?;
        all.push((labels, chunks));
        Ok(())
    })?;
    Ok(all)
}

#[test]
fn both_versions_read() {
    for version in [Version::V1, Version::V2] {
        let read = read(write(version, &example(), &mut |_, _| {})).unwrap();
        let texts = |labels: &Vec<(&str, &str)>| {
            labels.iter().map(|(n, v)| (n.to_string(), v.to_string())).collect::<Vec<_>>()
        };
        let want: Vec<_> =
            example().iter().map(|(labels, chunks)| (texts(labels), chunks.clone())).collect();
        assert_eq!(read, want, "{version:?}");
    }
}

#[test]
fn chunks_that_overlap_or_go_back_are_named() {
    let job = || vec![("job", "x")];
    for chunks in [
        vec![chunk(8, 0, 100), chunk(50, 100, 200)],
        vec![chunk(8, 0, 100), chunk(50, 50, 200)],
        vec![chunk(8, 1000, 1100), chunk(50, 0, 100)],
    ] {
        let file = write(Version::V2, &[(job(), chunks)], &mut |_, _| {});
        let error = read(file).unwrap_err();
        assert_eq!(error.kind(), engine::ErrorKind::Corrupt);
        let message = error.to_string();
        assert!(message.contains("chunks overlap or are out of order"), "{message}");
        assert!(message.contains("memory/index: series at byte"), "{message}");
    }
}

#[test]
fn every_cut_and_every_flipped_bit_of_what_is_read_is_found() {
    for version in [Version::V1, Version::V2] {
        let file = write(version, &example(), &mut |_, _| {});
        for length in 0..file.len() {
            assert!(read(file[..length].to_vec()).is_err(), "{version:?} cut at {length}");
        }
        let whole = read(file.clone()).unwrap();
        for bit in 0..file.len() * 8 {
            let mut flipped = file.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            // Padding between sections is read by nobody.
            if let Ok(read) = read(flipped) {
                assert_eq!(read, whole, "{version:?}, bit {bit}");
                assert_eq!(file[bit / 8], 0, "{version:?}, bit {bit} is not padding");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn sections_that_lie_under_valid_checksums_end_well(
        first in any::<bool>(),
        which in prop::sample::select(vec!["symbols", "series", "list", "table", "toc"]),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..5),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let version = if first { Version::V1 } else { Version::V2 };
        let file = write(version, &example(), &mut |name, content| {
            if name == which {
                for (at, byte) in &changes {
                    let at = at.index(content.len());
                    content[at] ^= byte;
                }
                if let Some(cut) = cut {
                    content.truncate(cut.index(content.len()));
                }
            }
        });
        let _ = read(file);
    }

    #[test]
    fn any_bytes_end_well(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Toc::parse(&bytes, 1000);
        let _ = Symbols::parse(&bytes, Version::V1, 9);
        let _ = Symbols::parse(&bytes, Version::V2, 9);
        let _ = postings::parse(&bytes);
        let _ = parse_header(&bytes);
        if let Ok(entry) = SeriesEntry::parse(&bytes) {
            let _ = entry.labels(|_, _| Ok(()));
            let _ = entry.chunks(&mut Vec::new());
        }
    }
}
