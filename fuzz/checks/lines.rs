//! A request as the seeds have it: header lines, and what follows them.

/// Lines `name: value`, then an empty line, then the body.
pub(crate) fn request(bytes: &[u8]) -> (Vec<(String, Vec<u8>)>, &[u8]) {
    let split = bytes
        .windows(2)
        .position(|pair| pair == b"\n\n")
        .unwrap_or(bytes.len());
    let (head, rest) = bytes.split_at(split);
    let body = rest.get(2..).unwrap_or_default();
    let pairs = head.split(|byte| *byte == b'\n').filter_map(|line| {
        let colon = line
            .iter()
            .skip(1)
            .position(|byte| *byte == b':')?
            .checked_add(1)?;
        let name = String::from_utf8_lossy(line.get(..colon)?).to_lowercase();
        Some((
            name,
            line.get(colon.checked_add(1)?..)?.trim_ascii().to_vec(),
        ))
    });
    (pairs.collect(), body)
}
