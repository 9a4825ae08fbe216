//! The markers of a JPEG file, read before anything is decoded.
//!
//! The decoder tolerates what a network must not be fed: a file that stops early, an end-of-image
//! marker in the middle of the picture, components without data. It also allocates by what the
//! header declares. So the file's structure (ITU T.81, annex B) is walked first: that tells
//! whether the file is whole, what kind of JPEG it is, and what decoding will cost.

use super::{DecodeError, ImageFormat};
use std::ops::Range;

/// The largest number of scans of a picture. Encoders use about ten; each takes a pass over the
/// picture.
const MAX_SCANS: usize = 100;

/// The structure of a JPEG file, as its markers declare it.
#[derive(Debug)]
pub(super) struct Structure<'a> {
    pub width: u16,
    pub height: u16,
    progressive: bool,
    components: Vec<Component>,
    /// The TIFF block of the first EXIF segment.
    pub exif: Option<&'a [u8]>,
    n_scans: usize,
    /// Components of the first scan.
    n_first_scan: usize,
    /// Where the scans of a progressive picture lie that refine blocks beyond their means.
    pub ac_scans: Vec<Range<usize>>,
    /// Where the end-of-image marker starts; what follows is not of this picture.
    pub end: usize,
}

/// A colour component of the frame.
#[derive(Debug)]
pub(super) struct Component {
    id: u8,
    /// Sampling factors, 1 to 4.
    horizontal: u8,
    vertical: u8,
    has_scan: bool,
}

impl Structure<'_> {
    /// Whether the picture is grey or colour that is stored as three channels.
    pub(super) fn is_grey_or_colour(&self) -> bool {
        matches!(self.components.len(), 1 | 3)
    }

    /// Bytes of the samples of all components in 16 bits, padded to whole blocks: what the
    /// decoder holds at once of a progressive picture.
    pub(super) fn n_coefficient_bytes(&self) -> u64 {
        if !self.progressive {
            return 0;
        }
        let most = |of: fn(&Component) -> u8| self.components.iter().map(of).max().unwrap_or(1);
        let units = |n: u16, most: u8| u64::from(n).div_ceil(8 * u64::from(most));
        let n_units =
            units(self.width, most(|c| c.horizontal)) * units(self.height, most(|c| c.vertical));
        let n_blocks = |c: &Component| u64::from(c.horizontal) * u64::from(c.vertical) * n_units;
        self.components.iter().map(|c| n_blocks(c) * 64 * 2).sum()
    }
}

/// Walks the markers from the start to the end of the image.
pub(super) fn read(bytes: &[u8]) -> Result<Structure<'_>, DecodeError> {
    let mut frame: Option<Structure> = None;
    let mut exif = None;
    let mut at = 2;
    let (mut ac_scans, mut ac_scan) = (Vec::new(), None);
    loop {
        let (start, code) = next_marker(bytes, at).ok_or_else(|| truncated(bytes))?;
        at = start + 2;
        // Restart markers and TEM stand alone.
        if matches!(code, 0x01 | 0xd0..=0xd7) {
            continue;
        }
        ac_scans.extend(ac_scan.take().map(|begin| begin..start));
        match code {
            0xd8 => return Err(corrupt("a second picture starts in the first")),
            0xd9 => {
                let structure = frame.ok_or_else(|| corrupt("it ends before a picture starts"))?;
                let structure = Structure { exif, ac_scans, end: start, ..structure };
                return check_scans(structure);
            }
            _ => {}
        }
        let length = bytes.get(at..at + 2).ok_or_else(|| truncated(bytes))?;
        let length = usize::from(u16::from_be_bytes([length[0], length[1]]));
        if length < 2 {
            return Err(corrupt(format!("a segment of {length} bytes at byte {start}")));
        }
        let segment = bytes.get(at + 2..at + length).ok_or_else(|| truncated(bytes))?;
        at += length;
        match code {
            0xe1 if exif.is_none() => exif = segment.strip_prefix(b"Exif\0\0"),
            // DHT, JPG and DAC lie within the range of the frame markers.
            0xc0..=0xcf if !matches!(code, 0xc4 | 0xc8 | 0xcc) => {
                if frame.is_some() {
                    return Err(corrupt("it has two frame headers"));
                }
                frame = Some(frame_header(code, segment)?);
            }
            0xda => {
                let frame = frame.as_mut().ok_or_else(|| corrupt("a scan before the frame"))?;
                let is_ac = scan_header(frame, segment)?;
                ac_scan = is_ac.then_some(start);
            }
            _ => {}
        }
    }
}

/// Returns the next marker from `at` on: the position of its 0xff, and its code. Entropy-coded data
/// and stray bytes are skipped: in the former, 0xff is always followed by 0 or is a restart marker.
fn next_marker(bytes: &[u8], mut at: usize) -> Option<(usize, u8)> {
    loop {
        at += bytes.get(at..)?.iter().position(|&byte| byte == 0xff)?;
        match *bytes.get(at + 1)? {
            0 => at += 2,
            // Any number of 0xff may fill up before a marker.
            0xff => at += 1,
            code => return Some((at, code)),
        }
    }
}

fn frame_header<'a>(code: u8, segment: &[u8]) -> Result<Structure<'a>, DecodeError> {
    match code {
        0xc0..=0xc2 => {}
        0xc3 => return Err(unsupported("a lossless JPEG image".into())),
        0xc5..=0xc7 | 0xcd..=0xcf => return Err(unsupported("a hierarchical JPEG image".into())),
        _ => return Err(unsupported("a JPEG image with arithmetic coding".into())),
    }
    let [precision, h0, h1, w0, w1, n_components, components @ ..] = segment else {
        return Err(corrupt("its frame header is too short"));
    };
    if *precision != 8 {
        return Err(unsupported(format!("one of {precision} bits a channel")));
    }
    if components.len() != 3 * usize::from(*n_components) {
        return Err(corrupt("its frame header has a wrong length"));
    }
    if !matches!(n_components, 1 | 3 | 4) {
        return Err(unsupported(format!("a JPEG image of {n_components} channels")));
    }
    let components: Vec<_> = components
        .as_chunks::<3>()
        .0
        .iter()
        .map(|&[id, sampling, _]| Component {
            id,
            horizontal: sampling >> 4,
            vertical: sampling & 15,
            has_scan: false,
        })
        .collect();
    check_sampling(&components)?;
    Ok(Structure {
        width: u16::from_be_bytes([*w0, *w1]),
        height: u16::from_be_bytes([*h0, *h1]),
        progressive: code == 0xc2,
        components,
        exif: None,
        n_scans: 0,
        n_first_scan: 0,
        ac_scans: Vec::new(),
        end: 0,
    })
}

/// The decoder (zune-jpeg 0.5) takes the first channel as the finest, silently, and knows halves
/// and quarters only.
fn check_sampling(components: &[Component]) -> Result<(), DecodeError> {
    let factors = |c: &Component| [c.horizontal, c.vertical];
    let all = || components.iter().flat_map(factors);
    if !all().all(|factor| (1..=4).contains(&factor)) {
        return Err(corrupt("a sampling factor is not 1 to 4"));
    }
    if all().any(|factor| factor == 3) {
        return Err(unsupported("a JPEG image sampled in thirds".into()));
    }
    let is_finest = |c: &Component| {
        c.horizontal <= components[0].horizontal && c.vertical <= components[0].vertical
    };
    if !components.iter().all(is_finest) {
        return Err(unsupported("a JPEG image whose first channel is not the finest".into()));
    }
    Ok(())
}

/// Takes in the header of a scan; whether the scan begins after the means of blocks.
fn scan_header(frame: &mut Structure, segment: &[u8]) -> Result<bool, DecodeError> {
    let short = || corrupt("a scan header is too short");
    let (&n, rest) = segment.split_first().ok_or_else(short)?;
    let selectors = rest.get(..2 * usize::from(n)).ok_or_else(short)?;
    for &[id, _] in selectors.as_chunks::<2>().0 {
        match frame.components.iter_mut().find(|component| component.id == id) {
            Some(component) => component.has_scan = true,
            None => return Err(corrupt(format!("a scan of channel {id}, which is not there"))),
        }
    }
    if frame.n_scans == 0 {
        frame.n_first_scan = usize::from(n);
    }
    frame.n_scans += 1;
    if frame.n_scans > MAX_SCANS {
        return Err(corrupt(format!("more than {MAX_SCANS} scans")));
    }
    Ok(rest.get(selectors.len()).is_some_and(|&first| first > 0))
}

/// Checks that the scans contain the whole picture. The first scan of a progressive file has only
/// the mean of each block, so a second one must follow; how many more there are, no header tells.
fn check_scans(structure: Structure<'_>) -> Result<Structure<'_>, DecodeError> {
    let cut =
        |at: &str| Err(DecodeError::Truncated { format: ImageFormat::Jpeg, at: at.to_owned() });
    if !structure.components.iter().all(|component| component.has_scan) {
        cut("before all its channels came")
    } else if structure.progressive && structure.n_scans == 1 {
        cut("after the first of its scans")
    } else if !structure.progressive && structure.n_first_scan != structure.components.len() {
        // zune-jpeg 0.5.15 decodes most of them to green without a word (zune-image issue 422).
        Err(unsupported("a baseline JPEG image whose channels come in separate scans".into()))
    } else if !structure.progressive && structure.n_scans > 1 {
        Err(corrupt("a baseline picture with more than one scan"))
    } else {
        Ok(structure)
    }
}

fn unsupported(got: String) -> DecodeError {
    DecodeError::Unsupported {
        expected: "a baseline or progressive JPEG image of 8 bits a channel, grey, colour or CMYK",
        got,
    }
}

fn truncated(bytes: &[u8]) -> DecodeError {
    DecodeError::Truncated {
        format: ImageFormat::Jpeg,
        at: format!("after {} bytes, before the end-of-image marker", bytes.len()),
    }
}

fn corrupt(reason: impl Into<String>) -> DecodeError {
    DecodeError::Corrupt { format: ImageFormat::Jpeg, reason: reason.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A JPEG of these segments after the start marker, without their lengths.
    fn jpeg(segments: &[(u8, &[u8])]) -> Vec<u8> {
        let mut bytes = vec![0xff, 0xd8];
        for (code, segment) in segments {
            bytes.extend([0xff, *code]);
            bytes.extend((segment.len() as u16 + 2).to_be_bytes());
            bytes.extend(*segment);
        }
        bytes
    }

    /// 8 bits, height 5, width 9, three channels, the first sampled twice each way.
    const FRAME: &[u8] = &[8, 0, 5, 0, 9, 3, 1, 0x22, 0, 2, 0x11, 0, 3, 0x11, 0];
    const SCAN: &[u8] = &[3, 1, 0, 2, 0, 3, 0, 0, 63, 0];

    #[test]
    fn walks_over_segments_and_entropy_coded_data() {
        let refining: &[u8] = &[1, 1, 0, 1, 63, 0];
        let segments =
            [(0xe1, &b"Exif\0\0II*\0"[..]), (0xc2, FRAME), (0xda, SCAN), (0xda, refining)];
        let mut bytes = jpeg(&segments);
        // Stuffed and restart bytes, then fill bytes before the end marker.
        bytes.extend([7, 0xff, 0, 0xff, 0xd0, 9, 0xff, 0xff, 0xd9, 1, 2]);
        let refining = bytes.len() - 11 - refining.len() - 4;
        let end = bytes.len() - 4;
        let structure = read(&bytes).expect("sound");
        assert_eq!((structure.width, structure.height), (9, 5));
        assert_eq!(structure.exif, Some(&b"II*\0"[..]));
        assert!(structure.progressive);
        assert_eq!((structure.n_scans, structure.n_first_scan), (2, 3));
        assert_eq!(structure.end, end);
        assert_eq!(structure.ac_scans.len(), 1);
        assert_eq!(structure.ac_scans[0], refining..end, "with what is coded in it");
        // One unit of 16×16: four blocks of the first channel and one of each other, 64 values of
        // two bytes.
        assert_eq!(structure.n_coefficient_bytes(), 6 * 64 * 2);
        for length in 2..=end + 1 {
            let cut = read(&bytes[..length]).expect_err("cut off");
            assert!(matches!(cut, DecodeError::Truncated { .. }), "{length}: {cut}");
        }
    }

    #[test]
    fn refuses_what_is_not_read_or_not_sound() {
        let frame_with = |at: usize, value: u8| {
            let mut frame = FRAME.to_vec();
            frame[at] = value;
            frame
        };
        let end = [0xff, 0xd9];
        let said = |segments: &[(u8, &[u8])]| {
            read(&[jpeg(segments), end.to_vec()].concat()).expect_err("refused").to_string()
        };
        assert!(said(&[(0xc3, FRAME)]).contains("got a lossless JPEG image"));
        assert!(said(&[(0xc9, FRAME)]).contains("arithmetic coding"));
        assert!(said(&[(0xc5, FRAME)]).contains("hierarchical"));
        assert!(said(&[(0xc1, &frame_with(0, 12))]).contains("12 bits a channel"));
        assert!(said(&[(0xc0, &[8, 0, 5, 0, 9, 2, 1, 17, 0, 2, 17, 0])]).contains("2 channels"));
        assert!(said(&[(0xc0, &frame_with(7, 0x51))]).contains("sampling factor"));
        assert!(said(&[(0xc0, &frame_with(7, 0x31))]).contains("in thirds"));
        assert!(said(&[(0xc0, &frame_with(10, 0x41))]).contains("not the finest"));
        assert!(said(&[(0xc0, FRAME), (0xc0, FRAME)]).contains("two frame headers"));
        assert!(said(&[(0xda, SCAN)]).contains("before the frame"));
        assert!(said(&[(0xc0, FRAME)]).contains("before all its channels"));
        assert!(said(&[(0xc0, FRAME), (0xda, &[1, 1, 0, 0, 63, 0])]).contains("all its channels"));
        assert!(said(&[(0xc2, FRAME), (0xda, SCAN)]).contains("after the first of its scans"));
        let one: [&[u8]; 3] = [&[1, 1, 0, 0, 63, 0], &[1, 2, 0, 0, 63, 0], &[1, 3, 0, 0, 63, 0]];
        let apart = [(0xc0, FRAME), (0xda, one[0]), (0xda, one[1]), (0xda, one[2])];
        assert!(said(&apart).contains("in separate scans"));
        assert!(said(&[(0xc0, FRAME), (0xda, SCAN), (0xda, SCAN)]).contains("more than one scan"));
        let scans = vec![(0xda, SCAN); MAX_SCANS + 1];
        assert!(said(&[&[(0xc2, FRAME)], &scans[..]].concat()).contains("more than 100 scans"));
    }
}
