//! Who works on a group: a create-only log in the bucket.
//!
//! ```text
//! stoa/v1/groups/<group>/00000000000000000007.json   a lease: holder x, epoch 3
//!                        00000000000000000008.json   x commits block B, which replaces C and D
//!                        00000000000000000009.json   a lease: holder y, epoch 4     (x did not renew)
//! ```
//!
//! Taking the lease and committing are both the creation of the next entry. A process that was asleep
//! while another one took over knows an old number: the entry that it wants to create is there, and it
//! fails, on every kind of store. So at most one process acts on what it committed; clocks decide only
//! when somebody may take over, not whether that is safe.

use serde::{Deserialize, Serialize};

use crate::block::BlockId;
use crate::bucket::{Bucket, Created};
use crate::{Error, ErrorKind, Result};

/// The prefix of all logs.
const PREFIX: &str = "stoa/v1/groups";
/// The version of entries.
const VERSION: u32 = 1;
/// An entry with more bytes than this is not read.
const MAX_ENTRY_BYTES: u64 = 1 << 20;
/// How many of the newest entries stay.
const KEPT: usize = 32;

/// An entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    version: u32,
    /// Rises whenever another process takes over.
    epoch: u64,
    holder: String,
    /// When it was made, and until when nobody else takes over, in ms since 1970.
    time: i64,
    expires: i64,
    what: What,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum What {
    Lease,
    Commit { block: BlockId, replaces: Vec<BlockId> },
    Release,
}

/// Who asks for leases.
#[derive(Debug, Clone)]
pub struct Holder {
    /// A name that no other process has.
    pub name: String,
    /// How long a lease lasts without being renewed, in ms.
    pub ttl_ms: i64,
}

impl Holder {
    /// A process of its own.
    pub fn new(ttl_ms: i64) -> Self {
        Self { name: ulid::Ulid::generate().to_string(), ttl_ms }
    }
}

/// The right to work on a group, until somebody else takes over.
#[derive(Debug)]
pub struct Lease {
    bucket: Bucket,
    group: String,
    holder: Holder,
    epoch: u64,
    newest: u64,
}

/// Takes the lease of `group` at `now` (ms since 1970); nothing if another process has it.
///
/// # Errors
/// [`Corrupt`](ErrorKind::Corrupt) if the newest entry makes no sense: it is not written over.
pub async fn acquire(
    bucket: &Bucket,
    group: &str,
    holder: &Holder,
    now: i64,
) -> Result<Option<Lease>> {
    let context = |e: Error| e.context(format!("log of group {group}"));
    let numbers = numbers(bucket, group).await.map_err(context)?;
    let mut epoch = 1;
    let newest = numbers.last().copied().unwrap_or(0);
    if newest > 0 {
        let entry = read(bucket, group, newest).await.map_err(context)?;
        let own = entry.holder == holder.name;
        if !own && entry.what != What::Release && now < entry.expires {
            return Ok(None);
        }
        epoch = if own { entry.epoch } else { entry.epoch.saturating_add(1) };
    }
    let (bucket, group) = (bucket.clone(), group.to_owned());
    let mut lease = Lease { bucket, group, holder: holder.clone(), epoch, newest };
    match lease.append(What::Lease, now).await {
        Ok(()) => {}
        // Another process was faster.
        Err(e) if e.kind() == ErrorKind::Fenced => return Ok(None),
        Err(e) => return Err(e),
    }
    let old = numbers.len().saturating_sub(KEPT);
    for &number in &numbers[..old] {
        // What is left now is removed another time.
        let _ = lease.bucket.delete(&path(&lease.group, number)).await;
    }
    Ok(Some(lease))
}

impl Lease {
    /// Rises whenever another process takes over: part of the ids of what is made under this lease.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Keeps the lease for another while.
    ///
    /// # Errors
    /// [`Fenced`](ErrorKind::Fenced) if another process has taken over.
    pub async fn renew(&mut self, now: i64) -> Result<()> {
        self.append(What::Lease, now).await
    }

    /// Says that `block`, which is in the bucket, has the samples of `replaces`: after this, and only
    /// then, these may be marked.
    ///
    /// # Errors
    /// [`Fenced`](ErrorKind::Fenced) if another process has taken over.
    pub async fn commit(&mut self, block: BlockId, replaces: Vec<BlockId>, now: i64) -> Result<()> {
        self.append(What::Commit { block, replaces }, now).await
    }

    /// Gives the lease back: another process need not wait until it ends.
    pub async fn release(mut self, now: i64) -> Result<()> {
        self.append(What::Release, now).await
    }

    async fn append(&mut self, what: What, now: i64) -> Result<()> {
        let entry = Entry {
            version: VERSION,
            epoch: self.epoch,
            holder: self.holder.name.clone(),
            time: now,
            expires: now.saturating_add(self.holder.ttl_ms),
            what,
        };
        loop {
            let next = self.newest + 1;
            let path = path(&self.group, next);
            let text = serde_json::to_vec_pretty(&entry)
                .map_err(|e| Error::internal(path.clone()).with_source(e))?;
            match self.bucket.create(&path, text.into()).await? {
                Created::New | Created::Same => {
                    self.newest = next;
                    return Ok(());
                }
                Created::Different => {
                    let there = read(&self.bucket, &self.group, next).await?;
                    if (there.epoch, &there.holder) != (self.epoch, &self.holder.name) {
                        return Err(Error::new(
                            ErrorKind::Fenced,
                            format!("group {}: another process has taken over", self.group),
                        ));
                    }
                    // Its own, by a call that nobody waited for to its end.
                    self.newest = next;
                }
            }
        }
    }
}

fn path(group: &str, number: u64) -> String {
    format!("{PREFIX}/{group}/{number:020}.json")
}

/// The numbers of the entries that are there, ascending.
async fn numbers(bucket: &Bucket, group: &str) -> Result<Vec<u64>> {
    let prefix = format!("{PREFIX}/{group}");
    let objects = bucket.list(&prefix).await?;
    let number = |path: &str| {
        let name = path.strip_prefix(&prefix)?.strip_prefix('/')?.strip_suffix(".json")?;
        name.parse().ok().filter(|_| name.len() == 20)
    };
    let mut numbers: Vec<u64> = objects.iter().filter_map(|object| number(&object.path)).collect();
    numbers.sort_unstable();
    Ok(numbers)
}

async fn read(bucket: &Bucket, group: &str, number: u64) -> Result<Entry> {
    let path = path(group, number);
    let text = bucket.get_at_most(&path, MAX_ENTRY_BYTES).await?;
    let wrong = || Error::corrupt(format!("{path} makes no sense"));
    let entry: Entry = serde_json::from_slice(&text).map_err(|e| wrong().with_source(e))?;
    match entry.version {
        VERSION => Ok(entry),
        version => Err(Error::unsupported(format!("{path} has version {version}"))),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use object_store::memory::InMemory;

    use super::*;

    fn memory() -> Bucket {
        Bucket::new(Arc::new(InMemory::new()), "memory")
    }

    fn holder(name: &str) -> Holder {
        Holder { name: name.to_owned(), ttl_ms: 100 }
    }

    fn block(number: u128) -> BlockId {
        BlockId(ulid::Ulid::from_parts(1, number))
    }

    #[tokio::test]
    async fn one_process_has_the_lease_until_it_ends() {
        let bucket = memory();
        let mut a = acquire(&bucket, "0@1", &holder("a"), 0).await.unwrap().unwrap();
        assert!(acquire(&bucket, "0@1", &holder("b"), 99).await.unwrap().is_none());
        assert!(acquire(&bucket, "0@2", &holder("b"), 99).await.unwrap().is_some());
        a.renew(90).await.unwrap();
        assert!(acquire(&bucket, "0@1", &holder("b"), 189).await.unwrap().is_none());
        a.release(100).await.unwrap();
        let b = acquire(&bucket, "0@1", &holder("b"), 101).await.unwrap().unwrap();
        assert_eq!(b.epoch(), 2);
        // The same process goes on where it was.
        let again = acquire(&bucket, "0@1", &holder("b"), 102).await.unwrap().unwrap();
        assert_eq!(again.epoch(), 2);
    }

    #[tokio::test]
    async fn who_slept_cannot_commit() {
        let bucket = memory();
        let mut zombie = acquire(&bucket, "g", &holder("a"), 0).await.unwrap().unwrap();
        let mut b = acquire(&bucket, "g", &holder("b"), 100).await.unwrap().unwrap();
        let error = zombie.commit(block(1), vec![block(2)], 100).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Fenced);
        assert_eq!(zombie.renew(101).await.unwrap_err().kind(), ErrorKind::Fenced);
        b.commit(block(3), vec![block(2)], 102).await.unwrap();
        // And b is fenced by what a takes later.
        acquire(&bucket, "g", &holder("a"), 300).await.unwrap().unwrap();
        assert_eq!(b.renew(301).await.unwrap_err().kind(), ErrorKind::Fenced);
    }

    #[tokio::test]
    async fn a_call_that_nobody_waited_for_does_not_fence() {
        let bucket = memory();
        let mut lease = acquire(&bucket, "g", &holder("a"), 0).await.unwrap().unwrap();
        lease.renew(1).await.unwrap();
        lease.newest -= 1;
        lease.commit(block(1), Vec::new(), 2).await.unwrap();
        assert_eq!(lease.newest, 3);
    }

    #[tokio::test]
    async fn of_two_that_take_over_at_once_one_has_it() {
        let bucket = memory();
        let names: Vec<Holder> = (0..8).map(|n| holder(&n.to_string())).collect();
        let all = names.iter().map(|holder| acquire(&bucket, "g", holder, 5));
        let got = futures::future::try_join_all(all).await.unwrap();
        assert_eq!(got.iter().flatten().count(), 1);
    }

    #[tokio::test]
    async fn old_entries_go_and_damage_is_not_written_over() {
        let bucket = memory();
        for now in 0..100 {
            acquire(&bucket, "g", &holder("a"), now).await.unwrap().unwrap();
        }
        assert_eq!(numbers(&bucket, "g").await.unwrap(), (68..=100).collect::<Vec<u64>>());
        bucket.put(&path("g", 101), "{".into()).await.unwrap();
        let error = acquire(&bucket, "g", &holder("a"), 200).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert!(error.message().contains("00000000000000000101.json"), "{error}");
    }
}
