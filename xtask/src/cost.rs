//! `cargo xtask cost`: how many instructions knowing who calls, metrics, the audit line and usage add to a no-op's request:
//! of all that the machine does for it, in the test host ([`whole`]), and of what engined itself does ([`parts`]).
//!
//! Both count and time nothing: the same request takes the same instructions on a busy machine.
pub mod inside;
mod parts;
mod whole;

use std::path::Path;

use crate::build::{self, Programs};
use crate::cost::parts::Counts;
use crate::http::Client;
use crate::problem::Result;
use crate::setup;
use crate::tally::Tally;

/// Per cent of a request's instructions.
const MOST: f64 = 3.0;
/// Runs before counting begins: by then its program is in the artifact cache, and every buffer has its size.
const WARM: u32 = 40;
const NO_OP: &str = "int main(void) { return 0; }\n";

/// How an engine is configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Setting {
    /// As it is shipped: tokens, the audit line in a file, usage in its database.
    On,
    /// All that a configuration can switch off is off. Counting for `/metrics` can't be.
    Off,
}

impl Setting {
    /// As the guest says it.
    fn name(self) -> &'static str {
        match self {
            Setting::On => "on",
            Setting::Off => "off",
        }
    }

    /// More of `[listen]`.
    fn listen(self) -> &'static str {
        match self {
            Setting::On => "",
            Setting::Off => "development = true\n",
        }
    }

    /// What follows `[engine]`, with the line of a tenant's token. In both the log is silent, which would else have a
    /// line of each run where there is no audit, and no hello runs beside.
    fn sections(self, tokens: &str) -> String {
        let quiet = "[log]\nlevel = \"warn\"\n[health]\nprobe_every_seconds = 86400\n";
        match self {
            Setting::On => format!("{quiet}[tenants.a]\n{tokens}\n"),
            Setting::Off => {
                format!("{quiet}[audit]\ntarget = \"off\"\n[usage]\nenabled = false\n[abuse]\nenabled = false\n")
            }
        }
    }

    /// Whoever calls it. Where there are no tokens none is sent.
    fn client(self, port: u16, token: &str) -> Result<Client> {
        let client = Client::connect(port)?;
        Ok(if self == Setting::On { client.with_token(token) } else { client })
    }
}

/// The command.
pub fn run(requests: u32, built: Option<&Path>) -> Result<Tally> {
    setup::ensure()?;
    let programs = match built {
        Some(folder) => Programs::of(folder),
        None => build::release()?,
    };
    let mut tally = Tally::default();
    let on = parts::count(&programs, requests, Setting::On)?;
    let off = parts::count(&programs, requests, Setting::Off)?;
    println!("{}", parts_table(&on));
    tally.check("cost: every part was seen", on.seen());
    let figures = whole::measure(&programs)?;
    println!("{}", figures.table(&on, &off));
    tally.check("cost: at most 3 % of a no-op's request", figures.judge(&off));
    Ok(tally)
}

/// What engined itself does for a request.
fn parts_table(counts: &Counts) -> String {
    let mut text =
        "| part of engined, user space | instructions per request | share |\n| --- | ---: | ---: |\n".to_owned();
    let mut row = |name: &str, number| {
        text += &format!("| {name} | {number} | {:.2} % |\n", 100.0 * share(number, counts.total));
    };
    counts.parts.iter().for_each(|(name, number)| row(name, *number));
    row("together", counts.together());
    row("all of a request", counts.total);
    text
}

#[expect(clippy::cast_precision_loss, reason = "a share of a count below 2^52")]
fn share(part: u64, of: u64) -> f64 {
    part as f64 / of.max(1) as f64
}
