//! Stage 4, room only: when the model stands, everything but inference is given up.

use std::sync::PoisonError;

use super::close::Sealed;
use super::filters::Filters;
use super::mutation;
use super::plan::{Layer, Zone};
use super::proof::{SealProof, Stage};
use crate::error::{Error, Result};

impl Sealed {
    /// Installs the inference-only list on every thread of the process at once and probes again,
    /// in this thread and in the one that was started by [`Sealed::prove`], before the list.
    /// Afterwards no path can be opened and no thread can be started.
    ///
    /// # Errors
    /// [`crate::error::ExitCode::Unsealed`] if the list cannot be installed and the plan does not
    /// waive seccomp; [`crate::error::ExitCode::Bug`] outside the room or before the first proof.
    pub fn narrow(&self) -> Result<SealProof> {
        if self.entered.plan.zone != Zone::Room {
            return Err(Error::bug("only the room can be narrowed"));
        }
        let last = self
            .last
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let Some(last) = last else {
            return Err(Error::bug("the room must be proved before it is narrowed"));
        };
        if !mutation::dropped(Layer::Seccomp) {
            let applied = Filters::narrow().and_then(|filters| filters.apply_to_all_threads());
            if let Err(missing) = applied
                && !self.entered.plan.waives(Layer::Seccomp)
            {
                return Err(missing.into_error());
            }
        }
        Ok(self.probe(Stage::Narrowed, last.layers))
    }
}
