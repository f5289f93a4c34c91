//! The eight functions that are the guest's whole world, on the host's side.
//!
//! Every pointer and length that comes from the guest is checked against its linear memory; a
//! failure here stops the guest at once and is kept as the reason.

use super::abi::{Kind, Note, Skip};
use super::engine::GUEST_MEMORY_BYTES;
use super::limits::UnpackLimits;
use super::sink::Sink;
use super::{UnpackProgress, drain, refusal};
use crate::error::{Error, Result};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileExt;
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
    input: Option<Input>,
    sink: Option<Sink>,
    hash: Sha256,
    /// Bytes of the bundle itself that were read; those of archives inside it do not count.
    bytes_in: u64,
    /// Size of the bundle, once it is read out of order and so not counted as it is read.
    bundle_bytes: u64,
}

/// What the guest reads.
struct Input {
    file: File,
    /// Size, when it can be read at any place.
    bytes: Option<u64>,
    /// Bytes that may still be read out of order.
    at_will: u64,
    /// Whether it is the bundle itself, and not an archive inside it.
    outer: bool,
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
            input: None,
            sink: None,
            hash: Sha256::new(),
            bytes_in: 0,
            bundle_bytes: 0,
        }
    }

    /// Gives the guest an input; `outer` for the bundle itself.
    pub fn start(&mut self, file: File, outer: bool) {
        let bytes = file
            .metadata()
            .ok()
            .filter(std::fs::Metadata::is_file)
            .map(|meta| meta.len());
        // A directory is read twice and each file once; what reads more goes in circles.
        let at_will = bytes.unwrap_or(0).saturating_mul(4).saturating_add(1 << 20);
        self.input = Some(Input {
            file,
            bytes,
            at_will,
            outer,
        });
    }

    /// Gives the guest its output.
    pub fn give(&mut self, sink: Sink) {
        self.sink = Some(sink);
    }

    /// Takes the output back.
    pub fn take(&mut self) -> Option<Sink> {
        self.sink.take()
    }

    /// How far it is.
    pub fn progress(&self) -> UnpackProgress {
        let (files, bytes_out) = self
            .sink
            .as_ref()
            .map_or((0, 0), |sink| (sink.files, sink.bytes));
        UnpackProgress {
            files,
            bytes_in: self.bytes_in,
            bytes_out,
        }
    }

    /// Reads the bundle to its end; its hash and size.
    ///
    /// # Errors
    /// Reading failed, or far too much follows the archive.
    pub fn end_input(&mut self) -> Result<(String, u64)> {
        let mut input = self
            .input
            .take()
            .ok_or_else(|| refusal::broken_contract("it ended before it began"))?;
        self.bytes_in += drain(&mut input.file, &mut self.hash, self.limits.total_bytes)?;
        Ok((hex::encode(self.hash.finalize_reset()), self.bytes_in))
    }

    /// Takes content in, and holds the ratio whatever the guest found about it.
    fn data(&mut self, bytes: &[u8]) -> Result<()> {
        let (bytes_in, limits) = (self.bytes_in.max(self.bundle_bytes), self.limits);
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

    /// The output.
    ///
    /// # Errors
    /// When there is none.
    pub fn sink(&mut self) -> Result<&mut Sink> {
        self.sink
            .as_mut()
            .ok_or_else(|| refusal::broken_contract("it spoke before it was asked"))
    }

    fn input(&mut self) -> Result<&mut Input> {
        self.input
            .as_mut()
            .ok_or_else(|| refusal::broken_contract("it read before it was asked"))
    }

    /// Fills `to` with input.
    fn read(&mut self, to: &mut [u8]) -> Result<usize> {
        let input = self.input()?;
        let read = retried(|| input.file.read(to))?;
        if input.outer {
            self.hash.update(&to[..read]);
            self.bytes_in += read as u64;
        }
        Ok(read)
    }

    /// Fills `to` with input from `offset` on; the place that [`Self::read`] is at does not move.
    fn read_at(&mut self, to: &mut [u8], offset: u64) -> Result<usize> {
        let input = self.input()?;
        let Some(bytes) = input.bytes else {
            return Err(refusal::broken_contract("it went back in a pipe"));
        };
        input.at_will = input
            .at_will
            .checked_sub(to.len() as u64)
            .ok_or_else(|| refusal::broken_contract("it reads the archive over and over"))?;
        let read = retried(|| input.file.read_at(to, offset))?;
        if input.outer {
            self.bundle_bytes = bytes;
        }
        Ok(read)
    }
}

fn retried(mut read: impl FnMut() -> std::io::Result<usize>) -> Result<usize> {
    loop {
        match read() {
            Ok(read) => return Ok(read),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(refusal::read_failed(error)),
        }
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
            grant(&mut caller, read)?;
            Ok(read as u32)
        },
    )?;
    linker.func_wrap(
        MODULE,
        "read_at",
        |mut caller: Caller<'_, State>,
         at: u32,
         length: u32,
         offset: u64|
         -> wasmtime::Result<u32> {
            let read = with(&mut caller, |memory, state| {
                state.read_at(slice(memory, at, length)?, offset)
            })?;
            grant(&mut caller, read)?;
            Ok(read as u32)
        },
    )?;
    linker.func_wrap(
        MODULE,
        "input_bytes",
        |mut caller: Caller<'_, State>| -> wasmtime::Result<u64> {
            with(&mut caller, |_, state| {
                Ok(state.input()?.bytes.unwrap_or(u64::MAX))
            })
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

/// Adds the fuel that `read` bytes of input are worth.
fn grant(caller: &mut Caller<'_, State>, read: usize) -> wasmtime::Result<()> {
    let worth = (read as u64).saturating_mul(caller.data().limits.fuel_per_byte);
    let fuel = caller.get_fuel()?.saturating_add(worth);
    caller.set_fuel(fuel)
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
