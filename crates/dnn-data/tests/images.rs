//! PNG and JPEG files decoded and resized, against what Pillow makes of them.

#![cfg(feature = "image")]

use dnn_data::image::{DecodeLimits, Rendering, decode_bytes, decode_file, write_png};
use dnn_data::{ImageShape, preprocess};
use dnn_data::{InputContract, ResizeFilter};
use std::path::PathBuf;

fn fixture(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests/fixtures/images", name].iter().collect()
}

fn read(name: &str) -> Vec<u8> {
    std::fs::read(fixture(name)).expect("a fixture")
}

/// Checks a fixture's size and that no sample is further than `tolerance` from Pillow's.
#[track_caller]
fn check_against_pillow(name: &str, tolerance: u8) {
    let image = decode_file(&fixture(name), &DecodeLimits::default(), Rendering::default())
        .expect("a sound image");
    let expected = read(&format!("{name}.rgb"));
    let (size, expected) = expected.split_at(2);
    assert_eq!((image.width(), image.height()), (size[0].into(), size[1].into()), "{name}");
    let far = image.pixels().iter().zip(expected).map(|(a, b)| a.abs_diff(*b)).max();
    assert!(far <= Some(tolerance), "{name} is up to {far:?} from Pillow");
}

#[test]
fn png_of_every_mode_is_what_pillow_decodes() {
    let exact = ["interlaced.png", "grey16.png", "one-bit.png", "upside.png", "palette.png"];
    // Of an animation, the first frame.
    for name in exact.into_iter().chain(["animated.png"]) {
        check_against_pillow(name, 0);
    }
    // Pillow rounds its blend with white otherwise.
    for name in ["rgba.png", "rgba16.png", "grey-alpha.png"] {
        check_against_pillow(name, 1);
    }
}

/// Decoders may differ in the last bits of the inverse transform and in how they widen the colour
/// channels. Where the picture ends within a block, this one takes the padding as the neighbour of
/// the last column and row, libjpeg repeats them.
///
/// By hand, on 33 files from cameras and the web: at most 5 of 255. On 279 drawn ones of all
/// samplings, progressive and not, quality 30 to 95: at most 4, and 35 in the last column or row.
#[test]
fn jpeg_of_every_mode_is_what_pillow_decodes() {
    for name in ["grey.jpg", "colour.jpg", "progressive.jpg", "restart.jpg"] {
        check_against_pillow(name, 3);
    }
    for name in ["rgb.jpg", "cmyk.jpg", "cmyk-plain.jpg", "ycck.jpg"] {
        check_against_pillow(name, 2);
    }
}

/// The last lines that `make.py` prints, `ImageOps.exif_transpose` of six flat blocks.
#[test]
fn all_eight_orientations_are_turned_upright() {
    let expected: [(u32, [u8; 6]); 8] = [
        (24, [0, 50, 100, 150, 200, 250]),
        (24, [100, 50, 0, 250, 200, 150]),
        (24, [250, 200, 150, 100, 50, 0]),
        (24, [150, 200, 250, 0, 50, 100]),
        (16, [0, 150, 50, 200, 100, 250]),
        (16, [150, 0, 200, 50, 250, 100]),
        (16, [250, 100, 200, 50, 150, 0]),
        (16, [100, 250, 50, 200, 0, 150]),
    ];
    let mut bytes = read("orientation.jpg");
    // Tag 0x0112, type 3 (16 bits), one value: 6, in Pillow's little- or big-endian block.
    let entry = [0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, 6];
    let at = bytes.windows(10).position(|w| w == entry).expect("the entry") + 9;
    for (value, (width, blocks)) in (1..).zip(expected) {
        bytes[at] = value;
        let image = decode_bytes(&bytes, &DecodeLimits::default(), Rendering::default())
            .expect("a sound image");
        assert_eq!((image.width(), image.height()), (width, 40 - width), "{value}");
        let centre = |i: u32| {
            let (x, y) = (i % (width / 8) * 8 + 4, i / (width / 8) * 8 + 4);
            image.pixels()[((y * width + x) * 3) as usize]
        };
        let got: Vec<_> = (0..6).map(centre).collect();
        assert!(got.iter().zip(blocks).all(|(a, b)| a.abs_diff(b) <= 1), "{value}: {got:?}");
    }
}

/// The last lines that `make.py` prints, `Image.resize` of the scene to 3×4.
///
/// By hand, Lanczos to 64×64 and 100×100 of 1793 pictures, 1×1 to 12 megapixels: at most 2 of 255
/// from Pillow 13 (the two round the filter's weights differently), as long as Pillow takes rows
/// first. Of pictures much taller than wide it takes columns first to save time, which was up to 24
/// off at the sharpest edges.
#[test]
fn each_filter_resizes_as_pillow_does() {
    let image =
        decode_file(&fixture("interlaced.png"), &DecodeLimits::default(), Rendering::default())
            .expect("sound");
    #[rustfmt::skip]
    let expected: [(ResizeFilter, [u8; 36]); 4] = [
        (ResizeFilter::Nearest, [14, 35, 130, 56, 35, 130, 98, 35, 130, 240, 173, 40, 240, 173, 40, 98, 65, 130, 240, 155, 40, 240, 155, 40, 98, 95, 130, 14, 125, 130, 56, 125, 130, 98, 125, 130]),
        (ResizeFilter::Bilinear, [42, 47, 120, 84, 52, 117, 93, 33, 129, 176, 139, 65, 207, 149, 57, 117, 78, 117, 176, 143, 65, 207, 147, 57, 117, 107, 117, 42, 131, 120, 84, 133, 117, 93, 128, 129]),
        (ResizeFilter::Bicubic, [31, 41, 124, 77, 46, 120, 93, 29, 131, 184, 145, 61, 224, 161, 49, 112, 73, 120, 184, 144, 61, 224, 151, 49, 112, 105, 120, 31, 131, 124, 77, 132, 120, 93, 129, 131]),
        (ResizeFilter::Lanczos3, [26, 39, 125, 75, 45, 122, 91, 27, 132, 188, 147, 60, 232, 166, 45, 109, 70, 122, 188, 144, 60, 232, 152, 45, 109, 105, 122, 26, 130, 125, 75, 131, 122, 91, 129, 132]),
    ];
    for (resize, expected) in expected {
        let contract = InputContract { resize, ..InputContract::rgb(3, 4).expect("a size") };
        let got = preprocess::prepare(image.clone(), &contract).expect("sound");
        let far = got.iter().zip(expected).map(|(a, b)| a.abs_diff(b)).max();
        assert!(far <= Some(1), "{resize:?}: {got:?}");
    }
    let grey = InputContract { channels: 1, ..InputContract::rgb(3, 4).expect("a size") };
    let got = preprocess::prepare(image, &grey).expect("sound");
    let expected = [45, 62, 58, 149, 173, 88, 147, 164, 108, 98, 113, 118];
    assert!(got.iter().zip(expected).all(|(a, b)| a.abs_diff(b) <= 1), "{got:?}");
}

#[test]
fn writing_replaces_whole_files_and_leaves_nothing_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("grey.png");
    let shape = ImageShape { height: 1, width: 2, channels: 1 };
    write_png(&path, &[7, 9], shape).expect("written");
    write_png(&path, &[1, 2], shape).expect("replaced");
    let short = write_png(&path, &[1], shape).expect_err("too few bytes").to_string();
    assert!(short.ends_with("and 2 bytes for 1×2×1 to write as PNG, got 1 bytes"), "{short}");
    let shape = ImageShape { channels: 4, ..shape };
    let four = write_png(&path, &[0; 8], shape).expect_err("four channels").to_string();
    assert!(four.ends_with("expected 1 or 3 channels to write as PNG, got 4"), "{four}");
    let image = decode_file(&path, &DecodeLimits::default(), Rendering::default())
        .expect("still the second");
    assert_eq!(image.pixels(), [1, 1, 1, 2, 2, 2]);
    assert_eq!(std::fs::read_dir(folder.path()).expect("readable").count(), 1);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path: &std::path::Path| std::fs::metadata(path).expect("there").permissions();
        let plain = folder.path().join("plain");
        std::fs::write(&plain, "").expect("written");
        assert_eq!(mode(&path).mode(), mode(&plain).mode(), "as any new file");
    }
}

/// Photos larger than a small network needs, and each way of storing them.
mod fast {
    use super::*;
    use dnn_data::image::load_features;
    use dnn_data::{Aspect, Decode};
    use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
    use std::fs;
    use std::path::Path;

    /// Sides that no block divides.
    const SIZE: (u16, u16) = (1101, 733);

    /// Waves and edges, of another colour in each channel.
    fn photo(channels: usize) -> Vec<u8> {
        let wave = |x: f64, y: f64, c: f64| {
            let edge = if (x / 90.0 + y / 70.0 + c).sin() > 0.3 { 40.0 } else { 0.0 };
            110.0 + edge + 60.0 * (x / (31.0 + 20.0 * c)).sin() * (y / (47.0 - 9.0 * c)).cos()
        };
        let (width, height) = (usize::from(SIZE.0), usize::from(SIZE.1));
        let value = |i: usize| {
            let (x, y, c) = (i / channels % width, i / channels / width, i % channels);
            wave(x as f64, y as f64, c as f64) as u8
        };
        (0..width * height * channels).map(value).collect()
    }

    fn write(path: &Path, grey: bool, sampling: SamplingFactor, progressive: bool, turned: u8) {
        let mut encoder = Encoder::new_file(path, 90).expect("a file");
        encoder.set_sampling_factor(sampling);
        encoder.set_progressive(progressive);
        let exif =
            [&b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0"[..], &[turned], &[0; 6]];
        encoder.add_app_segment(1, exif.concat()).expect("short enough");
        let (channels, colours) = if grey { (1, ColorType::Luma) } else { (3, ColorType::Rgb) };
        encoder.encode(&photo(channels), SIZE.0, SIZE.1, colours).expect("written");
    }

    fn features(path: &Path, contract: &InputContract) -> Vec<f64> {
        let x = load_features::<f64>(path, contract, &DecodeLimits::default());
        x.expect("a sound image").as_slice().to_vec()
    }

    /// Mean and largest difference of features decoded fast and exactly, in levels of 255.
    fn difference(path: &Path, contract: &InputContract) -> (f64, f64) {
        let fast = features(path, &InputContract { decode: Decode::Fast, ..contract.clone() });
        let exact = features(path, contract);
        let levels = |(a, b): (&f64, &f64)| (a - b).abs() * 255.0;
        let all: Vec<f64> = fast.iter().zip(&exact).map(levels).collect();
        (all.iter().sum::<f64>() / all.len() as f64, all.into_iter().fold(0.0, f64::max))
    }

    #[test]
    fn large_photos_are_decoded_smaller_and_almost_the_same() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("photo.jpg");
        let [full, half_across, half] =
            [SamplingFactor::R_4_4_4, SamplingFactor::R_4_2_2, SamplingFactor::R_4_2_0];
        let stored = [
            (false, full, false, 1),
            (false, half_across, false, 3),
            (false, half, false, 6),
            (false, half, true, 8),
            (false, full, true, 2),
            (true, full, false, 5),
            (true, full, true, 7),
        ];
        for (grey, sampling, progressive, turned) in stored {
            write(&path, grey, sampling, progressive, turned);
            let what = format!("{grey} {sampling:?} {progressive} {turned}");
            for aspect in [Aspect::Stretch, Aspect::Fit, Aspect::Crop] {
                for channels in [3, 1] {
                    // An eighth has 138×92 pixels, a quarter 276×184: four times 22 and 45.
                    for side in [16, 22, 23, 45] {
                        let size = InputContract::rgb(side, side).expect("a size");
                        let contract = InputContract { aspect, channels, ..size };
                        let (mean, most) = difference(&path, &contract);
                        assert!(
                            mean < 1.25 && most < 8.0,
                            "{what} {aspect:?} {side}: {mean} {most}"
                        );
                        assert!(mean > 0.0, "{what} {aspect:?} {side}: not decoded smaller");
                    }
                }
            }
            let size = |least_size| {
                let rendering = Rendering { least_size, ..Rendering::default() };
                let image = decode_file(&path, &DecodeLimits::default(), rendering);
                let image = image.expect("a sound image");
                (image.size_in_file(), image.width() == image.size_in_file().0)
            };
            assert_eq!((size(None).0, false), size(Some((64, 64))), "{what}");
            let exact = InputContract::rgb(46, 46).expect("a size");
            assert_eq!(difference(&path, &exact), (0.0, 0.0), "not four times as large");
        }
    }

    #[test]
    fn what_is_cut_off_is_refused_as_well() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("photo.jpg");
        let least_size = Some((64, 64));
        for progressive in [false, true] {
            write(&path, false, SamplingFactor::R_4_2_0, progressive, 1);
            let whole = fs::read(&path).expect("there");
            let is_sound = |bytes: &[u8]| {
                let rendering = Rendering { least_size, ..Rendering::default() };
                decode_bytes(bytes, &DecodeLimits::default(), rendering).is_ok()
            };
            assert!(is_sound(&whole));
            assert!(!is_sound(&whole[..whole.len() / 2]));
            // The first scan loses its end, and the file has its end marker.
            let scan = whole.windows(2).position(|w| w == [0xff, 0xda]).expect("a scan");
            let cut = [&whole[..scan + 400], &[0xff, 0xd9]].concat();
            assert!(!is_sound(&cut), "progressive: {progressive}");
        }
    }
}
