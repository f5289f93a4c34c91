//! The prepared form of a model: ONNX Runtime's own layout of the weights for one kind of processor.
//!
//! Laying the weights out takes seconds and doubles the memory; done once and saved, loading takes a
//! fraction and most of the memory can be given back by the kernel, for it is a map of a file. The
//! layout depends on processor and library, so each pair has its own folder. Made outside the room.

#![expect(clippy::disallowed_methods, reason = "rewrites files in the store")]

use super::engine::{bind_cache, run};
use super::manifest::{self, Manifest};
use super::onnx::{Aligned, Move, align};
use super::runtime::Runtime;
use super::store::Pending;
use crate::error::{Context, Error, ExitCode, Result};
use ort::session::Session;
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// Tokens whose logits tell whether two forms of a model are the same.
const TRIAL: [i64; 8] = [11, 101, 1009, 7, 53, 499, 2003, 31];

/// The folder of the prepared form for this processor and library; it may not exist.
pub fn folder(runtime: &Runtime, model: &Path) -> PathBuf {
    model.join(manifest::PREPARED).join(&*runtime.layout)
}

/// Makes the prepared form unless it is there. What it computes is compared with the plain form; should
/// they differ, the plain form stays in use.
///
/// # Errors
/// Fails when ONNX Runtime refuses the model or the disk is full.
pub fn ensure(runtime: &Runtime, model: &Path) -> Result<Prepared> {
    let target = folder(runtime, model);
    if target.join(manifest::GRAPH).is_file() {
        return Ok(Prepared::Ready);
    }
    let refuse = |cause: ort::Error| {
        Error::refused("prepare the model for this processor")
            .source(cause.to_string())
            .hint("is the disk full?")
    };
    let manifest = Manifest::read(model)?;
    let raw = Pending::inside(&model.join(manifest::PREPARED))?;
    let wanted = lay_out(runtime, model, raw.path())
        .and_then(|mut plain| trial(&mut plain, &manifest))
        .map_err(refuse)?;
    let pending = Pending::inside(&model.join(manifest::PREPARED))?;
    align_files(raw.path(), pending.path())
        .or_fail(ExitCode::InputRefused, "align the prepared model")?;
    drop(raw);
    let session = options(runtime, 1, GraphOptimizationLevel::Disable)
        .and_then(|mut builder| builder.commit_from_file(pending.path().join(manifest::GRAPH)));
    let found = session
        .and_then(|mut session| trial(&mut session, &manifest))
        .map_err(refuse)?;
    let same = wanted.len() == found.len()
        && wanted
            .iter()
            .zip(&found)
            .all(|(wanted, found)| (wanted - found).abs() <= 1e-3);
    if same {
        pending.publish(&target)?;
        Ok(Prepared::Ready)
    } else {
        Ok(Prepared::Differs)
    }
}

/// What came of preparing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prepared {
    /// The prepared form is there.
    Ready,
    /// It computed something else than the plain form and was thrown away; loading stays slower.
    Differs,
}

/// Opens the plain form and lets ONNX Runtime save its layout to `dir`.
fn lay_out(runtime: &Runtime, model: &Path, dir: &Path) -> ort::Result<Session> {
    options(runtime, 1, GraphOptimizationLevel::All)?
        .with_optimized_model_path(dir.join(manifest::GRAPH))?
        .with_config_entry(
            "session.optimized_model_external_initializers_file_name",
            manifest::WEIGHTS,
        )?
        .with_config_entry(
            "session.optimized_model_external_initializers_min_size_in_bytes",
            "1024",
        )?
        .with_config_entry("session.save_external_prepacked_constant_initializers", "1")?
        .commit_from_file(model.join(manifest::GRAPH))
}

/// Logits after a few tokens.
fn trial(session: &mut Session, manifest: &Manifest) -> ort::Result<Vec<f32>> {
    let slots = TRIAL.len() as u32;
    let mut binding = bind_cache(session, manifest, slots)?;
    let ids: Vec<i64> = TRIAL
        .iter()
        .map(|token| token % i64::from(manifest.vocab))
        .collect();
    run(
        session,
        &mut binding,
        ids,
        vec![TRIAL.len() as i64 - 1],
        TRIAL.len(),
    )
}

/// Copies the prepared form with every tensor on a page boundary.
fn align_files(from: &Path, to: &Path) -> std::io::Result<()> {
    let Aligned {
        model,
        moves,
        length,
    } = align(&std::fs::read(from.join(manifest::GRAPH))?)
        .map_err(|error| std::io::Error::other(error.chain()))?;
    std::fs::write(to.join(manifest::GRAPH), model)?;
    let mut source = File::open(from.join(manifest::WEIGHTS))?;
    let mut target = File::create_new(to.join(manifest::WEIGHTS))?;
    target.set_len(length)?;
    for Move { from, to } in moves {
        source.seek(SeekFrom::Start(from.start))?;
        target.seek(SeekFrom::Start(to))?;
        let copied = std::io::copy(
            &mut source.by_ref().take(from.end - from.start),
            &mut target,
        )?;
        if copied != from.end - from.start {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(())
}

/// Session options that preparing and running share.
pub(super) fn options(
    runtime: &Runtime,
    threads: usize,
    level: GraphOptimizationLevel,
) -> ort::Result<SessionBuilder> {
    Ok(Session::builder(&runtime.environment)?
        .with_optimization_level(level)?
        .with_intra_threads(threads)?
        .with_inter_threads(1)?
        .with_memory_pattern(false)?
        .with_intra_op_spinning(false)?)
}
