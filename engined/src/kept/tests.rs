//! Bounds, age, tombstones, and who sees what.
use super::*;
use crate::budget::Budget;

const A: TenantIndex = TenantIndex(0);
const B: TenantIndex = TenantIndex(1);
const KEEP: Duration = Duration::from_secs(900);

fn store(bytes_per_tenant: u64, per_tenant: usize, bytes: u64) -> Arc<Store> {
    Store::new(Results { keep: KEEP, bytes_per_tenant, per_tenant }, 2, bytes)
}

fn open(store: &Arc<Store>, tenant: TenantIndex, id: &str) -> Opened {
    store.open(tenant, id, &Arc::new(Control::default())).unwrap()
}

/// An execution that ends at once with a result of so many bytes, its bookkeeping included.
fn kept(store: &Arc<Store>, budget: &Arc<Budget>, tenant: TenantIndex, id: &str, bytes: u64) {
    let body = vec![b'x'; usize::try_from(bytes - BOOKKEEPING).unwrap()];
    open(store, tenant, id).finish(body.into(), budget.nothing());
}

fn state(store: &Store, tenant: TenantIndex, id: &str) -> Result<&'static str, Missing> {
    store.find(tenant, id).map(|found| match found {
        Found::Pending(_) => "pending",
        Found::Finished(_) => "finished",
    })
}

#[tokio::test]
async fn those_who_follow_are_told_the_end() {
    let (store, budget) = (store(10_000, 10, 10_000), Budget::new(10_000));
    let control = Arc::new(Control::default());
    let opened = store.open(A, "a", &control).unwrap();
    assert_eq!((state(&store, A, "a"), store.pending()), (Ok("pending"), 1));
    let Found::Pending(mut early) = store.find(A, "a").unwrap() else { panic!("it is not over") };
    let follower = tokio::spawn(async move { early.finished().await.map(|kept| kept.body.clone()) });
    let Found::Pending(mut late) = store.find(A, "a").unwrap() else { panic!("it is not over") };
    late.control.cancel();
    control.cancelled().await;
    opened.finish("result".into(), budget.nothing());
    assert_eq!(follower.await.unwrap().unwrap(), "result");
    assert_eq!(late.finished().await.unwrap().body, "result");
    assert_eq!((state(&store, A, "a"), store.pending()), (Ok("finished"), 0));
    assert_eq!(budget.used(), 6 + BOOKKEEPING, "it counts as long as it is kept");
}

#[tokio::test]
async fn what_is_dropped_has_no_result() {
    let store = store(10_000, 1, 10_000);
    let opened = open(&store, A, "a");
    let Found::Pending(mut pending) = store.find(A, "a").unwrap() else { panic!("it is not over") };
    drop(opened);
    assert!(pending.finished().await.is_none());
    assert_eq!((state(&store, A, "a"), store.pending()), (Err(Missing::Never), 0));
    drop(open(&store, A, "b"));
}

#[tokio::test]
async fn another_tenant_sees_nothing() {
    let (store, budget) = (store(1000, 10, 10_000), Budget::new(10_000));
    let opened = open(&store, A, "pending");
    kept(&store, &budget, A, "gone", 1000);
    kept(&store, &budget, A, "finished", 1000);
    assert_eq!(state(&store, A, "gone"), Err(Missing::Gone(Gone::Crowded)));
    for id in ["pending", "gone", "finished", "never", ""] {
        assert_eq!(state(&store, B, id), Err(Missing::Never), "{id}");
    }
    drop(opened);
}

#[tokio::test]
async fn the_oldest_make_room_in_a_tenants_bytes() {
    let (store, budget) = (store(3000, 10, 1 << 20), Budget::new(1 << 20));
    for id in ["1", "2", "3"] {
        kept(&store, &budget, A, id, 1000);
    }
    kept(&store, &budget, B, "other", 3000);
    kept(&store, &budget, A, "4", 1500);
    assert_eq!(state(&store, A, "1"), Err(Missing::Gone(Gone::Crowded)));
    assert_eq!(state(&store, A, "2"), Err(Missing::Gone(Gone::Crowded)));
    assert_eq!((state(&store, A, "3"), state(&store, A, "4")), (Ok("finished"), Ok("finished")));
    assert_eq!(state(&store, B, "other"), Ok("finished"));
    assert_eq!(budget.used(), 5500);
    // One that is larger than all the room leaves the others alone.
    kept(&store, &budget, A, "5", 3001);
    assert_eq!(state(&store, A, "5"), Err(Missing::Gone(Gone::TooLarge)));
    assert_eq!((state(&store, A, "3"), budget.used()), (Ok("finished"), 5500));
}

#[tokio::test]
async fn all_together_have_a_bound_and_the_largest_gives_way() {
    let (store, budget) = (store(5000, 10, 6000), Budget::new(1 << 20));
    for id in ["1", "2", "3", "4", "5"] {
        kept(&store, &budget, A, id, 1000);
    }
    kept(&store, &budget, B, "b1", 1000);
    kept(&store, &budget, B, "b2", 1000);
    assert_eq!(state(&store, A, "1"), Err(Missing::Gone(Gone::Crowded)));
    for (tenant, id) in [(A, "2"), (A, "5"), (B, "b1"), (B, "b2")] {
        assert_eq!(state(&store, tenant, id), Ok("finished"), "{id}");
    }
    assert_eq!(budget.used(), 6000);
}

#[tokio::test]
async fn a_tenant_has_so_many_and_no_more() {
    let (store, budget) = (store(1 << 20, 2, 1 << 20), Budget::new(1 << 20));
    kept(&store, &budget, A, "1", 1000);
    let second = open(&store, A, "2");
    let third = open(&store, A, "3");
    assert_eq!(state(&store, A, "1"), Err(Missing::Gone(Gone::Crowded)), "what is over makes room");
    let control = Arc::new(Control::default());
    assert_eq!(store.open(A, "4", &control).err(), Some(Full { pending: 2 }));
    assert_eq!(state(&store, A, "4"), Err(Missing::Never));
    drop(open(&store, B, "b"));
    second.finish("".into(), budget.nothing());
    drop(open(&store, A, "4"));
    drop(third);
}

#[tokio::test(start_paused = true)]
async fn results_grow_old() {
    let (store, budget) = (store(10_000, 10, 10_000), Budget::new(10_000));
    let expiry = tokio::spawn(Arc::clone(&store).expire());
    // Longer than any result is kept: the timer has to notice the first one.
    tokio::time::sleep(2 * KEEP).await;
    kept(&store, &budget, A, "1", 1000);
    tokio::time::sleep(Duration::from_secs(100)).await;
    kept(&store, &budget, B, "2", 1000);
    let opened = open(&store, A, "3");
    tokio::time::sleep(KEEP - Duration::from_secs(101)).await;
    assert_eq!(state(&store, A, "1"), Ok("finished"));
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(state(&store, A, "1"), Err(Missing::Gone(Gone::Old(KEEP))));
    assert_eq!((state(&store, B, "2"), budget.used()), (Ok("finished"), 1000));
    tokio::time::sleep(Duration::from_secs(100)).await;
    assert_eq!((state(&store, B, "2"), budget.used()), (Err(Missing::Gone(Gone::Old(KEEP))), 0));
    tokio::time::sleep(10 * KEEP).await;
    assert_eq!(state(&store, A, "3"), Ok("pending"), "what is under way is not too old");
    opened.finish("late".into(), budget.nothing());
    tokio::time::sleep(KEEP - Duration::from_secs(1)).await;
    assert_eq!(state(&store, A, "3"), Ok("finished"), "it is kept from its end");
    expiry.abort();
}

#[tokio::test]
async fn so_many_that_are_gone_are_remembered() {
    let (store, budget) = (store(1000, 10, 1 << 20), Budget::new(1 << 20));
    for n in 0..=GRAVES + 1 {
        kept(&store, &budget, A, &n.to_string(), 1000);
    }
    assert_eq!(state(&store, A, "0"), Err(Missing::Never), "the first is forgotten");
    assert_eq!(state(&store, A, "1"), Err(Missing::Gone(Gone::Crowded)));
    assert_eq!(store.lock().gone.len(), GRAVES);
}
