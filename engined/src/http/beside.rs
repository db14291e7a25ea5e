//! Work that takes long, or waits for the disk, beside the threads that serve everybody.

use crate::problem::Error;

/// Does `work` on a thread for that; `what` it is, for the log.
///
/// # Errors
/// Its own, or that it panicked.
pub(super) async fn beside<T: Send + 'static>(
    what: &'static str,
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(Error::internal(format!("{what} panicked: {error}"))))
}
