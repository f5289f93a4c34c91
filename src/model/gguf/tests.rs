use super::*;
use proptest::prelude::*;

/// A file of one tensor, built by hand.
pub(crate) fn file(
    version: u32,
    keys: &[(&str, u32, Vec<u8>)],
    tensors: &[(&str, &[u64], u32, u64)],
    data: &[u8],
) -> Vec<u8> {
    let text = |s: &str| {
        [
            (s.len() as u64).to_le_bytes().to_vec(),
            s.as_bytes().to_vec(),
        ]
        .concat()
    };
    let mut out = b"GGUF".to_vec();
    out.extend(version.to_le_bytes());
    out.extend((tensors.len() as u64).to_le_bytes());
    out.extend((keys.len() as u64).to_le_bytes());
    for (key, kind, value) in keys {
        out.extend(text(key));
        out.extend(kind.to_le_bytes());
        out.extend(value);
    }
    for (name, dims, dtype, offset) in tensors {
        out.extend(text(name));
        out.extend((dims.len() as u32).to_le_bytes());
        dims.iter().for_each(|dim| out.extend(dim.to_le_bytes()));
        out.extend(dtype.to_le_bytes());
        out.extend(offset.to_le_bytes());
    }
    out.resize(out.len().next_multiple_of(32), 0);
    out.extend(data);
    out
}

fn refusal(bytes: Vec<u8>) -> String {
    let error = Gguf::parse(bytes).expect_err("this file must be refused");
    assert_eq!(error.exit, ExitCode::InputRefused);
    error.chain()
}

#[test]
fn a_small_file_is_read() {
    let floats: Vec<u8> = [1.0f32, -2.5, 3.0, 0.5]
        .iter()
        .flat_map(|x| x.to_le_bytes())
        .collect();
    let gguf = Gguf::parse(file(
        3,
        &[("a.b", 4, 7u32.to_le_bytes().to_vec())],
        &[("w", &[2, 2], 0, 0)],
        &floats,
    ))
    .unwrap();
    assert_eq!(gguf.uint("a.b"), Some(7));
    assert_eq!(gguf.read_all("w").unwrap(), [1.0, -2.5, 3.0, 0.5]);
}

#[test]
fn hostile_headers_are_refused_by_what_is_wrong() {
    let zeros = [0u8; 64];
    assert!(refusal(b"GGML".to_vec()).contains("magic"));
    assert!(refusal(file(1, &[], &[], &[])).contains("version 1"));
    assert!(
        refusal(file(3, &[], &[("w", &[1 << 40, 1 << 40], 0, 0)], &zeros)).contains("overflow")
    );
    assert!(refusal(file(3, &[], &[("w", &[32], 0, 0)], &zeros)).contains("beyond the end"));
    assert!(refusal(file(3, &[], &[("w", &[4], 0, 7)], &zeros)).contains("aligned"));
    assert!(refusal(file(3, &[], &[("w", &[4], 0, u64::MAX - 31)], &zeros)).contains("overflow"));
    assert!(refusal(file(3, &[], &[("w", &[33], 2, 0)], &zeros)).contains("whole blocks"));
    assert!(refusal(file(3, &[], &[("w", &[0], 0, 0)], &zeros)).contains("empty"));
    assert!(
        refusal(file(
            3,
            &[],
            &[("w", &[4], 0, 0), ("w", &[4], 0, 32)],
            &zeros
        ))
        .contains("twice")
    );
    assert!(
        refusal(file(
            3,
            &[],
            &[("v", &[16], 0, 0), ("w", &[4], 0, 32)],
            &zeros
        ))
        .contains("overlap")
    );
    assert!(refusal(file(3, &[], &[("w", &[256], 17, 0)], &zeros)).contains("IQ"));
    let bomb = [8u32.to_le_bytes().to_vec(), u64::MAX.to_le_bytes().to_vec()].concat();
    assert!(refusal(file(3, &[("a", 9, bomb)], &[], &zeros)).contains("longer than the rest"));
    let nested = [9u32.to_le_bytes().to_vec(), 1u64.to_le_bytes().to_vec()].concat();
    assert!(refusal(file(3, &[("a", 9, nested)], &[], &zeros)).contains("array of arrays"));
    let odd = 33u32.to_le_bytes().to_vec();
    assert!(refusal(file(3, &[("general.alignment", 4, odd)], &[], &zeros)).contains("alignment"));
}

/// 1.0 and 0.5 as half-precision bytes.
const ONE: [u8; 2] = [0x00, 0x3c];
const HALF: [u8; 2] = [0x00, 0x38];

fn row(dtype: DType, block: &[u8], elements: usize) -> Vec<f32> {
    let mut out = vec![f32::NAN; elements];
    dequantise_row(dtype, block, &mut out).unwrap();
    out
}

#[test]
fn half_precision_covers_all_ranges() {
    let read = |bits: u16| row(DType::F16, &bits.to_le_bytes(), 1)[0];
    assert_eq!(read(0x3c00), 1.0);
    assert_eq!(read(0xc500), -5.0);
    assert_eq!(read(0x0001), 2f32.powi(-24));
    assert_eq!(read(0x7bff), 65504.0);
    assert!(read(0x7c00).is_infinite() && read(0x7e00).is_nan());
    assert_eq!(row(DType::BF16, &[0x80, 0xbf], 1)[0], -1.0);
}

#[test]
fn blocks_of_32_match_hand_computed_values() {
    let mut q4_0 = HALF.to_vec();
    q4_0.extend([0xf0; 16]);
    let y = row(DType::Q4_0, &q4_0, 32);
    assert_eq!((y[0], y[15], y[16], y[31]), (-4.0, -4.0, 3.5, 3.5));
    let mut q4_1 = [HALF, ONE].concat();
    q4_1.extend([0x2f; 16]);
    let y = row(DType::Q4_1, &q4_1, 32);
    assert_eq!((y[0], y[16]), (8.5, 2.0));
    let mut q5_0 = ONE.to_vec();
    q5_0.extend((1u32 | 1 << 17).to_le_bytes());
    q5_0.extend([0x21; 16]);
    let y = row(DType::Q5_0, &q5_0, 32);
    assert_eq!((y[0], y[1], y[16], y[17]), (1.0, -15.0, -14.0, 2.0));
    let mut q5_1 = [ONE, HALF].concat();
    q5_1.extend((1u32 << 31).to_le_bytes());
    q5_1.extend([0x30; 16]);
    let y = row(DType::Q5_1, &q5_1, 32);
    assert_eq!((y[0], y[16], y[31]), (0.5, 3.5, 19.5));
    let mut q8_0 = HALF.to_vec();
    q8_0.extend([0x80; 32]);
    assert_eq!(row(DType::Q8_0, &q8_0, 32), [-64.0; 32]);
}

#[test]
fn super_blocks_match_hand_computed_values() {
    // Sub-block 0: scale 3, minimum 5; sub-block 4: scale 0x21, minimum 0x12 through the split bits.
    let mut scales = [0u8; 12];
    scales[0] = 3 | 0x80;
    scales[4] = 5 | 0x40;
    scales[8] = 0x21;
    let mut q4 = [ONE, ONE].concat();
    q4.extend(scales);
    q4.extend([0x72; 128]);
    let y = row(DType::Q4K, &q4, 256);
    assert_eq!(y[0], 3.0 * 2.0 - 5.0);
    assert_eq!(y[32], 0.0);
    assert_eq!(y[128], f32::from(0x21u8) * 2.0 - f32::from(0x12u8));
    let mut q5 = [ONE, ONE].concat();
    q5.extend(scales);
    let mut high = [0u8; 32];
    high[1] = 1;
    high[2] = 1 << 4;
    q5.extend(high);
    q5.extend([0x72; 128]);
    let y = row(DType::Q5K, &q5, 256);
    assert_eq!((y[0], y[1]), (1.0, 3.0 * 18.0 - 5.0));
    assert_eq!(y[130], f32::from(0x21u8) * 18.0 - f32::from(0x12u8));
    let mut q6 = vec![0x43; 128];
    q6.extend([0b11_10_01_00; 64]);
    q6.extend([2u8; 16]);
    q6[192 + 9] = (-3i8) as u8;
    q6.extend(ONE);
    let y = row(DType::Q6K, &q6, 256);
    assert_eq!(
        (y[0], y[32], y[64], y[96]),
        (
            2.0 * (3.0 - 32.0),
            2.0 * (19.0 - 32.0),
            2.0 * (36.0 - 32.0),
            2.0 * (52.0 - 32.0)
        )
    );
    assert_eq!(y[128 + 16], -3.0 * (3.0 - 32.0));
    let mut q2 = vec![0x21; 16];
    q2.extend([0b11_10_01_00; 64]);
    q2.extend([ONE, HALF].concat());
    let y = row(DType::Q2K, &q2, 256);
    assert_eq!(
        (y[0], y[32], y[64], y[96], y[128]),
        (-1.0, 0.0, 1.0, 2.0, -1.0)
    );
    let mut q3 = vec![0b0000_0010; 32];
    q3.extend([0b11_10_01_00; 64]);
    q3.extend([0x11; 8]);
    q3.extend([0b10; 4]);
    q3.extend(ONE);
    let y = row(DType::Q3K, &q3, 256);
    // Scales: group 0 is 1 | 2 << 4 - 32 = 1; group 4 is 1 - 32 = -31.
    assert_eq!((y[0], y[32], y[64]), (-4.0, 1.0, -31.0 * -2.0));
}

#[test]
fn levels_that_are_not_even_match_hand_computed_values() {
    let mut nl = HALF.to_vec();
    nl.extend([0xf0; 16]);
    let y = row(DType::IQ4NL, &nl, 32);
    assert_eq!((y[0], y[31]), (-63.5, 56.5));
    // Sub-block 0: scale 33 - 32 = 1; sub-block 3: scale 2 | 3 << 4 - 32 = 18.
    let mut xs = ONE.to_vec();
    xs.extend((0b11_00_00_10u16).to_le_bytes());
    xs.extend([0x01, 0x20, 0, 0]);
    xs.extend([0x98; 128]);
    let y = row(DType::IQ4XS, &xs, 256);
    assert_eq!((y[0], y[16], y[96], y[112]), (1.0, 13.0, 18.0, 18.0 * 13.0));
    assert_eq!(y[32], -32.0);
}

#[test]
fn a_row_of_the_wrong_length_is_refused() {
    assert!(dequantise_row(DType::Q4_0, &[0; 17], &mut [0.0; 32]).is_err());
    assert!(dequantise_row(DType::Q4_0, &[0; 18], &mut [0.0; 31]).is_err());
}

proptest! {
    #[test]
    fn garbage_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let _ = Gguf::parse([b"GGUF\x03\0\0\0".to_vec(), bytes].concat());
    }
    #[test]
    fn a_damaged_file_never_panics(at in 0usize..300, value: u8, cut in 0usize..300) {
        let mut bytes = file(3, &[("general.alignment", 4, 32u32.to_le_bytes().to_vec()), ("x", 8, b"\x02\0\0\0\0\0\0\0hi".to_vec())],
            &[("v", &[32, 2], 2, 0), ("w", &[4], 0, 64)], &[0; 96]);
        let length = bytes.len();
        bytes[at % length] = value;
        bytes.truncate(length - cut % length);
        if let Ok(gguf) = Gguf::parse(bytes) {
            for name in gguf.tensors.keys() {
                let _ = gguf.read_all(name);
            }
        }
    }
}
