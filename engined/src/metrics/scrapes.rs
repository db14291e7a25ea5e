//! Scrapes share their text. Whoever comes while one is being made gets the next one, together with all others who came
//! meanwhile: however many ask, one text is made at a time, and nobody is told what was before they asked.

use std::time::Instant;

use bytes::Bytes;
use tokio::sync::Mutex;

/// The text that was made last, and when that began.
#[derive(Debug, Default)]
pub struct Scrapes(Mutex<Option<(Instant, Bytes)>>);

impl Scrapes {
    /// A text that was begun after this was called; `make` makes it, unless another scrape does.
    ///
    /// # Errors
    /// That of `make`.
    pub async fn text<E>(&self, make: impl FnOnce() -> Result<String, E>) -> Result<Bytes, E> {
        let came = Instant::now();
        let mut last = self.0.lock().await;
        if let Some((begun, text)) = &*last
            && *begun >= came
        {
            return Ok(text.clone());
        }
        let begun = Instant::now();
        let text = Bytes::from(make()?);
        *last = Some((begun, text.clone()));
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn made(count: &AtomicUsize) -> Result<String, ()> {
        Ok(count.fetch_add(1, Ordering::SeqCst).to_string())
    }

    #[tokio::test]
    async fn those_who_wait_share_the_next() {
        let (scrapes, count) = (Arc::new(Scrapes::default()), Arc::new(AtomicUsize::new(0)));
        // As if one were being made.
        let busy = scrapes.0.lock().await;
        let waiting: Vec<_> = (0..100)
            .map(|_| {
                let (scrapes, count) = (Arc::clone(&scrapes), Arc::clone(&count));
                tokio::spawn(async move { scrapes.text(|| made(&count)).await.unwrap() })
            })
            .collect();
        // Each of them gets as far as it can.
        tokio::task::yield_now().await;
        drop(busy);
        for told in waiting {
            assert_eq!(told.await.unwrap(), "0");
        }
        assert_eq!(count.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn one_after_the_other_each_gets_its_own() {
        let (scrapes, count) = (Scrapes::default(), AtomicUsize::new(0));
        for at in 0..3 {
            assert_eq!(scrapes.text(|| made(&count)).await.unwrap(), at.to_string());
        }
        assert!(scrapes.text(|| Err::<String, _>("no")).await.is_err());
        assert_eq!(scrapes.text(|| made(&count)).await.unwrap(), "3", "an error is nobody's text");
    }
}
