//! How images are prepared, as flags have it.

use crate::choice::choice;
use clap::Args;
use dnn_data::cache::CachePolicy;
use dnn_data::folder::OnBadImage;
use dnn_data::loader::{Background, Colors, InputConfig, Size};
use dnn_data::{Aspect, ResizeFilter};
use std::path::PathBuf;

const ASPECTS: [Aspect; 3] = [Aspect::Stretch, Aspect::Fit, Aspect::Crop];
const FILTERS: [ResizeFilter; 4] =
    [ResizeFilter::Nearest, ResizeFilter::Bilinear, ResizeFilter::Bicubic, ResizeFilter::Lanczos3];

fn parse<T: TryFrom<String, Error = String>>(text: &str) -> Result<T, String> {
    T::try_from(text.to_owned())
}

/// Which files of a folder are taken.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Folders of images")]
pub(crate) struct FilesArgs {
    /// Stop at image files that cannot be used, after listing them all, or leave them out
    #[arg(long, value_name = "WHAT", value_parser = choice(&[OnBadImage::Error, OnBadImage::Skip]))]
    on_bad_image: Option<OnBadImage>,
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

fn share(text: &str) -> Result<f64, String> {
    let share = text.parse().ok().filter(|share| (0.0..1.0).contains(share));
    share.ok_or_else(|| format!("expected a share from 0 up to but not including 1, got {text}"))
}

impl CacheArgs {
    /// Where decoded images are kept.
    pub(crate) fn caching(&self) -> CachePolicy {
        match &self.cache {
            _ if self.no_cache => CachePolicy::Off,
            Some(folder) => CachePolicy::In(folder.clone()),
            None => CachePolicy::Usual,
        }
    }
}

impl FilesArgs {
    fn any(&self) -> bool {
        let Self { on_bad_image, test_share, split_seed } = self;
        on_bad_image.is_some() || test_share.is_some() || split_seed.is_some()
    }

    /// `base` with what the flags ask for.
    pub(crate) fn change(&self, base: Option<InputConfig>) -> Option<InputConfig> {
        if !self.any() {
            return base;
        }
        let base = base.unwrap_or_default();
        Some(InputConfig {
            on_bad_image: self.on_bad_image.unwrap_or(base.on_bad_image),
            test_share: self.test_share.unwrap_or(base.test_share),
            split_seed: self.split_seed.unwrap_or(base.split_seed),
            ..base
        })
    }
}

impl ShapeArgs {
    /// `base` with what the flags ask for.
    pub(crate) fn change(&self, base: Option<InputConfig>) -> Option<InputConfig> {
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
        Some(InputConfig {
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
    pub(crate) fn change(&self, base: Option<InputConfig>) -> Option<InputConfig> {
        let base = self.shape.change(base);
        if !self.standardize {
            return base;
        }
        Some(InputConfig { standardize: true, ..base.unwrap_or_default() })
    }
}

/// The flags of [`FilesArgs`] that ask for the same files.
pub(crate) fn file_flags(input: &InputConfig) -> Vec<String> {
    let usual = InputConfig::default();
    let mut flags = Vec::new();
    if input.on_bad_image != usual.on_bad_image {
        flags.push("--on-bad-image skip".into());
    }
    if input.test_share != usual.test_share {
        flags.push(format!("--test-share {}", input.test_share));
    }
    if input.split_seed != usual.split_seed {
        flags.push(format!("--split-seed {}", input.split_seed));
    }
    flags
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_change_what_they_name_only() {
        assert_eq!(InputArgs::default().change(None), None);
        let files = FilesArgs { test_share: Some(0.5), ..FilesArgs::default() };
        let shape = ShapeArgs { size: Some(Size(8, 4)), files, ..ShapeArgs::default() };
        let args = InputArgs { shape, ..InputArgs::default() };
        let input = args.change(None).expect("asked for");
        assert_eq!(
            input,
            InputConfig { size: Some(Size(8, 4)), test_share: 0.5, ..InputConfig::default() }
        );
        let grey = ShapeArgs { colors: Some(Colors::Grey), ..ShapeArgs::default() };
        let contract = grey
            .change(Some(input))
            .expect("asked for")
            .contract_change()
            .apply(dnn_data::InputContract::default());
        assert_eq!((contract.width, contract.height, contract.channels), (8, 4, 1));
    }
}
