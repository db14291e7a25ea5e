//! Batch runs before a large one of batch that waits for memory, while interactive work goes on.
use super::memory::{LARGE, MIDDLE, SECOND, SMALL, begin, granted, interactive, join, queue};
use super::*;

/// How long the work of this takes.
const HALF_A_MINUTE: Duration = Duration::from_secs(30);

fn batch(queue: &Arc<Queue>, tenant: usize, memory: u64) -> Ticket {
    join(queue, tenant, Priority::Batch, memory)
}

/// The one that is before it in turn has room and is kept from it for the large one: both wait for that.
#[tokio::test(start_paused = true)]
async fn a_small_batch_run_before_a_large_one_does_not_keep_it_from_being_due() {
    let queue = queue(2);
    let had = granted(&mut batch(&queue, 2, SMALL)).unwrap();
    tokio::time::advance(SECOND).await;
    drop(had);
    let long = begin(&queue, 0, 600);
    let mut large = batch(&queue, 2, LARGE);
    let mut small = batch(&queue, 3, SMALL);
    for _ in 0..KEPT_AT_MOST.as_secs() + INTERACTIVE_IN_A_ROW as u64 + 1 {
        drop(granted(&mut interactive(&queue, 1, MIDDLE)));
        tokio::time::advance(SECOND).await;
    }
    let mut middle = interactive(&queue, 1, MIDDLE);
    assert!(granted(&mut middle).is_none(), "batch has waited for so long");
    drop(long);
    let begun = granted(&mut large).or_else(|| granted(&mut small));
    drop(begun.expect("its turn"));
    drop(granted(&mut middle).expect("it goes on"));
}

/// Whenever nobody interactive was there for a while another one goes past, and whenever its memory is free the slot is kept.
#[tokio::test(start_paused = true)]
async fn a_large_batch_run_is_not_put_off_for_ever_by_a_slot_that_is_kept() {
    let queue = queue(2);
    let mut work = Some(begin(&queue, 1, 600));
    let mut other = granted(&mut batch(&queue, 3, SMALL));
    let mut large = batch(&queue, 2, LARGE);
    for _ in 0..10 * INTERACTIVE_IN_A_ROW {
        tokio::time::advance(HALF_A_MINUTE).await;
        let mut next = batch(&queue, 3, SMALL);
        drop(other.take());
        other = granted(&mut next);
        tokio::time::advance(HALF_A_MINUTE - SECOND * 5).await;
        let mut more = interactive(&queue, 1, 600);
        tokio::time::advance(SECOND * 5).await;
        drop(work.take());
        if granted(&mut large).is_some() {
            return;
        }
        work = Some(granted(&mut more).expect("interactive work goes on"));
    }
    panic!("it waits for ever");
}
