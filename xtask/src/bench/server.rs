//! An engine as the rows see it: whom to ask, and which processes it is made of.

use std::time::{Duration, Instant};

use super::cpu;
use crate::build::Programs;
use crate::engine::Engine;
use crate::http::Client;
use crate::memory;
use crate::problem::{Context, Result};
use crate::served::Served;

/// jaild's settings for an engine that makes each sandbox when it is asked for.
const COLD: &str = "stock = \"off\"\n";

/// A running engine.
#[derive(Debug)]
pub struct Server {
    /// Its port on the loopback.
    pub port: u16,
    token: Option<String>,
    /// The processes that all others are below.
    tops: Vec<u32>,
    running: Running,
}

#[derive(Debug)]
enum Running {
    Up(Engine),
    Served(Served),
}

impl Server {
    /// As `engined up` starts it: with everything that makes it fast.
    ///
    /// # Errors
    /// When it does not start.
    pub fn armed(programs: &Programs) -> Result<Self> {
        let engine = Engine::start(programs)?;
        Ok(Server { port: engine.port(), token: None, tops: vec![engine.pid()], running: Running::Up(engine) })
    }

    /// Without any of it. That takes settings, so both programs are started as in production.
    ///
    /// # Errors
    /// When it does not start: only root can start it.
    pub fn cold(programs: &Programs) -> Result<Self> {
        let served = Served::start_with(programs, Some(COLD))?;
        let port = served.port()?;
        Ok(Server { port, token: Some(served.token.clone()), tops: served.pids(), running: Running::Served(served) })
    }

    /// A connection to it.
    ///
    /// # Errors
    /// When it takes none.
    pub fn connect(&self) -> Result<Client> {
        let client = Client::connect(self.port)?;
        Ok(match &self.token {
            Some(token) => client.with_token(token),
            None => client,
        })
    }

    /// Waits until it has done nothing for a `moment`: until what it makes ahead of time is made.
    ///
    /// # Errors
    /// When /proc cannot be read.
    pub fn settle(&self, moment: Duration, patience: Duration) -> Result<()> {
        let deadline = Instant::now() + patience;
        let spent = || self.tops.iter().map(|&top| memory::cpu_of_tree(top)).sum::<Result<u64>>();
        let (mut since, mut last) = (Instant::now(), spent()?);
        while since.elapsed() < moment && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
            let now = spent()?;
            if now != last {
                (since, last) = (Instant::now(), now);
            }
        }
        Ok(())
    }

    /// Microseconds of CPU time that it has used since it was started. `None` where that can't be known.
    ///
    /// # Errors
    /// When /proc cannot be read.
    pub fn cpu_us(&self) -> Result<Option<u64>> {
        cpu::of_engine(&self.tops)
    }

    /// Proportional memory of all its processes, in kB.
    ///
    /// # Errors
    /// When /proc cannot be read.
    pub fn pss_kb(&self) -> Result<u64> {
        self.tops.iter().map(|&top| memory::pss_of_tree(top)).sum()
    }

    /// Ends it.
    ///
    /// # Errors
    /// When it does not end as it should.
    pub fn stop(self) -> Result<()> {
        match self.running {
            Running::Up(engine) => engine.stop(),
            Running::Served(served) => served.stop(),
        }
        .or_problem("engined did not stop", "read its log")
    }
}
