//! Weights as ONNX Runtime's 8-bit blocks: symmetric, one f32 scale a block, 128 stands for zero.

use crate::error::{Error, Result};
use crate::model::gguf::{Gguf, TensorInfo};

/// Block sizes tried for matrix products, best first.
const PRODUCT_BLOCKS: [usize; 4] = [128, 64, 32, 16];

/// The largest block size that divides a row of `columns` elements.
///
/// # Errors
/// Refused when not even 16 does.
pub fn block_for(columns: usize) -> Result<usize> {
    PRODUCT_BLOCKS
        .into_iter()
        .find(|block| columns.is_multiple_of(*block))
        .ok_or_else(|| {
            Error::refused(format!(
                "rows of {columns} elements are not a multiple of 16"
            ))
        })
}

/// Quantises `values` in blocks; `codes` has their length, `scales` one element a block.
pub fn quantise(values: &[f32], block: usize, codes: &mut [u8], scales: &mut [f32]) {
    for ((values, codes), scale) in values
        .chunks_exact(block)
        .zip(codes.chunks_exact_mut(block))
        .zip(scales)
    {
        let largest = values
            .iter()
            .fold(0f32, |most, value| most.max(value.abs()));
        *scale = largest / 127.0;
        let inverse = if largest > 0.0 { 127.0 / largest } else { 0.0 };
        for (code, value) in codes.iter_mut().zip(values) {
            *code = ((value * inverse).round() + 128.0) as u8;
        }
    }
}

/// Rows `from..to` of a tensor, quantised: codes `[rows, columns]` and scales `[rows, columns / block]`.
///
/// # Errors
/// Refused when the tensor holds a number that isn't finite.
pub fn quantise_rows<B: AsRef<[u8]> + Sync>(
    gguf: &Gguf<B>,
    tensor: &TensorInfo,
    rows: std::ops::Range<usize>,
    block: usize,
) -> Result<(Vec<u8>, Vec<f32>)> {
    let columns = tensor.columns();
    let mut codes = vec![0u8; rows.len() * columns];
    let mut scales = vec![0f32; rows.len() * columns / block];
    let workers = std::thread::available_parallelism()
        .map_or(1, usize::from)
        .clamp(1, 8);
    let share = rows.len().div_ceil(workers).max(1);
    std::thread::scope(|scope| {
        let parts = codes
            .chunks_mut(share * columns)
            .zip(scales.chunks_mut(share * columns / block));
        let tasks: Vec<_> = parts
            .enumerate()
            .map(|(part, (codes, scales))| {
                let first = rows.start + part * share;
                scope.spawn(move || -> Result<()> {
                    let mut values = vec![0f32; columns];
                    let lines = codes
                        .chunks_exact_mut(columns)
                        .zip(scales.chunks_exact_mut(columns / block));
                    for (row, (codes, scales)) in lines.enumerate() {
                        gguf.read_row(tensor, first + row, &mut values)?;
                        quantise(&values, block, codes, scales);
                        if scales.iter().any(|scale| !scale.is_finite())
                            || values.iter().any(|value| value.is_nan())
                        {
                            return Err(Error::refused(format!(
                                "tensor {:?} holds numbers that are not finite",
                                tensor.name
                            )));
                        }
                    }
                    Ok(())
                })
            })
            .collect();
        tasks.into_iter().try_for_each(|task| {
            task.join()
                .unwrap_or_else(|_| Err(Error::bug("a quantisation thread panicked")))
        })
    })?;
    Ok((codes, scales))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eight_bit_codes_stay_within_half_a_step() {
        let values: Vec<f32> = (0..128)
            .map(|i| ((i * 37 % 101) as f32 - 50.0) / 13.0)
            .collect();
        let (mut codes, mut scales) = (vec![0; 128], vec![0.0; 2]);
        quantise(&values, 64, &mut codes, &mut scales);
        for (i, value) in values.iter().enumerate() {
            let scale = scales[i / 64];
            let back = (f32::from(codes[i]) - 128.0) * scale;
            assert!(
                (back - value).abs() <= scale * 0.5001,
                "element {i}: {value} became {back}"
            );
        }
    }

    #[test]
    fn a_block_of_zeros_stays_zero() {
        let (mut codes, mut scales) = (vec![0; 16], vec![1.0; 1]);
        quantise(&[0.0; 16], 16, &mut codes, &mut scales);
        assert_eq!((codes, scales), (vec![128; 16], vec![0.0]));
    }

    #[test]
    fn the_block_follows_the_row() {
        assert_eq!(
            [
                block_for(896).unwrap(),
                block_for(576).unwrap(),
                block_for(48).unwrap()
            ],
            [128, 64, 16]
        );
        assert!(block_for(100).is_err());
    }
}
