//! The header of an .npy: a Python dictionary that says what the array is.

use crate::content::NPY;
use crate::element::{ElementKind, ElementType};
use std::io::{self, Read};

/// Longer dictionaries are those of records with many fields.
const MAX_HEADER_BYTES: usize = 1 << 16;

/// The header of an .npy.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NpyHeader {
    pub(super) items: Items,
    /// Whether the first index varies fastest, as in Fortran.
    pub(super) fortran_order: bool,
    pub(super) shape: Vec<u64>,
}

/// The type of the elements of an array.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Items {
    Numbers(ElementType),
    /// Strings of this many bytes, padded with NUL.
    Bytes(u64),
    /// Strings of this many characters of 4 bytes, padded with NUL.
    Characters {
        n: u64,
        big_endian: bool,
    },
}

impl Items {
    /// Returns the bytes of one element.
    pub(super) fn width(self) -> u64 {
        match self {
            Self::Numbers(element) => u64::from(element.bytes),
            Self::Bytes(n) => n,
            Self::Characters { n, .. } => n.saturating_mul(4),
        }
    }
}

impl Items {
    /// Returns an element as text: a string without its padding, or the digits of an integer;
    /// `None` when it is not text.
    pub(super) fn text(self, item: &[u8]) -> Option<String> {
        let text = match self {
            Self::Numbers(element) => element.integers(item).next().map(|n| n.to_string()),
            Self::Bytes(_) => String::from_utf8(item.to_vec()).ok(),
            Self::Characters { big_endian, .. } => item
                .chunks_exact(4)
                .filter_map(|c| c.try_into().ok())
                .map(if big_endian { u32::from_be_bytes } else { u32::from_le_bytes })
                .map(char::from_u32)
                .collect(),
        };
        text.map(|text| text.trim_end_matches('\0').to_owned())
    }
}

/// The reason why a header cannot be read.
pub(super) enum Unread {
    Io(io::Error),
    Other { what: &'static str, expected: &'static str, got: String },
}

impl NpyHeader {
    /// Reads the header of an .npy, and returns it with the number of bytes that it takes.
    pub(super) fn read(from: &mut impl Read) -> Result<(Self, u64), Unread> {
        let mut start = [0; 8];
        from.read_exact(&mut start).map_err(Unread::Io)?;
        if !start.starts_with(NPY) {
            let (what, expected) = ("first bytes", "those of an .npy");
            return Err(Unread::Other { what, expected, got: "others".into() });
        }
        // Version 1 has a length of 2 bytes, the later ones of 4.
        let mut length = [0; 4];
        let n = if start[6] == 1 { 2 } else { 4 };
        from.read_exact(&mut length[..n]).map_err(Unread::Io)?;
        let length = u32::from_le_bytes(length) as usize;
        if !matches!(start[6], 1..=3) || length > MAX_HEADER_BYTES {
            let got = format!("version {} with a header of {length} bytes", start[6]);
            let (what, expected) = ("header", "one of version 1 to 3, up to 65536 bytes");
            return Err(Unread::Other { what, expected, got });
        }
        let mut text = vec![0; length];
        from.read_exact(&mut text).map_err(Unread::Io)?;
        let (what, expected) = ("content", "integers, floats, booleans, or names");
        let header = parse(&String::from_utf8_lossy(&text)).map_err(|got| Unread::Other {
            what,
            expected,
            got,
        })?;
        Ok((header, (start.len() + n + length) as u64))
    }

    /// Returns the bytes of all elements; `None` when they overflow.
    pub(super) fn n_bytes(&self) -> Option<u64> {
        self.shape.iter().try_fold(self.items.width(), |n, &d| n.checked_mul(d))
    }

    /// Returns whether the last index of the elements in the file varies fastest.
    pub(super) fn is_in_order(&self) -> bool {
        !self.fortran_order || self.shape.iter().filter(|&&n| n > 1).count() <= 1
    }

    /// Returns all elements with the last index varying fastest.
    pub(super) fn in_order(&self, bytes: Vec<u8>) -> Vec<u8> {
        if self.is_in_order() {
            return bytes;
        }
        last_index_fastest(&bytes, &self.shape, self.items.width() as usize)
    }

    /// Returns how a label is stored. A name counts as an integer of one byte, since only the shape
    /// of names is checked.
    pub(super) fn label_element(&self) -> ElementType {
        match self.items {
            Items::Numbers(element) => element,
            _ => ElementType { kind: ElementKind::Unsigned, bytes: 1, big_endian: false },
        }
    }
}

/// Turns an array in Fortran's order, whose first index varies fastest, into one in C's order.
fn last_index_fastest(bytes: &[u8], shape: &[u64], width: usize) -> Vec<u8> {
    let shape: Vec<usize> = shape.iter().map(|&n| n as usize).collect();
    let mut strides = vec![width; shape.len()];
    for axis in 1..shape.len() {
        strides[axis] = strides[axis - 1] * shape[axis - 1];
    }
    let mut out = Vec::with_capacity(bytes.len());
    let (mut index, mut at) = (vec![0; shape.len()], 0);
    while out.len() < bytes.len() {
        out.extend_from_slice(&bytes[at..at + width]);
        for axis in (0..shape.len()).rev() {
            index[axis] += 1;
            at += strides[axis];
            if index[axis] < shape[axis] {
                break;
            }
            at -= strides[axis] * shape[axis];
            index[axis] = 0;
        }
    }
    out
}

/// Parses the dictionary of the header.
///
/// # Errors
/// What is wrong with it, in words.
fn parse(text: &str) -> Result<NpyHeader, String> {
    let malformed = || format!("a header that is none: {:?}", shortened(text));
    let inner = text.trim().strip_prefix('{').and_then(|text| text.strip_suffix('}'));
    let mut rest = inner.ok_or_else(malformed)?.trim();
    let (mut items, mut fortran_order, mut shape) = (None, None, None);
    while !rest.is_empty() {
        let (key, after) = quoted(rest).ok_or_else(malformed)?;
        let value = after.trim_start().strip_prefix(':').ok_or_else(malformed)?.trim_start();
        rest = match key {
            "descr" => {
                if value.starts_with('[') {
                    return Err("records of several fields".into());
                }
                let (descr, rest) = quoted(value).ok_or_else(malformed)?;
                items = Some(items_of(descr)?);
                rest
            }
            "fortran_order" => {
                let end = value.find([',', ' ']).unwrap_or(value.len());
                fortran_order = Some(match &value[..end] {
                    "True" => true,
                    "False" => false,
                    _ => return Err(malformed()),
                });
                &value[end..]
            }
            "shape" => {
                let (inner, rest) = value
                    .strip_prefix('(')
                    .and_then(|tuple| tuple.split_once(')'))
                    .ok_or_else(malformed)?;
                // Python 2 wrote long numbers as `3L`.
                let number = |part: &str| part.trim().trim_end_matches('L').parse();
                let parts = inner.split(',').filter(|part| !part.trim().is_empty());
                shape = Some(parts.map(number).collect::<Result<_, _>>().map_err(|_| malformed())?);
                rest
            }
            _ => return Err(malformed()),
        };
        rest = rest.trim_start();
        rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
    }
    match (items, fortran_order, shape) {
        (Some(items), Some(fortran_order), Some(shape)) => {
            Ok(NpyHeader { items, fortran_order, shape })
        }
        _ => Err(malformed()),
    }
}

/// Returns the text of `'text'` or `"text"`, and what follows it.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let quote = text.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    text[1..].split_once(quote)
}

/// Returns the type that NumPy's notation means: byte order, kind, bytes.
fn items_of(descr: &str) -> Result<Items, String> {
    let unknown = || format!("elements of type {:?}", shortened(descr));
    let plain = descr.trim_start_matches(['<', '>', '|', '=']);
    let big_endian = descr.starts_with('>');
    let (kind, n) = plain.split_at_checked(1).ok_or_else(unknown)?;
    if kind == "O" {
        return Err("Python objects, which are pickled and run code when they are read: give the \
                    array a type of numbers before it is saved"
            .into());
    }
    let n: u64 = n.parse().map_err(|_| unknown())?;
    let kind = match (kind, n) {
        ("u", 1 | 2 | 4 | 8) => ElementKind::Unsigned,
        ("i", 1 | 2 | 4 | 8) => ElementKind::Signed,
        ("f", 4 | 8) => ElementKind::Float,
        ("b", 1) => ElementKind::Bool,
        ("S" | "a", 1..) => return Ok(Items::Bytes(n)),
        ("U", 1..) => return Ok(Items::Characters { n, big_endian }),
        _ => return Err(unknown()),
    };
    Ok(Items::Numbers(ElementType { kind, bytes: n as u8, big_endian }))
}

fn shortened(text: &str) -> String {
    text.chars().take(60).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read_as_numpy_writes_them() {
        let float = |bytes, big_endian| {
            Items::Numbers(ElementType { kind: ElementKind::Float, bytes, big_endian })
        };
        let cases = [
            (
                "{'descr': '<f8', 'fortran_order': False, 'shape': (3, 4), }   \n",
                float(8, false),
                false,
                vec![3, 4],
            ),
            (
                "{'descr': '>f4', 'fortran_order': True, 'shape': (3,), }\n",
                float(4, true),
                true,
                vec![3],
            ),
            (
                "{'shape': (), 'fortran_order': False, 'descr': '|S5'}",
                Items::Bytes(5),
                false,
                vec![],
            ),
            (
                "{\"descr\": \"<U7\", \"fortran_order\": False, \"shape\": (2L,)}",
                Items::Characters { n: 7, big_endian: false },
                false,
                vec![2],
            ),
        ];
        for (text, items, fortran_order, shape) in cases {
            assert_eq!(parse(text), Ok(NpyHeader { items, fortran_order, shape }), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        let of = |descr: &str| {
            parse(&format!("{{'descr': {descr}, 'fortran_order': False, 'shape': (1,), }}"))
        };
        let said = |descr: &str| of(descr).expect_err("not usable");
        assert!(said("'|O'").starts_with("Python objects, which are pickled"));
        assert_eq!(said("[('a', '<f4')]"), "records of several fields");
        assert_eq!(said("'<f2'"), "elements of type \"<f2\"");
        assert_eq!(said("'<M8[ns]'"), "elements of type \"<M8[ns]\"");
        assert_eq!(said("'é'"), "elements of type \"é\"");
        for text in ["", "{", "{}", "{'descr': '<f4'}", "{'shape': (-1,)}", "{'x': 1}", "{'descr"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn fortran_order_becomes_that_of_c() {
        // numpy.arange(24).reshape(2, 3, 4) by its bytes in order F.
        let of_fortran = |i: u8| i % 2 * 12 + i / 2 % 3 * 4 + i / 6;
        let bytes: Vec<u8> = (0..24).map(of_fortran).collect();
        assert_eq!(last_index_fastest(&bytes, &[2, 3, 4], 1), (0..24).collect::<Vec<u8>>());
        let pairs: Vec<u8> = bytes.iter().flat_map(|&b| [b, 0]).collect();
        let expected: Vec<u8> = (0..24).flat_map(|b| [b, 0]).collect();
        assert_eq!(last_index_fastest(&pairs, &[2, 3, 4], 2), expected);
    }
}
