//! Numbers in text: the fields of JSON and TOML that bytes drawn at random hardly ever reach.

const OTHERS: [&str; 16] = [
    "0",
    "1",
    "2",
    "3",
    "9",
    "100",
    "255",
    "256",
    "-1",
    "1.5",
    "4294967295",
    "4294967296",
    "18446744073709551615",
    "1e308",
    "1e-320",
    "nan",
];

/// Puts another number in the place of one that stands in a text; `below` draws from 0..n. When the
/// text follows its length, as in a safetensors file, the length stays right.
pub fn other_number(bytes: &mut Vec<u8>, mut below: impl FnMut(usize) -> usize) {
    let is_digit = |at: usize| bytes[at].is_ascii_digit();
    let starts = |at: &usize| is_digit(*at) && (*at == 0 || !is_digit(at - 1));
    let all: Vec<usize> = (0..bytes.len()).filter(starts).collect();
    if all.is_empty() {
        return;
    }
    let start = all[below(all.len())];
    let end = (start..bytes.len()).find(|&at| !is_digit(at)).unwrap_or(bytes.len());
    let other = OTHERS[below(OTHERS.len())];
    let size = bytes.len();
    let header = bytes.first_chunk::<8>().map(|length| u64::from_le_bytes(*length));
    bytes.splice(start..end, other.bytes());
    let is_length = |n: &u64| (*n <= size as u64) && start >= 8 && (end as u64) < n + 8;
    if let Some(length) = header.filter(is_length) {
        let length = length.wrapping_add(other.len() as u64).wrapping_sub((end - start) as u64);
        bytes[..8].copy_from_slice(&length.to_le_bytes());
    }
}

/// A mutator for libFuzzer: every second time numbers, otherwise its own.
pub fn mutate(
    data: &mut [u8],
    size: usize,
    max_size: usize,
    seed: u32,
    usual: fn(&mut [u8], usize, usize) -> usize,
) -> usize {
    if seed.is_multiple_of(2) {
        return usual(data, size, max_size);
    }
    let mut bytes = data[..size].to_vec();
    let mut state = u64::from(seed);
    other_number(&mut bytes, |n| {
        // Knuth's linear congruential generator.
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % n
    });
    let size = bytes.len().min(max_size);
    data[..size].copy_from_slice(&bytes[..size]);
    size
}
