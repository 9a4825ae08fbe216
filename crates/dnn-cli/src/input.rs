//! How images are prepared, as flags and as a run's configuration have it.

use crate::choice::choice;
use anyhow::Context;
use clap::Args;
use dnn_data::folder::{FolderOptions, OnBadImage};
use dnn_data::preprocess::{self, ContractChange};
use dnn_data::{Aspect, InputContract, ResizeFilter};
use dnn_data::{ImageSet, Splits};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use std::borrow::Cow;
use std::path::PathBuf;

const ASPECTS: [Aspect; 3] = [Aspect::Stretch, Aspect::Fit, Aspect::Crop];
const FILTERS: [ResizeFilter; 4] =
    [ResizeFilter::Nearest, ResizeFilter::Bilinear, ResizeFilter::Bicubic, ResizeFilter::Lanczos3];

/// Colours of an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Colors {
    Rgb,
    Grey,
}

/// What to do about an image file that cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum BadImage {
    #[default]
    Error,
    Skip,
}

/// Width and height, "64" or "64x48".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Size(u32, u32);

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

/// A colour, "#ffffff".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Background([u8; 3]);

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

fn parse<T: TryFrom<String, Error = String>>(text: &str) -> Result<T, String> {
    T::try_from(text.to_owned())
}

/// How images are prepared and which are taken, as a run's configuration has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Input {
    /// Of the network's input; the data's own, or 64 for files of any size.
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<Size>,
    #[serde(skip_serializing_if = "Option::is_none")]
    colors: Option<Colors>,
    resize: ResizeFilter,
    aspect: Aspect,
    background: Background,
    exif_orientation: bool,
    standardize: bool,
    on_bad_image: BadImage,
    /// Of each class in a folder without `test`.
    #[serde(deserialize_with = "read_share")]
    test_share: f64,
    split_seed: u64,
}

impl Default for Input {
    fn default() -> Self {
        let usual = FolderOptions::default();
        Self {
            size: None,
            colors: None,
            resize: usual.contract.resize,
            aspect: usual.contract.aspect,
            background: Background(usual.contract.background),
            exif_orientation: usual.contract.exif_orientation,
            standardize: false,
            on_bad_image: BadImage::default(),
            test_share: usual.test_share,
            split_seed: usual.seed,
        }
    }
}

/// Which files of a folder are taken.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Folders of images")]
pub(crate) struct FilesArgs {
    /// Stop at image files that cannot be used, after listing them all, or leave them out
    #[arg(long, value_name = "WHAT", value_parser = choice(&[BadImage::Error, BadImage::Skip]))]
    on_bad_image: Option<BadImage>,
    /// Of CLASS/… without train/ and test/, the share of each class to test on [default: 0.2]
    #[arg(long, value_name = "F", value_parser = share)]
    test_share: Option<f64>,
    /// Seed of the drawing of that share [default: 1]
    #[arg(long, value_name = "N")]
    split_seed: Option<u64>,
}

/// Where decoded images are kept.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Folders of images")]
pub(crate) struct CacheArgs {
    /// Keep decoded images in this folder, for the next time [default: in the user's cache folder,
    /// when the files are 64 MB or more]
    #[arg(long, value_name = "DIR", conflicts_with = "no_cache")]
    cache: Option<PathBuf>,
    /// Decode all images anew
    #[arg(long)]
    no_cache: bool,
}

/// What images look like as the network's input.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Input")]
pub(crate) struct ShapeArgs {
    /// Pixels of the network's input, N or WIDTHxHEIGHT [default: as the data, 64 for image files]
    #[arg(long, value_name = "SIZE", value_parser = parse::<Size>)]
    size: Option<Size>,
    /// Colours of the network's input [default: as the data, rgb for image files]
    #[arg(long, value_name = "NAME", value_parser = choice(&[Colors::Rgb, Colors::Grey]))]
    colors: Option<Colors>,
    /// The filter images are resized with [default: lanczos3]
    #[arg(long, value_name = "NAME", value_parser = choice(&FILTERS))]
    resize: Option<ResizeFilter>,
    /// Another aspect ratio: stretched, fitted in with margins, or cropped [default: stretch]
    #[arg(long, value_name = "NAME", value_parser = choice(&ASPECTS))]
    aspect: Option<Aspect>,
    /// What shows through transparency and in margins [default: white]
    #[arg(long, value_name = "#RRGGBB", value_parser = parse::<Background>)]
    background: Option<Background>,
    /// Leave photos as they are stored, whatever their EXIF orientation says
    #[arg(long)]
    ignore_exif: bool,
    #[command(flatten)]
    pub(crate) files: FilesArgs,
}

/// How images become the network's input.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct InputArgs {
    #[command(flatten)]
    pub(crate) shape: ShapeArgs,
    #[command(flatten)]
    pub(crate) cache: CacheArgs,
    /// Bring each channel (of numbers that are no images, each feature) to mean 0 and deviation 1
    #[arg(long, help_heading = "Input")]
    standardize: bool,
}

/// Where decoded images are kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Caching {
    /// In the user's cache folder, when there are many.
    #[default]
    Usual,
    /// In this folder.
    In(PathBuf),
    /// Nowhere.
    Off,
}

fn share(text: &str) -> Result<f64, String> {
    let share = text.parse().ok().filter(|share| (0.0..1.0).contains(share));
    share.ok_or_else(|| format!("expected a share from 0 up to but not including 1, got {text}"))
}

/// As [`share`], from a configuration.
fn read_share<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    share(&f64::deserialize(from)?.to_string()).map_err(D::Error::custom)
}

impl CacheArgs {
    /// Where decoded images are kept.
    pub(crate) fn caching(&self) -> Caching {
        match &self.cache {
            _ if self.no_cache => Caching::Off,
            Some(folder) => Caching::In(folder.clone()),
            None => Caching::Usual,
        }
    }
}

impl FilesArgs {
    fn any(&self) -> bool {
        let Self { on_bad_image, test_share, split_seed } = self;
        on_bad_image.is_some() || test_share.is_some() || split_seed.is_some()
    }

    /// `base` with what the flags ask for.
    pub(crate) fn change(&self, base: Option<Input>) -> Option<Input> {
        if !self.any() {
            return base;
        }
        let base = base.unwrap_or_default();
        Some(Input {
            on_bad_image: self.on_bad_image.unwrap_or(base.on_bad_image),
            test_share: self.test_share.unwrap_or(base.test_share),
            split_seed: self.split_seed.unwrap_or(base.split_seed),
            ..base
        })
    }
}

impl ShapeArgs {
    /// `base` with what the flags ask for.
    pub(crate) fn change(&self, base: Option<Input>) -> Option<Input> {
        let Self { size, colors, resize, aspect, background, .. } = self;
        let any = size.is_some()
            || colors.is_some()
            || resize.is_some()
            || aspect.is_some()
            || background.is_some()
            || self.ignore_exif;
        let base = self.files.change(base);
        if !any {
            return base;
        }
        let base = base.unwrap_or_default();
        Some(Input {
            size: size.or(base.size),
            colors: colors.or(base.colors),
            resize: resize.unwrap_or(base.resize),
            aspect: aspect.unwrap_or(base.aspect),
            background: background.unwrap_or(base.background),
            exif_orientation: base.exif_orientation && !self.ignore_exif,
            ..base
        })
    }
}

impl InputArgs {
    /// `base` with what the flags ask for.
    pub(crate) fn change(&self, base: Option<Input>) -> Option<Input> {
        let base = self.shape.change(base);
        if !self.standardize {
            return base;
        }
        Some(Input { standardize: true, ..base.unwrap_or_default() })
    }
}

impl Input {
    /// What this one asks of a contract. What is usual stays as the data have it: images that were
    /// prepared before say how.
    pub(crate) fn contract_change(&self) -> ContractChange {
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
        }
    }

    /// `base` with what this one asks for.
    fn contract(&self, base: InputContract) -> InputContract {
        self.contract_change().apply(base)
    }

    /// Whether features are brought to mean 0 and deviation 1.
    pub(crate) fn standardizes(&self) -> bool {
        self.standardize
    }

    /// This one, without image files that cannot be used.
    pub(crate) fn leaving_out_bad_images(self) -> Self {
        Self { on_bad_image: BadImage::Skip, ..self }
    }

    /// The flags of [`FilesArgs`] that ask for the same files.
    pub(crate) fn file_flags(&self) -> Vec<String> {
        let usual = Self::default();
        let mut flags = Vec::new();
        if self.on_bad_image != usual.on_bad_image {
            flags.push("--on-bad-image skip".into());
        }
        if self.test_share != usual.test_share {
            flags.push(format!("--test-share {}", self.test_share));
        }
        if self.split_seed != usual.split_seed {
            flags.push(format!("--split-seed {}", self.split_seed));
        }
        flags
    }

    /// How a folder of images is read: for a network, or as this one asks for.
    pub(crate) fn folder_options(&self, network: Option<&InputContract>) -> FolderOptions {
        let usual = FolderOptions::default();
        let contract = network.cloned().unwrap_or_else(|| self.contract(usual.contract.clone()));
        FolderOptions {
            on_bad_image: match self.on_bad_image {
                BadImage::Error => OnBadImage::Error,
                BadImage::Skip => OnBadImage::Skip,
            },
            test_share: self.test_share,
            seed: self.split_seed,
            contract,
            ..usual
        }
    }

    /// Prepares what was read as this one asks for.
    ///
    /// # Errors
    /// When the data cannot be prepared so.
    pub(crate) fn apply(&self, splits: &mut Splits) -> anyhow::Result<()> {
        let Splits { train, test, validation, .. } = splits;
        let mut sets: Vec<&mut ImageSet> =
            [train, test, validation].into_iter().filter_map(Option::as_mut).collect();
        for set in &mut sets {
            let contract = self.contract(set.contract()?);
            prepare(set, contract).context("cannot prepare the images")?;
        }
        if self.standardize
            && let Some(first) = sets.first()
        {
            let standardization = Some(preprocess::standardization(first));
            for set in sets {
                let contract = set.contract()?;
                let standardization = standardization.clone();
                set.set_contract(InputContract { standardization, ..contract });
            }
        }
        Ok(())
    }
}

/// Brings images to a contract, in their place where they have its size already.
///
/// # Errors
/// When they cannot be prepared so.
pub(crate) fn prepare(set: &mut ImageSet, contract: InputContract) -> anyhow::Result<()> {
    if let Cow::Owned(prepared) = set.prepared(&contract)? {
        *set = prepared;
    }
    set.set_contract(contract);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_colours_are_read_and_written() {
        for (text, size) in [("64", Size(64, 64)), ("64x48", Size(64, 48))] {
            assert_eq!(parse::<Size>(text), Ok(size));
            assert_eq!(String::from(size), text);
        }
        for text in ["", "0", "64x", "x", "5000", "64x48x3"] {
            assert!(parse::<Size>(text).is_err(), "{text}");
        }
        assert_eq!(parse::<Background>("#0a1B2c"), Ok(Background([10, 27, 44])));
        assert_eq!(String::from(Background([10, 27, 44])), "#0a1b2c");
        for text in ["#fff", "red", "#gg0000", "#+10000", "äöü"] {
            assert!(parse::<Background>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn flags_change_what_they_name_only() {
        assert_eq!(InputArgs::default().change(None), None);
        let files = FilesArgs { test_share: Some(0.5), ..FilesArgs::default() };
        let shape = ShapeArgs { size: Some(Size(8, 4)), files, ..ShapeArgs::default() };
        let args = InputArgs { shape, ..InputArgs::default() };
        let input = args.change(None).expect("asked for");
        assert_eq!(input, Input { size: Some(Size(8, 4)), test_share: 0.5, ..Input::default() });
        let grey = ShapeArgs { colors: Some(Colors::Grey), ..ShapeArgs::default() };
        let contract = grey
            .change(Some(input))
            .expect("asked for")
            .contract(FolderOptions::default().contract);
        assert_eq!((contract.width, contract.height, contract.channels), (8, 4, 1));
    }
}
