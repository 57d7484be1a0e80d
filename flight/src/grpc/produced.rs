//! Answers that a task makes, as fast as the client takes them.

use std::pin::Pin;

use futures::{Stream, stream};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tonic::Status;

/// The messages of an answer.
pub(crate) type Messages<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send + 'static>>;

/// What `make` sends, made on `runtime`, at most `waiting` messages ahead of the client. When the
/// client goes away `make` is dropped; when it fails or panics, that ends the answer.
pub(crate) fn produced<T, F>(
    runtime: &Handle,
    waiting: usize,
    make: impl FnOnce(mpsc::Sender<T>) -> F,
) -> Messages<T>
where
    T: Send + 'static,
    F: Future<Output = Result<(), Status>> + Send + 'static,
{
    let (sender, receiver) = mpsc::channel(waiting);
    let gone = sender.clone();
    let making = make(sender);
    let task = runtime.spawn(async move {
        tokio::select! {
            biased;
            () = gone.closed() => Ok(()),
            made = making => made,
        }
    });
    // The end of the channel alone says nothing: the task may have failed.
    let messages = stream::unfold(Some((receiver, task)), |state| async {
        let (mut receiver, task) = state?;
        if let Some(message) = receiver.recv().await {
            return Some((Ok(message), Some((receiver, task))));
        }
        match task.await {
            Ok(Ok(())) => None,
            Ok(Err(status)) => Some((Err(status), None)),
            Err(error) => Some((Err(Status::internal(format!("the answer: {error}"))), None)),
        }
    });
    Box::pin(messages)
}
