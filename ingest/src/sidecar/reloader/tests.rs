//! The reloader on real files, against a server that counts.

use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use engine::ErrorKind;
use flate2::Compression;
use flate2::write::GzEncoder;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::input::MAX_CONFIG;
use super::{Reloader, ReloaderMetrics, ReloaderSettings, Trigger};
use crate::sidecar::{HttpConfig, Prometheus};

/// Counts reloads, and refuses the first `refusals`.
struct Reloads {
    url: String,
    count: Arc<AtomicU32>,
    came: Arc<Notify>,
}

impl Reloads {
    async fn serve(refusals: u32) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (count, came) = (Arc::new(AtomicU32::new(0)), Arc::new(Notify::new()));
        let (counted, told) = (Arc::clone(&count), Arc::clone(&came));
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = [0; 1024];
                let read = stream.read(&mut request).await.unwrap();
                assert!(request[..read].starts_with(b"POST /-/reload "));
                let before = counted.fetch_add(1, Ordering::SeqCst);
                let status = if before < refusals { "500 No" } else { "200 OK" };
                let answer =
                    format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
                stream.write_all(answer.as_bytes()).await.unwrap();
                told.notify_one();
            }
        });
        Self { url, count, came }
    }

    fn count(&self) -> u32 {
        self.count.load(Ordering::SeqCst)
    }

    fn reloader(&self, settings: ReloaderSettings) -> Reloader {
        let prometheus = Prometheus::new(&self.url, HttpConfig::default()).unwrap();
        Reloader::new(settings, Trigger::Http(prometheus), ReloaderMetrics::default())
    }
}

fn settings(folder: &Path) -> ReloaderSettings {
    ReloaderSettings {
        config_file: Some(folder.join("in.yaml")),
        output_file: Some(folder.join("out.yaml")),
        rule_dirs: vec![folder.join("rules")],
        watch_interval: Duration::from_secs(3600),
        retry_interval: Duration::from_millis(10),
    }
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("rules")).unwrap();
    // Every process has it.
    std::fs::write(folder.path().join("in.yaml"), "path: $(PATH)\n").unwrap();
    folder
}

fn output(folder: &Path) -> String {
    std::fs::read_to_string(folder.join("out.yaml")).unwrap()
}

#[tokio::test]
async fn what_has_changed_is_reloaded_once() {
    let (folder, server) = (folder(), Reloads::serve(0).await);
    let folder = folder.path();
    let mut reloader = server.reloader(settings(folder));
    reloader.apply().await.unwrap();
    assert_eq!(output(folder), format!("path: {}\n", std::env::var("PATH").unwrap()));
    reloader.apply().await.unwrap();
    assert_eq!(server.count(), 1, "nothing has changed");
    std::fs::write(folder.join("rules/a.yaml"), "groups: []").unwrap();
    reloader.apply().await.unwrap();
    assert_eq!(server.count(), 2);
    std::fs::rename(folder.join("rules/a.yaml"), folder.join("rules/b.yaml")).unwrap();
    reloader.apply().await.unwrap();
    assert_eq!(server.count(), 3, "the names count");
    std::fs::write(folder.join("in.yaml"), "a: 1\n").unwrap();
    reloader.apply().await.unwrap();
    assert_eq!((server.count(), output(folder).as_str()), (4, "a: 1\n"));
}

#[tokio::test]
async fn gzip_is_unpacked_within_bounds() {
    let (folder, server) = (folder(), Reloads::serve(0).await);
    let folder = folder.path();
    // Members of a gzip follow each other.
    let pack = |text: &[u8], times: usize| {
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        packed.write_all(text).unwrap();
        let packed = packed.finish().unwrap().repeat(times);
        std::fs::write(folder.join("in.yaml"), packed).unwrap();
    };
    let mut reloader = server.reloader(settings(folder));
    pack(b"a: b\n", 1);
    reloader.apply().await.unwrap();
    assert_eq!(output(folder), "a: b\n");
    pack(&vec![b'\n'; 1 << 20], MAX_CONFIG / (1 << 20) + 1);
    let error = reloader.apply().await.unwrap_err();
    assert!(error.to_string().ends_with("in.yaml: more than 67108864 bytes"), "{error}");
    assert_eq!((output(folder).as_str(), server.count()), ("a: b\n", 1), "the last good one stays");
}

#[tokio::test]
async fn unusable_input_is_an_error_that_names_it() {
    let (folder, server) = (folder(), Reloads::serve(0).await);
    let folder = folder.path();
    let mut reloader = server.reloader(settings(folder));
    let config = folder.join("in.yaml");
    std::fs::write(&config, "x: $(NO_SUCH_VARIABLE)").unwrap();
    let error = reloader.apply().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("in.yaml: found reference to unset"), "{error}");
    std::fs::remove_file(&config).unwrap();
    assert!(reloader.apply().await.unwrap_err().to_string().contains("in.yaml: No such file"));
    for device in ["/dev/zero", "/dev", "/proc/self/fd/0"] {
        symlink(device, &config).unwrap();
        let error = reloader.apply().await.unwrap_err().to_string();
        assert!(error.ends_with("in.yaml: not a regular file"), "{device}: {error}");
        std::fs::remove_file(&config).unwrap();
    }
    std::fs::write(&config, "a: 1").unwrap();
    symlink("/dev/zero", folder.join("rules/endless")).unwrap();
    let error = reloader.apply().await.unwrap_err().to_string();
    assert!(error.ends_with("rules/endless: not a regular file"), "{error}");
    assert_eq!(server.count(), 0);
}

#[tokio::test]
async fn a_short_file_is_not_taken_for_gzip() {
    let (folder, server) = (folder(), Reloads::serve(0).await);
    std::fs::write(folder.path().join("in.yaml"), [0x1f]).unwrap();
    server.reloader(settings(folder.path())).apply().await.unwrap();
    assert_eq!(std::fs::read(folder.path().join("out.yaml")).unwrap(), [0x1f]);
}

/// Kubernetes swaps the link `..data`; the reloader, left to itself, follows. Reloads that fail are
/// tried again.
#[tokio::test]
async fn the_swap_of_a_config_map_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    let mount = folder.path().join("mount");
    let version = |name: &str, text: &str| {
        let data = mount.join(name);
        std::fs::create_dir_all(&data).unwrap();
        std::fs::File::create(data.join("in.yaml")).unwrap().write_all(text.as_bytes()).unwrap();
    };
    version("..1", "a: 1\n");
    symlink("..1", mount.join("..data")).unwrap();
    symlink("..data/in.yaml", mount.join("in.yaml")).unwrap();
    let server = Reloads::serve(2).await;
    let reloader = server.reloader(ReloaderSettings {
        config_file: Some(mount.join("in.yaml")),
        output_file: Some(folder.path().join("out.yaml")),
        rule_dirs: Vec::new(),
        ..settings(folder.path())
    });
    let stop = CancellationToken::new();
    let running = tokio::spawn(reloader.run(stop.clone()));
    let reached = async |wanted: u32| {
        while server.count() < wanted {
            tokio::time::timeout(Duration::from_secs(30), server.came.notified()).await.unwrap();
        }
    };
    reached(3).await;
    assert_eq!(output(folder.path()), "a: 1\n");
    version("..2", "a: 2\n");
    symlink("..2", mount.join("..data_tmp")).unwrap();
    std::fs::rename(mount.join("..data_tmp"), mount.join("..data")).unwrap();
    reached(4).await;
    assert_eq!(output(folder.path()), "a: 2\n");
    stop.cancel();
    running.await.unwrap();
}
