//! A program that is scraped: counters that rise with time, odd numbers, series that come and go.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Instant;

use axum::Router;
use axum::routing::get;
use tokio::runtime::{Builder, Runtime};

/// How long a series that comes and goes is there, and then is not, in ms.
const THERE: u128 = 3_000;

/// The program, on a thread of its own.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) address: SocketAddr,
    runtime: Option<Runtime>,
}

impl Target {
    pub(super) fn start() -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port on loopback");
        listener.set_nonblocking(true).expect("a socket does not block");
        let address = listener.local_addr().expect("a bound socket has an address");
        let began = Instant::now();
        let app = Router::new().route("/metrics", get(move || async move { page(began) }));
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a thread");
        runtime.spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listener).expect("a bound socket");
            axum::serve(listener, app).await
        });
        Self { address, runtime: Some(runtime) }
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// What a scrape gets. Every value changes from one to the next, so that none stands for another.
fn page(began: Instant) -> String {
    let ms = began.elapsed().as_millis();
    let mut page = String::from("# TYPE live_total counter\n");
    let write = "a string takes text";
    for n in 0..8 {
        writeln!(page, "live_total{{n=\"{n}\"}} {}", ms * (n + 1)).expect(write);
    }
    let odd = ["NaN", "+Inf", "-Inf", "-0", "5e-324", "1e300"];
    for (n, odd) in odd.iter().enumerate() {
        let value = if (ms / 500).is_multiple_of(2) {
            (*odd).to_owned()
        } else {
            format!("{}.25", ms + n as u128)
        };
        writeln!(page, "live_odd{{n=\"{n}\"}} {value}").expect(write);
    }
    for n in 0..3 {
        if (ms / THERE + n).is_multiple_of(2) {
            writeln!(page, "live_now_and_then{{n=\"{n}\"}} {ms}").expect(write);
        }
    }
    page
}
