//! The files that loading is measured on, made from nothing: the same bytes on every machine.

#![allow(dead_code)] // Each bench takes what it needs.

use dnn_core::ShuffleBlocks;
use dnn_core::rng::{Generator, RngKind};
use dnn_data::folder::FolderOptions;
use dnn_data::format::{Options, Source};
use dnn_data::hdf5::{Stream, of_course};
use dnn_data::image::{RgbImage, write_png};
use dnn_data::synthetic::{DrawOptions, DrawnSet, Plan, draw};
use dnn_data::{Decode, InputContract, ResizeFilter};
use dnn_data::{ImageSet, ImageShape, Images as _, Scale, Splits, preprocess};
use hdf5_pure::FileBuilder;
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use std::fs;
use std::path::Path;

/// Side of what a network is fed.
pub(crate) const SIDE: u32 = 64;

/// Photos of one size: about 0.3, 2 and 12 megapixels.
pub(crate) struct Photos {
    pub(crate) width: u32,
    pub(crate) height: u32,
    /// Even, for two classes of as many and two cores that end together.
    pub(crate) n: usize,
}

pub(crate) const PHOTOS: [Photos; 3] = [
    Photos { width: 640, height: 480, n: 64 },
    Photos { width: 1600, height: 1200, n: 16 },
    Photos { width: 4000, height: 3000, n: 4 },
];

impl Photos {
    pub(crate) fn size(&self) -> String {
        format!("{}x{}", self.width, self.height)
    }
}

/// How a photo is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Baseline,
    Progressive,
    Png,
}

impl Format {
    pub(crate) const ALL: [Self; 3] = [Self::Baseline, Self::Progressive, Self::Png];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Baseline => "jpeg-baseline",
            Self::Progressive => "jpeg-progressive",
            Self::Png => "png",
        }
    }
}

fn enlarged(image: RgbImage, width: u32, height: u32) -> Vec<u8> {
    let rgb = InputContract::rgb(width, height).expect("a size an input may have");
    let contract = InputContract { resize: ResizeFilter::Bicubic, ..rgb };
    preprocess::prepare(image, &contract).expect("a contract that holds together")
}

/// What a decoder takes for a photo: a drawing enlarged, with texture from coarse to as fine as a
/// sensor's noise. At quality 90 it takes about as many bits a pixel as a camera's pictures do.
pub(crate) fn photo(index: usize, width: u32, height: u32) -> Vec<u8> {
    const DRAWN: usize = 512;
    let drawn = Plan::new(1, DrawnSet::Train, index).render(DRAWN).expect("a size that is drawn");
    let drawn = RgbImage::new(DRAWN as u32, DRAWN as u32, drawn).expect("as many pixels");
    let mut pixels = enlarged(drawn, width, height);
    let mut rng = Generator::new(RngKind::Modern, index as u64 + 1).expect("a seed it takes");
    for (cell, amplitude) in [(32, 48), (8, 24), (2, 12), (1, 4)] {
        let (columns, rows) = (width.div_ceil(cell), height.div_ceil(cell));
        let n = columns as usize * rows as usize * 3;
        let noise = (0..n).map(|_| (rng.uniform() * 256.0) as u8).collect();
        let noise = RgbImage::new(columns, rows, noise).expect("as many pixels");
        for (pixel, noise) in pixels.iter_mut().zip(enlarged(noise, width, height)) {
            let change = (i32::from(noise) - 128) * amplitude / 128;
            *pixel = (i32::from(*pixel) + change).clamp(0, 255) as u8;
        }
    }
    pixels
}

/// Writes a photo in one of the formats.
fn write_photo(path: &Path, pixels: &[u8], photos: &Photos, format: Format) {
    let Photos { width, height, .. } = *photos;
    if format == Format::Png {
        let shape = ImageShape { height: height as usize, width: width as usize, channels: 3 };
        return write_png(path, pixels, shape).expect("a PNG");
    }
    // As cameras and phones store them: colour at half the size either way.
    let mut encoder = Encoder::new_file(path, 90).expect("a file");
    encoder.set_sampling_factor(SamplingFactor::R_4_2_0);
    encoder.set_progressive(format == Format::Progressive);
    encoder
        .encode(pixels, width as u16, height as u16, ColorType::Rgb)
        .expect("a picture that JPEG can hold");
}

/// Writes photos of one size into `root/FORMAT-SIZE/CLASS/`, of two classes, in these formats.
pub(crate) fn write_photos(root: &Path, photos: &Photos, formats: &[Format]) {
    for index in 0..photos.n {
        let pixels = photo(index, photos.width, photos.height);
        for &format in formats {
            let class = ["even", "odd"][index % 2];
            let folder = folder(root, photos, format).join(class);
            fs::create_dir_all(&folder).expect("a folder");
            let ending = if format == Format::Png { "png" } else { "jpg" };
            let path = folder.join(format!("{index:03}.{ending}"));
            write_photo(&path, &pixels, photos, format);
        }
    }
}

/// Where [`write_photos`] puts them.
pub(crate) fn folder(root: &Path, photos: &Photos, format: Format) -> std::path::PathBuf {
    root.join(format!("{}-{}", format.name(), photos.size()))
}

/// The options of loading such a folder on so many cores, 0 for all.
pub(crate) fn folder_options(n_threads: usize, decode: Decode) -> FolderOptions {
    let size = InputContract::rgb(SIDE, SIDE).expect("a size an input may have");
    let contract = InputContract { decode, ..size };
    FolderOptions { test_share: 0.0, n_threads, ..FolderOptions::new(contract) }
}

/// Drawn images of 64×64 with a sensor's noise, which keeps gzip from packing them like drawings.
pub(crate) fn images(n: usize) -> ImageSet {
    let drawn = draw(&DrawOptions { n_train: n, n_test: 1, seed: 1, size: SIDE as usize });
    let set = drawn.expect("drawn images").train;
    let mut rng = Generator::new(RngKind::Modern, 1).expect("a seed it takes");
    let noisy = |&pixel: &u8| (f64::from(pixel) + rng.uniform() * 8.0 - 4.0).clamp(0.0, 255.0);
    let pixels = set.pixels().iter().map(noisy).map(|pixel| pixel as u8).collect();
    let (labels, classes) = (set.labels().to_vec(), set.classes().to_vec());
    ImageSet::new(pixels, set.shape(), labels, classes).expect("as many as before")
}

/// How the images of an HDF5 file lie in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Storage {
    Contiguous,
    /// gzip in chunks of five images, as `hdf5::write_splits` writes them.
    Gzip,
}

impl Storage {
    pub(crate) const ALL: [Self; 2] = [Self::Contiguous, Self::Gzip];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Contiguous => "contiguous",
            Self::Gzip => "gzip",
        }
    }
}

/// Writes images in the course's schema.
pub(crate) fn write_hdf5(path: &Path, set: &ImageSet, storage: Storage) {
    let shape = set.shape();
    let dims = |n: usize| [n, shape.height, shape.width, shape.channels].map(|n| n as u64);
    let mut builder = FileBuilder::new();
    let images = builder.create_dataset("train_set_x");
    images.with_u8_data(set.pixels()).with_shape(&dims(set.len()));
    if storage == Storage::Gzip {
        images.with_chunks(&dims(5)).with_deflate(6);
    }
    let labels: Vec<i64> = set.labels().iter().map(|&label| i64::from(label)).collect();
    builder.create_dataset("train_set_y").with_i64_data(&labels);
    builder.write(path).expect("an HDF5 file");
}

/// Images of the file, 16 MiB of them in memory.
pub(crate) fn stream(path: &Path) -> Stream {
    Stream::open(path, &of_course("train"), Scale::Auto, &dnn_data::hdf5::Options::default())
        .and_then(|stream| stream.with_memory(16 << 20))
        .expect("a file of the course's schema")
}

/// Rows of a batch of training.
pub(crate) const BATCH: usize = 128;

/// Every row once, in an order that [`Stream`] is read in by training: blocks are shuffled, then the
/// rows of the blocks that are in memory.
pub(crate) fn streamed_order(path: &Path) -> Vec<usize> {
    let images = stream(path);
    let ShuffleBlocks { rows, at_once } = images.blocks().expect("a stream has blocks");
    let m = images.len();
    let mut rng = Generator::new(RngKind::Modern, 1).expect("a seed it takes");
    let blocks = rng.permutation(m.div_ceil(rows));
    let mut order = Vec::with_capacity(m);
    for blocks in blocks.chunks(at_once) {
        let from = order.len();
        order.extend(blocks.iter().flat_map(|block| block * rows..m.min((block + 1) * rows)));
        rng.shuffle(&mut order[from..]);
    }
    order
}

/// Everything of a source that is known to have this format.
pub(crate) fn opened(format: &str, path: &Path, options: &Options) -> Splits {
    let source = Source::of_format(path, format, options).expect("a format");
    source.open(options, &|_, _| ()).expect("examples")
}

/// Image files in folders of classes.
pub(crate) fn photos_in(folder: &Path, options: &FolderOptions) -> Splits {
    let options = Options { folder: options.clone(), ..Options::default() };
    opened("a folder for each class", folder, &options)
}
