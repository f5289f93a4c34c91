//! The storage types of GGUF tensors and how each block becomes f32.
//!
//! A block is a fixed number of elements with shared scales; layouts after the definitions in ggml
//! (<https://github.com/ggml-org/ggml/blob/master/src/ggml-common.h>).

use crate::error::{Error, Result};

/// Elements in a super-block of the K types.
const QK: usize = 256;

/// How a tensor's elements are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the format's own")]
pub enum DType {
    F32,
    F16,
    BF16,
    Q4_0,
    Q4_1,
    Q5_0,
    Q5_1,
    Q8_0,
    Q2K,
    Q3K,
    Q4K,
    Q5K,
    Q6K,
    IQ4NL,
    IQ4XS,
}

impl DType {
    /// The type with the given code in a tensor directory.
    ///
    /// # Errors
    /// Refused, by name where the name is known, when it can't be read here.
    pub fn from_code(code: u32) -> Result<Self> {
        Ok(match code {
            0 => Self::F32,
            1 => Self::F16,
            2 => Self::Q4_0,
            3 => Self::Q4_1,
            6 => Self::Q5_0,
            7 => Self::Q5_1,
            8 => Self::Q8_0,
            10 => Self::Q2K,
            11 => Self::Q3K,
            12 => Self::Q4K,
            13 => Self::Q5K,
            14 => Self::Q6K,
            20 => Self::IQ4NL,
            23 => Self::IQ4XS,
            30 => Self::BF16,
            other => {
                return Err(Error::refused(format!("storage type {} is not supported", foreign_name(other)))
                    .hint("use a file in F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q2_K, Q3_K, Q4_K, Q5_K, Q6_K, IQ4_NL or IQ4_XS"));
            }
        })
    }
    /// The format's name of the type.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "F32",
            Self::F16 => "F16",
            Self::BF16 => "BF16",
            Self::Q4_0 => "Q4_0",
            Self::Q4_1 => "Q4_1",
            Self::Q5_0 => "Q5_0",
            Self::Q5_1 => "Q5_1",
            Self::Q8_0 => "Q8_0",
            Self::Q2K => "Q2_K",
            Self::Q3K => "Q3_K",
            Self::Q4K => "Q4_K",
            Self::Q5K => "Q5_K",
            Self::Q6K => "Q6_K",
            Self::IQ4NL => "IQ4_NL",
            Self::IQ4XS => "IQ4_XS",
        }
    }
    /// Elements and bytes of one block.
    fn block(self) -> (usize, usize) {
        match self {
            Self::F32 => (1, 4),
            Self::F16 | Self::BF16 => (1, 2),
            Self::Q4_0 => (32, 18),
            Self::Q4_1 => (32, 20),
            Self::Q5_0 => (32, 22),
            Self::Q5_1 => (32, 24),
            Self::Q8_0 => (32, 34),
            Self::Q2K => (QK, 84),
            Self::Q3K => (QK, 110),
            Self::Q4K => (QK, 144),
            Self::Q5K => (QK, 176),
            Self::Q6K => (QK, 210),
            Self::IQ4NL => (32, 18),
            Self::IQ4XS => (QK, 136),
        }
    }
    /// Stored bytes of `elements` elements; none when they don't fill whole blocks or overflow.
    pub fn bytes(self, elements: usize) -> Option<usize> {
        let (per_block, bytes) = self.block();
        if elements.is_multiple_of(per_block) {
            (elements / per_block).checked_mul(bytes)
        } else {
            None
        }
    }
}

/// Names of the types that exist in the format and are not read here.
fn foreign_name(code: u32) -> String {
    let name = match code {
        9 => "Q8_1",
        15 => "Q8_K",
        16..=19 | 21 | 22 | 29 => "IQ (importance-matrix quantisation)",
        24..=28 => "integer or F64",
        34 | 35 => "TQ (ternary)",
        39 => "MXFP4",
        _ => return format!("number {code}"),
    };
    format!("{name}, number {code},")
}

/// Turns the stored bytes of one row into f32.
///
/// # Errors
/// Refused when `data` isn't exactly the stored form of `out.len()` elements.
pub fn dequantise_row(dtype: DType, data: &[u8], out: &mut [f32]) -> Result<()> {
    if dtype.bytes(out.len()) != Some(data.len()) {
        return Err(Error::refused(format!(
            "{} bytes are not {} elements of {}",
            data.len(),
            out.len(),
            dtype.name()
        )));
    }
    let (elements, bytes) = dtype.block();
    let one: fn(&[u8], &mut [f32]) = match dtype {
        DType::F32 => |b, y| y[0] = f32::from_le_bytes([b[0], b[1], b[2], b[3]]),
        DType::F16 => |b, y| y[0] = half(b, 0),
        DType::BF16 => {
            |b, y| y[0] = f32::from_bits(u32::from(u16::from_le_bytes([b[0], b[1]])) << 16)
        }
        DType::Q4_0 => q4_0,
        DType::Q4_1 => q4_1,
        DType::Q5_0 => q5_0,
        DType::Q5_1 => q5_1,
        DType::Q8_0 => |b, y| {
            let d = half(b, 0);
            y.iter_mut()
                .zip(&b[2..])
                .for_each(|(y, q)| *y = d * f32::from(*q as i8));
        },
        DType::Q2K => q2_k,
        DType::Q3K => q3_k,
        DType::Q4K => q4_k,
        DType::Q5K => q5_k,
        DType::Q6K => q6_k,
        DType::IQ4NL => iq4_nl,
        DType::IQ4XS => iq4_xs,
    };
    for (block, values) in data.chunks_exact(bytes).zip(out.chunks_exact_mut(elements)) {
        one(block, values);
    }
    Ok(())
}

/// The IEEE half-precision number at byte `at`.
fn half(bytes: &[u8], at: usize) -> f32 {
    let bits = u16::from_le_bytes([bytes[at], bytes[at + 1]]);
    let sign = u32::from(bits & 0x8000) << 16;
    let exponent = u32::from(bits >> 10) & 0x1f;
    let fraction = u32::from(bits & 0x3ff);
    match exponent {
        0 => {
            let magnitude = fraction as f32 * (1.0 / 16_777_216.0); // 2^-24
            f32::from_bits(magnitude.to_bits() | sign)
        }
        31 => f32::from_bits(sign | 0x7f80_0000 | (fraction << 13)),
        _ => f32::from_bits(sign | ((exponent + 112) << 23) | (fraction << 13)),
    }
}

fn q4_0(b: &[u8], y: &mut [f32]) {
    let d = half(b, 0);
    for (j, q) in b[2..].iter().enumerate() {
        y[j] = d * (f32::from(q & 15) - 8.0);
        y[j + 16] = d * (f32::from(q >> 4) - 8.0);
    }
}

fn q4_1(b: &[u8], y: &mut [f32]) {
    let (d, m) = (half(b, 0), half(b, 2));
    for (j, q) in b[4..].iter().enumerate() {
        y[j] = d * f32::from(q & 15) + m;
        y[j + 16] = d * f32::from(q >> 4) + m;
    }
}

/// The fifth bits of a Q5_0 or Q5_1 block: bit `j` belongs to element `j`.
fn fifth(high: u32, j: usize) -> f32 {
    if high >> j & 1 == 1 { 16.0 } else { 0.0 }
}

fn q5_0(b: &[u8], y: &mut [f32]) {
    let d = half(b, 0);
    let high = u32::from_le_bytes([b[2], b[3], b[4], b[5]]);
    for (j, q) in b[6..].iter().enumerate() {
        y[j] = d * (f32::from(q & 15) + fifth(high, j) - 16.0);
        y[j + 16] = d * (f32::from(q >> 4) + fifth(high, j + 16) - 16.0);
    }
}

fn q5_1(b: &[u8], y: &mut [f32]) {
    let (d, m) = (half(b, 0), half(b, 2));
    let high = u32::from_le_bytes([b[4], b[5], b[6], b[7]]);
    for (j, q) in b[8..].iter().enumerate() {
        y[j] = d * (f32::from(q & 15) + fifth(high, j)) + m;
        y[j + 16] = d * (f32::from(q >> 4) + fifth(high, j + 16)) + m;
    }
}

/// The 6-bit scale and minimum of sub-block `j` of Q4_K and Q5_K, packed in 12 bytes.
fn scale_min(packed: &[u8], j: usize) -> (f32, f32) {
    let (scale, min) = if j < 4 {
        (packed[j] & 63, packed[j + 4] & 63)
    } else {
        (
            (packed[j + 4] & 15) | (packed[j - 4] >> 6) << 4,
            (packed[j + 4] >> 4) | (packed[j] >> 6) << 4,
        )
    };
    (f32::from(scale), f32::from(min))
}

fn q4_k(b: &[u8], y: &mut [f32]) {
    let (d, dmin) = (half(b, 0), half(b, 2));
    let (scales, codes) = (&b[4..16], &b[16..144]);
    for (pair, (q, y)) in codes
        .chunks_exact(32)
        .zip(y.chunks_exact_mut(64))
        .enumerate()
    {
        let (s0, m0) = scale_min(scales, 2 * pair);
        let (s1, m1) = scale_min(scales, 2 * pair + 1);
        for l in 0..32 {
            y[l] = d * s0 * f32::from(q[l] & 15) - dmin * m0;
            y[l + 32] = d * s1 * f32::from(q[l] >> 4) - dmin * m1;
        }
    }
}

fn q5_k(b: &[u8], y: &mut [f32]) {
    let (d, dmin) = (half(b, 0), half(b, 2));
    let (scales, high, codes) = (&b[4..16], &b[16..48], &b[48..176]);
    for (pair, (q, y)) in codes
        .chunks_exact(32)
        .zip(y.chunks_exact_mut(64))
        .enumerate()
    {
        let (s0, m0) = scale_min(scales, 2 * pair);
        let (s1, m1) = scale_min(scales, 2 * pair + 1);
        for l in 0..32 {
            let bit0 = f32::from(high[l] >> (2 * pair) & 1) * 16.0;
            let bit1 = f32::from(high[l] >> (2 * pair + 1) & 1) * 16.0;
            y[l] = d * s0 * (f32::from(q[l] & 15) + bit0) - dmin * m0;
            y[l + 32] = d * s1 * (f32::from(q[l] >> 4) + bit1) - dmin * m1;
        }
    }
}

fn q6_k(b: &[u8], y: &mut [f32]) {
    let (low, high, scales) = (&b[..128], &b[128..192], &b[192..208]);
    let d = half(b, 208);
    for n in 0..2 {
        let (low, high, scales, y) = (
            &low[64 * n..],
            &high[32 * n..],
            &scales[8 * n..],
            &mut y[128 * n..],
        );
        for l in 0..32 {
            let s = |group: usize| d * f32::from(scales[l / 16 + 2 * group] as i8);
            let bits = |group: usize| (high[l] >> (2 * group) & 3) << 4;
            y[l] = s(0) * (f32::from((low[l] & 15) | bits(0)) - 32.0);
            y[l + 32] = s(1) * (f32::from((low[l + 32] & 15) | bits(1)) - 32.0);
            y[l + 64] = s(2) * (f32::from((low[l] >> 4) | bits(2)) - 32.0);
            y[l + 96] = s(3) * (f32::from((low[l + 32] >> 4) | bits(3)) - 32.0);
        }
    }
}

/// The levels of the IQ4 types, finer around zero.
const IQ4_LEVELS: [f32; 16] = [
    -127.0, -104.0, -83.0, -65.0, -49.0, -35.0, -22.0, -10.0, 1.0, 13.0, 25.0, 38.0, 53.0, 69.0,
    89.0, 113.0,
];

fn iq4_nl(b: &[u8], y: &mut [f32]) {
    let d = half(b, 0);
    for (j, q) in b[2..].iter().enumerate() {
        y[j] = d * IQ4_LEVELS[usize::from(q & 15)];
        y[j + 16] = d * IQ4_LEVELS[usize::from(q >> 4)];
    }
}

fn iq4_xs(b: &[u8], y: &mut [f32]) {
    let d = half(b, 0);
    let (high, low, codes) = (u16::from_le_bytes([b[2], b[3]]), &b[4..8], &b[8..136]);
    let blocks = codes.chunks_exact(16).zip(y.chunks_exact_mut(32));
    for (i, (q, y)) in blocks.enumerate() {
        let scale = (low[i / 2] >> (4 * (i % 2)) & 15) | ((high >> (2 * i) & 3) as u8) << 4;
        let d = d * (f32::from(scale) - 32.0);
        for (j, q) in q.iter().enumerate() {
            y[j] = d * IQ4_LEVELS[usize::from(q & 15)];
            y[j + 16] = d * IQ4_LEVELS[usize::from(q >> 4)];
        }
    }
}

fn q2_k(b: &[u8], y: &mut [f32]) {
    let (scales, codes) = (&b[..16], &b[16..80]);
    let (d, dmin) = (half(b, 80), half(b, 82));
    for (i, y) in y.iter_mut().enumerate() {
        let (n, j, l) = (i / 128, i / 32 % 4, i % 32);
        let scale = scales[i / 16];
        let code = codes[32 * n + l] >> (2 * j) & 3;
        *y = d * f32::from(scale & 15) * f32::from(code) - dmin * f32::from(scale >> 4);
    }
}

fn q3_k(b: &[u8], y: &mut [f32]) {
    let (mask, codes, scales) = (&b[..32], &b[32..96], &b[96..108]);
    let d = half(b, 108);
    for (i, y) in y.iter_mut().enumerate() {
        let (n, j, l, g) = (i / 128, i / 32 % 4, i % 32, i / 16);
        let low = if g < 8 {
            scales[g] & 15
        } else {
            scales[g - 8] >> 4
        };
        let scale = f32::from(low | (scales[8 + g % 4] >> (2 * (g / 4)) & 3) << 4) - 32.0;
        let missing = if mask[l] >> (4 * n + j) & 1 == 1 {
            0.0
        } else {
            4.0
        };
        *y = d * scale * (f32::from(codes[32 * n + l] >> (2 * j) & 3) - missing);
    }
}
