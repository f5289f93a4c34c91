//! The vocabulary of a model, read in a thread of its own: it takes about as long as the weights and
//! needs nothing of them, nor of whatever else the process does meanwhile.

use super::constrain::Compiler;
use super::engine::open_tokenizer;
use super::tokenizer::Tokenizer;
use crate::error::{Error, Result};
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

type Read = Result<(Arc<Tokenizer>, Option<Compiler>)>;

/// A vocabulary that is being read.
#[derive(Debug)]
pub struct Words(Source);

#[derive(Debug)]
enum Source {
    Thread(JoinHandle<Read>),
    /// No thread could be started; read when it is asked for.
    Later(Box<Path>, bool),
}

impl Words {
    /// Begins to read the vocabulary of the model in `dir`, and to index it for grammars if `grammars`.
    pub fn begin(dir: &Path, grammars: bool) -> Self {
        let folder: Box<Path> = dir.into();
        let thread = std::thread::Builder::new().name("vocabulary".into());
        Self(match thread.spawn(move || read(&folder, grammars)) {
            Ok(thread) => Source::Thread(thread),
            Err(_) => Source::Later(dir.into(), grammars),
        })
    }

    /// What was read.
    pub(super) fn finish(self) -> Read {
        match self.0 {
            Source::Thread(thread) => thread
                .join()
                .unwrap_or_else(|_| Err(Error::bug("reading the vocabulary failed"))),
            Source::Later(dir, grammars) => read(&dir, grammars),
        }
    }
}

fn read(dir: &Path, grammars: bool) -> Read {
    let tokenizer = open_tokenizer(dir)?;
    let compiler = grammars.then(|| Compiler::new(&tokenizer)).transpose()?;
    Ok((tokenizer, compiler))
}
