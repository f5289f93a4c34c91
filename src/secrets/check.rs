//! Arithmetic on candidate secrets: entropy, checksums, base64.

/// Shannon entropy of the characters, in bits per character.
pub(super) fn entropy(text: &str) -> f64 {
    let mut counts = [0u32; 256];
    for byte in text.bytes() {
        counts[usize::from(byte)] += 1;
    }
    let len = text.len() as f64;
    counts
        .iter()
        .filter(|count| **count > 0)
        .map(|count| f64::from(*count) / len)
        .map(|share| -share * share.log2())
        .sum()
}

/// CRC-32 as in IEEE 802.3.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |mut crc, byte| {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 {
                (crc >> 1) ^ 0xEDB8_8320
            } else {
                crc >> 1
            };
        }
        crc
    })
}

/// Whether the last six characters of a GitHub token are the CRC-32 of its random part in base 62
/// (GitHub, "Behind GitHub's new authentication token formats", 2021).
pub(super) fn github(token: &str) -> bool {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let Some((_, body)) = token.split_once('_') else {
        return false;
    };
    let Some((random, check)) = body
        .len()
        .checked_sub(6)
        .and_then(|at| body.split_at_checked(at))
    else {
        return false;
    };
    let mut value = crc32(random.as_bytes());
    let mut digits = [b'0'; 6];
    for digit in digits.iter_mut().rev() {
        *digit = DIGITS[(value % 62) as usize];
        value /= 62;
    }
    check.as_bytes() == digits
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Base64 of `bytes`, standard alphabet, padded.
pub(super) fn to_base64(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let group = (u32::from(chunk[0]) << 16)
            | (u32::from(*chunk.get(1).unwrap_or(&0)) << 8)
            | u32::from(*chunk.get(2).unwrap_or(&0));
        for at in 0..4 {
            out.push(if at <= chunk.len() {
                char::from(BASE64[(group >> (18 - 6 * at)) as usize & 63])
            } else {
                '='
            });
        }
    }
    out
}

/// What base64 `text` decodes to, if it is base64 and the bytes are UTF-8 without control characters (line breaks and
/// tabs apart).
pub(super) fn from_base64_text(text: &str) -> Option<String> {
    let text = text.trim_end_matches('=');
    if text.len() < 4 || text.len() % 4 == 1 {
        return None;
    }
    let mut out = Vec::with_capacity(text.len() * 3 / 4);
    let (mut group, mut bits) = (0u32, 0);
    for byte in text.bytes() {
        let digit = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        group = (group << 6) | u32::from(digit);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            out.push((group >> bits) as u8);
        }
    }
    String::from_utf8(out).ok().filter(|text| {
        text.chars()
            .all(|c| !c.is_control() || matches!(c, '\n' | '\r' | '\t'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_there_and_back() {
        for text in ["f", "fo", "foo", "foob", "fooba", "foobar"] {
            let coded = to_base64(text.as_bytes());
            assert_eq!(coded.len() % 4, 0);
            if text.len() > 2 {
                assert_eq!(from_base64_text(&coded).as_deref(), Some(text));
            }
        }
        assert_eq!(to_base64(b"foobar"), "Zm9vYmFy");
        assert_eq!(to_base64(b"fooba"), "Zm9vYmE=");
        assert_eq!(from_base64_text("not base64!"), None);
    }

    #[test]
    fn base64_of_both_alphabets_is_read_and_what_is_too_short_or_cut_is_not() {
        for (coded, plain) in [
            ("fn5+fnw/", "~~~~|?"),
            ("fn5-fnw_", "~~~~|?"),
            ("Zm8K", "fo\n"),
            ("Zm9vYg", "foob"),
        ] {
            assert_eq!(from_base64_text(coded).as_deref(), Some(plain), "{coded}");
        }
        for coded in ["", "Zm8", "Zm8=", "Zm9vY", "Zm9vYmFyY", "Zm8A", "/////w=="] {
            assert_eq!(from_base64_text(coded), None, "{coded}");
        }
    }

    #[test]
    fn checksums() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
        assert!(github(concat!(
            "gh",
            "p_zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ0mLq17"
        )));
        assert!(!github(concat!(
            "gh",
            "p_zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ0mLq18"
        )));
    }

    #[test]
    fn entropy_in_bits() {
        assert_eq!(entropy("aaaa"), 0.0);
        assert_eq!(entropy("abab"), 1.0);
    }
}
