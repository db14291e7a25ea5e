//! The three tenants, and the configurations that they come in.

use crate::build::Programs;
use crate::problem::Result;
use crate::served::new_token;

/// Who calls.
#[derive(Clone, Debug)]
pub struct Tenant {
    /// Its name, and its plan's.
    pub name: &'static str,
    /// How it is known.
    pub token: String,
    /// The line of the configuration with its hash.
    line: String,
    /// How urgent its runs are.
    pub priority: &'static str,
    connections: usize,
    /// Its plan beside its weight.
    plan: &'static str,
}

/// All of them.
#[derive(Clone, Debug)]
pub struct Settings {
    /// In the order of the configuration.
    pub tenants: Vec<Tenant>,
}

impl Settings {
    /// With tokens of their own.
    pub fn new(programs: &Programs) -> Result<Self> {
        let tenant = |name, priority, connections, plan| {
            let (token, line) = new_token(programs)?;
            Ok(Tenant { name, token, line, priority, connections, plan })
        };
        Ok(Settings {
            tenants: vec![
                tenant("school", "interactive", 2, "running = 2\nqueued = 40\n")?,
                tenant("contest", "batch", 2, "running = 2\nqueued = 40\n")?,
                // This one hears 429 now and then.
                tenant("free", "interactive", 1, "running = 1\nqueued = 1\nrequests_per_minute = 600\nburst = 20\n")?,
            ],
        })
    }

    /// How many connections they have together.
    pub fn connections(&self) -> usize {
        self.tenants.iter().map(|tenant| tenant.connections).sum()
    }

    /// Whose connection this is.
    pub fn tenant_of(&self, mut connection: usize) -> &Tenant {
        for tenant in &self.tenants {
            if connection < tenant.connections {
                return tenant;
            }
            connection -= tenant.connections;
        }
        &self.tenants[0]
    }

    /// The token of the one who may see everybody's usage.
    pub fn admin_token(&self) -> &str {
        &self.tenants[0].token
    }

    /// The sections of the configuration, with other weights each time.
    pub fn sections(&self, edition: u32) -> String {
        let mut text = String::from("[log]\nlevel = \"warn\"\n[audit]\nrotate_bytes = 1048576\nkeep = 1000\n");
        for (number, tenant) in (0..).zip(&self.tenants) {
            let Tenant { name, line, plan, .. } = tenant;
            let admin = if number == 0 { "admin = true\n" } else { "" };
            let weight = 1 + (edition + number) % 4;
            text += &format!("[tenants.{name}]\nplan = \"{name}\"\n{line}\n{admin}");
            text += &format!("[plans.{name}]\nweight = {weight}\n{plan}");
        }
        text
    }

    /// One that must be refused.
    pub fn broken(&self) -> String {
        self.sections(0) + "[plans.more]\nweight = 0\n[tenants.more]\nplan = \"nowhere\"\n"
    }
}
