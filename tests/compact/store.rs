//! A store that fails as stores fail: by error, by a lost answer, by a torn upload, by a listing that is
//! late; and the process that uses it may be killed at any call that changes something.

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, ObjectStoreExt, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
    UploadPart,
};

/// Which calls fail, in calls of a thousand.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Faults {
    /// Any call, before it does anything.
    pub(crate) errors: u64,
    /// Changing calls whose answer is lost.
    pub(crate) lost: u64,
    /// Uploads of which half arrives, and that fail then.
    pub(crate) torn: u64,
    /// Listings without what is younger than this, in ms.
    pub(crate) late_ms: i64,
}

/// Where a process is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kill {
    /// The changing call, from 1.
    pub(crate) at: u64,
    /// Whether the call is done first.
    pub(crate) after: bool,
}

/// The store. Clones are one store.
#[derive(Debug, Clone)]
pub(crate) struct FaultyStore(Arc<State>);

#[derive(Debug)]
struct State {
    inner: InMemory,
    /// When each object was written, by the simulated clock.
    written: Mutex<HashMap<Path, i64>>,
    clock: Arc<AtomicI64>,
    faults: Mutex<Faults>,
    kill: Mutex<Option<Kill>>,
    dead: AtomicBool,
    changes: AtomicU64,
    random: AtomicU64,
    injected: AtomicU64,
}

impl fmt::Display for FaultyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("faulty")
    }
}

fn failed(what: &str) -> Error {
    Error::Generic { store: "faulty", source: what.to_owned().into() }
}

impl FaultyStore {
    pub(crate) fn new(clock: Arc<AtomicI64>, seed: u64) -> Self {
        Self(Arc::new(State {
            inner: InMemory::new(),
            written: Mutex::default(),
            clock,
            faults: Mutex::default(),
            kill: Mutex::default(),
            dead: AtomicBool::new(false),
            changes: AtomicU64::new(0),
            random: AtomicU64::new(seed | 1),
            injected: AtomicU64::new(0),
        }))
    }

    /// A store of its own with the same objects, without faults, under another clock.
    pub(crate) async fn fork(&self, clock: Arc<AtomicI64>) -> Self {
        let fork = Self::new(clock, self.0.random.load(Ordering::Relaxed));
        let objects: Vec<ObjectMeta> =
            self.0.inner.list(None).try_collect().await.expect("the memory lists");
        for object in objects {
            let got = self.0.inner.get(&object.location).await.expect("an object");
            let bytes = got.bytes().await.expect("its bytes");
            fork.0.inner.put(&object.location, bytes.into()).await.expect("a copy");
        }
        *fork.0.written.lock().expect("unpoisoned") =
            self.0.written.lock().expect("unpoisoned").clone();
        fork
    }

    pub(crate) fn set_faults(&self, faults: Faults) {
        *self.0.faults.lock().expect("unpoisoned") = faults;
    }

    /// From now on changing calls are counted anew, and one of them kills.
    pub(crate) fn begin(&self, kill: Option<Kill>) {
        self.0.dead.store(false, Ordering::SeqCst);
        self.0.changes.store(0, Ordering::SeqCst);
        *self.0.kill.lock().expect("unpoisoned") = kill;
    }

    /// Changing calls since.
    pub(crate) fn changes(&self) -> u64 {
        self.0.changes.load(Ordering::SeqCst)
    }

    /// Whether the process was killed since.
    pub(crate) fn is_dead(&self) -> bool {
        self.0.dead.load(Ordering::SeqCst)
    }

    /// Faults injected so far.
    pub(crate) fn injected(&self) -> u64 {
        self.0.injected.load(Ordering::Relaxed)
    }

    fn faults(&self) -> Faults {
        *self.0.faults.lock().expect("unpoisoned")
    }

    /// Whether something happens that does so many times in a thousand.
    fn happens(&self, per_mille: u64) -> bool {
        if per_mille == 0 {
            return false;
        }
        let next = |x: u64| Some(x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
        let x = self.0.random.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
        let happens = (x.unwrap_or(0) >> 33) % 1000 < per_mille;
        self.0.injected.fetch_add(u64::from(happens), Ordering::Relaxed);
        happens
    }

    /// Before any call.
    fn call(&self) -> Result<()> {
        if self.is_dead() {
            return Err(failed("the process is dead"));
        }
        if self.happens(self.faults().errors) { Err(failed("503")) } else { Ok(()) }
    }

    /// Before a changing call; whether it kills when it is done.
    fn change(&self) -> Result<bool> {
        self.call()?;
        let number = self.0.changes.fetch_add(1, Ordering::SeqCst) + 1;
        match *self.0.kill.lock().expect("unpoisoned") {
            Some(kill) if kill.at == number && !kill.after => {
                self.0.dead.store(true, Ordering::SeqCst);
                Err(failed("killed before the call"))
            }
            Some(kill) => Ok(kill.at == number),
            None => Ok(false),
        }
    }

    /// After a changing call.
    fn changed(&self, kills: bool) -> Result<()> {
        if kills {
            self.0.dead.store(true, Ordering::SeqCst);
            return Err(failed("killed after the call"));
        }
        if self.happens(self.faults().lost) { Err(failed("the answer was lost")) } else { Ok(()) }
    }

    fn stamp(&self, path: &Path) {
        let now = self.0.clock.load(Ordering::SeqCst);
        self.0.written.lock().expect("unpoisoned").insert(path.clone(), now);
    }

    fn dated(&self, mut meta: ObjectMeta) -> ObjectMeta {
        let written = self.0.written.lock().expect("unpoisoned");
        let at = written.get(&meta.location).copied().unwrap_or(0);
        meta.last_modified = DateTime::<Utc>::from_timestamp_millis(at).unwrap_or_default();
        meta
    }

    fn is_listed(&self, meta: &ObjectMeta) -> bool {
        let late = self.faults().late_ms;
        let now = self.0.clock.load(Ordering::SeqCst);
        late == 0 || meta.last_modified.timestamp_millis() + late <= now
    }
}

#[async_trait]
impl ObjectStore for FaultyStore {
    async fn put_opts(
        &self,
        path: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        let kills = self.change()?;
        let creates = matches!(options.mode, object_store::PutMode::Create);
        // A create is whole or not at all.
        if !creates && self.happens(self.faults().torn) {
            let bytes = Bytes::from(payload);
            let half = bytes.slice(..bytes.len() / 2);
            self.0.inner.put_opts(path, half.into(), options).await?;
            self.stamp(path);
            return Err(failed("torn"));
        }
        let put = self.0.inner.put_opts(path, payload, options).await?;
        self.stamp(path);
        self.changed(kills)?;
        Ok(put)
    }

    async fn put_multipart_opts(
        &self,
        path: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.call()?;
        let inner = self.0.inner.put_multipart_opts(path, options).await?;
        Ok(Box::new(Upload { store: self.clone(), path: path.clone(), inner }))
    }

    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        self.call()?;
        let mut got = self.0.inner.get_opts(path, options).await?;
        got.meta = self.dated(got.meta);
        Ok(got)
    }

    async fn get_ranges(&self, path: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.call()?;
        self.0.inner.get_ranges(path, ranges).await
    }

    fn delete_stream(
        &self,
        paths: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let store = self.clone();
        let deleted = paths.then(move |path| {
            let store = store.clone();
            async move {
                let path = path?;
                let kills = store.change()?;
                store.0.inner.delete(&path).await?;
                store.changed(kills)?;
                Ok(path)
            }
        });
        deleted.boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        if let Err(error) = self.call() {
            return futures::stream::once(async move { Err(error) }).boxed();
        }
        let store = self.clone();
        let listed = self.0.inner.list(prefix).map_ok(move |meta| store.dated(meta));
        let store = self.clone();
        listed.try_filter(move |meta| futures::future::ready(store.is_listed(meta))).boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.call()?;
        self.0.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        let kills = self.change()?;
        self.0.inner.copy_opts(from, to, options).await?;
        self.stamp(to);
        self.changed(kills)
    }
}

/// An upload in parts: it appears when it is complete.
#[derive(Debug)]
struct Upload {
    store: FaultyStore,
    path: Path,
    inner: Box<dyn MultipartUpload>,
}

#[async_trait]
impl MultipartUpload for Upload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        match self.store.call() {
            Ok(()) => self.inner.put_part(data),
            Err(error) => Box::pin(async move { Err(error) }),
        }
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let kills = self.store.change()?;
        let put = self.inner.complete().await?;
        self.store.stamp(&self.path);
        self.store.changed(kills)?;
        Ok(put)
    }

    async fn abort(&mut self) -> Result<()> {
        self.inner.abort().await
    }
}
