//! Every call that changes the bucket is a point at which the process is killed, before or after it.

use engine::compact::plan::HOUR_MS;

use super::store::Kill;
use super::world::{Shape, World, hasty};

/// Days of small blocks; at each step the turn is run once for each of its changing calls, and killed there.
/// A second process then takes over, and what was scraped must be whole.
#[tokio::test]
async fn a_compactor_killed_anywhere_loses_nothing() {
    let shape = Shape { series: 4, step_ms: 10 * 60_000, seed: 7 };
    let mut world = World::new(shape, hasty);
    let mut killed = 0u64;
    for step in 0..60i64 {
        let (from, to) = (step * 2 * HOUR_MS, (step + 1) * 2 * HOUR_MS);
        let start = super::world::START;
        for replica in 0..2 {
            // One block comes a day and a half late.
            if (step, replica) != (7, 1) {
                world.upload(replica, start + from, start + to).await;
            }
        }
        if step == 25 {
            world.upload(1, start + 14 * HOUR_MS, start + 16 * HOUR_MS).await;
        }
        world.pass(2 * HOUR_MS);
        // How many changes one turn makes from here.
        let trial = world.fork().await;
        trial.store.begin(None);
        trial.turns(&trial.compactor(), 1).await;
        let changes = trial.store.changes();
        for at in 1..=changes {
            let fork = world.fork().await;
            fork.store.begin(Some(Kill { at, after: (at + step as u64).is_multiple_of(2) }));
            fork.turns(&fork.compactor(), 1).await;
            assert!(fork.store.is_dead(), "step {step}: call {at} of {changes}");
            fork.store.begin(None);
            fork.pass(10 * 60_000);
            let turn = fork.turns(&fork.compactor(), 20).await;
            assert_eq!(turn.failed, 0, "step {step}, killed at call {at}");
            fork.check(&format!("step {step}, killed at call {at}")).await;
            killed += 1;
            // What was cut off is gone after two days.
            if at == changes / 2 {
                fork.pass(60 * HOUR_MS);
                fork.turns(&fork.compactor(), 30).await;
                fork.check("later").await;
                fork.check_tidy().await;
            }
        }
        world.turns(&world.compactor(), 20).await;
        world.check(&format!("step {step}")).await;
    }
    println!("killed at each of {killed} changing calls");
    assert!(killed > 300, "{killed}");
}
