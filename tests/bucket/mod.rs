//! Object stores: what a bucket promises holds on a folder and on real servers on loopback.

mod conformance;
pub(crate) mod servers;

use engine::ErrorKind;
use engine::bucket::{Bucket, BucketMetrics, Created};
use prometheus_client::registry::Registry;

#[tokio::test]
async fn a_folder_is_a_bucket() {
    conformance::holds(servers::folder()).await;
}

#[tokio::test]
async fn s3_is_a_bucket() {
    conformance::holds(servers::s3().await).await;
}

#[tokio::test]
async fn google_cloud_storage_is_a_bucket() {
    conformance::holds(servers::gcs().await).await;
}

#[tokio::test]
async fn azure_is_a_bucket() {
    conformance::holds(servers::azure().await).await;
}

#[tokio::test]
async fn a_folder_is_created_by_the_first_write_and_leaves_nothing_behind() {
    let scratch = crate::support::scratch();
    let root = scratch.path().join("not/yet");
    let yaml = format!("type: FILESYSTEM\nconfig: {{directory: '{}'}}", root.display());
    let bucket = Bucket::from_yaml(&yaml).unwrap();
    let error = bucket.get("x").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains(&*root.display().to_string()), "{error}");
    assert_eq!(bucket.list_dirs("x").await.unwrap(), Vec::<String>::new());
    bucket.put("a/b/c", "x".into()).await.unwrap();
    assert_eq!(bucket.get("a/b/c").await.unwrap(), "x");
    assert_eq!(bucket.create("a/b/c", "y".into()).await.unwrap(), Created::Different);
    let names: Vec<_> = std::fs::read_dir(root.join("a/b"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(names, ["c"], "no staged file stays");
    bucket.delete("a/b/c").await.unwrap();
    assert!(!root.join("a").exists(), "empty folders go");
    let file = scratch.path().join("file");
    std::fs::write(&file, "x").unwrap();
    let yaml = format!("type: FILESYSTEM\nconfig: {{directory: '{}'}}", file.display());
    assert!(Bucket::from_yaml(&yaml).unwrap_err().to_string().contains("is not a folder"));
}

#[tokio::test]
async fn operations_are_counted_by_thanos_names() {
    let place = servers::folder();
    let mut registry = Registry::default();
    let bucket = place.bucket().with_metrics(BucketMetrics::new(&mut registry));
    bucket.put("a", "12345".into()).await.unwrap();
    bucket.get("a").await.unwrap();
    bucket.get("none").await.unwrap_err();
    bucket.get_range("a", 1..3).await.unwrap();
    bucket.get_range("a", 1..30).await.unwrap_err();
    bucket.list("").await.unwrap();
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
    let name = bucket.name();
    for (metric, operation, value) in [
        ("operations_total", "upload", "1"),
        ("operations_total", "get", "2"),
        ("operations_total", "get_range", "2"),
        ("operations_total", "iter", "1"),
        ("operation_failures_total", "get_range", "1"),
        ("operation_fetched_bytes_total", "get", "5"),
        ("operation_duration_seconds_count", "get", "1"),
    ] {
        let line = format!(
            "thanos_objstore_bucket_{metric}{{bucket=\"{name}\",operation=\"{operation}\"}} {value}"
        );
        assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
    }
    let failed = format!(
        "thanos_objstore_bucket_operation_failures_total{{bucket=\"{name}\",operation=\"get\"}}"
    );
    assert!(!text.contains(&format!("{failed} 1")), "a missing object is no failure:\n{text}");
    let uploaded =
        format!("thanos_objstore_bucket_last_successful_upload_time{{bucket=\"{name}\"}} ");
    assert!(text.lines().any(|l| l.starts_with(&uploaded)), "{text}");
}
