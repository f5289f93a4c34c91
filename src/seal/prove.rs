//! Stage 3: the proof that the layers hold, now, in this process and in a second thread.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, PoisonError};
use std::time::Instant;

use super::advice::advice_words;
use super::close::Sealed;
use super::enter::{Entered, HOST_NAME};
use super::namespaces::Inodes;
use super::plan::Layer;
use super::probes::{self, Probe, Scene};
use super::proof::{LayerReport, ProbeReport, ProbeThread, SealProof, Stage};
use super::{descriptors, filters, limits, privileges};

/// A thread that waits to be told to probe, for as long as the process lives.
#[derive(Debug)]
pub(super) struct Second {
    order: Sender<Arc<Vec<Probe>>>,
    answer: Receiver<Vec<ProbeReport>>,
}

impl Second {
    fn start() -> std::io::Result<Self> {
        let (order, orders) = channel::<Arc<Vec<Probe>>>();
        let (answers, answer) = channel();
        std::thread::Builder::new()
            .name("seal-probe".into())
            .spawn(move || {
                for probes in orders {
                    let reports = probes::run_all(&probes, ProbeThread::Second);
                    if answers.send(reports).is_err() {
                        break;
                    }
                }
            })?;
        Ok(Self { order, answer })
    }

    fn probe(&self, probes: &Arc<Vec<Probe>>) -> Option<Vec<ProbeReport>> {
        self.order.send(Arc::clone(probes)).ok()?;
        self.answer.recv().ok()
    }
}

impl Sealed {
    /// Attempts everything that the seal forbids and what it must permit, in this thread and,
    /// where the zone may start threads, in a second one; checks every layer by itself.
    ///
    /// The worker may read its first byte of input only if [`SealProof::holds`].
    pub fn prove(&self) -> SealProof {
        let proof = self.probe(Stage::Closed, Vec::new());
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(proof.clone());
        proof
    }

    /// Runs the probes of a stage. `known` are layer reports of an earlier stage, which stand
    /// where the process can no longer look at itself.
    pub(super) fn probe(&self, stage: Stage, known: Vec<LayerReport>) -> SealProof {
        let start = Instant::now();
        let entered = &self.entered;
        let list = Arc::new(probes::list(&Scene::sealed(entered), stage));
        let mut reports = match stage {
            Stage::Closed => self.early.clone(),
            Stage::Narrowed => Vec::new(),
        };
        reports.extend(probes::run_all(&list, ProbeThread::Main));
        if entered.plan.zone.may_start_threads() {
            reports.extend(self.probe_second_thread(&list, stage));
        }
        let mut layers = if known.is_empty() {
            self.check_layers()
        } else {
            known
        };
        for layer in &mut layers {
            judge(layer, &reports);
        }
        // Some layers show by what cannot be done, some only by looking: a namespace is another one
        // than the starter's. Each look is a probe too.
        reports.extend(layers.iter().map(looked_at));
        SealProof {
            zone: entered.plan.zone,
            stage,
            kernel: entered.kernel.clone(),
            landlock_abi: entered.landlock_abi,
            layers,
            probes: reports,
            elapsed_micros: u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX),
            roots: entered.plan.roots(),
        }
    }

    fn probe_second_thread(&self, list: &Arc<Vec<Probe>>, stage: Stage) -> Vec<ProbeReport> {
        let mut second = self.second.lock().unwrap_or_else(PoisonError::into_inner);
        if second.is_none() && stage == Stage::Closed {
            *second = Second::start().ok();
        }
        let answer = second.as_ref().and_then(|second| second.probe(list));
        answer.unwrap_or_else(|| probes::none_ran(list, ProbeThread::Second))
    }

    fn check_layers(&self) -> Vec<LayerReport> {
        let entered = &self.entered;
        Layer::ALL
            .into_iter()
            .map(|layer| {
                let missing = entered
                    .missing
                    .iter()
                    .find(|missing| missing.layer == layer);
                let (enforced, detail) = match missing {
                    Some(missing) => (false, missing.detail.clone()),
                    None => self.check(layer),
                };
                let advice = match missing {
                    Some(missing) => Some(missing.advice.clone()),
                    None => (!enforced).then(|| advice_words(layer)),
                };
                let waived = entered.plan.waives(layer);
                LayerReport {
                    layer,
                    enforced,
                    waived,
                    detail,
                    advice,
                }
            })
            .collect()
    }

    /// Looks at one layer by itself.
    fn check(&self, layer: Layer) -> (bool, String) {
        let entered = &self.entered;
        match layer {
            Layer::UserNamespace
            | Layer::NetworkNamespace
            | Layer::PidNamespace
            | Layer::IpcNamespace
            | Layer::MountNamespace
            | Layer::UtsNamespace => check_namespace(entered, layer),
            Layer::NoNewPrivs => privileges::check_no_new_privs(),
            Layer::Landlock if self.landlock.is_empty() => (false, "no rules in force".to_owned()),
            Layer::Landlock => (true, self.landlock.clone()),
            Layer::Seccomp => filters::check(),
            Layer::Rlimits => limits::check(&entered.plan.limits),
            Layer::Capabilities => privileges::check_capabilities(entered.identity),
            Layer::Descriptors => {
                let open = descriptors::unexpected(&entered.plan.keep_fds, entered.highest_fd);
                if open.is_empty() {
                    let granted = entered.plan.keep_fds.len();
                    (true, format!("0, 1, 2 and {granted} granted"))
                } else {
                    (false, format!("open though not granted: {open:?}"))
                }
            }
        }
    }
}

fn check_namespace(entered: &Entered, layer: Layer) -> (bool, String) {
    let Some((differs, detail)) = Inodes::compare(layer, entered.outside, entered.inside) else {
        return (false, "is no namespace".to_owned());
    };
    let own = match layer {
        Layer::PidNamespace => entered.pid == 1,
        Layer::UtsNamespace => entered.host_name == HOST_NAME,
        Layer::MountNamespace => entered.own_root,
        _ => true,
    };
    (differs && own, detail)
}

/// A layer is in force only if no probe that it guards turned red.
fn judge(layer: &mut LayerReport, reports: &[ProbeReport]) {
    let red: Vec<_> = reports
        .iter()
        .filter(|probe| !probe.held && probe.layers.contains(&layer.layer))
        .map(|probe| format!("{} met {}", probe.name, probe.got))
        .collect();
    if layer.enforced && !red.is_empty() {
        layer.enforced = false;
        layer.detail = red.join(", ");
        layer.advice = Some(advice_words(layer.layer));
    }
}
/// The look at a layer itself, as a probe.
fn looked_at(layer: &LayerReport) -> ProbeReport {
    const IN_FORCE: &str = "IN FORCE";
    ProbeReport {
        name: format!("state-{}", layer.layer),
        attempt: format!("look at the layer itself: {}", layer.detail),
        layers: vec![layer.layer],
        thread: ProbeThread::Main,
        expected: vec![IN_FORCE.to_owned()],
        got: if layer.enforced { IN_FORCE } else { "MISSING" }.to_owned(),
        held: layer.enforced,
    }
}
