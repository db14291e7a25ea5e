//! A connection polled until it has nothing more to do.
//!
//! hyper's connection and the handler of its request are one task, and wake one another: the handler asks for the body, the
//! connection reads it, the handler goes on. To the runtime each of these is a task that wants another turn at once, and it
//! wakes another thread to help with so much work: one that finds nothing, or takes the connection to another core.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

/// After so many rounds others have their turn.
const MOST: usize = 8;

/// What wakes the task, or asks for another round while one is under way.
#[derive(Debug)]
struct Bell {
    polled: AtomicBool,
    rung: AtomicBool,
    task: Mutex<Waker>,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // In this order, and in one that all threads see: either the round under way is seen here, or the bell there.
        self.rung.store(true, Ordering::SeqCst);
        if !self.polled.load(Ordering::SeqCst) {
            self.task.lock().unwrap_or_else(PoisonError::into_inner).wake_by_ref();
        }
    }
}

/// For one connection.
#[derive(Debug)]
pub struct Rounds {
    bell: Arc<Bell>,
    waker: Waker,
}

impl Default for Rounds {
    fn default() -> Self {
        let (polled, rung) = (AtomicBool::new(false), AtomicBool::new(false));
        let bell = Arc::new(Bell { polled, rung, task: Mutex::new(Waker::noop().clone()) });
        Rounds { waker: Arc::clone(&bell).into(), bell }
    }
}

impl Rounds {
    /// Polls until it is ready or waits for somebody else.
    pub fn poll<F: Future>(&self, mut future: Pin<&mut F>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let Bell { polled, rung, task } = &*self.bell;
        {
            let mut task = task.lock().unwrap_or_else(PoisonError::into_inner);
            if !task.will_wake(cx.waker()) {
                task.clone_from(cx.waker());
            }
        }
        for _ in 0..MOST {
            rung.store(false, Ordering::SeqCst);
            polled.store(true, Ordering::SeqCst);
            let poll = future.as_mut().poll(&mut Context::from_waker(&self.waker));
            polled.store(false, Ordering::SeqCst);
            if poll.is_ready() || !rung.load(Ordering::SeqCst) {
                return poll;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::pin::pin;
    use std::sync::atomic::AtomicUsize;
    use std::time::Duration;

    use super::*;

    #[derive(Default)]
    struct Counter(AtomicUsize);

    impl Wake for Counter {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn who_wakes_itself_goes_on_at_once_and_not_for_ever() {
        let (rounds, counter) = (Rounds::default(), Arc::new(Counter::default()));
        let waker = Waker::from(Arc::clone(&counter));
        let mut cx = Context::from_waker(&waker);
        let mut left = 3;
        let mut thrice = pin!(poll_fn(|cx| {
            left -= 1;
            cx.waker().wake_by_ref();
            if left == 0 { Poll::Ready(7) } else { Poll::Pending }
        }));
        assert_eq!(rounds.poll(thrice.as_mut(), &mut cx), Poll::Ready(7));
        assert_eq!(counter.0.load(Ordering::SeqCst), 0);
        let mut restless = pin!(poll_fn(|cx| {
            cx.waker().wake_by_ref();
            Poll::<()>::Pending
        }));
        assert!(rounds.poll(restless.as_mut(), &mut cx).is_pending());
        assert_eq!(counter.0.load(Ordering::SeqCst), 1, "others have their turn, then it goes on");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn no_wake_of_another_thread_is_lost() {
        let rounds = Rounds::default();
        let (send, mut receive) = tokio::sync::mpsc::channel::<u32>(1);
        let sender = tokio::spawn(async move {
            for number in 0..20_000 {
                send.send(number).await.unwrap();
            }
        });
        let all = async {
            let mut sum = 0_u64;
            while let Some(number) = receive.recv().await {
                sum += u64::from(number);
            }
            sum
        };
        let mut all = pin!(all);
        let whole = poll_fn(|cx| rounds.poll(all.as_mut(), cx));
        let sum = tokio::time::timeout(Duration::from_secs(60), whole).await.unwrap();
        sender.await.unwrap();
        assert_eq!(sum, (0..20_000).sum::<u64>());
    }
}
