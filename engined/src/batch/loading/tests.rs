use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};

use store::{Expired, Leased, NewBatch, Placed, Promise, Record, Recorded, Renewal, UnixMillis, Wish};
use tokio::sync::watch;

use super::*;
use crate::accounts::Accounts;
use crate::audit::Caller;
use crate::config::{Config, Host};
use crate::queue::TenantIndex;
use crate::tenants::Peer;

/// Fails so often.
struct Failing(AtomicU32, fn() -> StoreError);

impl Store for Failing {
    fn put(&self, _: NewBatch) -> Promise<Placed> {
        panic!()
    }
    fn lease(&self, _: Wish) -> Promise<Leased> {
        panic!()
    }
    fn renew(&self, _: Renewal) -> Promise<()> {
        panic!()
    }
    fn record(&self, _: Vec<Record>) -> Promise<Vec<Recorded>> {
        panic!()
    }
    fn read(&self, _: Question) -> Promise<Answer> {
        let left = self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        let error = left.is_ok().then(self.1);
        Box::pin(async move {
            match error {
                Some(error) => Err(error),
                None => Ok(Answer::Data(Datum::Inline(b"1\n".to_vec()), Datum::Absent)),
            }
        })
    }
    fn expire(&self, _: UnixMillis) -> Promise<Expired> {
        panic!()
    }
    fn watch(&self, _: &str) -> watch::Receiver<u64> {
        panic!()
    }
    fn work(&self) -> watch::Receiver<u64> {
        panic!()
    }
}

fn engine() -> Arc<Engine> {
    let text =
        format!("[tenants.t]\ntokens = [\"{}\"]\n[engine]\njaild_socket = \"/none/jaild.sock\"\n", "0".repeat(64));
    let host = Host { accounts: Accounts::of_host(), memory: 16 << 30, cpus: 64 };
    let (config, _) = Config::parse(&text, &host).unwrap_or_else(|mistakes| panic!("{mistakes:?}"));
    Engine::new(config, languages::Catalogue::builtin(), &host.accounts).unwrap()
}

fn account() -> (watch::Sender<bool>, Account) {
    let (cancel, cancelled) = watch::channel(false);
    let caller = Caller { request: "req".to_owned(), peer: Peer::Unix { uid: 0, gid: 0 }, token: None, trace: None };
    let labels = BTreeMap::new();
    (cancel, Account { tenant: TenantIndex(0), caller, labels, batch: "batch".into(), cancelled })
}

#[tokio::test(start_paused = true)]
async fn what_can_not_be_read_now_is_asked_for_again() {
    let (engine, (cancel, account)) = (engine(), account());
    let store = |fails, error| -> Arc<dyn Store> { Arc::new(Failing(AtomicU32::new(fails), error)) };
    let broken = || StoreError::Failed("the disk is gone for a moment".to_owned());
    let data = load(&engine, &store(7, broken), &account, "t", 0).await.unwrap().unwrap();
    assert!(matches!(data, Data { stdin: Stdin::Bytes(bytes), expected: None } if bytes == b"1\n"));
    let gone = load(&engine, &store(1, || StoreError::Unknown), &account, "t", 0).await.unwrap();
    assert_eq!(gone.unwrap_err(), "there is no such batch");
    // Who is cancelled waits for no disk.
    cancel.send_replace(true);
    assert_eq!(load(&engine, &store(u32::MAX, broken), &account, "t", 0).await.unwrap_err(), Missed::Cancelled);
}

/// A slot that comes with the word that the batch is cancelled is not used, in any of so many turns.
#[tokio::test(start_paused = true)]
async fn what_comes_to_a_cancelled_batch_is_not_begun() {
    let (engine, (cancel, account)) = (engine(), account());
    assert_eq!(account.unless_missed(&engine, async { 1 }).await, Ok(1));
    cancel.send_replace(true);
    for _ in 0..64 {
        assert_eq!(account.unless_missed(&engine, async { 1 }).await, Err(Missed::Cancelled));
    }
}
