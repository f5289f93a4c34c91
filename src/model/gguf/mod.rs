//! A reader for GGUF model files, versions 2 and 3, that trusts nothing it reads.
//!
//! Format: little-endian header, metadata key/value pairs, tensor directory, padding, tensor data
//! (<https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>). The file is memory-mapped; every
//! length is compared with what is left of the file before anything is allocated for it, every
//! offset with the end of the file, and every sum is checked for overflow.

#![expect(
    clippy::disallowed_methods,
    reason = "maps the model file that the person named"
)]

mod dequant;
mod reader;
mod split;

pub use dequant::{DType, dequantise_row};
use reader::Cursor;
pub use split::{parts, split_name};

use crate::error::{Context, Error, ExitCode, Result};
use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

/// The bytes every GGUF file begins with.
const MAGIC: &[u8; 4] = b"GGUF";
/// Most key/value pairs; real files hold about 30.
const MAX_KEYS: u64 = 4096;
/// Most tensors; a 400-layer model holds about 5,000.
const MAX_TENSORS: u64 = 16_384;
/// Most dimensions of a tensor (the format's own limit).
const MAX_DIMS: u32 = 4;
/// Largest alignment accepted, in bytes; real files use 32.
const MAX_ALIGNMENT: u64 = 1 << 16;

/// A metadata value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Any unsigned integer.
    Uint(u64),
    /// Any signed integer.
    Int(i64),
    /// f32 or f64.
    Float(f64),
    /// A boolean.
    Bool(bool),
    /// UTF-8 text.
    Text(String),
    /// An array of texts.
    Texts(Vec<String>),
    /// An array of any integer type or of booleans.
    Ints(Vec<i64>),
    /// An array of f32 or f64.
    Floats(Vec<f64>),
}

/// A tensor's place and form. Dimensions are in GGUF order: the contiguous one first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorInfo {
    /// The tensor's name, such as `blk.0.attn_q.weight`.
    pub name: String,
    /// Elements per dimension, contiguous dimension first.
    pub dims: Vec<u64>,
    /// How the elements are stored.
    pub dtype: DType,
    /// Which of the model's files holds it.
    part: usize,
    /// First byte, counted from the start of the file.
    start: usize,
    /// Stored length in bytes.
    bytes: usize,
}

impl TensorInfo {
    /// Elements in one row (the contiguous dimension).
    pub fn columns(&self) -> usize {
        self.dims.first().map_or(1, |dim| *dim as usize)
    }
    /// Stored length in bytes.
    pub fn data_size(&self) -> usize {
        self.bytes
    }
    /// Number of rows (the product of the other dimensions).
    pub fn rows(&self) -> usize {
        self.dims.iter().skip(1).product::<u64>() as usize
    }
}

/// An opened GGUF file. `B` is what holds the bytes: a memory map, or a vector in tests.
#[derive(Debug)]
pub struct Gguf<B> {
    /// The file, or the parts of the model in order.
    files: Vec<B>,
    /// Metadata by key.
    pub meta: BTreeMap<String, Value>,
    /// Tensors by name.
    pub tensors: BTreeMap<String, TensorInfo>,
}

impl Gguf<memmap2::Mmap> {
    /// Maps and reads the file at `path`, and the other parts of its model beside it, if there are any.
    ///
    /// # Errors
    /// Refused with [`ExitCode::InputRefused`] when it can't be read or isn't a well-formed GGUF file.
    pub fn open(path: &Path) -> Result<Self> {
        let mut parts = parts(path)?.into_iter();
        let first = parts.next().unwrap_or_else(|| path.to_owned());
        let mut whole = Self::open_one(&first)?;
        for (number, part) in parts.enumerate() {
            whole.join(Self::open_one(&part)?, number + 1)?;
        }
        whole.check_parts()?;
        Ok(whole)
    }
    fn open_one(path: &Path) -> Result<Self> {
        let file =
            File::open(path).or_fail(ExitCode::InputRefused, format!("open {}", path.display()))?;
        // SAFETY: the map is private and read-only. Another process that truncates the file while it
        // is imported can only end this process with SIGBUS; import runs outside the sealed room, and
        // what it wrote until then sits under a temporary name that is never used.
        let map = unsafe { memmap2::Mmap::map(&file) }
            .or_fail(ExitCode::InputRefused, format!("map {}", path.display()))?;
        Self::parse(map).map_err(|error| {
            Error::refused(format!("{} is not a usable GGUF file", path.display())).source(error)
        })
    }
}

impl<B: AsRef<[u8]>> Gguf<B> {
    /// Reads header, metadata and tensor directory.
    ///
    /// # Errors
    /// Refused when anything is out of its bounds.
    pub fn parse(bytes: B) -> Result<Self> {
        let data = bytes.as_ref();
        let mut cursor = Cursor::new(data);
        if cursor.take(4)? != MAGIC {
            return Err(Error::refused("no GGUF magic at its start"));
        }
        let version = cursor.u32()?;
        if !(2..=3).contains(&version) {
            return Err(
                Error::refused(format!("GGUF version {version} is not known"))
                    .hint("versions 2 and 3 are known"),
            );
        }
        let tensor_count = bounded("tensors", cursor.u64()?, MAX_TENSORS)?;
        let key_count = bounded("metadata keys", cursor.u64()?, MAX_KEYS)?;
        let mut meta = BTreeMap::new();
        for _ in 0..key_count {
            let key = cursor.text(256)?;
            let kind = cursor.u32()?;
            let value = cursor.value(kind)?;
            if meta.insert(key.clone(), value).is_some() {
                return Err(Error::refused(format!("metadata key {key:?} occurs twice")));
            }
        }
        let alignment = match meta.get("general.alignment") {
            None => 32,
            Some(Value::Uint(n)) if n.is_power_of_two() && *n <= MAX_ALIGNMENT => *n,
            Some(other) => {
                return Err(Error::refused(format!(
                    "alignment {other:?} is not a power of two up to {MAX_ALIGNMENT}"
                )));
            }
        };
        let mut directory = Vec::new();
        for _ in 0..tensor_count {
            directory.push(entry(&mut cursor)?);
        }
        let start = cursor
            .position()
            .checked_next_multiple_of(alignment as usize)
            .ok_or_else(overflow)?;
        let mut tensors = BTreeMap::new();
        for (name, dims, dtype, offset) in directory {
            if offset % alignment != 0 {
                return Err(Error::refused(format!(
                    "tensor {name:?} is not aligned to {alignment} bytes"
                )));
            }
            let bytes = stored_bytes(&name, &dims, dtype)?;
            let begin = usize::try_from(offset)
                .ok()
                .and_then(|offset| start.checked_add(offset))
                .ok_or_else(overflow)?;
            if begin.checked_add(bytes).is_none_or(|end| end > data.len()) {
                return Err(Error::refused(format!(
                    "tensor {name:?} ends beyond the end of the file"
                ))
                .hint("the file may be truncated; fetch it again"));
            }
            let info = TensorInfo {
                name: name.clone(),
                dims,
                dtype,
                part: 0,
                start: begin,
                bytes,
            };
            if tensors.insert(name.clone(), info).is_some() {
                return Err(Error::refused(format!("tensor {name:?} occurs twice")));
            }
        }
        check_overlaps(&tensors)?;
        Ok(Self {
            files: vec![bytes],
            meta,
            tensors,
        })
    }

    /// The tensor called `name`.
    ///
    /// # Errors
    /// Refused when the file has none of that name.
    pub fn tensor(&self, name: &str) -> Result<&TensorInfo> {
        self.tensors
            .get(name)
            .ok_or_else(|| Error::refused(format!("tensor {name:?} is missing")))
    }
    /// The stored bytes of a tensor of this file.
    pub fn data(&self, tensor: &TensorInfo) -> &[u8] {
        self.files
            .get(tensor.part)
            .map_or(&[][..], |file| file.as_ref())
            .get(tensor.start..tensor.start + tensor.bytes)
            .unwrap_or_default()
    }
    /// Size of the file, or of all parts, in bytes.
    pub fn bytes(&self) -> u64 {
        self.files
            .iter()
            .map(|file| file.as_ref().len() as u64)
            .sum()
    }
    /// The stored bytes of one row of a tensor of this file.
    pub fn row(&self, tensor: &TensorInfo, row: usize) -> &[u8] {
        let bytes = tensor.dtype.bytes(tensor.columns()).unwrap_or_default();
        row.checked_mul(bytes)
            .and_then(|at| self.data(tensor).get(at..at + bytes))
            .unwrap_or_default()
    }
    /// Dequantises one row; `out` must hold [`TensorInfo::columns`] numbers.
    ///
    /// # Errors
    /// Refused when the row lies outside the tensor.
    pub fn read_row(&self, tensor: &TensorInfo, row: usize, out: &mut [f32]) -> Result<()> {
        dequantise_row(tensor.dtype, self.row(tensor, row), out)
    }
    /// Dequantises a whole tensor; meant for small ones (norms, biases).
    ///
    /// # Errors
    /// Refused when it has more than 2^22 elements.
    pub fn read_all(&self, name: &str) -> Result<Vec<f32>> {
        let tensor = self.tensor(name)?;
        let (rows, columns) = (tensor.rows(), tensor.columns());
        if rows.saturating_mul(columns) > 1 << 22 {
            return Err(Error::refused(format!(
                "tensor {name:?} is larger than expected"
            )));
        }
        let mut out = vec![0.0; rows * columns];
        for (row, chunk) in out.chunks_exact_mut(columns.max(1)).enumerate() {
            self.read_row(tensor, row, chunk)?;
        }
        Ok(out)
    }
    /// A text value.
    pub fn text(&self, key: &str) -> Option<&str> {
        match self.meta.get(key) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }
    /// A non-negative integer value.
    pub fn uint(&self, key: &str) -> Option<u64> {
        match self.meta.get(key) {
            Some(Value::Uint(n)) => Some(*n),
            Some(Value::Int(n)) => u64::try_from(*n).ok(),
            _ => None,
        }
    }
    /// A floating-point value.
    pub fn float(&self, key: &str) -> Option<f64> {
        match self.meta.get(key) {
            Some(Value::Float(x)) => Some(*x),
            _ => None,
        }
    }
}

type Entry = (String, Vec<u64>, DType, u64);

fn entry(cursor: &mut Cursor<'_>) -> Result<Entry> {
    let name = cursor.text(256)?;
    let count = cursor.u32()?;
    if count == 0 || count > MAX_DIMS {
        return Err(Error::refused(format!(
            "tensor {name:?} has {count} dimensions"
        )));
    }
    let mut dims = Vec::with_capacity(count as usize);
    for _ in 0..count {
        dims.push(cursor.u64()?);
    }
    let code = cursor.u32()?;
    let dtype = DType::from_code(code)
        .map_err(|error| Error::refused(format!("tensor {name:?} can't be read")).source(error))?;
    Ok((name, dims, dtype, cursor.u64()?))
}

fn stored_bytes(name: &str, dims: &[u64], dtype: DType) -> Result<usize> {
    let columns = dims
        .first()
        .and_then(|dim| usize::try_from(*dim).ok())
        .ok_or_else(overflow)?;
    let row = dtype.bytes(columns).ok_or_else(|| {
        Error::refused(format!(
            "tensor {name:?}: {columns} columns don't fill whole blocks of {}",
            dtype.name()
        ))
    })?;
    let mut total = row;
    for dim in dims.iter().skip(1) {
        total = usize::try_from(*dim)
            .ok()
            .and_then(|dim| total.checked_mul(dim))
            .ok_or_else(overflow)?;
    }
    if dims.contains(&0) {
        return Err(Error::refused(format!("tensor {name:?} is empty")));
    }
    Ok(total)
}

fn check_overlaps(tensors: &BTreeMap<String, TensorInfo>) -> Result<()> {
    let mut spans: Vec<_> = tensors
        .values()
        .map(|tensor| (tensor.start, tensor.start + tensor.bytes, &tensor.name))
        .collect();
    spans.sort_unstable();
    match spans.windows(2).find(|pair| pair[1].0 < pair[0].1) {
        Some(pair) => Err(Error::refused(format!(
            "tensors {:?} and {:?} overlap",
            pair[0].2, pair[1].2
        ))),
        None => Ok(()),
    }
}

fn bounded(what: &str, count: u64, most: u64) -> Result<u64> {
    if count > most {
        Err(Error::refused(format!(
            "{count} {what} are more than the limit of {most}"
        )))
    } else {
        Ok(count)
    }
}

fn overflow() -> Error {
    Error::refused("a size or offset overflows")
}

#[cfg(test)]
mod tests;
