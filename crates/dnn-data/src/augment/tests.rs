use super::*;
use proptest::prelude::*;

const SHAPE: ImageShape = ImageShape { height: 8, width: 6, channels: 3 };

fn image(shape: ImageShape) -> Vec<u8> {
    (0..shape.n_bytes()).map(|i| (i * 89 % 256) as u8).collect()
}

fn augmented(augmenter: &Augmenter, image: &[u8], epoch: u64, index: u64) -> Vec<u8> {
    let mut out = vec![7; image.len()];
    augmenter.apply(image, epoch, index, &mut out);
    out
}

fn config(change: impl FnOnce(&mut RawAugmentConfig)) -> AugmentConfig {
    AugmentConfig::default().with(change).unwrap()
}

fn everything() -> AugmentConfig {
    AugmentConfig::preset(Strength::Strong).with(|c| c.erasing = 1.0).unwrap()
}

#[test]
fn off_changes_nothing() {
    let augmenter = Augmenter::new(AugmentConfig::default(), SHAPE, 1).unwrap();
    for index in 0..20 {
        assert_eq!(augmented(&augmenter, &image(SHAPE), 3, index), image(SHAPE));
    }
}

#[test]
fn an_image_is_a_function_of_seed_epoch_and_index() {
    let image = image(SHAPE);
    let augmenter = |seed| Augmenter::new(everything(), SHAPE, seed).unwrap();
    let first = augmented(&augmenter(1), &image, 0, 0);
    let mut all = vec![first.clone()];
    for (seed, epoch, index) in [(2, 0, 0), (1, 1, 0), (1, 0, 1), (1, 1, 1), (0, 1, 0)] {
        all.push(augmented(&augmenter(seed), &image, epoch, index));
    }
    assert_eq!(augmented(&augmenter(1), &image, 0, 0), first, "whatever was asked for between");
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 6, "six different images");
}

#[test]
fn threads_get_the_same() {
    let augmenter = Augmenter::new(everything(), SHAPE, 1).unwrap();
    let image = image(SHAPE);
    let one: Vec<_> = (0..40).map(|index| augmented(&augmenter, &image, 0, index)).collect();
    std::thread::scope(|scope| {
        let ask = || (0..40).rev().map(|index| augmented(&augmenter, &image, 0, index));
        let threads = [(); 2].map(|()| scope.spawn(move || ask().collect::<Vec<_>>()));
        for thread in threads {
            assert!(thread.join().unwrap().iter().rev().eq(&one));
        }
    });
}

#[test]
fn the_bytes_are_pinned() {
    // A release that changes them says so: runs that augment cannot be repeated with it.
    let augmenter = Augmenter::new(everything(), SHAPE, 1).unwrap();
    let sum = |out: Vec<u8>| out.iter().fold(0_u64, |sum, &v| hash(sum, u64::from(v)));
    let sums = [0, 1, 2].map(|index| sum(augmented(&augmenter, &image(SHAPE), 5, index)));
    assert_eq!(sums, PINNED);
}

const PINNED: [u64; 3] =
    [2_839_885_979_054_469_131, 17_687_309_938_017_364_318, 378_519_756_168_302_327];

#[test]
fn settings_are_drawn_independently() {
    let flips = |config| {
        let augmenter = Augmenter::new(config, SHAPE, 9).unwrap();
        (0..50).map(|index| augmenter.draw(2, index).placement.flip).collect::<Vec<_>>()
    };
    let alone = flips(config(|c| c.flip = 0.5));
    assert_eq!(alone, flips(AugmentConfig::preset(Strength::Strong)));
    assert!(alone.contains(&true) && alone.contains(&false));
}

#[test]
fn draws_are_even_over_their_ranges() {
    let half = AugmentConfig::preset(Strength::Strong).with(|c| c.shift = 0.5).unwrap();
    let augmenter = Augmenter::new(half, SHAPE, 4).unwrap();
    let n = 20_000_u32;
    let draws: Vec<Draw> = (0..n).map(|i| augmenter.draw(i.into(), 7)).collect();
    let standard_error = 1.0 / f64::from(n).sqrt();
    let near = |name: &str, of: &dyn Fn(&Draw) -> f64, mean: f64, deviation: f64| {
        let got = draws.iter().map(of).sum::<f64>() / f64::from(n);
        assert!((got - mean).abs() < 5.0 * deviation * standard_error, "{name}: {got}");
    };
    // A uniform number within ±a has the deviation a / √3.
    let uniform = |most: f64| most / 3.0_f64.sqrt();
    near("flip", &|d| f64::from(u8::from(d.placement.flip)), 0.5, 0.5);
    near("erasing", &|d| f64::from(u8::from(d.erases)), 0.25, 0.5);
    near("rotation", &|d| d.placement.degrees, 0.0, uniform(20.0));
    near("zoom", &|d| d.placement.zoom, 1.0, uniform(0.2));
    near("brightness", &|d| d.jitter.brightness, 1.0, uniform(0.3));
    near("contrast", &|d| d.jitter.contrast, 1.0, uniform(0.3));
    near("saturation", &|d| d.jitter.saturation, 1.0, uniform(0.4));
    near("hue", &|d| d.jitter.hue, 0.0, uniform(0.05));
    for side in [3, 4] {
        let of = |d: &Draw| if side == 3 { d.placement.shift.0 } else { d.placement.shift.1 };
        let mut counts = vec![0_u32; 2 * side as usize + 1];
        for draw in &draws {
            counts[(of(draw) + side) as usize] += 1;
        }
        let expected = f64::from(n) / counts.len() as f64;
        for count in counts {
            assert!((f64::from(count) - expected).abs() < 5.0 * expected.sqrt(), "{count}");
        }
    }
}

#[test]
fn noise_has_its_deviation() {
    let shape = ImageShape { height: 64, width: 64, channels: 3 };
    let augmenter = Augmenter::new(config(|c| c.noise = 0.02), shape, 1).unwrap();
    let out = augmented(&augmenter, &vec![128; shape.n_bytes()], 0, 0);
    let n = out.len() as f64;
    let mean = out.iter().map(|&v| f64::from(v) - 128.0).sum::<f64>() / n;
    let deviation = (out.iter().map(|&v| (f64::from(v) - 128.0).powi(2)).sum::<f64>() / n).sqrt();
    assert!(mean.abs() < 0.25, "{mean}");
    // 0.02 · 255, and what rounding to bytes adds.
    assert!((deviation - 5.11).abs() < 0.17, "{deviation}");
}

#[test]
fn only_pictures_can_be_augmented() {
    let new = |height, width, channels| {
        let shape = ImageShape { height, width, channels };
        Augmenter::new(everything(), shape, 1).map(|_| ()).map_err(|error| error.to_string())
    };
    assert_eq!(new(1, 1, 1), Ok(()));
    for (height, width, channels) in [(0, 5, 3), (5, 5, 2), (usize::MAX, usize::MAX, 3)] {
        let error = new(height, width, channels).unwrap_err();
        assert!(error.contains("expected 1 to 4096 pixels a side and 1 or 3 channels"), "{error}");
    }
}

fn any_config() -> impl Strategy<Value = AugmentConfig> {
    let fraction = || prop_oneof![Just(0.0), 0.0..=1.0];
    let moves = (fraction(), fraction(), 0.0..=180.0, 0.0..=0.9, 0..3_usize);
    let colours = (fraction(), fraction(), fraction(), 0.0..=0.5, fraction());
    (moves, colours, fraction(), 0..2_usize).prop_map(|(moves, colours, erasing, fill)| {
        config(|c| {
            (c.flip, c.shift, c.rotation, c.zoom) = (moves.0, moves.1, moves.2, moves.3);
            c.padding = Padding::ALL[moves.4];
            (c.brightness, c.contrast, c.saturation) = (colours.0, colours.1, colours.2);
            (c.hue, c.noise, c.erasing) = (colours.3, colours.4, erasing);
            c.erasing_fill = Fill::ALL[fill];
        })
    })
}

fn any_shape() -> impl Strategy<Value = ImageShape> {
    (1..12_usize, 1..12_usize, prop_oneof![Just(1_usize), Just(3)])
        .prop_map(|(height, width, channels)| ImageShape { height, width, channels })
}

proptest! {
    #[test]
    fn any_image_can_be_augmented_any_way_and_again(
        config in any_config(), shape in any_shape(), key in any::<(u64, u64, u64)>(),
    ) {
        let augmenter = Augmenter::new(config, shape, key.0).unwrap();
        let image = image(shape);
        let out = augmented(&augmenter, &image, key.1, key.2);
        prop_assert_eq!(&out, &augmented(&augmenter.clone(), &image, key.1, key.2));
    }

    #[test]
    fn moved_pixels_stay_between_the_darkest_and_the_lightest(
        config in any_config(), shape in any_shape(), seed in any::<u64>(),
    ) {
        let config = config.with(|c| {
            (c.brightness, c.contrast, c.saturation, c.hue) = (0.0, 0.0, 0.0, 0.0);
            (c.noise, c.erasing) = (0.0, 0.0);
            c.padding = if c.padding == Padding::Constant { Padding::Edge } else { c.padding };
        }).unwrap();
        let augmenter = Augmenter::new(config, shape, seed).unwrap();
        let image: Vec<u8> = image(shape).iter().map(|v| 100 + v % 50).collect();
        let out = augmented(&augmenter, &image, 0, 0);
        let range = image.iter().min().unwrap()..=image.iter().max().unwrap();
        prop_assert!(out.iter().all(|v| range.contains(&v)), "{:?}", out);
    }

    #[test]
    fn a_grey_image_has_no_saturation_or_hue(seed in any::<u64>()) {
        let shape = ImageShape { channels: 1, ..SHAPE };
        let config = config(|c| (c.saturation, c.hue) = (1.0, 0.5));
        let augmenter = Augmenter::new(config, shape, seed).unwrap();
        prop_assert_eq!(augmented(&augmenter, &image(shape), 0, 0), image(shape));
    }
}
