//! Keeping the fixed beginnings of a playbook's prompts for the runs that follow.
//!
//! Zone: 0. A sealed room without a bundle computes them; this writes what it sends beside the model.

use super::session::out_of_turn;
use super::{Request, Watch, unproved};
use crate::error::{Context, Error, ExitCode, Result};
use crate::files;
use crate::model::prefix::{FOLDER, MAX_FILE};
use crate::playbook::Bound;
use crate::room::Worker;
use crate::room::protocol::{Boot, FromWorker, PrefixJob, Progress, ToWorker};
use crate::seal::Zone;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::path::PathBuf;

/// Longest time for this, in seconds.
pub const MAX_SECONDS: u64 = 120;
/// Most files of one playbook.
const MAX_FILES: usize = 32;

/// Computes what `playbook` asks with, whatever the bundle is, and writes it into the model's folder. Where
/// that folder may not be written nothing is done: later runs read the words again.
///
/// # Errors
/// When the room cannot be sealed, or sends something else.
pub async fn keep(request: &Request, playbook: Bound, watch: &mut dyn Watch) -> Result<()> {
    let Some(model) = &request.model else {
        return Ok(());
    };
    if !files::may_write(&model.dir) {
        return Ok(());
    }
    watch.progress(&Progress::Stage("keeping the prompts' fixed words".into()));
    let boot = Boot {
        tree: PathBuf::new(),
        model: Some(model.dir.clone()),
        library: Some(model.library.clone()),
        limits: request.limits.clone(),
        allow_weaker: request.allow_weaker.clone(),
        name: String::new(),
        open_streams: false,
    };
    let mut worker = Worker::spawn(Zone::Room, &boot, None)?;
    match worker.next().await? {
        Some(FromWorker::Sealed(proof)) if proof.holds() => {}
        Some(FromWorker::Sealed(proof)) => return Err(unproved(&proof)),
        _ => return Err(out_of_turn(Zone::Room)),
    }
    let job = PrefixJob {
        playbook,
        threads: request.threads,
    };
    worker.send(&ToWorker::Prefix(Box::new(job))).await?;
    worker.finish_input();
    let mut written = 0;
    while let Some(frame) = worker.next().await? {
        match frame {
            FromWorker::Narrowed(proof) if !proof.holds() => return Err(unproved(&proof)),
            FromWorker::Prefix { name, data } => {
                written += 1;
                if written > MAX_FILES
                    || name.len() != 64
                    || !name.bytes().all(|byte| byte.is_ascii_hexdigit())
                {
                    return Err(Error::bug("a room named a file that it may not"));
                }
                let bytes = STANDARD
                    .decode(data)
                    .ok()
                    .filter(|bytes| bytes.len() <= MAX_FILE + 32)
                    .ok_or_else(|| Error::bug("a room sent what is no beginning of a prompt"))?;
                files::write_shared(&model.dir.join(FOLDER).join(name), &bytes)
                    .or_fail(ExitCode::Usage, "failed to keep the beginning of a prompt")?;
            }
            FromWorker::Narrowed(_) | FromWorker::Progress(_) | FromWorker::Finished { .. } => {}
            _ => return Err(out_of_turn(Zone::Room)),
        }
    }
    worker.end().await
}
