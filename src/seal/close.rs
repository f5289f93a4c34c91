//! Stage 2: everything that closes the room for good.

use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::sync::Mutex;

use super::advice::Missing;
use super::enter::{Entered, die_with_lifeline};
use super::filters::Filters;
use super::plan::Layer;
use super::probes::{self, Scene};
use super::proof::{ProbeReport, ProbeThread, SealProof};
use super::prove::Second;
use super::{descriptors, landlock_rules, limits, mutation, privileges};
use crate::error::Result;

/// A worker whose seal is closed. Nothing of it can be undone; [`Sealed::prove`] shows that it
/// holds.
#[derive(Debug)]
pub struct Sealed {
    pub(super) entered: Entered,
    pub(super) landlock: String,
    /// Probes that only show a layer before another one hides it.
    pub(super) early: Vec<ProbeReport>,
    /// A second thread, kept from the first proof on, so that narrowing can be proved on a thread
    /// that was there before it.
    pub(super) second: Mutex<Option<Second>>,
    pub(super) last: Mutex<Option<SealProof>>,
}

impl Sealed {
    /// Where the mount `inside` is reached; see [`Entered::path`].
    pub fn path(&self, inside: &str) -> Option<PathBuf> {
        self.entered.path(inside)
    }
}

/// Closes the seal: limits, descriptors, identity and capabilities, no_new_privs, Landlock, and
/// last the zone's allow-list. From here on every descriptor but 0, 1, 2 and the plan's is gone.
///
/// # Errors
/// [`crate::error::ExitCode::Unsealed`] with the missing layer and what to do, unless the plan
/// waives it.
pub fn close(mut entered: Entered) -> Result<Sealed> {
    let zone = entered.plan.zone;
    let mut early = probes::run_all(&probes::first(&Scene::sealed(&entered)), ProbeThread::Main);
    entered.laid.let_go();
    let filters = demand(&mut entered, |_| Filters::of(zone))?;
    descriptors::demand_open(&entered.plan.keep_fds)?;

    layer(&mut entered, Layer::Rlimits, |entered| {
        limits::apply(&entered.plan.limits)
    })?;
    layer(&mut entered, Layer::Descriptors, |entered| {
        let mut keep = entered.plan.keep_fds.clone();
        keep.extend(entered.lifeline.as_ref().map(AsRawFd::as_raw_fd));
        descriptors::close_all_but(&keep, true)
            .map_err(|errno| Missing::new(Layer::Descriptors, "close_range", errno))
    })?;
    let rules = demand(&mut entered, |entered| {
        landlock_rules::prepare(&entered.plan, entered.own_root, entered.landlock_abi)
    })?;
    layer(&mut entered, Layer::Capabilities, |entered| {
        let failed = |what| move |errno| Missing::new(Layer::Capabilities, what, errno);
        privileges::drop_bounding_set().map_err(failed("dropping the bounding set"))?;
        privileges::drop_identity(entered.identity).map_err(failed("becoming nobody"))?;
        privileges::drop_capabilities().map_err(failed("dropping capabilities"))
    })?;
    privileges::no_core_dump();
    if let Some(lifeline) = entered.lifeline.take() {
        die_with_lifeline(&lifeline)?;
    }
    layer(&mut entered, Layer::NoNewPrivs, |_| {
        privileges::no_new_privs()
    })?;

    let mut landlock = String::new();
    if let Some(rules) = rules {
        layer(&mut entered, Layer::Landlock, |_| {
            landlock = landlock_rules::enforce(rules)?;
            Ok(())
        })?;
    }
    early.extend(probes::run_all(
        &probes::early(&Scene::sealed(&entered)),
        ProbeThread::Main,
    ));
    if let Some(filters) = filters {
        layer(&mut entered, Layer::Seccomp, |_| filters.apply())?;
    }
    Ok(Sealed {
        entered,
        landlock,
        early,
        second: Mutex::new(None),
        last: Mutex::new(None),
    })
}

/// Enforces one layer, unless a test drops it.
fn layer(
    entered: &mut Entered,
    layer: Layer,
    enforce: impl FnOnce(&Entered) -> Result<(), Missing>,
) -> Result<()> {
    if !mutation::dropped(layer) {
        demand(entered, enforce)?;
    }
    Ok(())
}

/// Goes on without a layer only where the person accepted that; remembers which one.
fn demand<T>(
    entered: &mut Entered,
    enforce: impl FnOnce(&Entered) -> Result<T, Missing>,
) -> Result<Option<T>> {
    match enforce(entered) {
        Ok(value) => Ok(Some(value)),
        Err(missing) if entered.plan.waives(missing.layer) => {
            entered.missing.push(missing);
            Ok(None)
        }
        Err(missing) => Err(missing.into_error()),
    }
}
