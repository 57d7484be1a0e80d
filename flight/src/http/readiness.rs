//! Whether a server can answer: not before its first complete sync, and not while it ends.

use std::sync::Arc;

use tokio::sync::watch;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Starting,
    Ready,
    Stopping,
}

/// The state behind `/-/ready` and gRPC's health. Clones share it.
#[derive(Debug, Clone)]
pub struct Readiness(Arc<watch::Sender<State>>);

impl Default for Readiness {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(State::Starting)))
    }
}

impl Readiness {
    /// Everything is there that an answer needs.
    pub fn ready(&self) {
        // A server that stops never becomes ready again.
        self.change(|state| *state == State::Starting, State::Ready);
    }

    /// What an answer needs is gone for now.
    pub fn not_ready(&self) {
        self.change(|state| *state == State::Ready, State::Starting);
    }

    /// The server ends: it asks for no more requests, and answers those that come all the same.
    pub fn stopping(&self) {
        self.change(|state| *state != State::Stopping, State::Stopping);
    }

    /// Whether requests are welcome.
    pub fn is_ready(&self) -> bool {
        *self.0.borrow() == State::Ready
    }

    /// Whether an answer would lack what has not been read yet.
    pub fn is_starting(&self) -> bool {
        *self.0.borrow() == State::Starting
    }

    /// Tells of changes, from now on.
    pub(crate) fn changes(&self) -> Changes {
        Changes(self.0.subscribe())
    }

    fn change(&self, from: impl FnOnce(&State) -> bool, to: State) {
        self.0.send_if_modified(|state| {
            let changes = from(state);
            if changes {
                *state = to;
            }
            changes
        });
    }
}

/// The changes of a [`Readiness`].
#[derive(Debug)]
pub(crate) struct Changes(watch::Receiver<State>);

impl Changes {
    /// Waits for the next change; an error if there will be none.
    pub(crate) async fn changed(&mut self) -> Result<(), watch::error::RecvError> {
        self.0.changed().await
    }
}
