//! The prepared form of a model: ONNX Runtime's own layout of the weights for one kind of processor.
//!
//! Laying the weights out takes seconds and doubles the memory; done once and saved, loading takes a
//! fraction and most of the memory can be given back by the kernel, for it is a map of a file. The
//! layout depends on processor and library, so each pair has its own folder. Made outside the room.

#![expect(clippy::disallowed_methods, reason = "rewrites files in the store")]

use super::import::Hashing;
use super::manifest::{self, Manifest};
use super::onnx::{Aligned, Move, align};
use super::runtime::Runtime;
use super::steps::Steps;
use super::store::{Pending, file_bytes, hash_file};
use crate::error::{Context, Error, ExitCode, Result};
use crate::files;
use ort::session::Session;
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Name of the file that tells a whole form from a damaged one.
pub(super) const SEAL: &str = "prepared.json";

/// Microseconds that a thread waits busily for its share of the next operator before it sleeps. Between two
/// operators there are fewer; waking a thread takes more, 5 to 12 % of the time of a token.
const SPIN: &str = "50";

/// Tokens whose logits tell whether two forms of a model are the same.
const TRIAL: [u32; 8] = [11, 101, 1009, 7, 53, 499, 2003, 31];

/// The folder of the prepared form for this processor and library; it may not exist.
pub fn folder(runtime: &Runtime, model: &Path) -> PathBuf {
    model.join(manifest::PREPARED).join(&*runtime.layout)
}

/// What a prepared form is, written beside it when it is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seal {
    /// SHA-256 of the library that laid the weights out, hexadecimal.
    pub library_sha256: String,
    /// SHA-256 of the graph, hexadecimal.
    pub graph_sha256: String,
    /// SHA-256 of the weights, hexadecimal.
    pub weights_sha256: String,
    /// Size of the weights in bytes.
    pub weights_bytes: u64,
}

impl Seal {
    fn read(folder: &Path) -> Option<Self> {
        serde_json::from_slice(&std::fs::read(folder.join(SEAL)).ok()?).ok()
    }
    fn write(&self, folder: &Path) -> Result<()> {
        let text = serde_json::to_vec(self).or_fail(ExitCode::Bug, "write JSON")?;
        std::fs::write(folder.join(SEAL), text)
            .or_fail(ExitCode::InputRefused, "write the prepared form")
    }
    /// Whether the folder holds what was made, as far as can be told at once: the graph by its hash, the
    /// weights by their size.
    fn holds(&self, folder: &Path) -> bool {
        file_bytes(&folder.join(manifest::WEIGHTS)) == self.weights_bytes
            && hash_file(&folder.join(manifest::GRAPH), &mut |_, _| {})
                .is_ok_and(|found| found == self.graph_sha256)
    }
}

/// The graph of the prepared form, if it is there and whole.
pub fn graph(runtime: &Runtime, model: &Path) -> Option<PathBuf> {
    let folder = folder(runtime, model);
    Seal::read(&folder)?
        .holds(&folder)
        .then(|| folder.join(manifest::GRAPH))
}

/// Whether a prepared form is whole, as far as can be told at once.
pub fn is_whole(folder: &Path) -> bool {
    Seal::read(folder).is_some_and(|seal| seal.holds(folder))
}

/// Hashes a prepared form again, all of it.
///
/// # Errors
/// Refused when it isn't what was made.
pub fn verify(folder: &Path) -> Result<()> {
    let whole = Seal::read(folder).is_some_and(|seal| {
        seal.holds(folder)
            && hash_file(&folder.join(manifest::WEIGHTS), &mut |_, _| {})
                .is_ok_and(|found| found == seal.weights_sha256)
    });
    if whole {
        Ok(())
    } else {
        Err(Error::refused(format!(
            "the prepared form in {} is not what was made",
            files::shown(folder)
        ))
        .hint("run narrowroom model prune, then import the model again"))
    }
}

/// Makes the prepared form unless it is there. What it computes is compared with the plain form; should
/// they differ, the plain form stays in use.
///
/// # Errors
/// Fails when ONNX Runtime refuses the model or the disk is full.
pub fn ensure(runtime: &Runtime, model: &Path) -> Result<Prepared> {
    let target = folder(runtime, model);
    if graph(runtime, model).is_some() {
        return Ok(Prepared::Ready);
    }
    // Damaged, or made before forms were hashed. Whoever has it open keeps it.
    files::remove_tree(&target);
    let refuse = |cause: ort::Error| {
        Error::refused("prepare the model for this processor")
            .source(cause.to_string())
            .hint("is the disk full?")
    };
    let manifest = Manifest::read(model)?;
    let raw = Pending::inside(&model.join(manifest::PREPARED))?;
    let wanted = lay_out(runtime, model, raw.path())
        .and_then(|plain| trial(plain, &manifest))
        .map_err(refuse)?;
    let pending = Pending::inside(&model.join(manifest::PREPARED))?;
    let seal = align_files(runtime, raw.path(), pending.path())?;
    drop(raw);
    let session = options(runtime, 1, GraphOptimizationLevel::Disable)
        .and_then(|mut builder| builder.commit_from_file(pending.path().join(manifest::GRAPH)));
    let found = session
        .and_then(|session| trial(session, &manifest))
        .map_err(refuse)?;
    let same = wanted.len() == found.len()
        && wanted
            .iter()
            .zip(&found)
            .all(|(wanted, found)| (wanted - found).abs() <= 1e-3);
    if same {
        seal.write(pending.path())?;
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

/// Runs a graph that somebody else wrote, a few tokens at once and in two steps, and settles how its keys and values
/// are kept: as is expected of its operators, or handed from step to step.
///
/// # Errors
/// Refused when it can't run, what it gives isn't one number for each token, or the second step goes on from
/// something else than the first.
pub(super) fn prove(runtime: &Runtime, model: &Path, manifest: &mut Manifest) -> Result<()> {
    let refuse = |cause: String| {
        Error::refused("run the graph")
            .source(cause)
            .hint("is it made for another version of ONNX Runtime, or for a graphics card?")
    };
    let mut failed = String::new();
    let expected = manifest.ready.as_ref().is_some_and(|ready| ready.in_place);
    let ways: &[bool] = if expected { &[true, false] } else { &[false] };
    for in_place in ways.iter().copied() {
        if let Some(ready) = &mut manifest.ready {
            ready.in_place = in_place;
        }
        let session = options(runtime, 1, GraphOptimizationLevel::All)
            .and_then(|mut builder| builder.commit_from_file(model.join(manifest::GRAPH)))
            .map_err(|cause| refuse(cause.to_string()))?;
        match twice(session, manifest) {
            Ok((once, _)) if !are_logits(&once, manifest) => {
                failed = "its logits are not numbers, one for each token".into();
            }
            Ok((once, parted)) if alike(&once, &parted) => return Ok(()),
            Ok(_) => failed = "a second step does not go on where the first ended".into(),
            Err(cause) => failed = cause.to_string(),
        }
    }
    Err(refuse(failed))
}

fn are_logits(logits: &[f32], manifest: &Manifest) -> bool {
    logits.len() == manifest.vocab as usize && logits.iter().all(|logit| logit.is_finite())
}

/// Logits after a few tokens, read at once and in two steps.
fn twice(session: Session, manifest: &Manifest) -> ort::Result<(Vec<f32>, Vec<f32>)> {
    let tokens = TRIAL.map(|token| token % manifest.vocab.max(1));
    let (count, cut) = (tokens.len(), tokens.len() - 3);
    let mut steps = Steps::open(session, manifest, count as u32)?;
    let once = steps.run(&tokens, &[count - 1], count)?;
    steps.run(&tokens[..cut], &[cut - 1], cut)?;
    let parted = steps.run(&tokens[cut..], &[count - cut - 1], count)?;
    Ok((once, parted))
}

/// Whether two rows of logits point the same way; graphs that round by what they read give a little else for other steps.
fn alike(a: &[f32], b: &[f32]) -> bool {
    let dot = |a: &[f32], b: &[f32]| -> f64 {
        let pairs = a.iter().zip(b);
        pairs.map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
    };
    a.len() == b.len() && dot(a, b) > 0.98 * (dot(a, a) * dot(b, b)).sqrt()
}

/// Logits after a few tokens.
fn trial(session: Session, manifest: &Manifest) -> ort::Result<Vec<f32>> {
    let tokens = TRIAL.map(|token| token % manifest.vocab.max(1));
    let count = tokens.len();
    Steps::open(session, manifest, count as u32)?.run(&tokens, &[count - 1], count)
}

/// Copies the prepared form with every tensor on a page boundary.
fn align_files(runtime: &Runtime, from: &Path, to: &Path) -> Result<Seal> {
    let failed = || "align the prepared model";
    let raw =
        std::fs::read(from.join(manifest::GRAPH)).or_fail(ExitCode::InputRefused, failed())?;
    let Aligned {
        model,
        moves,
        length,
    } = align(&raw)?;
    let mut graph = Hashing::create(&to.join(manifest::GRAPH))?;
    graph
        .write_all(&model)
        .or_fail(ExitCode::InputRefused, failed())?;
    let mut source =
        File::open(from.join(manifest::WEIGHTS)).or_fail(ExitCode::InputRefused, failed())?;
    let mut weights = Hashing::create(&to.join(manifest::WEIGHTS))?;
    copy(&mut source, &mut weights, &moves, length)
        .or_fail(ExitCode::InputRefused, failed())
        .map_err(|error| error.hint("is the disk full?"))?;
    Ok(Seal {
        library_sha256: runtime.library_sha256.to_string(),
        graph_sha256: graph.finish()?,
        weights_sha256: weights.finish()?,
        weights_bytes: length,
    })
}

/// Copies runs of bytes to where they belong, in order, with zeros between them.
fn copy(
    source: &mut File,
    target: &mut Hashing,
    moves: &[Move],
    length: u64,
) -> std::io::Result<()> {
    let mut buffer = vec![0; 4 << 20];
    let mut at = 0;
    for Move { from, to } in moves {
        target.write_all(&vec![0; to.saturating_sub(at) as usize])?;
        source.seek(SeekFrom::Start(from.start))?;
        let mut left = from.end - from.start;
        at = to + left;
        while left > 0 {
            let most = left.min(buffer.len() as u64) as usize;
            source.read_exact(&mut buffer[..most])?;
            target.write_all(&buffer[..most])?;
            left -= most as u64;
        }
    }
    target.write_all(&vec![0; length.saturating_sub(at) as usize])
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
        .with_intra_op_spinning(runtime.spins_briefly)?
        .with_config_entry("session.intra_op.spin_duration_us", SPIN)?)
}
