//! Scrapes share their text. Whoever comes while one is being made gets the next one, together with all others who came
//! meanwhile: however many ask, one text is made at a time, and nobody is told what was before they asked.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use tokio::sync::Mutex;

use crate::budget::{Budget, Exhausted, Reservation};

/// Texts that somebody is still reading, together. On a listener of its own anybody may ask and read slowly; that must take
/// nothing of the memory for runs. It is a hundred usual texts.
const TEXTS: u64 = 16 << 20;

/// A text, shared by all who read it.
#[derive(Clone, Debug)]
pub struct Text {
    /// It.
    pub bytes: Bytes,
    /// Given back when the last of them has read it.
    pub memory: Arc<Reservation>,
}

/// Why there is no text.
#[derive(Debug, PartialEq, Eq)]
pub enum NoText<E> {
    /// It could not be made.
    NotMade(E),
    /// Too many are still being read.
    NoRoom(Exhausted),
}

/// The text that was made last, and when that began.
#[derive(Debug)]
pub struct Scrapes {
    budget: Arc<Budget>,
    last: Mutex<Option<(Instant, Text)>>,
}

impl Default for Scrapes {
    fn default() -> Self {
        Scrapes { budget: Budget::new(TEXTS), last: Mutex::default() }
    }
}

impl Scrapes {
    /// A text that was begun after this was called; `make` makes it, unless another scrape does.
    ///
    /// # Errors
    /// That of `make`, or that there is no room.
    pub async fn text<E>(&self, make: impl FnOnce() -> Result<String, E>) -> Result<Text, NoText<E>> {
        let came = Instant::now();
        let mut last = self.last.lock().await;
        if let Some((begun, text)) = &*last
            && *begun >= came
        {
            return Ok(text.clone());
        }
        *last = None;
        let begun = Instant::now();
        let bytes = Bytes::from(make().map_err(NoText::NotMade)?);
        let memory = self.budget.reserve(bytes.len() as u64).map_err(NoText::NoRoom)?;
        let text = Text { bytes, memory: Arc::new(memory) };
        *last = Some((begun, text.clone()));
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn made(count: &AtomicUsize) -> Result<String, ()> {
        Ok(count.fetch_add(1, Ordering::SeqCst).to_string())
    }

    #[tokio::test]
    async fn those_who_wait_share_the_next() {
        let (scrapes, count) = (Arc::new(Scrapes::default()), Arc::new(AtomicUsize::new(0)));
        // As if one were being made.
        let busy = scrapes.last.lock().await;
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
            assert_eq!(told.await.unwrap().bytes, "0");
        }
        assert_eq!(count.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn one_after_the_other_each_gets_its_own() {
        let (scrapes, count) = (Scrapes::default(), AtomicUsize::new(0));
        for at in 0..3 {
            assert_eq!(scrapes.text(|| made(&count)).await.unwrap().bytes, at.to_string());
        }
        assert_eq!(scrapes.text(|| Err::<String, _>("no")).await.unwrap_err(), NoText::NotMade("no"));
        assert_eq!(scrapes.text(|| made(&count)).await.unwrap().bytes, "3", "an error is nobody's text");
    }

    #[tokio::test]
    async fn slow_readers_have_an_end() {
        let scrapes = Scrapes { budget: Budget::new(250), ..Scrapes::default() };
        let hundred = || Ok::<_, ()>("x".repeat(100));
        let first = scrapes.text(hundred).await.unwrap();
        let second = scrapes.text(hundred).await.unwrap();
        let refused = scrapes.text(hundred).await.unwrap_err();
        assert_eq!(refused, NoText::NoRoom(Exhausted { wanted: 100, used: 200, limit: 250, own: None }));
        drop(first);
        let third = scrapes.text(hundred).await.unwrap();
        drop((second, third));
        assert_eq!(scrapes.budget.used(), 100, "the last one stays");
    }
}
