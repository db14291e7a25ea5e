//! What is found, by whom and for how long; what counts; what is left of what was broken off.

use std::fs;
use std::io::Read;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::PathBuf;
use std::sync::atomic::AtomicUsize;

use sha2::Digest;
use store::{
    Answer, Expired, Leased, NewBatch, Promise, Question, Record, Recorded, Renewal, StoreError, UnixMillis, Wish,
};
use tokio::sync::watch;

use super::*;

const DAY: i64 = 86_400;
const STEP: usize = 4096;
const QUOTA: u64 = 1 << 20;
const LIMITS: Limits = Limits { most: 1 << 19, uploads: 4, keep: 30 * DAY, free: 1 };

struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("engined-blobs-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::DirBuilder::new().mode(0o700).create(&path).unwrap();
        Scratch(path)
    }

    fn open(&self) -> Arc<Blobs> {
        self.limited(LIMITS)
    }

    fn limited(&self, limits: Limits) -> Arc<Blobs> {
        let blobs = Blobs::open(&self.0, limits, BlobMetrics::for_tests()).unwrap();
        blobs.count();
        blobs
    }

    fn left(&self) -> usize {
        fs::read_dir(self.0.join("unfinished")).unwrap().count()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

/// What is done before each use of the disk.
#[derive(Default)]
pub(super) struct Before(OnceLock<Box<dyn Fn() + Send + Sync>>);

impl std::fmt::Debug for Before {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("what a test does")
    }
}

impl Before {
    pub(super) fn call(&self) {
        if let Some(call) = self.0.get() {
            call();
        }
    }
}

fn hash(bytes: &[u8]) -> Sha256 {
    Sha256(sha2::Sha256::digest(bytes).into())
}

impl Blobs {
    /// Keeps bytes that are at hand.
    fn keep_bytes(self: &Arc<Self>, tenant: &str, quota: u64, bytes: &[u8]) -> Result<(Sha256, Placed), Refused> {
        let hash = Sha256(sha2::Sha256::digest(bytes).into());
        if self.pin(tenant, hash)?.is_some() {
            return Ok((hash, Placed::Before));
        }
        let mut upload = self.receive(tenant, quota, (Some(bytes.len() as u64), None), None)?;
        upload.write(bytes)?;
        Ok((hash, upload.finish(hash)?))
    }
}

fn keep(blobs: &Arc<Blobs>, tenant: &str, bytes: &[u8]) -> Sha256 {
    let (hash, placed) = blobs.keep_bytes(tenant, QUOTA, bytes).unwrap();
    assert_eq!(placed, Placed::New);
    hash
}

fn text(blob: &Blob) -> Vec<u8> {
    let mut all = Vec::new();
    blob.reader().read_to_end(&mut all).unwrap();
    assert_eq!(all.len() as u64, blob.bytes);
    all
}

fn there(blobs: &Arc<Blobs>, tenant: &str, hash: Sha256) -> bool {
    blobs.find(tenant, hash).unwrap().is_some()
}

/// A store that knows nothing but what is referred to, or not even that.
#[derive(Debug, Default)]
struct Refers {
    to: Mutex<Vec<(String, Sha256)>>,
    fails: bool,
    /// Held until it was asked: somebody's who has a batch refer to it at that moment.
    pin: Mutex<Option<Pin>>,
}

impl Store for Refers {
    fn put(&self, _: NewBatch) -> Promise<store::Placed> {
        unreachable!("never asked")
    }
    fn lease(&self, _: Wish) -> Promise<Leased> {
        unreachable!("never asked")
    }
    fn renew(&self, _: Renewal) -> Promise<()> {
        unreachable!("never asked")
    }
    fn record(&self, _: Vec<Record>) -> Promise<Vec<Recorded>> {
        unreachable!("never asked")
    }
    fn read(&self, question: Question) -> Promise<Answer> {
        let Question::Blobs { tenant } = question else { unreachable!("never asked") };
        let to = self.to.lock().unwrap();
        let own = to.iter().filter(|(of, _)| *of == tenant).map(|(_, hash)| hash.0).collect();
        drop(self.pin.lock().unwrap().take());
        let answer = if self.fails { Err(StoreError::Failed("no disk".to_owned())) } else { Ok(Answer::Blobs(own)) };
        Box::pin(async move { answer })
    }
    fn expire(&self, _: UnixMillis) -> Promise<Expired> {
        unreachable!("never asked")
    }
    fn watch(&self, _: &str) -> watch::Receiver<u64> {
        unreachable!("never asked")
    }
    fn work(&self) -> watch::Receiver<u64> {
        unreachable!("never asked")
    }
}

#[test]
fn what_was_sent_is_found_by_its_tenant_alone_also_after_a_restart() {
    let scratch = Scratch::new();
    let blobs = scratch.open();
    let (one, none) = (keep(&blobs, "blue", b"one"), keep(&blobs, "blue", b""));
    assert_eq!(blobs.keep_bytes("blue", QUOTA, b"one").unwrap(), (one, Placed::Before));
    assert_eq!(text(&blobs.find("blue", one).unwrap().unwrap()), b"one");
    assert_eq!(text(&blobs.find("blue", none).unwrap().unwrap()), b"");
    assert!(!there(&blobs, "green", one) && !there(&blobs, "blue", hash(b"two")));
    assert_eq!((blobs.used("blue"), blobs.used("green")), (2 * BLOCK, 0));
    let taken = Blobs::open(&scratch.0, LIMITS, BlobMetrics::for_tests()).unwrap_err();
    assert!(taken.contains("another engine has them"), "{taken}");
    drop(blobs);
    let blobs = scratch.open();
    assert_eq!(text(&blobs.find("blue", one).unwrap().unwrap()), b"one");
    assert_eq!(blobs.used("blue"), 2 * BLOCK);
    assert!(blobs.referred("blue", one).unwrap().is_some() && blobs.referred("green", one).unwrap().is_none());
}

#[test]
fn at_the_start_no_blob_is_looked_at_and_those_that_are_there_can_be_used() {
    let scratch = Scratch::new();
    let blobs = scratch.open();
    let (one, two) = (keep(&blobs, "blue", b"one"), keep(&blobs, "blue", b"two"));
    let path = |hash: &Sha256| {
        let tenant = Sha256(sha2::Sha256::digest("blue").into()).hex();
        scratch.0.join(tenant).join(&hash.hex()[..2]).join(hash.hex())
    };
    drop(blobs);
    // Whoever looks at this one fails.
    fs::remove_file(path(&two)).unwrap();
    fs::create_dir(path(&two)).unwrap();
    let blobs = Blobs::open(&scratch.0, LIMITS, BlobMetrics::for_tests()).unwrap();
    assert_eq!(text(&blobs.find("blue", one).unwrap().unwrap()), b"one");
    assert_eq!(blobs.keep_bytes("blue", QUOTA, b"one").unwrap(), (one, Placed::Before));
    assert!(matches!(blobs.keep_bytes("blue", QUOTA, b"new"), Err(Refused::Counting)), "it could be above the quota");
    assert_eq!(blobs.keep_bytes("green", QUOTA, b"new").unwrap().1, Placed::New, "it had nothing");
    // Time goes by at once where nothing else is to be done.
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().start_paused(true).build().unwrap();
    assert_eq!(runtime.block_on(blobs.remove("blue", one)).unwrap(), Removed::Later);
    assert!(!there(&blobs, "blue", one) && path(&one).exists(), "nobody finds it, and it goes when it was counted");
    blobs.count();
    assert!(matches!(blobs.keep_bytes("blue", QUOTA, b"new"), Err(Refused::Counting)), "they can't be counted");
    fs::remove_dir(path(&two)).unwrap();
    runtime.block_on(async {
        let (own, counting) = (Arc::clone(&blobs), Arc::clone(&blobs));
        let waits = tokio::spawn(async move { own.counted("blue", Duration::MAX).await });
        tokio::task::spawn_blocking(move || counting.count()).await.unwrap();
        waits.await.unwrap();
    });
    assert_eq!(blobs.used("blue"), BLOCK);
    assert_eq!(blobs.keep_bytes("blue", 2 * BLOCK, b"new").unwrap().1, Placed::New);
    assert!(
        matches!(blobs.keep_bytes("blue", 2 * BLOCK, b"more"), Err(Refused::Quota { used, .. }) if used == 2 * BLOCK)
    );
    assert_eq!(runtime.block_on(blobs.expire(now())).unwrap(), 1);
    assert!(!path(&one).exists() && blobs.used("blue") == BLOCK);
}

#[test]
fn nothing_is_left_of_what_is_not_taken() {
    let scratch = Scratch::new();
    let blobs = scratch.open();
    let begin = |length| blobs.receive("blue", QUOTA, (length, None), None);
    let mut upload = begin(None).unwrap();
    upload.write(b"on").unwrap();
    assert_eq!((scratch.left(), blobs.used("blue")), (1, BLOCK));
    drop(upload);
    assert_eq!((scratch.left(), blobs.used("blue")), (0, 0), "broken off");

    let mut upload = begin(Some(3)).unwrap();
    upload.write(b"two").unwrap();
    let other = upload.finish(hash(b"one")).unwrap_err();
    assert!(matches!(other, Refused::Other { found, announced } if found == hash(b"two") && announced == hash(b"one")));
    assert!(!there(&blobs, "blue", hash(b"two")) && !there(&blobs, "blue", hash(b"one")));

    assert!(matches!(begin(Some(LIMITS.most + 1)).unwrap_err(), Refused::TooLarge { most } if most == LIMITS.most));
    let mut upload = begin(None).unwrap();
    upload.write(&vec![0; 1 << 19]).unwrap();
    assert!(matches!(upload.write(&[0]).unwrap_err(), Refused::TooLarge { .. }));
    drop(upload);
    assert_eq!((scratch.left(), blobs.used("blue")), (0, 0));

    // Killed in the middle.
    drop(blobs);
    fs::write(scratch.0.join("unfinished/7"), "half").unwrap();
    fs::write(scratch.0.join("unfinished").join(format!("tenant-{}", hash(b"").hex())), "bl").unwrap();
    let blobs = scratch.open();
    assert_eq!((scratch.left(), blobs.used("blue")), (0, 0));
}

#[test]
fn the_quota_counts_what_is_there_and_what_is_on_its_way() {
    let scratch = Scratch::new();
    let blobs = scratch.open();
    let quota = 4 * BLOCK;
    let begin = |length| blobs.receive("blue", quota, (length, None), None);
    let one = begin(Some(3 * BLOCK)).unwrap();
    let refused = begin(Some(BLOCK + 1)).unwrap_err();
    let Refused::Quota { wanted, used, quota: all } = refused else { panic!("{refused}") };
    assert_eq!((wanted, used, all), (2 * BLOCK, 3 * BLOCK, quota));
    assert!(blobs.receive("green", quota, (Some(4 * BLOCK), None), None).is_ok(), "another's is another's");
    drop(one);
    // Without a length it counts as it comes.
    let mut upload = begin(None).unwrap();
    for _ in 0..4 {
        upload.write(&[1; STEP]).unwrap();
    }
    assert!(matches!(upload.write(&[1]).unwrap_err(), Refused::Quota { .. }));
    drop(upload);
    assert_eq!(blobs.used("blue"), 0);
    blobs.keep_bytes("blue", quota, &[1; 3 * STEP]).unwrap();
    assert!(matches!(blobs.keep_bytes("blue", quota, &[2; 2 * STEP]), Err(Refused::Quota { .. })));
    // What is there already needs no room.
    assert_eq!(blobs.keep_bytes("blue", quota, &[1; 3 * STEP]).unwrap().1, Placed::Before);
    let known = blobs.receive("blue", 0, (Some(BLOCK), Some(hash(&[1; 3 * STEP]))), None).unwrap();
    assert!(matches!(known.finish(hash(b"")), Ok(Placed::Before)), "and is read to its end all the same");
}

#[test]
fn a_disk_is_never_filled_to_its_end() {
    let scratch = Scratch::new();
    let blobs = scratch.limited(Limits { free: u64::MAX, ..LIMITS });
    let full = blobs.keep_bytes("blue", QUOTA, b"one").unwrap_err();
    assert!(matches!(&full, Refused::Full(why) if why.contains("disk_free_bytes")), "{full}");
    assert_eq!((scratch.left(), blobs.used("blue")), (0, 0));
}

#[test]
fn two_who_send_the_same_have_it_once() {
    let scratch = Scratch::new();
    let blobs = scratch.open();
    let begin = || blobs.receive("blue", QUOTA, (Some(3), Some(hash(b"one"))), None).unwrap();
    let (mut first, mut second) = (begin(), begin());
    first.write(b"one").unwrap();
    second.write(b"one").unwrap();
    assert_eq!(blobs.used("blue"), 2 * BLOCK);
    assert_eq!(second.finish(hash(b"one")).unwrap(), Placed::New);
    assert_eq!(first.finish(hash(b"one")).unwrap(), Placed::Before);
    assert_eq!((scratch.left(), blobs.used("blue")), (0, BLOCK));
}

#[tokio::test]
async fn a_tenant_has_half_of_the_places() {
    let scratch = Scratch::new();
    let blobs = scratch.open();
    let soon = Duration::from_millis(1);
    let (a, b) = (blobs.place("blue", soon).await.unwrap(), blobs.place("blue", soon).await.unwrap());
    assert!(matches!(blobs.place("blue", soon).await, Err(Refused::Part(2))));
    let (c, d) = (blobs.place("green", soon).await.unwrap(), blobs.place("green", soon).await.unwrap());
    assert!(matches!(blobs.place("red", soon).await, Err(Refused::Busy(4))));
    drop((a, c));
    let next = blobs.place("blue", soon).await.unwrap();
    drop((b, d, next));
}

#[tokio::test]
async fn what_nobody_uses_expires_unless_a_batch_refers_to_it() {
    let scratch = Scratch::new();
    let blobs = scratch.open();
    let old = keep(&blobs, "blue", b"old");
    let [referred, pinned, used] = [&b"referred"[..], b"pinned", b"used"].map(|bytes| keep(&blobs, "blue", bytes));
    let greens = keep(&blobs, "green", b"old");
    let long_ago = now() - 31 * DAY;
    let store = Arc::new(Refers::default());
    blobs.refer_to(Arc::clone(&store) as Arc<dyn Store>);
    store.to.lock().unwrap().push(("blue".to_owned(), referred));
    assert_eq!(blobs.expire(now()).await.unwrap(), 0, "all are new");
    let pin = blobs.pin("blue", pinned).unwrap().unwrap();
    for hash in [old, referred, pinned, used] {
        blobs.folder.note("blue", &hash, long_ago).unwrap();
    }
    // Whoever uses it has it stay.
    assert!(there(&blobs, "blue", used));
    assert_eq!(blobs.expire(now()).await.unwrap(), 1);
    for (hash, stays) in [(old, false), (referred, true), (pinned, true), (used, true)] {
        assert_eq!(blobs.referred("blue", hash).unwrap().is_some(), stays, "{hash}");
    }
    assert!(there(&blobs, "green", greens), "referred to by nobody, and new");
    assert_eq!((blobs.used("blue"), scratch.left()), (3 * BLOCK, 0));
    drop(pin);
    store.to.lock().unwrap().clear();
    assert_eq!(blobs.expire(now()).await.unwrap(), 2, "no longer referred to, no longer pinned");
    assert_eq!(blobs.expire(now() + 31 * DAY).await.unwrap(), 2, "of both tenants");
    assert_eq!((blobs.used("blue"), blobs.used("green")), (0, 0));
}

#[tokio::test]
async fn what_a_batch_refers_to_from_this_moment_on_stays() {
    let scratch = Scratch::new();
    let blobs = scratch.open();
    let [one, old] = [&b"one"[..], b"old"].map(|bytes| keep(&blobs, "blue", bytes));
    blobs.folder.note("blue", &old, now() - 31 * DAY).unwrap();
    let store = Arc::new(Refers::default());
    blobs.refer_to(Arc::clone(&store) as Arc<dyn Store>);
    let pin = blobs.pin("blue", one).unwrap().unwrap();
    assert_eq!(blobs.remove("blue", one).await.unwrap(), Removed::Later);
    *store.pin.lock().unwrap() = Some(pin);
    assert_eq!(blobs.expire(now()).await.unwrap(), 1, "the old one");
    assert!(blobs.referred("blue", one).unwrap().is_some());
    assert_eq!(blobs.expire(now()).await.unwrap(), 1, "no batch refers to it after all");
}

#[tokio::test]
async fn what_may_be_referred_to_stays_while_the_store_does_not_answer() {
    let scratch = Scratch::new();
    let blobs = scratch.open();
    let one = keep(&blobs, "blue", b"one");
    blobs.refer_to(Arc::new(Refers { fails: true, ..Refers::default() }));
    assert!(blobs.expire(now() + 31 * DAY).await.unwrap_err().contains("no disk"));
    assert!(there(&blobs, "blue", one));
    assert_eq!(blobs.remove("blue", one).await.unwrap(), Removed::Later);
    assert!(blobs.referred("blue", one).unwrap().is_some());
}

#[tokio::test]
async fn what_may_be_referred_to_stays_while_there_is_no_store_to_ask() {
    let scratch = Scratch::new();
    let blobs = scratch.open();
    let one = keep(&blobs, "blue", b"one");
    blobs.refer_to_unknown("the store is of a newer engine");
    assert!(blobs.expire(now() + 31 * DAY).await.unwrap_err().contains("a newer engine"));
    assert_eq!(blobs.remove("blue", one).await.unwrap(), Removed::Later);
    assert!(blobs.referred("blue", one).unwrap().is_some());
}

#[tokio::test]
async fn what_is_deleted_is_found_by_nobody_and_goes_when_nothing_refers_to_it() {
    let scratch = Scratch::new();
    let blobs = scratch.open();
    let store = Arc::new(Refers::default());
    blobs.refer_to(Arc::clone(&store) as Arc<dyn Store>);
    let [free, referred, pinned] = [&b"free"[..], b"referred", b"pinned"].map(|bytes| keep(&blobs, "blue", bytes));
    assert_eq!(blobs.remove("green", free).await.unwrap(), Removed::Unknown);
    assert_eq!(blobs.remove("blue", free).await.unwrap(), Removed::Gone);
    assert_eq!(blobs.remove("blue", free).await.unwrap(), Removed::Unknown);
    store.to.lock().unwrap().push(("blue".to_owned(), referred));
    let pin = blobs.pin("blue", pinned).unwrap().unwrap();
    for hash in [referred, pinned] {
        assert_eq!(blobs.remove("blue", hash).await.unwrap(), Removed::Later);
        assert_eq!(blobs.remove("blue", hash).await.unwrap(), Removed::Unknown);
        assert!(!there(&blobs, "blue", hash) && blobs.referred("blue", hash).unwrap().is_some());
    }
    assert_eq!(blobs.expire(now()).await.unwrap(), 0);
    drop(pin);
    assert_eq!(blobs.expire(now()).await.unwrap(), 1, "the one that was pinned");
    // Sent again it is back. On a thread of no runtime: there what was sent needlessly is removed before it goes on.
    let again = Arc::clone(&blobs);
    let again = std::thread::spawn(move || again.keep_bytes("blue", QUOTA, b"referred").unwrap());
    assert_eq!(again.join().unwrap(), (referred, Placed::New));
    assert!(there(&blobs, "blue", referred));
    store.to.lock().unwrap().clear();
    assert_eq!(blobs.expire(now()).await.unwrap(), 0);
    assert_eq!(blobs.used("blue"), BLOCK);
}

#[test]
fn many_are_kept_together_or_none_that_was_not_there() {
    let scratch = Scratch::new();
    let blobs = scratch.open();
    let before = keep(&blobs, "blue", b"before");
    let mut many = blobs.many("blue", 8 * QUOTA);
    let texts: Vec<String> = (0..150).map(|n| format!("{} of many", n % 100)).collect();
    let hashes: Vec<Sha256> = texts.iter().map(|text| many.keep(text.as_bytes()).unwrap()).collect();
    assert_eq!(many.look_up(before).unwrap(), Some(6));
    assert_eq!((many.look_up(hash(b"99 of many")).unwrap(), many.look_up(hash(b"none")).unwrap()), (Some(10), None));
    let pins = many.settle().unwrap();
    assert_eq!((pins.len(), scratch.left(), blobs.used("blue")), (101, 0, 101 * BLOCK));
    for (text, hash) in texts.iter().zip(hashes) {
        assert_eq!(super::tests::text(&blobs.find("blue", hash).unwrap().unwrap()), text.as_bytes());
    }
    let mut many = blobs.many("blue", 102 * BLOCK);
    many.keep(b"one more").unwrap();
    assert!(matches!(many.keep(b"one too many"), Err(Refused::Quota { .. })));
    drop(many);
    assert_eq!((scratch.left(), blobs.used("blue")), (0, 101 * BLOCK));
    drop(pins);
    assert!(blobs.accounts()["blue"].pins.is_empty());
}

#[test]
fn the_files_are_the_engines_alone() {
    let scratch = Scratch::new();
    let blobs = scratch.open();
    let one = keep(&blobs, "../blue/\n", b"one");
    let blob = blobs.find("../blue/\n", one).unwrap().unwrap();
    assert_eq!(blob.file.metadata().unwrap().mode() & 0o7777, 0o600);
    let folders = fs::read_dir(&scratch.0).unwrap().map(|entry| entry.unwrap());
    for folder in folders.filter(|entry| entry.file_type().unwrap().is_dir()) {
        assert_eq!(folder.metadata().unwrap().mode() & 0o7777, 0o700, "{folder:?}");
    }
}

/// A disk that hangs stops those who wait for it, and neither the runtime nor other tenants.
#[test]
fn nobody_has_the_accounts_while_the_disk_is_used() {
    let scratch = Scratch::new();
    let blobs = scratch.open();
    let (weak, uses) = (Arc::downgrade(&blobs), Arc::new(AtomicUsize::new(0)));
    let counts = Arc::clone(&uses);
    let before = move || {
        let blobs = weak.upgrade().unwrap();
        assert!(blobs.accounts.try_lock().is_ok(), "they are locked");
        counts.fetch_add(1, Ordering::SeqCst);
    };
    assert!(blobs.folder.before.0.set(Box::new(before)).is_ok());
    let used = || uses.swap(0, Ordering::SeqCst) > 0;
    let [one, two, old] = [&b"one"[..], b"two", b"old"].map(|bytes| keep(&blobs, "blue", bytes));
    assert!(used(), "sent");
    let mut many = blobs.many("blue", QUOTA);
    many.keep(b"many").unwrap();
    let pins = many.settle().unwrap();
    assert!(used(), "sent with others");
    let pin = blobs.pin("blue", one).unwrap().unwrap();
    assert!(used() && there(&blobs, "blue", one) && used(), "found");
    blobs.folder.note("blue", &old, now() - 31 * DAY).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    assert_eq!(runtime.block_on(blobs.remove("blue", two)).unwrap(), Removed::Gone);
    assert!(used(), "deleted");
    assert_eq!(runtime.block_on(blobs.expire(now())).unwrap(), 1);
    assert!(used(), "expired");
    blobs.with_names("blue", || {
        // What a runtime does, and another tenant.
        drop((pin, pins));
        runtime.block_on(async { drop(blobs.place("blue", Duration::MAX).await.unwrap()) });
        assert_eq!(blobs.used("blue"), 2 * BLOCK);
        let greens = keep(&blobs, "green", b"one");
        assert!(there(&blobs, "green", greens));
    });
}
