//! Servers under test: started on loopback, awaited without a fixed sleep, killed by their own id.

use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::http;

/// How long a server may take until it is ready; a loaded machine is slow.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// How long one probe of readiness waits before the next: less than anybody notices, and a line of
/// output or the end of the process ends it at once.
const BETWEEN_PROBES: Duration = Duration::from_millis(20);

/// An address on loopback that is free now, for servers that cannot say which port they took.
pub(crate) fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port on loopback");
    listener.local_addr().expect("a bound socket has an address")
}

/// A process that is killed, by its own id, when the value is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    output: Arc<Mutex<String>>,
    lines: Receiver<String>,
    /// Where it listens.
    pub(crate) address: SocketAddr,
}

impl Server {
    /// Starts `command`, which listens on `address`, and waits until `path` answers 200 there.
    pub(crate) async fn start(command: &mut Command, address: SocketAddr, path: &str) -> Self {
        let mut server = Self::spawn(command, address);
        server.await_ok(path).await;
        server
    }

    /// Starts `command`, which says its address in a line of its output once it listens there.
    pub(crate) fn announced(
        command: &mut Command,
        announced: impl Fn(&str) -> Option<SocketAddr>,
    ) -> Self {
        let mut server = Self::spawn(command, SocketAddr::from(([127, 0, 0, 1], 0)));
        let deadline = Instant::now() + READY_WITHIN;
        server.address = loop {
            match server.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    if let Some(address) = announced(&line) {
                        break address;
                    }
                }
                Err(_) => panic!("no address was announced:\n{}", server.output()),
            }
        };
        server
    }

    /// Starts `command` and waits for nothing.
    pub(crate) fn spawn(command: &mut Command, address: SocketAddr) -> Self {
        let shown = format!("{command:?}");
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|e| panic!("{shown}: {e}"));
        let output = Arc::new(Mutex::new(String::new()));
        let (sender, lines) = channel();
        let streams: [Box<dyn Read + Send>; 2] = [
            Box::new(child.stdout.take().expect("stdout is piped")),
            Box::new(child.stderr.take().expect("stderr is piped")),
        ];
        for stream in streams {
            let (output, sender) = (Arc::clone(&output), sender.clone());
            std::thread::spawn(move || {
                for line in BufReader::new(stream).lines().map_while(Result::ok) {
                    {
                        let mut output = output.lock().expect("no reader panics");
                        output.push_str(&line);
                        output.push('\n');
                    }
                    // Fails once nobody waits any more; the pipe is drained all the same, so that the
                    // server goes on.
                    let _ = sender.send(line);
                }
            });
        }
        Self { child, output, lines, address }
    }

    /// The URL of `path`, which begins with a slash.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// What it has written to stdout and stderr until now.
    pub(crate) fn output(&self) -> String {
        self.output.lock().expect("no reader panics").clone()
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has not ended by itself.
    pub(crate) fn runs(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits until the process ends by itself, and returns its code.
    pub(crate) fn ended(&mut self) -> Option<i32> {
        let deadline = Instant::now() + READY_WITHIN;
        // Both streams close when the process ends.
        while !matches!(
            self.lines.recv_timeout(BETWEEN_PROBES),
            Err(RecvTimeoutError::Disconnected)
        ) {
            assert!(Instant::now() < deadline, "it does not end:\n{}", self.output());
        }
        self.child.wait().expect("it is our child").code()
    }

    /// Waits until `path` answers 200; panics with the output if the process ends or time is over.
    async fn await_ok(&mut self, path: &str) {
        let url = self.url(path);
        let deadline = Instant::now() + READY_WITHIN;
        loop {
            if matches!(http::try_get(&url).await, Ok(answer) if answer.status == 200) {
                return;
            }
            if let Ok(Some(status)) = self.child.try_wait() {
                panic!("the server ended ({status}) before {url} was ready:\n{}", self.output());
            }
            assert!(Instant::now() < deadline, "{url} is not ready:\n{}", self.output());
            match self.lines.recv_timeout(BETWEEN_PROBES) {
                Ok(_) | Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail only if the process is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
