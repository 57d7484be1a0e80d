//! Damaged blocks: never served, set aside, named.

use bytes::Bytes;

use super::fixture::{Fixture, labels, metric, run};
use super::{HOUR, block, every, plain};
use crate::ErrorKind;
use crate::block::BlockId;
use crate::model::TimeRange;
use crate::source::{SelectOptions, SeriesSource};

fn two_series(range: std::ops::Range<i64>) -> super::TestBlock {
    let series = (0..2).map(|i| {
        let own = labels(&[("__name__", "m"), ("pod", &format!("p{i}"))]);
        (own, every(15_000, range.clone(), move |t| (t * (i + 1)) as f64))
    });
    block(range.clone(), series.collect())
}

async fn flip(fixture: &Fixture, id: BlockId, file: &str, at: impl Fn(usize) -> usize) {
    let path = format!("stoa/v1/blocks/{id}/{file}");
    let mut bytes = fixture.bucket.get(&path).await.unwrap().to_vec();
    let at = at(bytes.len());
    bytes[at] ^= 0x10;
    fixture.bucket.put(&path, Bytes::from(bytes)).await.unwrap();
}

#[tokio::test]
async fn a_flipped_bit_in_a_page_sets_the_block_aside() {
    let mut fixture = Fixture::new();
    let bad = fixture.add(two_series(0..HOUR)).await;
    fixture.add(two_series(2 * HOUR..3 * HOUR)).await;
    // A byte of the first pages, behind the magic.
    flip(&fixture, bad, "samples.parquet", |length| length / 4).await;
    let select = metric("m", TimeRange::ALL);
    let resolved = fixture.resolve(&select, &plain()).await;
    assert!(resolved.warnings.is_empty());
    let error = run(&resolved).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.to_string().contains(&bad.to_string()), "{error}");
    assert!(error.to_string().contains("samples.parquet"), "{error}");
    // The second try goes without the block and says so.
    let resolved = fixture.resolve(&select, &plain()).await;
    assert_eq!(resolved.warnings.len(), 1);
    assert!(resolved.warnings[0].contains(&bad.to_string()), "{:?}", resolved.warnings);
    let got = run(&resolved).await.unwrap();
    assert_eq!(got.iter().map(|(_, ts, _)| ts.len()).sum::<usize>(), 2 * 240);
    // Who wants all or nothing gets an error.
    let whole = SelectOptions { partial_response: false, ..plain() };
    let error = fixture.source.resolve(&select, &whole).await.unwrap_err();
    assert!(error.to_string().contains(&bad.to_string()), "{error}");
}

#[tokio::test]
async fn a_block_that_cannot_be_opened_is_named() {
    let mut fixture = Fixture::new();
    let bad = fixture.add(two_series(0..HOUR)).await;
    fixture.add(two_series(2 * HOUR..3 * HOUR)).await;
    flip(&fixture, bad, "series.parquet", |length| length / 2).await;
    let select = metric("m", TimeRange::ALL);
    for _ in 0..2 {
        let resolved = fixture.resolve(&select, &plain()).await;
        assert_eq!(resolved.warnings.len(), 1);
        assert!(resolved.warnings[0].contains(&bad.to_string()), "{:?}", resolved.warnings);
        assert_eq!(run(&resolved).await.unwrap().len(), 2);
    }
    assert_eq!(fixture.catalog.snapshot().set_aside.len(), 1);
}
