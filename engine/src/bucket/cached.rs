//! Bytes of files that the kernel has in memory: reading them is a copy, and takes no turn on a thread
//! that may block.

use std::fs::File;
use std::io::IoSliceMut;
use std::ops::Range;
use std::path::Path;

use bytes::Bytes;
use rustix::io::{ReadWriteFlags, preadv2};

/// More is not copied here: whoever asks may have others to serve on its thread.
const MOST: u64 = 4 << 20;

/// The bytes of `ranges` of a file; `None` if some would have to be waited for, or are not there.
pub(super) fn read(path: &Path, ranges: &[Range<u64>]) -> Option<Vec<Bytes>> {
    let bytes: u64 = ranges.iter().map(|range| range.end.saturating_sub(range.start)).sum();
    if bytes > MOST {
        return None;
    }
    let file = File::open(path).ok()?;
    ranges.iter().map(|range| read_range(&file, range)).collect()
}

fn read_range(file: &File, range: &Range<u64>) -> Option<Bytes> {
    let length = usize::try_from(range.end.checked_sub(range.start)?).ok()?;
    let mut bytes = vec![0; length];
    let mut slices = [IoSliceMut::new(&mut bytes)];
    let read = preadv2(file, &mut slices, range.start, ReadWriteFlags::NOWAIT).ok()?;
    (read == length).then(|| bytes.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_just_written_is_in_memory() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let content: Vec<u8> = (0..100_000u32).map(|at| at as u8).collect();
        std::fs::write(&path, &content).unwrap();
        // The file system may not be able to tell.
        if let Some(read) = read(&path, &[10..20, 0..100_000, 5..5]) {
            assert_eq!(read, [&content[10..20], &content, &[]]);
        }
        assert_eq!(read(&path, &[99_999..100_001]), None);
        assert_eq!(read(&path, &[Range { start: 20, end: 10 }]), None);
        assert_eq!(read(&path, &[0..MOST, 0..1]), None);
        assert_eq!(read(&folder.path().join("other"), &[0..1]), None);
    }
}
