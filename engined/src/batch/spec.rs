//! What the store keeps of a batch, in our own form: written when the batch is accepted, read when it is run.
//!
//! Everything is JSON, so that what an older engine has written a newer one can read: fields may be added with a default,
//! none is renamed. Limits are kept as the caller gave them: what they come to is decided by admission when a submission
//! is run, by the plan and the toolchains of that time.

use std::collections::BTreeMap;
use std::net::IpAddr;

use api_spec::{CheckerRequest, Feedback, GroupRequest, LimitsRequest, Stop};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::audit::Caller;
use crate::tenants::Peer;

/// What is common to all submissions and tests of a batch: `NewBatch.spec`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BatchSpec {
    /// How an output is compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checker: Option<CheckerRequest>,
    /// Limits of each run.
    #[serde(default, skip_serializing_if = "LimitsRequest::is_default")]
    pub limits: LimitsRequest,
    /// Limits of each compile.
    #[serde(default, skip_serializing_if = "LimitsRequest::is_default")]
    pub compile_limits: LimitsRequest,
    /// Limits of runs in one language, over `limits`, under those of a test.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub limits_by_language: BTreeMap<String, LimitsRequest>,
    /// Whether a submission's other tests are run when one has failed.
    #[serde(default)]
    pub stop: Stop,
    /// How often each test is run.
    pub repeat: u32,
    /// How much is told of a run.
    #[serde(default)]
    pub feedback: Feedback,
    /// How many bytes of a line are for what programs wrote.
    #[serde(default = "least_told")]
    pub told: u64,
    /// How the points of tests are put together.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<GroupRequest>,
    /// The points of all tests together.
    #[serde(default)]
    pub max_points: f64,
    /// The points of the tests of each group.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub group_points: Vec<f64>,
    /// Who has sent it, for the audit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sender: Option<Sender>,
}

/// Of a batch that does not say it.
fn least_told() -> u64 {
    super::room::told(u64::MAX)
}

/// A test without its name and data: `NewTest.spec`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TestSpec {
    /// The group that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// What it is worth.
    #[serde(default)]
    pub points: f64,
    /// The program's arguments.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// Environment of the run.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// Limits of this test, over all others.
    #[serde(default, skip_serializing_if = "LimitsRequest::is_default")]
    pub limits: LimitsRequest,
    /// How many bytes are expected, here or in a blob. `None`: nothing is said of its output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_bytes: Option<u64>,
}

/// Who has sent a batch: what the audit says of every run of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sender {
    /// The id of the request that it came with.
    pub request: String,
    /// The name of the token that was shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// On the Unix socket: user and group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unix: Option<(u32, u32)>,
    /// On TCP: from where.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
}

impl Sender {
    /// As the store keeps it.
    #[must_use]
    pub fn of(caller: &Caller) -> Self {
        let (unix, address) = match caller.peer {
            Peer::Unix { uid, gid } => (Some((uid, gid)), None),
            Peer::Tcp(address) => (None, Some(address)),
        };
        let token = caller.token.as_ref().map(|token| token.as_ref().to_owned());
        Sender { request: caller.request.clone(), token, unix, address }
    }

    /// As the audit has it. The trace of the request is over for long.
    #[must_use]
    pub fn caller(&self) -> Caller {
        let peer = match (self.unix, self.address) {
            (Some((uid, gid)), _) => Peer::Unix { uid, gid },
            (None, Some(address)) => Peer::Tcp(address),
            (None, None) => Peer::Tcp(IpAddr::from([0, 0, 0, 0])),
        };
        let token = self.token.as_deref().map(Into::into);
        Caller { request: self.request.clone(), peer, token, trace: None }
    }
}

/// The text of a spec. That of a submission is the caller's [`api_spec::SubmissionRequest`].
///
/// # Errors
/// That of serialising.
pub fn write<T: Serialize>(spec: &T) -> serde_json::Result<Vec<u8>> {
    serde_json::to_vec(spec)
}

/// Reads what [`write()`] has made: [`BatchSpec`], [`TestSpec`] or [`api_spec::SubmissionRequest`].
///
/// # Errors
/// What is wrong with it: the store is damaged, or a newer engine has written it.
pub fn read<T: DeserializeOwned>(text: &[u8]) -> serde_json::Result<T> {
    serde_json::from_slice(text)
}

#[cfg(test)]
mod tests {
    use api_spec::SubmissionRequest;

    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let caller = Caller {
            request: "req".to_owned(),
            peer: Peer::Unix { uid: 7, gid: 8 },
            token: Some("grader".into()),
            trace: None,
        };
        let spec =
            BatchSpec { repeat: 3, stop: Stop::Group, sender: Some(Sender::of(&caller)), ..BatchSpec::default() };
        let again: BatchSpec = read(&write(&spec).unwrap()).unwrap();
        assert_eq!(again, spec);
        let sender = again.sender.unwrap().caller();
        assert_eq!((sender.peer, sender.token.as_deref()), (caller.peer, Some("grader")));
        let test = TestSpec { points: 2.5, expected_bytes: Some(0), ..TestSpec::default() };
        assert_eq!(read::<TestSpec>(&write(&test).unwrap()).unwrap(), test);
        let submission = SubmissionRequest { id: "a".to_owned(), language: "c".to_owned(), ..Default::default() };
        assert_eq!(read::<SubmissionRequest>(&write(&submission).unwrap()).unwrap(), submission);
    }
}
