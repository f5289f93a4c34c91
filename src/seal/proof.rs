//! The proof of a seal: what each layer is, what each probe attempted and met.

use super::plan::{Layer, Zone};
use crate::error::{Error, Result};

/// What one seal was proved to be, at one moment of one process.
#[derive(
    Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(deny_unknown_fields)]
pub struct SealProof {
    /// The zone that was sealed.
    pub zone: Zone,
    /// `closed` after the seal was closed, `narrowed` after the room gave up all but inference.
    pub stage: Stage,
    /// Release of the running kernel, as `uname -r` prints it.
    pub kernel: String,
    /// Landlock ABI of the running kernel; 0 where there is none.
    pub landlock_abi: u32,
    /// One report a layer, in the order of [`Layer::ALL`].
    pub layers: Vec<LayerReport>,
    /// One report an attempt.
    pub probes: Vec<ProbeReport>,
    /// Microseconds that the probes took.
    pub elapsed_micros: u64,
    /// Everything of the host that its mounts and Landlock rules make reachable.
    #[serde(default)]
    pub roots: Vec<Root>,
}

/// A directory or file of the host that a sealed process can reach.
#[derive(
    Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(deny_unknown_fields)]
pub struct Root {
    /// Where it lies on the host.
    pub host: String,
    /// Where it appears inside.
    pub inside: String,
    /// Whether it may be written.
    pub write: bool,
}

/// When a proof was made.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// After the seal was closed, before the first byte of input is read.
    Closed,
    /// After the room gave up everything but inference.
    Narrowed,
}

/// One layer, as it is now.
#[derive(
    Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(deny_unknown_fields)]
pub struct LayerReport {
    /// Which layer.
    pub layer: Layer,
    /// Whether it is in force, by its own check and by every probe that it guards.
    pub enforced: bool,
    /// Whether the person accepted that it may be missing.
    pub waived: bool,
    /// What was seen.
    pub detail: String,
    /// What to do when it is missing.
    pub advice: Option<String>,
}

/// The thread an attempt was made from.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum ProbeThread {
    /// The thread that closed the seal.
    Main,
    /// A thread started inside the closed seal.
    Second,
}

/// One attempt and what it met.
#[derive(
    Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(deny_unknown_fields)]
pub struct ProbeReport {
    /// Short name, unique within a proof together with the thread.
    pub name: String,
    /// What was attempted.
    pub attempt: String,
    /// The layers that turn this probe red when they are missing.
    pub layers: Vec<Layer>,
    /// Where it ran.
    pub thread: ProbeThread,
    /// What an intact seal answers: names of errors, or `SUCCEEDED` for what must be possible.
    pub expected: Vec<String>,
    /// What was met: the name of an error, `SUCCEEDED`, or `could not run` with the reason.
    pub got: String,
    /// Whether the answer was the expected one.
    pub held: bool,
}

impl SealProof {
    /// True when every layer is in force or its absence was accepted, and every probe met what it
    /// expected or guards only layers whose absence was accepted.
    pub fn holds(&self) -> bool {
        self.failures().is_empty()
    }

    /// What does not hold and was not accepted, one sentence each, safe for a terminal.
    pub fn failures(&self) -> Vec<String> {
        let mut failures = Vec::new();
        for layer in Layer::ALL {
            match self.layers.iter().find(|report| report.layer == layer) {
                Some(report) if report.enforced || report.waived => {}
                Some(report) => {
                    failures.push(format!("layer {layer} is missing: {}", report.detail));
                }
                None => failures.push(format!("layer {layer} was not reported")),
            }
        }
        if self.probes.is_empty() {
            failures.push("no probe ran".to_owned());
        }
        for probe in self.probes.iter().filter(|probe| !probe.held) {
            if probe.layers.is_empty() || !probe.layers.iter().any(|layer| self.waived(*layer)) {
                failures.push(format!(
                    "probe {} ({}) met {}, expected {}",
                    probe.name,
                    probe.attempt,
                    probe.got,
                    probe.expected.join(" or ")
                ));
            }
        }
        failures
    }

    /// Goes on only if the proof holds.
    ///
    /// # Errors
    /// [`crate::error::ExitCode::Unsealed`] with everything that does not hold and what to do.
    pub fn demand(&self) -> Result<()> {
        let failures = self.failures();
        if failures.is_empty() {
            return Ok(());
        }
        let what = failures.join("; ");
        let error = Error::unsealed(format!(
            "the seal of zone {} does not hold: {what}",
            self.zone
        ));
        let advice = self.advice();
        Err(if advice.is_empty() {
            error.hint(
                "this is a bug of narrowroom or of the kernel; `narrowroom doctor` shows more",
            )
        } else {
            error.hint(advice.join("; "))
        })
    }

    /// Layers that are missing with the person's consent; the record and the report name them.
    pub fn weaker(&self) -> Vec<Layer> {
        let missing = |report: &&LayerReport| !report.enforced;
        self.layers
            .iter()
            .filter(missing)
            .map(|report| report.layer)
            .collect()
    }

    /// The advice of every layer that is missing, without repetition.
    pub fn advice(&self) -> Vec<&str> {
        let mut advice: Vec<&str> = Vec::new();
        for text in self
            .layers
            .iter()
            .filter(|l| !l.enforced)
            .filter_map(|l| l.advice.as_deref())
        {
            if !advice.contains(&text) {
                advice.push(text);
            }
        }
        advice
    }

    fn waived(&self, layer: Layer) -> bool {
        self.layers
            .iter()
            .any(|report| report.layer == layer && report.waived)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proof() -> SealProof {
        SealProof {
            zone: Zone::Verify,
            stage: Stage::Closed,
            kernel: "6.18.0".into(),
            landlock_abi: 7,
            layers: Layer::ALL
                .into_iter()
                .map(|layer| LayerReport {
                    layer,
                    enforced: true,
                    waived: false,
                    detail: String::new(),
                    advice: None,
                })
                .collect(),
            probes: vec![ProbeReport {
                name: "socket".into(),
                attempt: "socket()".into(),
                layers: vec![Layer::Seccomp],
                thread: ProbeThread::Main,
                expected: vec!["EPERM".into()],
                got: "EPERM".into(),
                held: true,
            }],
            elapsed_micros: 1,
            roots: vec![],
        }
    }

    #[test]
    fn an_intact_proof_holds() {
        assert!(proof().holds());
        assert!(proof().weaker().is_empty());
    }

    #[test]
    fn a_missing_layer_a_silent_layer_and_a_red_probe_each_break_it() {
        let mut missing = proof();
        missing.layers[3].enforced = false;
        assert_eq!(missing.failures().len(), 1);
        let error = missing.demand().unwrap_err();
        assert_eq!(error.exit, crate::error::ExitCode::Unsealed);
        assert!(error.message.contains(missing.layers[3].layer.name()));

        let mut silent = proof();
        silent.layers.pop();
        assert!(!silent.holds());

        let mut red = proof();
        red.probes[0].held = false;
        assert!(!red.holds());

        let mut none = proof();
        none.probes.clear();
        assert!(!none.holds());
    }

    #[test]
    fn consent_covers_its_own_layer_and_no_other() {
        let mut weaker = proof();
        let at = weaker
            .layers
            .iter()
            .position(|l| l.layer == Layer::Seccomp)
            .unwrap();
        weaker.layers[at].enforced = false;
        weaker.layers[at].waived = true;
        weaker.probes[0].held = false;
        assert!(weaker.holds());
        assert_eq!(weaker.weaker(), [Layer::Seccomp]);
        weaker.layers[0].enforced = false;
        assert!(!weaker.holds());
    }
}
