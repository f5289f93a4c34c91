//! The fixed beginnings of a playbook's prompts: which they are, and the worker that computes them.
//!
//! Zone: 2. That worker is a room without a bundle: its seal grants it the model's folder and nothing
//! else, so that what it sends can hold nothing but the playbook's own words.

use super::boot::Out;
use super::chain::fill_prompt;
use super::protocol::{FromWorker, PrefixJob};
use crate::error::{Error, Result};
use crate::limits::Limits;
use crate::model::{Model, RunOptions, Runtime};
use crate::playbook::{Playbook, Step, slots};
use crate::seal::Sealed;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::path::Path;

/// Context that fixed beginnings are computed in, in tokens.
const CONTEXT: u32 = 512;

/// The beginning of each step's prompt that no bundle changes, as the model reads it.
///
/// # Errors
/// When the model's template does not take a prompt.
pub fn beginnings(model: &Model, playbook: &Playbook) -> Result<Vec<Vec<u32>>> {
    let mut all: Vec<Vec<u32>> = Vec::new();
    let parameters = model.facts().parameters;
    for step in &playbook.steps {
        if matches!(step, Step::Rank { min_parameters, .. } if parameters < *min_parameters) {
            continue;
        }
        let (Step::Rank { system, prompt, .. }
        | Step::Draft { system, prompt, .. }
        | Step::Write { system, prompt, .. }) = step
        else {
            continue;
        };
        // What two prompts with different data share; a slot's first character may join a token before it.
        let filled = |data: &str| {
            let values: Vec<(&str, &str)> =
                slots(prompt).into_iter().map(|slot| (slot, data)).collect();
            fill_prompt(model, system, prompt, &values, "").map(|(tokens, _)| tokens)
        };
        let (a, b) = (filled("a")?, filled("0 Z")?);
        let shared = a.iter().zip(&b).take_while(|(a, b)| a == b).count();
        if let Some(kept) = model.prefix(&a[..shared])
            && !all.iter().any(|known| known == kept)
        {
            all.push(kept.to_vec());
        }
    }
    Ok(all)
}

/// The worker: computes each beginning and sends it.
pub fn run(
    job: &PrefixJob,
    runtime: Option<&Runtime>,
    model_dir: Option<&Path>,
    limits: &Limits,
    sealed: &Sealed,
    out: &mut Out,
) -> Result<()> {
    let (Some(runtime), Some(dir)) = (runtime, model_dir) else {
        return Err(Error::bug("no model was given to prepare prompts for"));
    };
    let (playbook, _) = job.playbook.parse()?;
    let options = RunOptions {
        context_tokens: CONTEXT.min(limits.context),
        threads: job.threads,
        seed: 0,
        grammars: false,
    };
    let mut model = Model::open(runtime, dir, &options)?;
    out.send(&FromWorker::Narrowed(Box::new(sealed.narrow()?)))?;
    for tokens in beginnings(&model, &playbook)? {
        let name = model.prefix_name(&tokens);
        let data = STANDARD.encode(model.prefix_file(&tokens)?);
        out.send(&FromWorker::Prefix { name, data })?;
    }
    Ok(())
}
