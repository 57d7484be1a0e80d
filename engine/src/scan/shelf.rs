//! Pages of values that were unpacked to look for stale markers, kept for those who read the values.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use datafusion::execution::memory_pool::MemoryReservation;

use super::fast::Unpacked;
use super::pages::Number;

/// How many bytes of pages a shelf holds. `ValuesExec` is some waves behind the scan.
const BYTES: usize = 16 * 1024 * 1024;

/// Unpacked pages of one partition, the oldest of which make room for new ones.
#[derive(Debug)]
pub(crate) struct Shelf<N>(Mutex<Pages<N>>);

#[derive(Debug)]
struct Pages<N> {
    pages: VecDeque<(u32, Arc<Unpacked<N>>)>,
    bytes: usize,
    /// None until somebody wants the pages.
    memory: Option<MemoryReservation>,
}

impl<N> Default for Shelf<N> {
    fn default() -> Self {
        Self(Mutex::new(Pages { pages: VecDeque::new(), bytes: 0, memory: None }))
    }
}

impl<N: Number> Shelf<N> {
    /// From now on pages are kept, as far as `memory` can be had.
    pub(crate) fn open(&self, memory: MemoryReservation) {
        self.lock().memory = Some(memory);
    }

    /// Keeps a page.
    pub(super) fn put(&self, page: u32, unpacked: &Arc<Unpacked<N>>) {
        let size = unpacked.memory_size();
        let mut shelf = self.lock();
        if shelf.memory.is_none() || size > BYTES || shelf.pages.iter().any(|&(at, _)| at == page) {
            return;
        }
        while shelf.bytes + size > BYTES {
            let Some((_, oldest)) = shelf.pages.pop_front() else { break };
            shelf.removed(&oldest);
        }
        if shelf.memory.as_ref().is_some_and(|memory| memory.try_grow(size).is_ok()) {
            shelf.bytes += size;
            shelf.pages.push_back((page, Arc::clone(unpacked)));
        }
    }

    /// Takes a page, if it is there.
    pub(super) fn take(&self, page: u32) -> Option<Arc<Unpacked<N>>> {
        let mut shelf = self.lock();
        let place = shelf.pages.iter().position(|&(at, _)| at == page)?;
        let (_, unpacked) = shelf.pages.remove(place)?;
        shelf.removed(&unpacked);
        Some(unpacked)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Pages<N>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<N: Number> Pages<N> {
    fn removed(&mut self, page: &Unpacked<N>) {
        let size = page.memory_size();
        self.bytes -= size;
        if let Some(memory) = &self.memory {
            memory.shrink(size);
        }
    }
}
