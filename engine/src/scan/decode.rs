//! Unpacks pages when their turn comes, and drops them after their last use.

use std::sync::Arc;

use datafusion::execution::memory_pool::MemoryReservation;

use super::fast::{FastDecoder, Unpacked};
use super::pages::Number;
use super::shelf::Shelf;
use super::wave::{PageBytes, PageUse, Pages, Stretch};
use crate::Result;

/// One page of the wave in hand.
#[derive(Debug)]
struct Held<N> {
    bytes: Option<PageBytes>,
    decoded: Option<Arc<Unpacked<N>>>,
    /// How many stretches of the wave still read it.
    uses: u32,
    /// The wave that has it last.
    wave: u32,
}

/// The pages of the wave in hand, and the numbers in them.
#[derive(Debug)]
pub(crate) struct Decoder<N> {
    pages: Arc<Pages>,
    held: Vec<Option<Box<Held<N>>>>,
    current: Vec<PageUse>,
    wave: u32,
    /// For each file: pages that have had their last use in this wave but may be used by the next.
    finished: Vec<Vec<u32>>,
    hints: Vec<u32>,
    memory: MemoryReservation,
    fast: FastDecoder,
    /// Where pages are left for others.
    shelf: Option<Arc<Shelf<N>>>,
}

/// How many finished pages of a file stay decoded: a series' days lie in as many places of a file as
/// it has time buckets, and the page at the end of a wave is usually the first of the next.
const FINISHED_PAGES: usize = 4;

impl<N: Number> Decoder<N> {
    /// A decoder that leaves what it unpacks on `shelf`.
    pub(crate) fn new(
        pages: Arc<Pages>,
        memory: MemoryReservation,
        shelf: Option<Arc<Shelf<N>>>,
    ) -> Result<Self> {
        let files = pages.plan.files.len();
        let held = (0..pages.len()).map(|_| None).collect();
        Ok(Self {
            pages,
            held,
            current: Vec::new(),
            wave: 0,
            finished: vec![Vec::new(); files],
            hints: vec![0; files],
            memory,
            fast: FastDecoder::new()?,
            shelf,
        })
    }

    /// The most bytes of pages held at once are this many at the moment.
    pub(crate) fn memory(&self) -> usize {
        self.memory.size()
    }

    /// Turns to the next wave: `uses` are its pages, `fetched` and `shelved` those that were not there
    /// yet.
    pub(crate) fn begin(
        &mut self,
        uses: Vec<PageUse>,
        fetched: Vec<PageBytes>,
        shelved: Vec<(u32, Arc<Unpacked<N>>)>,
    ) -> Result<()> {
        self.wave += 1;
        for u in &uses {
            let held = self.held[u.page as usize].get_or_insert_with(|| {
                Box::new(Held { bytes: None, decoded: None, uses: 0, wave: 0 })
            });
            held.uses = u.uses;
            held.wave = self.wave;
        }
        for before in std::mem::replace(&mut self.current, uses) {
            let slot = &mut self.held[before.page as usize];
            if slot.as_ref().is_some_and(|held| held.wave != self.wave)
                && let Some(gone) = slot.take()
            {
                let bytes = gone.bytes.map_or(0, |b| b.bytes.len());
                let decoded = gone.decoded.map_or(0, |d| d.memory_size());
                self.memory.shrink(bytes + decoded);
            }
        }
        self.finished.iter_mut().for_each(Vec::clear);
        for bytes in fetched {
            self.memory.try_grow(bytes.bytes.len())?;
            if let Some(held) = &mut self.held[bytes.page as usize] {
                held.bytes = Some(bytes);
            }
        }
        for (page, unpacked) in shelved {
            self.memory.try_grow(unpacked.memory_size())?;
            if let Some(held) = &mut self.held[page as usize] {
                held.decoded = Some(unpacked);
            }
        }
        Ok(())
    }

    /// Appends the numbers of `stretch`, which is part of the wave, to `out`.
    pub(crate) fn read(&mut self, stretch: Stretch, out: &mut Vec<N>) -> Result<()> {
        let pages = Arc::clone(&self.pages);
        let (table, base) = pages.file(stretch.file);
        let file = stretch.file as usize;
        let mut row = stretch.start;
        let end = stretch.start + u64::from(stretch.rows);
        while row < end {
            let at = table
                .find(row, self.hints[file] as usize)
                .ok_or_else(|| pages.plan.no_page(stretch.file, row))?;
            self.hints[file] = at as u32;
            let number = base + at as u32;
            let page = &table.pages()[at];
            let held = self.held[number as usize]
                .as_mut()
                .ok_or_else(|| crate::Error::internal("a page that no wave has"))?;
            if held.decoded.is_none() {
                let bytes = held
                    .bytes
                    .as_ref()
                    .ok_or_else(|| crate::Error::internal("a page that was not fetched"))?;
                self.memory.try_grow(page.rows as usize * size_of::<N>())?;
                let decoded = table
                    .unpack(at, bytes.dictionary.as_ref(), &bytes.bytes, &mut self.fast)
                    .map_err(|error| pages.plan.blame(stretch.file, error))?;
                let decoded = Arc::new(decoded);
                // Nobody reads the sums of histograms by themselves later.
                let whole = !pages.plan.files[file].histograms;
                if let Some(shelf) = self.shelf.as_ref().filter(|_| whole) {
                    shelf.put(number, &decoded);
                }
                held.decoded = Some(decoded);
                pages.decoded.add(1);
            }
            let last = end.min(page.first_row + u64::from(page.rows));
            let (from, to) = ((row - page.first_row) as usize, (last - page.first_row) as usize);
            if let Some(decoded) = &held.decoded {
                decoded.append(from..to, out);
            }
            held.uses = held.uses.saturating_sub(1);
            if held.uses == 0 {
                self.finish(file, number);
            }
            row = last;
        }
        Ok(())
    }

    /// Page `number` had its last use in this wave.
    fn finish(&mut self, file: usize, number: u32) {
        let finished = &mut self.finished[file];
        finished.push(number);
        if finished.len() > FINISHED_PAGES {
            let oldest = finished.remove(0);
            if let Some(held) = &mut self.held[oldest as usize]
                && held.bytes.is_some()
                && let Some(decoded) = held.decoded.take()
            {
                self.memory.shrink(decoded.memory_size());
            }
        }
    }
}
