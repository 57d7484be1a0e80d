//! The set-up of an HA Prometheus as real processes that scrape something live: two Prometheus
//! replicas, a sidecar beside each, a store and a querier.

mod answers;
mod blocks;
mod place;
mod questions;
mod samples;
mod seed;
mod target;

use std::time::Duration;

use answers::{assert_deduplicated, assert_equal, assert_part, together};
use place::{KILLED, Place, Role};

/// Each process is killed so often.
const ROUNDS: usize = 9;

/// Between two kills is less than this, and half of it in the mean, in ms.
const BETWEEN_KILLS: u64 = 1_600;

/// A scrape of a loaded machine is in Prometheus within this, in ms.
const SCRAPED_WITHIN: i64 = 5_000;

/// xorshift64.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }

    /// All processes, in any order.
    fn order(&mut self) -> [Role; 6] {
        let mut roles = Role::ALL;
        for at in (1..roles.len()).rev() {
            roles.swap(at, self.below(at as u64 + 1) as usize);
        }
        roles
    }
}

/// `$STOA_TEST_SEED`, else another one each time.
fn seed() -> u64 {
    let given = std::env::var("STOA_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = given.unwrap_or_else(|| {
        let now = std::time::UNIX_EPOCH.elapsed().expect("a clock after 1970");
        now.as_nanos() as u64 | 1
    });
    eprintln!("STOA_TEST_SEED={seed}");
    seed
}

/// The newest samples are only with Prometheus, the oldest only in the bucket: at the seam nothing
/// is missing and nothing comes twice, with deduplication and without.
async fn the_seam_does_not_show(place: &Place) {
    let (whole, replicas) = place.settled(false).await;
    assert_equal(&whole, &together(&replicas));
    let (merged, replicas) = place.settled(true).await;
    assert_deduplicated(&merged, &replicas);
    // Neither of the two has all of it.
    let now = place::now();
    let store = place.ask(now, false, Some(&[Role::Store])).await.expect("the store answers");
    let only = Some(&[Role::Sidecar(0), Role::Sidecar(1)][..]);
    let sidecars = place.ask(now, false, only).await.expect("the sidecars answer");
    for (labels, samples) in whole.iter().filter(|(labels, _)| labels.metric() == "up") {
        let first = |answer: &answers::Matrix| answer[labels].first().expect("a sample").0;
        let last = |answer: &answers::Matrix| answer[labels].last().expect("a sample").0;
        assert!(first(&store.matrix) == samples[0].0 && first(&sidecars.matrix) > samples[0].0);
        assert!(last(&store.matrix) < last(&sidecars.matrix), "{labels}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn kills_lose_no_sample_and_double_none() {
    let mut random = Random(seed());
    let mut place = Place::start().await;
    the_seam_does_not_show(&place).await;

    let mut answered = Vec::new();
    for _ in 0..ROUNDS {
        for role in random.order() {
            place.live_for(Duration::from_millis(random.below(BETWEEN_KILLS))).await;
            place.kill_and_restart(role).await;
            answered.extend(place.ask_if_ready().await);
        }
        // Nobody is missing now, so this answer is whole.
        place.all_ready().await;
        answered.extend(place.ask_if_ready().await);
    }
    assert!(place.killed() >= KILLED, "{} kills", place.killed());

    // What the bucket has is what Prometheus wrote, to the bit.
    place.blocks_are_those_of_prometheus().await;
    // And the whole answers as both Prometheus do, as it did while everything was killed.
    the_seam_does_not_show(&place).await;
    place.merge_by("chain").await;
    let (merged, replicas) = place.settled(true).await;
    assert_eq!(answers::times(&merged), answers::times_of_any(&replicas), "chain is the union");
    let truth = together(&replicas);
    let whole = answered.iter().filter(|answer| answer.whole).count();
    assert!(whole >= ROUNDS, "{whole} of {} answers were whole", answered.len());
    for answer in &answered {
        let until = if answer.whole { answer.time - SCRAPED_WITHIN } else { i64::MIN };
        assert_part(&answer.matrix, &truth, until);
    }
}
