//! Batches of tenants that are not configured any more: nobody may work on them, and nobody can cancel them.

use store::{Answer, Question, Record, Status, Store, StoreError, UnixMillis};

/// So many are looked at together.
const PAGE: usize = 256;

/// The tenants that have batches which are not over, and are not among the `known`.
///
/// # Errors
/// That of the store.
pub async fn tenants(store: &dyn Store, known: &[&str]) -> Result<Vec<String>, StoreError> {
    let Answer::Waiting(mut waiting) = store.read(Question::Waiting).await? else { return Err(another()) };
    waiting.retain(|name| !known.contains(&name.as_str()));
    Ok(waiting)
}

/// Cancels those of a tenant that came before `old`, so that they are forgotten as others are. Says how many.
///
/// # Errors
/// That of the store.
pub async fn cancel(store: &dyn Store, tenant: &str, old: UnixMillis, now: UnixMillis) -> Result<usize, StoreError> {
    let mut cancelled = 0;
    for status in [Status::Queued, Status::Running] {
        let mut before = None;
        loop {
            let tenant = tenant.to_owned();
            let status = Some(status);
            let question = Question::List { tenant: tenant.clone(), before, status, label: None, most: PAGE };
            let Answer::List(page) = store.read(question).await? else { return Err(another()) };
            before = page.last().map(|last| last.id.clone());
            let of = |id| Record::Cancel { batch: id, tenant: tenant.clone(), at: now };
            let aged: Vec<Record> =
                page.into_iter().filter(|batch| batch.created <= old).map(|batch| of(batch.id)).collect();
            cancelled += aged.len();
            if !aged.is_empty() {
                store.record(aged).await?;
            }
            if before.is_none() {
                break;
            }
        }
    }
    Ok(cancelled)
}

fn another() -> StoreError {
    StoreError::Failed("it has answered another question".to_owned())
}

#[cfg(test)]
mod tests {
    use store::{NewBatch, NewSubmission, NewTest, Options, SqliteStore};

    use super::*;

    #[tokio::test]
    async fn what_nobody_can_cancel_is_cancelled_when_it_is_old() {
        let folder = std::env::temp_dir().join(format!("engined-orphans-{}", std::process::id()));
        std::fs::create_dir(&folder).unwrap();
        let store = SqliteStore::open(Options::new(&folder)).unwrap();
        for (tenant, created) in [("gone", 10), ("gone", 30), ("here", 10)] {
            let batch = NewBatch {
                id: format!("{tenant}{created}"),
                tenant: tenant.to_owned(),
                submissions: vec![NewSubmission::default()],
                tests: vec![NewTest::default()],
                repeat: 1,
                created,
                queued_results: 9,
                tenant_bytes: 1 << 20,
                ..NewBatch::default()
            };
            store.put(batch).await.unwrap();
        }
        assert_eq!(tenants(&*store, &["here"]).await.unwrap(), ["gone"]);
        assert_eq!(cancel(&*store, "gone", 20, 40).await.unwrap(), 1);
        assert_eq!(cancel(&*store, "gone", 20, 40).await.unwrap(), 0);
        assert_eq!(tenants(&*store, &["here"]).await.unwrap(), ["gone"]);
        assert_eq!(cancel(&*store, "gone", 30, 40).await.unwrap(), 1);
        assert!(tenants(&*store, &["here"]).await.unwrap().is_empty());
        drop(store);
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
