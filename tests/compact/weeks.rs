//! Weeks of two replicas over a store that fails in every way at once.

use engine::compact::plan::HOUR_MS;
use engine::compact::plan::windows::DAY_MS;

use super::store::{Faults, Kill};
use super::world::{START, Shape, World, hasty};

/// The seed of a run: `STOA_SIMULATION_SEED`, or this.
fn seed() -> u64 {
    std::env::var("STOA_SIMULATION_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or(20_261_127)
}

/// Samples of a run in millions: `STOA_SIMULATION_SAMPLES`, or this.
fn millions() -> u64 {
    let given = std::env::var("STOA_SIMULATION_SAMPLES").ok();
    given.and_then(|millions| millions.parse().ok()).unwrap_or(1)
}

/// `STOA_SIMULATION_SAMPLES=50 cargo test --test integration compact::weeks` is the long run.
#[tokio::test]
async fn weeks_over_a_failing_store_lose_nothing() {
    let (seed, millions) = (seed(), millions());
    let days = 15i64;
    let step_ms = 30_000;
    let per_series = 2 * days as u64 * (DAY_MS / step_ms) as u64;
    let series = (millions * 1_150_000).div_ceil(per_series).max(3);
    println!("seed {seed}, {millions} million samples: {series} series, {days} days");
    let mut world = World::new(Shape { series, step_ms, seed }, hasty);
    let faults = Faults { errors: 4, lost: 10, torn: 10, late_ms: 20 * 60_000 };
    let mut late: Vec<(u64, i64)> = Vec::new();
    let mut compactor = world.compactor();
    let mut processes = 1;
    for step in 0..days * 12 {
        world.store.set_faults(faults);
        for replica in 0..2 {
            match (step + replica as i64 * 5) % 31 {
                3 => late.push((replica, step)),
                _ => {
                    let from = START + step * 2 * HOUR_MS;
                    world.upload(replica, from, from + 2 * HOUR_MS).await;
                }
            }
        }
        if step % 19 == 0 {
            for (replica, step) in std::mem::take(&mut late) {
                let from = START + step * 2 * HOUR_MS;
                world.upload(replica, from, from + 2 * HOUR_MS).await;
            }
        }
        world.pass(2 * HOUR_MS);
        // Now and then the process is killed, at some call.
        if step % 7 == 5 {
            let at = 1 + (seed.wrapping_mul(step as u64 + 3) >> 7) % 40;
            world.store.begin(Some(Kill { at, after: step % 2 == 0 }));
        }
        world.turns(&compactor, 4).await;
        if world.store.is_dead() {
            world.store.begin(None);
            world.pass(10 * 60_000);
            compactor = world.compactor();
            processes += 1;
        }
        world.store.begin(None);
        if step % 36 == 35 {
            world.store.set_faults(Faults::default());
            world.check(&format!("seed {seed}, step {step}")).await;
        }
    }
    world.store.set_faults(Faults::default());
    for (replica, step) in late {
        let from = START + step * 2 * HOUR_MS;
        world.upload(replica, from, from + 2 * HOUR_MS).await;
    }
    // The faults are gone: all is done, and what nobody needs is removed.
    for _ in 0..6 {
        world.pass(12 * HOUR_MS);
        world.turns(&compactor, 200).await;
    }
    world.check(&format!("seed {seed}, at the end")).await;
    world.check_tidy().await;
    let samples: usize = world.truth.values().map(Vec::len).sum();
    println!(
        "{samples} samples, {} faults injected, {processes} processes: none lost, none altered",
        world.store.injected()
    );
    assert!(samples as u64 >= millions * 1_000_000, "{samples}");
}
