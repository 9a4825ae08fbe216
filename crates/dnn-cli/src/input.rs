//! The flags that say how images are prepared.

use crate::settings::{FlagGroup, Flags};
use anyhow::{bail, ensure};
use clap::Args;
use dnn_data::Shown;
use dnn_data::SplitName;
use dnn_data::cache::CachePolicy;
use dnn_data::format::{Options, Source};
use dnn_data::loader::{DataConfig, InputConfig};
use std::path::PathBuf;

/// The flags of what images look like as the network's input.
#[derive(Debug, Clone)]
pub(crate) struct ShapeFlags;

impl FlagGroup for ShapeFlags {
    type Settings = InputConfig;
    const HEADING: &'static str = "Input";
}

/// The flags of the scale of features.
#[derive(Debug, Clone)]
pub(crate) struct FeatureFlags;

impl FlagGroup for FeatureFlags {
    type Settings = InputConfig;
    const HEADING: &'static str = "Input";
    const GROUP: Option<&'static str> = Some("features");
}

/// The flags of which files of a folder are taken for what.
#[derive(Debug, Clone)]
pub(crate) struct FileFlags;

impl FlagGroup for FileFlags {
    type Settings = InputConfig;
    const HEADING: &'static str = "Folders of images";
    const GROUP: Option<&'static str> = Some("files");
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

/// The flags that say how images become the network's input.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct InputArgs {
    #[command(flatten)]
    pub(crate) shape: Flags<ShapeFlags>,
    #[command(flatten)]
    pub(crate) features: Flags<FeatureFlags>,
    #[command(flatten)]
    pub(crate) files: Flags<FileFlags>,
    #[command(flatten)]
    pub(crate) cache: CacheArgs,
}

impl CacheArgs {
    /// Whether a cache was asked for by name.
    pub(crate) fn gives(&self) -> bool {
        self.cache.is_some()
    }

    /// Returns where the images of this source are kept decoded.
    ///
    /// # Errors
    /// When a cache was asked for and would not be used.
    pub(crate) fn caching(&self, source: &DataConfig) -> anyhow::Result<CachePolicy> {
        let Some(folder) = &self.cache else {
            return Ok(if self.no_cache { CachePolicy::Off } else { CachePolicy::Usual });
        };
        // What cannot be read is refused when it is loaded.
        let may_use = |path: &PathBuf| {
            Source::of(path, &Options::default()).map_or(true, |found| found.has_image_files())
        };
        let paths = || [&source.data].into_iter().chain(&source.test).chain(&source.validation);
        ensure!(
            source.memory_limit.is_some() || !source.is_drawn() && paths().any(may_use),
            "{}: --cache is for image files and for what is prepared with --memory-limit",
            source.data.shown()
        );
        Ok(CachePolicy::In(folder.clone()))
    }
}

impl Flags<FileFlags> {
    /// Checks that no flag would do nothing for this source.
    ///
    /// # Errors
    /// The flags that would do nothing, and why; or the fault of the source.
    pub(crate) fn check(&self, source: &DataConfig) -> anyhow::Result<()> {
        if !self.any() {
            return Ok(());
        }
        let data = source.data.shown();
        let mut options = Options::default();
        if source.is_drawn() {
            bail!("{data}: --on-bad-image, --test-share and --split-seed are for image files");
        }
        let found = Source::of(&source.data, &options)?;
        if !found.has_image_files() {
            bail!(
                "{data}: --on-bad-image, --test-share and --split-seed are for image files, this is \
                 {}",
                found.format()
            );
        }
        if self.gives("test_share") || self.gives("split_seed") {
            options.folder.test_share = 0.0;
            let (splits, _) = found.split_infos(&options)?;
            if splits.iter().all(|info| info.split != SplitName::Unsplit) {
                bail!("{data}: has splits of its own, --test-share and --split-seed do nothing");
            }
        }
        Ok(())
    }
}

impl InputArgs {
    /// Checks that no flag would do nothing for this source.
    ///
    /// # Errors
    /// The flags that would do nothing, and why; or the fault of the source.
    pub(crate) fn check(&self, source: &DataConfig) -> anyhow::Result<()> {
        self.files.check(source)?;
        if !self.shape.any() {
            return Ok(());
        }
        let data = source.data.shown();
        let found = Source::of(&source.data, &Options::default());
        let found = found.as_ref().ok().filter(|_| !source.is_drawn());
        if found.is_some_and(Source::is_table) {
            bail!(
                "{data}: --size, --colors, --resize, --aspect, --background, --decode and \
                 --ignore-exif are for images, this is a table of numbers"
            );
        }
        for (setting, flag) in [("exif_orientation", "--ignore-exif"), ("decode", "--decode")] {
            if self.shape.gives(setting) && !found.is_some_and(Source::has_image_files) {
                bail!("{data}: {flag} is for image files");
            }
        }
        Ok(())
    }

    /// Returns `base` with what the flags ask for.
    ///
    /// # Errors
    /// Values that do not go together.
    pub(crate) fn change(&self, base: Option<InputConfig>) -> anyhow::Result<Option<InputConfig>> {
        self.features.change(self.files.change(self.shape.change(base)?)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{Command, FromArgMatches};
    use dnn_data::loader::Size;

    fn change(args: &[&str], base: Option<InputConfig>) -> anyhow::Result<Option<InputConfig>> {
        let command = InputArgs::augment_args(Command::new("x").no_binary_name(true));
        InputArgs::from_arg_matches(&command.try_get_matches_from(args)?)?.change(base)
    }

    #[test]
    fn flags_change_what_they_name_only() {
        assert_eq!(change(&[], None).unwrap(), None);
        let input = change(&["--test-share", "0.5", "--size", "8x4"], None).unwrap();
        let input = input.expect("asked for");
        assert_eq!(
            input,
            InputConfig { size: Some(Size(8, 4)), test_share: 0.5, ..InputConfig::default() }
        );
        assert_eq!(Flags::<FileFlags>::arguments(&input), ["--test-share 0.5"]);
        let changed = change(&["--colors", "grey", "--ignore-exif"], Some(input)).unwrap();
        let changed = changed.expect("asked for");
        assert!(!changed.exif_orientation && changed.test_share == 0.5);
        let contract = changed.contract_change().apply(dnn_data::InputContract::default());
        assert_eq!((contract.width, contract.height, contract.channels), (8, 4, 1));
        for (args, says) in [
            (["--size", "0x4"], "expected 64 or 64x48, sides from 1 to"),
            (["--background", "red"], "expected a colour as #rrggbb"),
            (["--test-share", "1"], "test_share is 1: expected a share, at least 0 and below 1"),
        ] {
            let error = change(&args, None).expect_err(says).to_string();
            assert!(error.contains(says) && error.contains(args[0]), "{error}");
        }
    }
}
