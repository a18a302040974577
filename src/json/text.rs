//! What stands between the quotes of a JSON string (RFC 8259, section 7).

/// How many bytes come before the first one that is a quote, a backslash or a
/// control character; all of them, if none is.
pub(super) fn plain(bytes: &[u8]) -> usize {
    let mut rest = bytes;
    while let Some((word, after)) = rest.split_first_chunk::<8>() {
        let special = special(word);
        if special != 0 {
            let before = bytes.len().wrapping_sub(rest.len());
            return before.wrapping_add((special.trailing_zeros() / 8) as usize);
        }
        rest = after;
        // Long texts: two at a time.
        while let Some((words, after)) = rest.split_first_chunk::<16>()
            && let ([first, second], _) = words.as_chunks::<8>()
            && self::special(first) | self::special(second) == 0
        {
            rest = after;
        }
    }
    let before = bytes.len().wrapping_sub(rest.len());
    let plain = rest
        .iter()
        .take_while(|byte| !matches!(byte, b'"' | b'\\' | 0..0x20));
    before.wrapping_add(plain.count())
}

/// Whether a text stands between the quotes as it is, without escapes.
pub(crate) fn is_plain(text: &str) -> bool {
    plain(text.as_bytes()) == text.len()
}

/// The highest bit of the first of eight bytes that [`plain`] looks for, and
/// perhaps those of some behind it; zero if there is none.
///
/// A subtraction borrows from the highest bit of a byte only where the byte is
/// less than what is subtracted, or one before it borrows.
const fn special(bytes: &[u8; 8]) -> u64 {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const CONTROL: u64 = u64::from_ne_bytes([0x20; 8]);
    const QUOTES: u64 = u64::from_ne_bytes([b'"'; 8]);
    const BACKSLASHES: u64 = u64::from_ne_bytes([b'\\'; 8]);
    const HIGHEST: u64 = u64::from_ne_bytes([0x80; 8]);
    let word = u64::from_le_bytes(*bytes);
    let control = word.wrapping_sub(CONTROL);
    let quote = (word ^ QUOTES).wrapping_sub(ONES);
    let backslash = (word ^ BACKSLASHES).wrapping_sub(ONES);
    (control | quote | backslash) & !word & HIGHEST
}

/// What follows a backslash: the character that it stands for, and how many
/// bytes say so. `None` if it stands for none.
pub(super) fn escaped(bytes: &[u8]) -> Option<(char, usize)> {
    let character = match bytes.first()? {
        b'"' => '"',
        b'\\' => '\\',
        b'/' => '/',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => return code_point(bytes),
        _ => return None,
    };
    Some((character, 1))
}

/// How many bytes of an escape follow the backslash, whether it stands for
/// something or for half of a surrogate pair. `None` if it is none.
#[inline(never)]
pub(super) fn escape_length(bytes: &[u8]) -> Option<usize> {
    match bytes.first()? {
        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(1),
        b'u' => code_unit(bytes).map(|_| 5),
        _ => None,
    }
}

/// `uXXXX`, or two of them that are a surrogate pair.
fn code_point(bytes: &[u8]) -> Option<(char, usize)> {
    let first = code_unit(bytes)?;
    if !(0xd800..=0xdbff).contains(&first) {
        return Some((char::from_u32(first)?, 5));
    }
    let second = code_unit(bytes.get(5..)?.strip_prefix(b"\\")?)?;
    if !(0xdc00..=0xdfff).contains(&second) {
        return None;
    }
    let pair = ((first & 0x3ff) << 10) | (second & 0x3ff);
    Some((char::from_u32(pair.wrapping_add(0x1_0000))?, 11))
}

fn code_unit(bytes: &[u8]) -> Option<u32> {
    let [b'u', digits @ ..] = bytes else {
        return None;
    };
    digits.get(..4)?.iter().try_fold(0, |unit, digit| {
        Some((unit << 4) | char::from(*digit).to_digit(16)?)
    })
}

/// What a text with escapes says. `None` if one of them stands for nothing.
pub(super) fn read(inside: &str) -> Option<String> {
    let mut said = String::with_capacity(inside.len());
    let mut rest = inside;
    while let Some((plain, after)) = rest.split_once('\\') {
        said.push_str(plain);
        let (character, length) = escaped(after.as_bytes())?;
        said.push(character);
        rest = after.get(length..)?;
    }
    said.push_str(rest);
    Some(said)
}
