//! Chosen runs in the order of a block, held in memory as far as the budget goes and on disk beyond it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use crate::scan::{PickedRun, PickedRuns, Stretch};
use crate::{Error, ErrorKind, Result};

/// The bytes of a run on disk: series, file, rows, first row.
const RECORD: usize = 20;

/// Where in a block a run goes: the metric, by a number that ascends in block order, and the time bucket.
pub(super) type Slot = (u32, u32);

/// Runs by slot; inside of a slot in the order in which they came.
#[derive(Debug)]
pub(super) struct Picks {
    slots: BTreeMap<Slot, List>,
    /// Where lists go that memory does not hold: files with this name, a dash and a number.
    spill: PathBuf,
    spilled: usize,
    /// Runs in memory, and how many of them there may be.
    held: usize,
    most: usize,
}

/// The runs of a slot: those on disk first.
#[derive(Debug, Default)]
struct List {
    disk: Option<Spilled>,
    memory: Vec<PickedRun>,
}

/// A local file of runs, removed when it is not needed any more.
#[derive(Debug)]
struct Spilled {
    path: PathBuf,
    writer: BufWriter<File>,
}

impl Picks {
    /// No runs yet. Beyond `bytes` they are kept in files that begin with `spill`.
    pub(super) fn new(spill: &Path, bytes: usize) -> Self {
        Self {
            slots: BTreeMap::new(),
            spill: spill.to_path_buf(),
            spilled: 0,
            held: 0,
            most: (bytes / size_of::<PickedRun>()).max(1024),
        }
    }

    /// Adds a run; one that goes on where the last of its slot ended lengthens that.
    pub(super) fn push(&mut self, slot: Slot, run: PickedRun) -> Result<()> {
        let list = self.slots.entry(slot).or_default();
        if let Some(last) = list.memory.last_mut()
            && last.series == run.series
            && last.stretch.file == run.stretch.file
            && last.stretch.start + u64::from(last.stretch.rows) == run.stretch.start
            && let Some(rows) = last.stretch.rows.checked_add(run.stretch.rows)
        {
            last.stretch.rows = rows;
            return Ok(());
        }
        list.memory.push(run);
        self.held += 1;
        if self.held > self.most { self.spill_all() } else { Ok(()) }
    }

    /// Whether there is no run.
    pub(super) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Writes what memory holds to the files. Must be called before the runs are read if any were.
    fn spill_all(&mut self) -> Result<()> {
        for list in self.slots.values_mut().filter(|list| !list.memory.is_empty()) {
            let disk = match &mut list.disk {
                Some(disk) => disk,
                disk => {
                    self.spilled += 1;
                    let path = format!("{}-{}", self.spill.display(), self.spilled);
                    disk.insert(Spilled::create(path.into())?)
                }
            };
            disk.append(&list.memory)?;
            list.memory = Vec::new();
        }
        self.held = 0;
        Ok(())
    }

    /// The runs are complete; they can be read now.
    pub(super) fn seal(mut self) -> Result<Self> {
        if self.spilled > 0 {
            self.spill_all()?;
        }
        for list in self.slots.values_mut() {
            if let Some(disk) = &mut list.disk {
                disk.writer.flush().map_err(|e| disk_failed(&disk.path, e))?;
            }
        }
        Ok(self)
    }
}

impl PickedRuns for Picks {
    fn runs(&self) -> Result<Box<dyn Iterator<Item = Result<PickedRun>> + Send>> {
        // Of each slot either everything is on disk or everything is in memory.
        let mut parts: Vec<Part> = Vec::with_capacity(self.slots.len());
        for list in self.slots.values() {
            match &list.disk {
                Some(disk) => parts.push(Part::Disk(disk.path.clone())),
                None => parts.push(Part::Memory(list.memory.clone())),
            }
        }
        Ok(Box::new(parts.into_iter().flat_map(Part::runs)))
    }
}

/// The runs of a slot that are read.
enum Part {
    Memory(Vec<PickedRun>),
    Disk(PathBuf),
}

impl Part {
    fn runs(self) -> Box<dyn Iterator<Item = Result<PickedRun>> + Send> {
        match self {
            Self::Memory(runs) => Box::new(runs.into_iter().map(Ok)),
            Self::Disk(path) => match File::open(&path) {
                Ok(file) => Box::new(Records { path, reader: BufReader::new(file) }),
                Err(error) => Box::new(std::iter::once(Err(disk_failed(&path, error)))),
            },
        }
    }
}

impl Spilled {
    fn create(path: PathBuf) -> Result<Self> {
        let file = File::create(&path).map_err(|e| disk_failed(&path, e))?;
        Ok(Self { path, writer: BufWriter::new(file) })
    }

    fn append(&mut self, runs: &[PickedRun]) -> Result<()> {
        for PickedRun { series, stretch } in runs {
            let mut record = [0; RECORD];
            record[..4].copy_from_slice(&series.to_le_bytes());
            record[4..8].copy_from_slice(&stretch.file.to_le_bytes());
            record[8..12].copy_from_slice(&stretch.rows.to_le_bytes());
            record[12..].copy_from_slice(&stretch.start.to_le_bytes());
            self.writer.write_all(&record).map_err(|e| disk_failed(&self.path, e))?;
        }
        Ok(())
    }
}

impl Drop for Spilled {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.path) {
            tracing::warn!(path = %self.path.display(), %error, "a file of picks stays");
        }
    }
}

/// Reads a file of runs.
struct Records {
    path: PathBuf,
    reader: BufReader<File>,
}

impl Iterator for Records {
    type Item = Result<PickedRun>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut record = [0; RECORD];
        match self.reader.read_exact(&mut record) {
            Ok(()) => {}
            Err(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => return None,
            Err(e) => return Some(Err(disk_failed(&self.path, e))),
        }
        let number = |at: usize| {
            let bytes = [record[at], record[at + 1], record[at + 2], record[at + 3]];
            u32::from_le_bytes(bytes)
        };
        let start = u64::from(number(12)) | u64::from(number(16)) << 32;
        let stretch = Stretch { file: number(4), start, rows: number(8) };
        Some(Ok(PickedRun { series: number(0), stretch }))
    }
}

fn disk_failed(path: &Path, error: std::io::Error) -> Error {
    Error::new(ErrorKind::Unavailable, path.display().to_string()).with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(series: u32, file: u32, start: u64, rows: u32) -> PickedRun {
        PickedRun { series, stretch: Stretch { file, start, rows } }
    }

    fn all(picks: &Picks) -> Vec<PickedRun> {
        picks.runs().unwrap().map(Result::unwrap).collect()
    }

    #[test]
    fn runs_come_slot_by_slot_and_neighbours_are_one() {
        let mut picks = Picks::new(Path::new("unused"), 1 << 20);
        picks.push((0, 0), run(0, 0, 0, 10)).unwrap();
        picks.push((0, 1), run(0, 0, 10, 5)).unwrap();
        picks.push((0, 0), run(1, 0, 15, 3)).unwrap();
        picks.push((0, 0), run(1, 0, 18, 2)).unwrap();
        picks.push((0, 0), run(1, 1, 20, 2)).unwrap();
        let picks = picks.seal().unwrap();
        let expected = [run(0, 0, 0, 10), run(1, 0, 15, 5), run(1, 1, 20, 2), run(0, 0, 10, 5)];
        assert_eq!(all(&picks), expected);
    }

    #[test]
    fn what_memory_does_not_hold_is_on_disk_until_it_is_dropped() {
        let dir = tempfile::tempdir().unwrap();
        let mut picks = Picks::new(&dir.path().join("picks"), 0);
        let mut expected = [Vec::new(), Vec::new()];
        for at in 0..5000u32 {
            let slot = at % 2;
            let run = run(at, 7, u64::from(at) << 33, 3);
            picks.push((0, slot), run).unwrap();
            expected[slot as usize].push(run);
        }
        let picks = picks.seal().unwrap();
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2);
        assert_eq!(all(&picks), expected.concat());
        assert_eq!(all(&picks), expected.concat());
        drop(picks);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_full_disk_is_an_error_that_names_the_file() {
        let mut picks = Picks::new(Path::new("/dev/full/picks"), 0);
        let mut push = || (0..5000).try_for_each(|at| picks.push((0, 0), run(at, 0, 9, 1)));
        let error = push().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.message().starts_with("/dev/full/picks-1"), "{error}");
    }
}
