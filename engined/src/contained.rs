//! Keeps a bug to the request or run that met it.

use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::task::Poll;

/// Polls a future so that a panic in it ends it alone. `None` when it panicked.
pub async fn contained<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    std::future::poll_fn(|cx| match std::panic::catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
        Ok(polled) => polled.map(Some),
        Err(_) => Poll::Ready(None),
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_ends_one_future_alone() {
        let answer = |panics: bool| async move {
            tokio::task::yield_now().await;
            assert!(!panics, "a bug");
            7
        };
        assert_eq!(contained(answer(false)).await, Some(7));
        assert_eq!(contained(answer(true)).await, None);
    }
}
