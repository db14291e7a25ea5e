//! Signs of abuse, by kind and tenant. No label tells the user: what a caller calls its users is text of strangers, has no
//! end, and is often personal. The warning in the log names them.

use prometheus::{IntCounterVec, Opts, Registry};

/// All of them.
#[derive(Clone, Debug)]
pub struct AbuseMetrics {
    signs: IntCounterVec,
}

impl AbuseMetrics {
    /// None yet: a tenant is there from its first sign on.
    ///
    /// # Errors
    /// That of the registry, for a metric named twice.
    pub fn new(registry: &Registry) -> prometheus::Result<Self> {
        let help = "Signs of abuse, once per window for each user and for the tenant; the log names the users.";
        let signs = IntCounterVec::new(Opts::new("engined_abuse_signs_total", help), &["sign", "tenant"])?;
        registry.register(Box::new(signs.clone()))?;
        Ok(AbuseMetrics { signs })
    }

    /// A sign was told.
    pub fn sign(&self, sign: &str, tenant: &str) {
        self.signs.with_label_values(&[sign, tenant]).inc();
    }
}
