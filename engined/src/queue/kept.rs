//! The slot that is kept for interactive work.
use super::*;

const SECOND: Duration = Duration::from_secs(1);
const PLENTY: Share = Share { weight: 1, running: 100, queued: 10_000 };

fn queue(slots: usize) -> Arc<Queue> {
    let queue = Queue::new(10_000, 1 << 30, &[PLENTY]);
    queue.open(slots);
    tokio::spawn(Arc::clone(&queue).tend());
    queue
}

fn join(queue: &Arc<Queue>, priority: Priority) -> Ticket {
    queue.enqueue(Wish { tenant: TenantIndex(0), priority, memory: 1, patient: false }).unwrap()
}

async fn interactive(queue: &Arc<Queue>) -> Slot {
    join(queue, Priority::Interactive).slot(SECOND).await.unwrap()
}

fn batch(queue: &Arc<Queue>) -> Ticket {
    join(queue, Priority::Batch)
}

/// Granted by now?
fn granted(ticket: &mut Ticket) -> Option<Slot> {
    ticket.granted.try_recv().ok()
}

#[tokio::test(start_paused = true)]
async fn one_slot_takes_no_batch_work_for_a_while_after_interactive_work_came() {
    let queue = queue(3);
    let mut at_first: Vec<Ticket> = (0..3).map(|_| batch(&queue)).collect();
    let mut running: Vec<Slot> = at_first.iter_mut().map(|ticket| granted(ticket).unwrap()).collect();
    // It has all slots as long as nobody interactive comes, who then waits for one of them.
    let mut person = join(&queue, Priority::Interactive);
    let mut waiting: Vec<Ticket> = (0..3).map(|_| batch(&queue)).collect();
    running.pop();
    let first = granted(&mut person).unwrap();
    running.pop();
    let second = granted(&mut waiting[0]).unwrap();
    drop(first);
    assert!(waiting.iter_mut().skip(1).all(|ticket| granted(ticket).is_none()), "the last slot is kept");
    // Whoever comes has it at once, and it is kept from then on.
    tokio::time::sleep(9 * SECOND).await;
    drop(interactive(&queue).await);
    let came = Instant::now();
    let third = waiting.remove(1).slot(60 * SECOND).await.unwrap();
    assert!((KEPT_FOR..KEPT_FOR + SECOND).contains(&came.elapsed()), "{:?}", came.elapsed());
    drop((running, second, third, waiting));
    assert_eq!(queue.gauges().running, 0);
}

#[tokio::test(start_paused = true)]
async fn who_comes_to_a_kept_slot_waits_for_it_within_the_bounds() {
    let few = Share { queued: 1, ..PLENTY };
    let queue = Queue::new(10, 100, &[few]);
    queue.open(1);
    drop(interactive(&queue).await);
    let mut waits = batch(&queue);
    assert!(granted(&mut waits).is_none());
    let again = queue.enqueue(Wish { tenant: TenantIndex(0), priority: Priority::Batch, memory: 1, patient: false });
    assert_eq!(again.err(), Some(Shed::TenantFull { waiting: 1 }));
    // The place that it fills keeps nobody from the slot that is free for them.
    drop(interactive(&queue).await);
}

#[tokio::test(start_paused = true)]
async fn on_one_slot_batch_waits_no_longer_than_it_is_kept() {
    let queue = queue(1);
    drop(interactive(&queue).await);
    let (mut waits, since) = (Some(batch(&queue)), Instant::now());
    let granted = loop {
        tokio::select! {
            slot = waits.take().unwrap().slot(600 * SECOND), if waits.is_some() => break slot.unwrap(),
            () = async { loop { tokio::time::sleep(9 * SECOND).await; drop(interactive(&queue).await); } } => {}
        }
    };
    assert!((KEPT_AT_MOST..KEPT_AT_MOST + SECOND).contains(&since.elapsed()), "{:?}", since.elapsed());
    let next = batch(&queue);
    drop(granted);
    drop(interactive(&queue).await);
    let since = Instant::now();
    drop(next.slot(600 * SECOND).await.unwrap());
    assert!((KEPT_FOR..KEPT_FOR + SECOND).contains(&since.elapsed()), "nobody came any more");
}

#[tokio::test(start_paused = true)]
async fn on_one_slot_batch_has_its_turn_after_so_many_all_the_same() {
    let queue = queue(1);
    let first = interactive(&queue).await;
    let mut waits = batch(&queue);
    let people: Vec<Ticket> = (0..INTERACTIVE_IN_A_ROW + 3).map(|_| join(&queue, Priority::Interactive)).collect();
    drop(first);
    for (nth, person) in people.into_iter().enumerate() {
        if nth == INTERACTIVE_IN_A_ROW as usize {
            drop(granted(&mut waits).unwrap());
        }
        drop(person.slot(SECOND).await.unwrap());
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_kept_from_who_waits_when_the_engine_goes_down() {
    let queue = queue(1);
    drop(interactive(&queue).await);
    let mut waits = batch(&queue);
    assert!(granted(&mut waits).is_none());
    assert!(queue.oldest() == [Duration::ZERO; 2]);
    tokio::time::sleep(3 * SECOND).await;
    assert!((3 * SECOND..4 * SECOND).contains(&queue.oldest()[1]));
    queue.drain();
    assert!(granted(&mut waits).is_some());
}

#[tokio::test(start_paused = true)]
async fn a_host_with_fewer_slots_than_before_keeps_one_still() {
    let queue = queue(2);
    drop(interactive(&queue).await);
    let running = granted(&mut batch(&queue)).unwrap();
    let mut waits = batch(&queue);
    assert!(granted(&mut waits).is_none());
    queue.pause();
    queue.open(1);
    drop(running);
    assert!(granted(&mut waits).is_none());
    queue.open(3);
    assert!(granted(&mut waits).is_some());
}
