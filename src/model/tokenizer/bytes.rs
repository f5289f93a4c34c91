//! The byte-level alphabet of GPT-2: every byte has a printable letter, so that a vocabulary is text.
//! Printable bytes stand for themselves; the others are U+0100, U+0101, … in order.

/// Whether a byte stands for itself.
fn is_plain(byte: u8) -> bool {
    matches!(byte, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff)
}

/// The byte that a letter stands for.
fn byte_of(letter: char) -> Option<u8> {
    let code = u32::from(letter);
    match u8::try_from(code) {
        Ok(byte) => is_plain(byte).then_some(byte),
        Err(_) => (0..=255u8)
            .filter(|byte| !is_plain(*byte))
            .nth(usize::try_from(code.checked_sub(0x100)?).ok()?),
    }
}

/// The bytes that a token's letters stand for; none when a letter is not of the alphabet.
pub(super) fn decode(token: &str) -> Option<Vec<u8>> {
    token.chars().map(byte_of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_stand_for_the_bytes_of_the_published_table() {
        assert_eq!(decode("Ġhello"), Some(b" hello".to_vec()));
        assert_eq!(decode("Ċ"), Some(vec![b'\n']));
        assert_eq!(decode("Ã¼"), Some("ü".as_bytes().to_vec()));
        assert_eq!(decode("Ń"), Some(vec![0xad]));
        assert_eq!(decode("日"), None);
        assert_eq!(decode(" "), None);
    }

    #[test]
    fn every_byte_has_one_letter() {
        let mut seen = [0; 256];
        (0..0x180u32)
            .filter_map(char::from_u32)
            .filter_map(byte_of)
            .for_each(|byte| seen[usize::from(byte)] += 1);
        assert_eq!(seen, [1; 256]);
    }
}
