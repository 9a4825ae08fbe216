//! The settings of the data and their preparation, as a configuration file has them.

use crate::Shown;
use crate::cache::CachePolicy;
use crate::folder::{FolderOptions, OnBadImage};
use crate::preprocess::ContractChange;
use crate::synthetic::DrawOptions;
use crate::{
    Aspect, DataError, Decode, FeatureKind, InputContract, Names, ResizeFilter, Scale, format,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The value of `data` that asks for drawn images; `./drawn` is a file or folder of that name.
pub const DRAWN: &str = "drawn";

/// The settings of a data set: its files, its splits, and how it is prepared.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DataConfig {
    /// A folder or file of labelled images or numbers, or "drawn". A relative path starts from the
    /// folder of this file.
    pub data: PathBuf,
    /// A file or folder with the test images, when they are elsewhere.
    #[schemars(extend("x-example" = "test.h5"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test: Option<PathBuf>,
    /// A file or folder with validation images, which are evaluated during training.
    #[schemars(extend("x-example" = "validation.h5"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validation: Option<PathBuf>,
    /// Datasets (HDF5) or arrays (.npz) of the training images, when they do not have usual names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub names: Option<Names>,
    /// Datasets of the test images, in `test` or else in `data`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_names: Option<Names>,
    /// The column of the labels in a table (CSV), by its name or its number from 1.
    #[schemars(extend(
        "x-example" = "species",
        "x-group" = "values",
        "x-value" = "COLUMN",
        "x-help" = "Column of the labels in a table (CSV), by its name or its number from 1 \
                    [default: label, class, target, y or species, else the last]"
    ))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// The scaling of values other than bytes: auto divides whole numbers from 0 to 255 by 255.
    #[schemars(extend("x-group" = "values"))]
    pub scale: Scale,
    /// Other names for the classes of the data, each with its new one; two may get the same one.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub class_map: BTreeMap<String, String>,
    /// Training examples that are left out, by their numbers from 0, as `dnn data audit` has them.
    #[schemars(extend("x-group" = "values", "x-value" = "N,N,…", "x-example" = [3, 17]))]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<usize>,
    /// Which images are drawn, when `data` is "drawn".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drawn: Option<DrawOptions>,
    /// How the images are prepared; what is left out stays as in the data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<InputConfig>,
    /// Bytes for all of training, as a number or as "512M" or "2G"; images that do not fit stay in
    /// their HDF5 file and are read while training goes on.
    #[schemars(extend(
        "x-example" = "512M",
        "x-group" = "memory",
        "x-value" = "SIZE",
        "x-help" = "Memory for all of it, 512M or 2G: when that is not enough, images stay in their \
                    HDF5 file (others are written to one in the cache first) and are read while \
                    training goes on"
    ))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_limit: Option<ByteSize>,
    /// Where decoded images are cached; it changes only the time that loading takes.
    #[serde(skip)]
    pub cache: CachePolicy,
}

impl DataConfig {
    /// Returns the settings for the data of a path, with default preparation.
    pub fn of(data: impl Into<PathBuf>) -> Self {
        Self { data: data.into(), ..Self::default() }
    }

    /// Returns whether the images are drawn instead of read.
    pub fn is_drawn(&self) -> bool {
        self.data == Path::new(DRAWN)
    }

    /// Checks that the settings are consistent.
    ///
    /// # Errors
    /// [`DataError::Config`] names the settings that contradict each other.
    pub fn check(&self) -> Result<(), DataError> {
        let refuse = |what: String| Err(DataError::Config(what));
        if self.data.as_os_str().is_empty() {
            return refuse(format!("no data given: expected a folder, a file, or `{DRAWN}`"));
        }
        if !self.is_drawn() && self.drawn.is_some() {
            let data = self.data.shown();
            return refuse(format!("{data} is not drawn: --draw flags are for the data `{DRAWN}`"));
        }
        if self.memory_limit.is_some() && !self.exclude.is_empty() {
            let what =
                "examples are left out of what is in memory: exclude goes with no memory limit";
            return refuse(what.into());
        }
        if !self.is_drawn() {
            return Ok(());
        }
        if self.names.is_some() || self.test_names.is_some() {
            return refuse(
                "drawn images have no datasets to name: --x and --y are for HDF5 and .npz files"
                    .into(),
            );
        }
        if self.label.is_some() {
            return refuse("drawn images have no columns: --label is for tables (CSV)".into());
        }
        if self.memory_limit.is_some() {
            let what = "a memory limit is for images in files: drawn ones are in memory";
            return refuse(what.into());
        }
        let usual = InputConfig::default();
        let input = self.input.as_ref().unwrap_or(&usual);
        if input.test_share != usual.test_share || input.split_seed != usual.split_seed {
            return refuse(
                "drawn images have a test set of their own: --test-share and --split-seed are for \
                 image files"
                    .into(),
            );
        }
        Ok(())
    }

    /// Returns the options by which a path is read.
    pub(crate) fn options(&self, names: Option<&Names>, folder: FolderOptions) -> format::Options {
        format::Options {
            names: names.cloned(),
            label: self.label.clone(),
            scale: self.scale,
            folder,
            ..format::Options::default()
        }
    }
}

/// The colour channels of an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Colors {
    /// Red, green and blue.
    Rgb,
    /// Grey: one channel.
    Grey,
}

/// Width and height in pixels, written "64" or "64x48".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct Size(pub u32, pub u32);

impl TryFrom<String> for Size {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let (width, height) = text.split_once(['x', '×']).unwrap_or((&text, &text));
        let side = |side: &str| {
            side.trim().parse().ok().filter(|side| (1..=InputContract::MAX_SIDE).contains(side))
        };
        let size = side(width).zip(side(height)).map(|(width, height)| Self(width, height));
        size.ok_or_else(|| {
            format!("expected 64 or 64x48, sides from 1 to {}, got {text}", InputContract::MAX_SIDE)
        })
    }
}

impl From<Size> for String {
    fn from(Size(width, height): Size) -> Self {
        if width == height { width.to_string() } else { format!("{width}x{height}") }
    }
}

/// A number of bytes above 0, written 4096, "512k", "512M" or "2G" and stored as the number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "NumberOrText", into = "u64")]
#[schemars(with = "NumberOrText")]
pub struct ByteSize(pub u64);

#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
enum NumberOrText {
    Number(#[schemars(range(min = 1))] u64),
    #[schemars(extend("x-what" = "a text such as 512M"))]
    Text(String),
}

impl TryFrom<NumberOrText> for ByteSize {
    type Error = String;
    fn try_from(written: NumberOrText) -> Result<Self, String> {
        let bytes = match &written {
            NumberOrText::Number(bytes) => Some(*bytes),
            NumberOrText::Text(text) => {
                let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
                let unit: Option<u64> = match text[digits.len()..].to_ascii_lowercase().as_str() {
                    "" | "b" => Some(1),
                    "k" | "kb" | "kib" => Some(1 << 10),
                    "m" | "mb" | "mib" => Some(1 << 20),
                    "g" | "gb" | "gib" => Some(1 << 30),
                    _ => None,
                };
                unit.and_then(|unit| digits.trim_end().parse::<u64>().ok()?.checked_mul(unit))
            }
        };
        let bytes = bytes.filter(|bytes| *bytes > 0).map(Self);
        bytes.ok_or_else(|| "expected bytes, as 512M or 2G".into())
    }
}

impl From<ByteSize> for u64 {
    fn from(ByteSize(bytes): ByteSize) -> Self {
        bytes
    }
}

/// A colour, written "#ffffff", "white" or "black".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct Background(pub [u8; 3]);

impl TryFrom<String> for Background {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let digits = match text.as_str() {
            "white" => "ffffff",
            "black" => "000000",
            other => other.trim_start_matches('#'),
        };
        let byte = |at: usize| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok();
        let hex = digits.len() == 6 && digits.bytes().all(|b| b.is_ascii_hexdigit());
        hex.then(|| Some([byte(0)?, byte(2)?, byte(4)?]))
            .flatten()
            .map(Self)
            .ok_or_else(|| format!("expected a colour as #rrggbb, white or black, got {text}"))
    }
}

impl From<Background> for String {
    fn from(Background([r, g, b]): Background) -> Self {
        format!("#{r:02x}{g:02x}{b:02x}")
    }
}

/// The settings of the preparation of images and of the split of a folder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct InputConfig {
    /// Width and height of the network's input, "64" or "64x48"; as the data when left out, 64 for
    /// image files.
    #[schemars(extend("x-example" = "64", "x-value" = "SIZE"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<Size>,
    /// Colour channels of the input, as the data when left out.
    #[schemars(extend("x-example" = "rgb"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub colors: Option<Colors>,
    /// The filter images are resized with.
    pub resize: ResizeFilter,
    /// The rule for images of another aspect ratio: stretch, fit in with margins, or crop.
    pub aspect: Aspect,
    /// The background colour behind transparent pixels and in margins.
    #[schemars(extend("x-value" = "#RRGGBB"))]
    pub background: Background,
    /// Whether photos are rotated as their EXIF data say.
    #[schemars(extend(
        "x-flag" = "ignore-exif",
        "x-help" = "Leave photos as they are stored, whatever their EXIF orientation says"
    ))]
    pub exif_orientation: bool,
    /// The way a JPEG file is decoded.
    pub decode: Decode,
    /// Whether each channel of images, or each column of a table, is standardised to mean 0 and
    /// standard deviation 1.
    #[schemars(extend("x-group" = "features"))]
    pub standardize: bool,
    /// The features of an image: its pixels, or descriptors of its colours, its texture, or both, which
    /// are standardised and clipped at ±5.
    #[schemars(extend("x-group" = "features"))]
    pub features: FeatureKind,
    /// Number of views of an image (2 adds its mirror image, 12 also five crops): each epoch of training
    /// draws one of them, and a prediction is the mean over all.
    #[schemars(range(min = 1, max = InputContract::MAX_VIEWS), extend("x-group" = "features"))]
    pub views: u32,
    /// What to do with image files that cannot be used: stop with an error that lists them, or skip them.
    #[schemars(extend("x-group" = "files"))]
    pub on_bad_image: OnBadImage,
    /// The share of each class that becomes the test set of a folder without train and test.
    #[schemars(extend("minimum" = 0, "exclusiveMaximum" = 1, "x-what" = "a share", "x-group" = "files"))]
    pub test_share: f64,
    /// Seed of the random choice of that share.
    #[schemars(extend("x-group" = "files"))]
    pub split_seed: u64,
}

impl Default for InputConfig {
    fn default() -> Self {
        let usual = FolderOptions::default();
        Self {
            size: None,
            colors: None,
            resize: usual.contract.resize,
            aspect: usual.contract.aspect,
            background: Background(usual.contract.background),
            exif_orientation: usual.contract.exif_orientation,
            decode: usual.contract.decode,
            standardize: false,
            features: FeatureKind::default(),
            views: 1,
            on_bad_image: OnBadImage::default(),
            test_share: usual.test_share,
            split_seed: usual.seed,
        }
    }
}

impl InputConfig {
    /// Returns the settings for few photos: colour and texture descriptors of twelve views.
    pub fn described() -> Self {
        Self { features: FeatureKind::ColourTexture, views: 12, ..Self::default() }
    }

    /// Returns the settings that standardise pixels or columns.
    pub fn standardized() -> Self {
        Self { standardize: true, ..Self::default() }
    }

    /// Returns the properties that these settings ask of a contract. Defaults keep those of the data,
    /// since prepared images record their own.
    pub fn contract_change(&self) -> ContractChange {
        let usual = Self::default();
        ContractChange {
            size: self.size.map(|Size(width, height)| (width, height)),
            channels: self.colors.map(|colors| match colors {
                Colors::Rgb => 3,
                Colors::Grey => 1,
            }),
            resize: (self.resize != usual.resize).then_some(self.resize),
            aspect: (self.aspect != usual.aspect).then_some(self.aspect),
            background: (self.background != usual.background).then_some(self.background.0),
            exif_orientation: (!self.exif_orientation).then_some(false),
            decode: (self.decode != usual.decode).then_some(self.decode),
        }
    }

    /// Returns the options by which image files are read: for a network, or by these settings.
    pub fn folder_options(&self, network: Option<&InputContract>) -> FolderOptions {
        let usual = FolderOptions::default();
        let own = || self.contract_change().apply(usual.contract.clone());
        FolderOptions {
            on_bad_image: self.on_bad_image,
            test_share: self.test_share,
            seed: self.split_seed,
            contract: network.cloned().unwrap_or_else(own),
            ..usual
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_colours_are_read_and_written() {
        for (text, size) in [("64", Size(64, 64)), ("64x48", Size(64, 48))] {
            assert_eq!(Size::try_from(text.to_owned()), Ok(size));
            assert_eq!(String::from(size), text);
        }
        for text in ["", "0", "64x", "x", "5000", "64x48x3"] {
            assert!(Size::try_from(text.to_owned()).is_err(), "{text}");
        }
        for (text, bytes) in
            [("1", 1), ("512k", 512 << 10), ("512M", 512 << 20), ("2 GiB", 2 << 30)]
        {
            let read = ByteSize::try_from(NumberOrText::Text(text.into()));
            assert_eq!(read, Ok(ByteSize(bytes)), "{text}");
        }
        for text in ["", "0", "M", "1T", "-1", "99999999999G"] {
            assert!(ByteSize::try_from(NumberOrText::Text(text.into())).is_err(), "{text}");
        }
        let background = |text: &str| Background::try_from(text.to_owned());
        assert_eq!(background("#0a1B2c"), Ok(Background([10, 27, 44])));
        assert_eq!(String::from(Background([10, 27, 44])), "#0a1b2c");
        for text in ["#fff", "red", "#gg0000", "#+10000", "äöü"] {
            assert!(background(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_does_nothing_for_drawn_images_is_refused() {
        let drawn = || DataConfig::of(DRAWN);
        assert!(drawn().check().is_ok());
        let input = InputConfig { test_share: 0.5, ..InputConfig::default() };
        for refused in [
            DataConfig { label: Some("y".into()), ..drawn() },
            DataConfig { memory_limit: Some(ByteSize(1)), ..drawn() },
            DataConfig { input: Some(input), ..drawn() },
            DataConfig { drawn: Some(DrawOptions::default()), ..DataConfig::of("a.h5") },
            DataConfig::default(),
        ] {
            assert!(refused.check().is_err(), "{refused:?}");
        }
    }
}
