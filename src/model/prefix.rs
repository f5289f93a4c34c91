//! Keys and values of fixed prompt beginnings, computed once and read by later rooms.
//!
//! A file holds what the model makes of a playbook's own words and of nothing else: it is computed by a
//! process that was never given a bundle. Its name is a hash of everything that decides its bytes (the
//! tokens, the weights, the library, the processor, the threads), and its last 32 bytes are the hash of
//! the rest, so that a file which does not fit is not used.
//!
//! Format: `f32`, little endian, by layer, then key and value, head, token and element; then SHA-256.

#![expect(
    clippy::disallowed_methods,
    reason = "the room reads a model's folder by path, under the seal"
)]

use super::engine::{CHUNK, Model};
use crate::error::{Error, Result};
use sha2::{Digest, Sha256};
use std::io::Read;
use std::path::Path;

/// Folder of these files in a model's folder.
pub const FOLDER: &str = "prefix";
/// Largest file, in bytes: a longer beginning is kept as far as it fits.
pub const MAX_FILE: usize = 8 << 20;
/// A shorter beginning is not worth a file.
const MIN_TOKENS: usize = 8;

/// A beginning that was read from its file.
pub(super) struct Prefix {
    tokens: Vec<u32>,
    numbers: Vec<f32>,
}

impl Model {
    /// As much of a beginning as a file holds; `None` when that is not worth one.
    pub fn prefix<'a>(&self, tokens: &'a [u32]) -> Option<&'a [u32]> {
        // One step computes it, of more than one token: what a prompt of the same tokens would compute.
        let most = CHUNK
            .min(self.context())
            .min(MAX_FILE / (self.steps.values().per_token().max(1) * 4));
        let kept = &tokens[..tokens.len().min(most)];
        (kept.len() >= MIN_TOKENS).then_some(kept)
    }

    /// Name of a beginning's file.
    pub fn prefix_name(&self, tokens: &[u32]) -> String {
        let mut hash = Sha256::new_with_prefix(&self.identity);
        for token in tokens {
            hash.update(token.to_le_bytes());
        }
        hex::encode(hash.finalize())
    }

    /// Computes a beginning and gives its file.
    ///
    /// # Errors
    /// Whatever keeps the model from running.
    pub fn prefix_file(&mut self, tokens: &[u32]) -> Result<Vec<u8>> {
        if tokens.is_empty() || tokens.len() > CHUNK {
            return Err(Error::bug("a fixed beginning is too long"));
        }
        self.roll_back(0);
        self.step(tokens, &[tokens.len() - 1])?;
        self.reusable = tokens.len();
        let numbers = self.steps.values().first(tokens.len());
        let mut bytes: Vec<u8> = numbers.iter().flat_map(|n| n.to_le_bytes()).collect();
        let digest = Sha256::digest(&bytes);
        bytes.extend(digest);
        Ok(bytes)
    }

    /// Reads the files of these beginnings from the model's folder, to be used from now on. Gives the
    /// number of those that are not there or do not fit.
    pub fn read_prefixes(&mut self, dir: &Path, beginnings: &[Vec<u32>]) -> usize {
        let mut missing = 0;
        for tokens in beginnings {
            let path = dir.join(FOLDER).join(self.prefix_name(tokens));
            let size = self.steps.values().per_token() * tokens.len() * 4;
            match read(&path, size) {
                Some(numbers) => self.prefixes.push(Prefix {
                    tokens: tokens.clone(),
                    numbers,
                }),
                None => missing += 1,
            }
        }
        missing
    }

    /// Puts the longest beginning of `prompt` in place that is known and saves more than the `shared`
    /// tokens that are there already. Gives how many tokens are there then.
    pub(super) fn recall(&mut self, prompt: &[u32], shared: usize) -> usize {
        let best = self
            .prefixes
            .iter()
            .filter(|prefix| prefix.tokens.len() > shared && prompt.starts_with(&prefix.tokens))
            .max_by_key(|prefix| prefix.tokens.len());
        let Some(best) = best else { return shared };
        if self
            .steps
            .put_values(best.tokens.len(), &best.numbers)
            .is_err()
        {
            return shared;
        }
        self.cached.clone_from(&best.tokens);
        self.reusable = best.tokens.len();
        self.reusable
    }
}

/// The numbers of a file of `size` bytes and its hash; `None` when it is anything else.
fn read(path: &Path, size: usize) -> Option<Vec<f32>> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .ok()?
        .take(size as u64 + 33)
        .read_to_end(&mut bytes)
        .ok()?;
    let (body, digest) = bytes.split_at_checked(size)?;
    if digest != Sha256::digest(body).as_slice() {
        return None;
    }
    Some(
        body.as_chunks::<4>()
            .0
            .iter()
            .map(|four| f32::from_le_bytes(*four))
            .collect(),
    )
}

#[cfg(test)]
#[path = "prefix_tests.rs"]
mod tests;
