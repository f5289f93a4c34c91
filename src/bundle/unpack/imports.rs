//! The six functions that are the guest's whole world, on the host's side.
//!
//! Every pointer and length that comes from the guest is checked against its linear memory; a
//! failure here stops the guest at once and is kept as the reason.

use super::abi::{Kind, Note, Skip};
use super::engine::GUEST_MEMORY_BYTES;
use super::limits::UnpackLimits;
use super::sink::Sink;
use super::{UnpackProgress, Unpacked, drain, refusal};
use crate::error::{Error, Result};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::Read;
use wasmtime::{Caller, Extern, Linker, StoreLimits, StoreLimitsBuilder, Trap};

/// Name of the module that the guest imports from.
pub const MODULE: &str = "narrowroom";

/// What each call of the guest costs it in fuel, about the host's own work for one: a guest cannot
/// keep the host busy for less than it would have to do itself.
pub const CALL_FUEL: u64 = 5_000;

/// What the host keeps for the guest.
pub struct State {
    /// Caps on memory and tables.
    pub store_limits: StoreLimits,
    /// Why the host stopped the guest.
    pub failure: Option<Error>,
    limits: UnpackLimits,
    work: Option<(File, Sink)>,
    hash: Sha256,
    bytes_in: u64,
}

impl State {
    /// A state with nothing to read yet.
    pub fn new(limits: UnpackLimits) -> Self {
        let store_limits = StoreLimitsBuilder::new()
            .memory_size(usize::try_from(GUEST_MEMORY_BYTES).unwrap_or(usize::MAX))
            .table_elements(10_000)
            .instances(1)
            .memories(1)
            .tables(1)
            .build();
        Self {
            store_limits,
            failure: None,
            limits,
            work: None,
            hash: Sha256::new(),
            bytes_in: 0,
        }
    }

    /// Gives the guest its input and its output.
    pub fn start(&mut self, input: File, sink: Sink) {
        self.work = Some((input, sink));
    }

    /// How far it is.
    pub fn progress(&self) -> UnpackProgress {
        let (files, bytes_out) = self
            .work
            .as_ref()
            .map_or((0, 0), |(_, sink)| (sink.files, sink.bytes));
        UnpackProgress {
            files,
            bytes_in: self.bytes_in,
            bytes_out,
        }
    }

    /// Reads the input to its end and makes the index.
    ///
    /// # Errors
    /// Reading failed, or the archive held no file.
    pub fn finish(mut self) -> Result<Unpacked> {
        let (mut input, sink) = self
            .work
            .take()
            .ok_or_else(|| refusal::broken_contract("it ended before it began"))?;
        let rest = drain(&mut input, &mut self.hash, self.limits.total_bytes)?;
        let index = sink.finish()?;
        Ok(Unpacked {
            index,
            archive_sha256: hex::encode(self.hash.finalize()),
            archive_bytes: self.bytes_in + rest,
        })
    }

    /// Takes content in, and holds the ratio whatever the guest found about it.
    fn data(&mut self, bytes: &[u8]) -> Result<()> {
        let (bytes_in, limits) = (self.bytes_in, self.limits);
        let sink = self.sink()?;
        sink.data(bytes)?;
        if sink.bytes
            > limits
                .ratio_free_bytes
                .saturating_add(bytes_in.saturating_mul(limits.ratio))
        {
            return Err(refusal::ratio(limits.ratio));
        }
        Ok(())
    }

    fn sink(&mut self) -> Result<&mut Sink> {
        self.work
            .as_mut()
            .map(|(_, sink)| sink)
            .ok_or_else(|| refusal::broken_contract("it spoke before it was asked"))
    }

    /// Fills `to` with input.
    fn read(&mut self, to: &mut [u8]) -> Result<usize> {
        let (input, _) = self
            .work
            .as_mut()
            .ok_or_else(|| refusal::broken_contract("it read before it was asked"))?;
        let read = loop {
            match input.read(to) {
                Ok(read) => break read,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(refusal::read_failed(error)),
            }
        };
        self.hash.update(&to[..read]);
        self.bytes_in += read as u64;
        Ok(read)
    }
}

/// Adds the imports to `linker`.
///
/// # Errors
/// Only when a name is defined twice.
pub fn add(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.func_wrap(
        MODULE,
        "read",
        |mut caller: Caller<'_, State>, at: u32, length: u32| -> wasmtime::Result<u32> {
            let read = with(&mut caller, |memory, state| {
                state.read(slice(memory, at, length)?)
            })?;
            let fuel = caller
                .get_fuel()?
                .saturating_add((read as u64).saturating_mul(caller.data().limits.fuel_per_byte));
            caller.set_fuel(fuel)?;
            Ok(read as u32)
        },
    )?;
    linker.func_wrap(
        MODULE,
        "begin",
        |mut caller: Caller<'_, State>,
         kind: u32,
         name: u32,
         name_length: u32,
         link: u32,
         link_length: u32,
         bytes: u64|
         -> wasmtime::Result<u32> {
            with(&mut caller, |memory, state| {
                let kind = Kind::from_code(kind)
                    .ok_or_else(|| refusal::broken_contract("an entry of unknown kind"))?;
                let memory = &*memory;
                let (name, link) = (
                    shared(memory, name, name_length)?,
                    shared(memory, link, link_length)?,
                );
                state.sink()?.begin(kind, name, link, bytes).map(u32::from)
            })
        },
    )?;
    linker.func_wrap(
        MODULE,
        "data",
        |mut caller: Caller<'_, State>, at: u32, length: u32| -> wasmtime::Result<()> {
            with(&mut caller, |memory, state| {
                state.data(shared(memory, at, length)?)
            })
        },
    )?;
    linker.func_wrap(
        MODULE,
        "end",
        |mut caller: Caller<'_, State>| -> wasmtime::Result<()> {
            with(&mut caller, |_, state| state.sink()?.end())
        },
    )?;
    linker.func_wrap(
        MODULE,
        "skip",
        |mut caller: Caller<'_, State>,
         reason: u32,
         name: u32,
         length: u32|
         -> wasmtime::Result<()> {
            with(&mut caller, |memory, state| {
                let reason = Skip::from_code(reason)
                    .ok_or_else(|| refusal::broken_contract("an unknown reason"))?;
                state.sink()?.skip(reason, shared(memory, name, length)?)
            })
        },
    )?;
    linker.func_wrap(
        MODULE,
        "note",
        |mut caller: Caller<'_, State>, what: u32, bytes: u64| -> wasmtime::Result<()> {
            with(&mut caller, |_, state| {
                let note = Note::from_code(what)
                    .ok_or_else(|| refusal::broken_contract("an unknown note"))?;
                state.sink()?.note(note, bytes);
                Ok(())
            })
        },
    )?;
    Ok(())
}

/// Runs `act` with the guest's memory and the host's state; its error is kept and stops the guest.
fn with<T>(
    caller: &mut Caller<'_, State>,
    act: impl FnOnce(&mut [u8], &mut State) -> Result<T>,
) -> wasmtime::Result<T> {
    let fuel = caller
        .get_fuel()?
        .checked_sub(CALL_FUEL)
        .ok_or(Trap::OutOfFuel)?;
    caller.set_fuel(fuel)?;
    let Some(Extern::Memory(memory)) = caller.get_export("memory") else {
        wasmtime::bail!("the guest has no memory");
    };
    let (memory, state) = memory.data_and_store_mut(caller);
    act(memory, state).map_err(|error| {
        state.failure = Some(error);
        wasmtime::format_err!("stopped by the host")
    })
}

fn slice(memory: &mut [u8], at: u32, length: u32) -> Result<&mut [u8]> {
    let at = at as usize;
    memory
        .get_mut(at..at + length as usize)
        .ok_or_else(|| refusal::broken_contract("it pointed outside its memory"))
}

fn shared(memory: &[u8], at: u32, length: u32) -> Result<&[u8]> {
    let at = at as usize;
    memory
        .get(at..at + length as usize)
        .ok_or_else(|| refusal::broken_contract("it pointed outside its memory"))
}
