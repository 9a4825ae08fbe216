//! Files that are no sound images: each is refused by name, and none brings the
//! decoder down.

#![cfg(feature = "image")]

mod common;

use common::damage::{Random, damage_at};
use dnn_data::image::{DecodeError, DecodeLimits, Rendering, RgbImage, decode_bytes, decode_file};
use std::path::{Path, PathBuf};

fn read(name: &str) -> Vec<u8> {
    let path: PathBuf =
        [env!("CARGO_MANIFEST_DIR"), "tests/fixtures/images", name].iter().collect();
    std::fs::read(path).expect("a fixture")
}

fn decode(bytes: &[u8]) -> Result<RgbImage, DecodeError> {
    decode_bytes(bytes, &DecodeLimits::default(), Rendering::default())
}

const JPEGS: [&str; 8] = [
    "colour.jpg",
    "progressive.jpg",
    "grey.jpg",
    "cmyk.jpg",
    "ycck.jpg",
    "rgb.jpg",
    "restart.jpg",
    "orientation.jpg",
];
const PNGS: [&str; 8] = [
    "rgba.png",
    "rgba16.png",
    "palette.png",
    "interlaced.png",
    "grey16.png",
    "one-bit.png",
    "upside.png",
    "animated.png",
];

fn message(path: &Path) -> String {
    decode_file(path, &DecodeLimits::default(), Rendering::default())
        .expect_err("refused")
        .to_string()
}

#[test]
fn every_refusal_names_the_file_what_was_expected_and_what_came() {
    let folder = tempfile::tempdir().expect("a folder");
    let place = folder.path().display().to_string();
    let said = |name: &str, content: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).expect("written");
        message(&path).replace(&place, "")
    };
    let expected = "expected PNG, JPEG, WebP or BMP, got";
    assert_eq!(said("a.png", b""), "/a.png: expected an image, got an empty file");
    assert_eq!(
        said("b.jpg", b"\0\0\0\x18ftypheic\0\0\0\0mif1"),
        format!("/b.jpg: {expected} a HEIC image; convert it to PNG or JPEG first")
    );
    assert!(said("c.jpg", b"<!DOCTYPE html>").starts_with(&format!("/c.jpg: {expected} an HTML")));
    assert_eq!(message(folder.path()).replace(&place, ""), format!(": {expected} a folder"));
    assert_eq!(
        message(&folder.path().join("none.png")).replace(&place, ""),
        format!("/none.png: {expected} no file of that name")
    );
    let jpeg = read("colour.jpg");
    assert_eq!(
        said("cut.jpg", &jpeg[..300]),
        "/cut.jpg: expected a whole JPEG image, got one that is cut off after 300 bytes, before \
         the end-of-image marker"
    );
    let mut png = read("interlaced.png");
    // The last byte of the pixel data's check sum; the end chunk has 12 bytes.
    let at = png.len() - 13;
    png[at] ^= 1;
    let damaged = said("damaged.png", &png);
    assert!(damaged.starts_with("/damaged.png: expected a sound PNG image, got a damaged one: "));
    assert!(damaged.to_lowercase().contains("crc"), "{damaged}");
}

#[test]
#[cfg(unix)]
fn a_file_without_permission_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("locked.png");
    std::fs::write(&path, read("rgba.png")).expect("written");
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o0)).expect("locked");
    // The superuser may read everything, then it is just a picture.
    if std::fs::read(&path).is_err() {
        assert!(message(&path).ends_with("locked.png: open failed"));
    } else {
        assert!(decode_file(&path, &DecodeLimits::default(), Rendering::default()).is_ok());
    }
}

#[test]
fn a_file_cut_anywhere_is_an_error() {
    for name in JPEGS.iter().chain(&PNGS) {
        let bytes = read(name);
        decode(&bytes).expect("sound when whole");
        for length in 0..bytes.len() {
            assert!(decode(&bytes[..length]).is_err(), "{name} passes with {length} bytes");
        }
        let trailing = [&bytes[..], b"a camera's video after its photo"].concat();
        assert_eq!(decode(&trailing), decode(&bytes), "{name} with bytes after its end");
    }
}

/// A tool that closes a broken file with an end marker does not make the picture whole. Of a
/// progressive file, what follows a complete scan cannot be missed: it is sharper or less sharp.
#[test]
fn a_cut_jpeg_with_an_end_marker_is_an_error() {
    for name in JPEGS.into_iter().filter(|&name| name != "progressive.jpg") {
        let bytes = read(name);
        let whole = decode(&bytes).expect("sound when whole");
        for length in 2..bytes.len() - 2 {
            let closed = [&bytes[..length], &[0xff, 0xd9]].concat();
            if let Ok(image) = decode(&closed) {
                assert_eq!(image, whole, "{name} passes with {length} bytes and an end marker");
            }
        }
    }
}

#[test]
fn a_declared_size_beyond_the_limits_is_refused() {
    let limits = DecodeLimits::default();
    let said = |bytes: &[u8], limits: &DecodeLimits| {
        decode_bytes(bytes, limits, Rendering::default()).expect_err("refused").to_string()
    };
    let png = |width: u32, height: u32| {
        let mut png = read("rgba.png");
        png[16..20].copy_from_slice(&width.to_be_bytes());
        png[20..24].copy_from_slice(&height.to_be_bytes());
        let crc = crc32(&png[12..29]);
        png[29..33].copy_from_slice(&crc.to_be_bytes());
        png
    };
    assert_eq!(
        said(&png(50_000, 50_000), &limits),
        "expected at most 134217728 pixels, got 50000×50000 in a PNG image"
    );
    assert_eq!(
        said(&png(1, 70_000), &limits),
        "expected 1 to 65535 pixels a side, got 1×70000 in a PNG image"
    );
    assert!(said(&png(0, 5), &limits).contains("PNG image"));
    let mut jpeg = read("colour.jpg");
    let frame = jpeg.windows(2).position(|w| w == [0xff, 0xc0]).expect("a frame header") + 5;
    jpeg[frame..frame + 4].copy_from_slice(&[0, 0, 0, 17]);
    assert_eq!(said(&jpeg, &limits), "expected 1 to 65535 pixels a side, got 17×0 in a JPEG image");
    jpeg[frame..frame + 4].copy_from_slice(&[255; 4]);
    assert!(said(&jpeg, &limits).starts_with("expected at most 134217728 pixels"));

    let small = DecodeLimits { max_file_bytes: 100, ..limits };
    assert_eq!(
        said(&read("rgba.png"), &small),
        "expected an image file of at most 100 bytes, got 173 bytes"
    );
    let narrow = DecodeLimits { max_memory_bytes: 1000, ..limits };
    assert_eq!(
        said(&read("rgba.png"), &narrow),
        "expected at most 1000 bytes of memory to decode a PNG image, got one of 17×9 pixels that \
         needs 1071"
    );
    assert!(said(&read("progressive.jpg"), &narrow).contains("needs"));
}

/// The check sum of a PNG chunk.
fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum()
}

/// Gives every whole chunk the check sum of its content, so that damage gets past the first door.
fn mend_check_sums(png: &mut [u8]) {
    let mut at = 8;
    while let Some(length) = png.get(at..at + 4) {
        let length = u32::from_be_bytes(length.try_into().expect("four bytes")) as usize;
        let end = at.saturating_add(8).saturating_add(length);
        if end.saturating_add(4) > png.len() {
            break;
        }
        let crc = crc32(&png[at + 4..end]);
        png[end..end + 4].copy_from_slice(&crc.to_be_bytes());
        at = end + 4;
    }
}

#[test]
fn a_palette_that_ends_within_a_colour_is_refused() {
    for n_cut in 1..4 {
        let mut png = read("palette.png");
        let at = png.windows(4).position(|kind| kind == b"PLTE").expect("a palette");
        let length = u32::from_be_bytes(png[at - 4..at].try_into().expect("four bytes"));
        png[at - 4..at].copy_from_slice(&(length - n_cut).to_be_bytes());
        let end = at + 4 + length as usize;
        drop(png.drain(end - n_cut as usize..end));
        mend_check_sums(&mut png);
        let answer = decode(&png).map(|_| ()).map_err(|error| error.to_string());
        match n_cut {
            3 => assert_eq!(answer, Ok(()), "one colour less"),
            _ => assert_eq!(
                answer,
                Err("expected a sound PNG image, got a damaged one: its palette ends within a \
                     colour"
                    .into())
            ),
        }
    }
}

/// Damages one to five places, often where the headers are.
fn damage(bytes: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..=random.below(5) {
        let reach = if random.below(4) == 0 { bytes.len().min(200) } else { bytes.len() };
        let at = random.below(reach);
        if damage_at(bytes, at, random) || bytes.is_empty() {
            return;
        }
    }
}

/// Decodes damaged copies of each picture: whatever comes, it is a picture or an error, soon.
#[test]
fn damaged_files_are_errors_or_pictures() {
    let n_each = 20_000;
    let limits = DecodeLimits { max_pixels: 1 << 20, ..DecodeLimits::default() };
    let (mut n_refused, mut n_decoded) = (0, 0);
    for (seed, name) in (1..).zip(JPEGS.iter().chain(&PNGS)) {
        let whole = read(name);
        let mut random = Random(seed);
        for _ in 0..n_each {
            let mut bytes = whole.clone();
            damage(&mut bytes, &mut random);
            if name.ends_with("png") {
                mend_check_sums(&mut bytes);
            }
            let start = std::time::Instant::now();
            match decode_bytes(&bytes, &limits, Rendering::default()) {
                Ok(_) => n_decoded += 1,
                Err(_) => n_refused += 1,
            }
            assert!(start.elapsed().as_secs() < 5, "{name} takes long when damaged");
        }
    }
    // Both outcomes happen, or the damage is too weak or too strong to try anything.
    assert!(n_refused > n_each && n_decoded > n_each, "{n_refused} refused, {n_decoded} decoded");
}
