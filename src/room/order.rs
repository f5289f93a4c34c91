//! What a worker may say, and when: it was honest when it proved its seal, and may be taken over by
//! what it read since.
//!
//! The proof comes first and once; the room may prove once more that it was narrowed; after the
//! last words nothing follows. A proof counts only if it is about this worker: its zone, exactly the
//! directories that it was granted, and no layer excused that the person did not allow to be missing.

use super::boot::plan;
use super::protocol::{Boot, FromWorker};
use crate::error::{Error, Result};
use crate::seal::{Layer, Root, SealProof, Stage, Zone};

/// Bytes that a worker may send in all, its index aside: the longest honest transcript has a few
/// megabytes, a verifier's lines around its citations less.
const MAX_BYTES: u64 = 128 << 20;
/// Bytes that an entry of the index may take in frames, on average.
const MAX_ENTRY_BYTES: u64 = 600;

/// How far a worker's words have come.
pub(super) struct Order {
    zone: Zone,
    /// What it was granted; `None` for a trial, which makes its own directories.
    roots: Option<Vec<Root>>,
    allowed: Vec<Layer>,
    closed: bool,
    narrowed: bool,
    finished: bool,
    /// Bytes that it may still send.
    pub bytes_left: u64,
}

impl Order {
    /// The order of a worker of `zone` that was started with `boot`.
    pub fn new(zone: Zone, boot: &Boot, trial: bool) -> Self {
        let entries = match zone {
            Zone::Unpack => boot.limits.max_files.saturating_mul(MAX_ENTRY_BYTES),
            _ => 0,
        };
        Self {
            zone,
            roots: (!trial).then(|| plan(zone, boot).roots()),
            allowed: boot.allow_weaker.clone(),
            closed: false,
            narrowed: false,
            finished: false,
            bytes_left: MAX_BYTES.saturating_add(entries),
        }
    }

    /// Whether `frame` may come now.
    ///
    /// # Errors
    /// Unsealed for a proof that is missing or about something else; a bug for any other frame out
    /// of turn.
    pub fn check(&mut self, frame: &FromWorker) -> Result<()> {
        let zone = self.zone;
        match frame {
            FromWorker::Failed { .. } => Ok(()),
            _ if self.finished => Err(out_of_turn(zone)),
            FromWorker::Sealed(proof) if !self.closed => {
                self.closed = true;
                self.own(proof, Stage::Closed)
            }
            _ if !self.closed => Err(Error::unsealed(format!(
                "the {zone} worker did not prove its seal"
            ))
            .hint("run: narrowroom doctor")),
            FromWorker::Narrowed(proof) if zone == Zone::Room && !self.narrowed => {
                self.narrowed = true;
                self.own(proof, Stage::Narrowed)
            }
            FromWorker::Sealed(_) | FromWorker::Narrowed(_) => Err(out_of_turn(zone)),
            FromWorker::Finished { .. } => {
                self.finished = true;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Whether a proof is about this worker.
    fn own(&self, proof: &SealProof, stage: Stage) -> Result<()> {
        let excused = proof
            .layers
            .iter()
            .all(|report| !report.waived || self.allowed.contains(&report.layer));
        let roots = self
            .roots
            .as_ref()
            .is_none_or(|roots| *roots == proof.roots);
        if proof.zone == self.zone && proof.stage == stage && excused && roots {
            return Ok(());
        }
        Err(Error::unsealed(format!(
            "the {} worker proved another seal than its own",
            self.zone
        ))
        .hint("run: narrowroom doctor"))
    }
}

fn out_of_turn(zone: Zone) -> Error {
    Error::bug(format!("the {zone} worker sent a frame out of turn"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ExitCode;
    use crate::seal::LayerReport;

    fn boot() -> Boot {
        Boot {
            tree: "/srv/tree".into(),
            model: None,
            library: None,
            limits: crate::limits::Limits::default(),
            allow_weaker: vec![Layer::Landlock],
            name: String::new(),
            open_streams: false,
        }
    }

    fn proof(zone: Zone, stage: Stage) -> SealProof {
        SealProof {
            zone,
            stage,
            kernel: String::new(),
            landlock_abi: 7,
            layers: vec![],
            probes: vec![],
            elapsed_micros: 1,
            roots: plan(zone, &boot()).roots(),
        }
    }

    fn says(zone: Zone, frames: Vec<FromWorker>) -> Result<()> {
        let mut order = Order::new(zone, &boot(), false);
        frames.iter().try_for_each(|frame| order.check(frame))
    }

    fn sealed(proof: SealProof) -> FromWorker {
        FromWorker::Sealed(Box::new(proof))
    }

    fn last() -> FromWorker {
        FromWorker::Finished {
            peak_kib: 1,
            cpu_millis: 1,
        }
    }

    #[test]
    fn an_honest_worker_is_heard() {
        let narrowed = || FromWorker::Narrowed(Box::new(proof(Zone::Room, Stage::Narrowed)));
        let closed = || sealed(proof(Zone::Room, Stage::Closed));
        assert!(says(Zone::Room, vec![closed(), narrowed(), last()]).is_ok());
        assert!(
            says(
                Zone::Verify,
                vec![sealed(proof(Zone::Verify, Stage::Closed)), last()]
            )
            .is_ok()
        );
    }

    #[test]
    fn forged_proofs_and_frames_out_of_turn_are_refused() {
        let closed = || sealed(proof(Zone::Room, Stage::Closed));
        let narrowed = || FromWorker::Narrowed(Box::new(proof(Zone::Room, Stage::Narrowed)));
        let with = |change: fn(&mut SealProof)| {
            let mut forged = proof(Zone::Room, Stage::Closed);
            change(&mut forged);
            vec![sealed(forged)]
        };
        for (frames, exit) in [
            (vec![last()], ExitCode::Unsealed),
            (vec![narrowed()], ExitCode::Unsealed),
            (vec![closed(), closed()], ExitCode::Bug),
            (vec![closed(), narrowed(), narrowed()], ExitCode::Bug),
            (vec![closed(), last(), last()], ExitCode::Bug),
            (with(|proof| proof.zone = Zone::Verify), ExitCode::Unsealed),
            (
                with(|proof| proof.stage = Stage::Narrowed),
                ExitCode::Unsealed,
            ),
            (with(|proof| proof.roots.clear()), ExitCode::Unsealed),
            (
                with(|proof| proof.roots[0].host = "/srv/another".into()),
                ExitCode::Unsealed,
            ),
            (
                with(|proof| {
                    proof.layers.push(LayerReport {
                        layer: Layer::Seccomp,
                        enforced: false,
                        waived: true,
                        detail: String::new(),
                        advice: None,
                    });
                }),
                ExitCode::Unsealed,
            ),
        ] {
            let refused = says(Zone::Room, frames.clone());
            assert_eq!(refused.map_err(|error| error.exit), Err(exit), "{frames:?}");
        }
        let other = FromWorker::Narrowed(Box::new(proof(Zone::Verify, Stage::Narrowed)));
        let verify = sealed(proof(Zone::Verify, Stage::Closed));
        assert!(
            says(Zone::Verify, vec![verify, other]).is_err(),
            "only the room is narrowed"
        );
    }

    #[test]
    fn what_a_worker_may_send_grows_with_its_index_only() {
        let bytes = |zone| Order::new(zone, &boot(), false).bytes_left;
        assert_eq!(bytes(Zone::Room), MAX_BYTES);
        assert_eq!(bytes(Zone::Verify), MAX_BYTES);
        assert!(bytes(Zone::Unpack) > MAX_BYTES);
    }
}
