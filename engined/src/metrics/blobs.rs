//! What operators see of blobs.

use prometheus::IntGauge;

use super::Maker;

/// All of them.
#[derive(Clone, Debug)]
pub struct BlobMetrics {
    /// What they count, in bytes.
    pub bytes: IntGauge,
    /// How many there are.
    pub blobs: IntGauge,
    /// Uploads under way.
    pub uploads: IntGauge,
}

impl BlobMetrics {
    /// All at zero.
    ///
    /// # Errors
    /// That of the registry, for a metric named twice.
    pub(super) fn new(make: &Maker<'_>) -> prometheus::Result<Self> {
        Ok(BlobMetrics {
            bytes: make.gauge("engined_blob_bytes", "What blobs count against the quotas of tenants.")?,
            blobs: make.gauge("engined_blobs", "Blobs that are kept.")?,
            uploads: make.gauge("engined_blob_uploads", "Blobs on their way here.")?,
        })
    }
}

#[cfg(test)]
impl BlobMetrics {
    /// Of nobody.
    pub(crate) fn for_tests() -> Self {
        BlobMetrics::new(&Maker(&prometheus::Registry::new())).unwrap()
    }
}
