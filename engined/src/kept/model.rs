//! What is kept, under random openings, ends and drops: within every bound, and every byte comes back.
use std::collections::VecDeque;

use proptest::prelude::*;

use super::*;
use crate::budget::Budget;

const PER_TENANT: usize = 4;
const TENANTS: usize = 3;

#[derive(Clone, Copy, Debug)]
enum Event {
    Opens(usize),
    /// One of those under way ends, with so many bytes beside the bookkeeping.
    Ends(usize, u16),
    /// One of those under way is dropped: an error of ours.
    Fails(usize),
    /// Everything that is kept gets too old.
    Ages,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => (0..TENANTS).prop_map(Event::Opens),
        4 => (0..TENANTS * PER_TENANT, 0..3000_u16).prop_map(|(at, bytes)| Event::Ends(at, bytes)),
        1 => (0..TENANTS * PER_TENANT).prop_map(Event::Fails),
        1 => Just(Event::Ages),
    ]
}

struct Model {
    store: Arc<Store>,
    budget: Arc<Budget>,
    bytes_per_tenant: u64,
    bytes: u64,
    pending: Vec<(TenantIndex, String, Opened)>,
    /// Those that ended, in their order, with what each counts.
    finished: Vec<VecDeque<(String, u64)>>,
    ids: usize,
}

impl Model {
    fn apply(&mut self, event: Event) {
        match event {
            Event::Opens(tenant) => self.open(TenantIndex(tenant)),
            Event::Ends(at, _) | Event::Fails(at) if at >= self.pending.len() => {}
            Event::Ends(at, bytes) => {
                let (TenantIndex(tenant), id, opened) = self.pending.remove(at);
                let body = vec![b'x'; usize::from(bytes)];
                let held = self.budget.reserve(100_000).unwrap();
                opened.finish(body.into(), held);
                self.finished[tenant].push_back((id, u64::from(bytes) + BOOKKEEPING));
            }
            Event::Fails(at) => {
                let (tenant, id, opened) = self.pending.remove(at);
                drop(opened);
                assert_eq!(self.store.find(tenant, &id).unwrap_err(), Missing::Never);
            }
            Event::Ages => {
                assert_eq!(self.store.drop_due(Instant::now() + Duration::from_secs(901)), None);
                let gone = |(index, ended): (usize, &VecDeque<(String, u64)>)| {
                    ended.iter().all(|(id, _)| matches!(self.store.find(TenantIndex(index), id), Err(Missing::Gone(_))))
                };
                assert!(self.finished.iter().enumerate().all(gone));
            }
        }
    }

    fn open(&mut self, tenant: TenantIndex) {
        self.ids += 1;
        let id = self.ids.to_string();
        let own = self.pending.iter().filter(|(owner, ..)| *owner == tenant).count();
        match self.store.open(tenant, &id, &Arc::new(Control::default())) {
            Ok(opened) => {
                assert!(own < PER_TENANT);
                self.pending.push((tenant, id, opened));
            }
            Err(Full { pending }) => assert!(own == PER_TENANT && pending == own),
        }
    }

    fn check(&self) {
        let mut all = 0;
        for (index, ended) in self.finished.iter().enumerate() {
            let tenant = TenantIndex(index);
            let is_kept = |id: &str| matches!(self.store.find(tenant, id), Ok(Found::Finished(_)));
            let kept: u64 = ended.iter().filter(|(id, _)| is_kept(id)).map(|(_, bytes)| bytes).sum();
            let count = ended.iter().filter(|(id, _)| is_kept(id)).count();
            let own = self.pending.iter().filter(|(owner, ..)| *owner == tenant).count();
            assert!(kept <= self.bytes_per_tenant && count + own <= PER_TENANT, "{kept} bytes, {count} and {own}");
            // The oldest went first: of those that could be kept at all the newest are.
            let fits = |bytes: u64| bytes <= self.bytes_per_tenant.min(self.bytes);
            let mut newest = ended.iter().rev().filter(|(_, bytes)| fits(*bytes)).skip_while(|(id, _)| is_kept(id));
            assert!(!newest.any(|(id, _)| is_kept(id)), "an older one outlived a newer one");
            assert!(ended.iter().all(|(id, bytes)| fits(*bytes) || !is_kept(id)));
            // Nobody else sees them.
            let other = TenantIndex((index + 1) % TENANTS);
            assert!(ended.iter().all(|(id, _)| self.store.find(other, id).unwrap_err() == Missing::Never));
            all += kept;
        }
        assert!(all <= self.bytes);
        assert_eq!(self.budget.used(), all, "what is not kept holds no memory");
        assert_eq!(self.store.pending(), self.pending.len());
        assert!(
            self.pending.iter().all(|(tenant, id, _)| matches!(self.store.find(*tenant, id), Ok(Found::Pending(_))))
        );
    }
}

proptest! {
    #[test]
    fn nothing_is_kept_beyond_its_bounds(
        bytes_per_tenant in 600..6000_u64,
        bytes in 600..12_000_u64,
        events in prop::collection::vec(event(), 1..100),
    ) {
        let keep = Duration::from_secs(900);
        let store = Store::new(Results { keep, bytes_per_tenant, per_tenant: PER_TENANT }, TENANTS, bytes);
        let finished = vec![VecDeque::new(); TENANTS];
        let budget = Budget::new(1 << 20);
        let mut model = Model { store, budget, bytes_per_tenant, bytes, pending: Vec::new(), finished, ids: 0 };
        for event in events {
            model.apply(event);
            model.check();
        }
    }
}
