//! What a program gets of its data: in memory or from a file, by the same settings.
#![cfg(all(feature = "augment", feature = "cache", feature = "synthetic"))]
#![allow(clippy::unwrap_used)] // tests

use dnn_data::cache::CachePolicy;
use dnn_data::hdf5::{Factors, Stream, of_course, write_splits};
use dnn_data::image::write_png;
use dnn_data::loader::{
    ByteSize, DataConfig, Extent, Hooks, InputConfig, Loader, Notice, Prepared, Size,
};
use dnn_data::{DataError, ImageSet, ImageShape, Images as _, Scale, Splits};
use nalgebra::DMatrix;
use std::cell::RefCell;
use std::fs;
use std::path::Path;

const SHAPE: ImageShape = ImageShape { height: 16, width: 16, channels: 3 };

/// Images that take 4 MB, in two classes.
fn images() -> ImageSet {
    let n = 5000;
    let pixels = (0..n * SHAPE.n_bytes()).map(|i| (i * 7 % 251 + i / 768 % 5) as u8).collect();
    let labels = (0..n as u32).map(|i| i % 2).collect();
    ImageSet::new(pixels, SHAPE, labels, vec!["a".into(), "b".into()]).unwrap()
}

fn write(path: &Path) -> ImageSet {
    let set = images();
    let splits = Splits::new(Some(set.clone()), Some(set.select(&[3, 1]))).unwrap();
    write_splits(path, &splits, &Factors::default()).unwrap();
    set
}

fn prepare(config: &DataConfig) -> Result<Prepared<f32>, DataError> {
    Loader::new(config, Hooks::default()).prepare::<f32>(None, 1, &|_, _, _| Ok(0))
}

fn column(data: &Prepared<f32>, i: usize) -> Vec<f32> {
    let mut x = DMatrix::zeros(data.train.n_features(), 1);
    data.train.read(&[i], &mut x).unwrap();
    x.as_slice().to_vec()
}

#[test]
fn images_in_a_file_are_those_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("d.h5");
    write(&path);
    let input = InputConfig { standardize: true, ..InputConfig::default() };
    let config = DataConfig { input: Some(input), ..DataConfig::of(&path) };
    let whole = prepare(&config).unwrap();
    let streamed =
        prepare(&DataConfig { memory_limit: Some(ByteSize(12 << 20)), ..config.clone() }).unwrap();
    assert!(whole.train.matrix().is_some() && streamed.train.matrix().is_none());
    assert_eq!(whole.contract, streamed.contract, "one way to standardise");
    assert_eq!(column(&whole, 4321), column(&streamed, 4321));
    assert_eq!(streamed.test.unwrap().labels(), [1, 1]);
    // Under other names, of which two may be one.
    let class_map = [("a", "z"), ("b", "z")].map(|(a, b)| (a.to_owned(), b.to_owned()));
    let renamed = |class_map: &[(String, String)]| DataConfig {
        memory_limit: Some(ByteSize(12 << 20)),
        class_map: class_map.iter().cloned().collect(),
        ..config.clone()
    };
    let streamed = prepare(&renamed(&class_map[..1])).unwrap();
    assert_eq!(streamed.train.classes(), ["z", "b"]);
    assert_eq!(streamed.test.unwrap().classes(), ["z", "b"]);
    let error = prepare(&renamed(&class_map)).err().unwrap().to_string();
    assert!(error.contains("class"), "two that are one are none to tell apart: {error}");
    // Where all fits, nothing is streamed.
    assert!(
        prepare(&DataConfig { memory_limit: Some(ByteSize(1 << 30)), ..config })
            .unwrap()
            .train
            .matrix()
            .is_some()
    );
}

#[test]
fn other_data_another_contract_or_other_blocks_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("d.h5");
    write(&path);
    let config = DataConfig::of(&path);
    let identity = |config: &DataConfig| prepare(config).unwrap().identity;
    let first = identity(&config);
    assert_eq!(first, identity(&config));
    let with = |change: &dyn Fn(&mut InputConfig)| {
        let mut input = InputConfig::default();
        change(&mut input);
        identity(&DataConfig { input: Some(input), ..config.clone() })
    };
    assert_ne!(first, with(&|input| input.standardize = true));
    assert_ne!(first, with(&|input| input.size = Some(Size(8, 8))));
    let limited = |mib: u64| {
        identity(&DataConfig { memory_limit: Some(ByteSize(mib << 20)), ..config.clone() })
    };
    assert_eq!(limited(10), limited(10));
    assert_ne!(limited(10), limited(14), "other blocks, another order");
}

#[test]
fn a_file_that_changes_while_it_is_read_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("d.h5");
    write(&path);
    let options = dnn_data::hdf5::Options::default();
    let stream = Stream::open(&path, &of_course("train"), Scale::Auto, &options).unwrap();
    stream.each(&[0], &mut |_, _| ()).unwrap();
    let mut bytes = fs::read(&path).unwrap();
    bytes.push(0);
    fs::write(&path, bytes).unwrap();
    let error = stream.each(&[4999], &mut |_, _| ()).unwrap_err().to_string();
    assert!(error.contains("written to while it was read"), "{error}");
}

#[test]
fn a_damaged_cache_entry_is_made_anew_with_a_memory_limit_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("d.h5");
    write(&path);
    let cache = folder.path().join("cache");
    let input = InputConfig { size: Some(Size(15, 15)), ..InputConfig::default() };
    let config = DataConfig {
        input: Some(input),
        cache: CachePolicy::In(cache.clone()),
        memory_limit: Some(ByteSize(10 << 20)),
        ..DataConfig::of(&path)
    };
    let first = prepare(&config).unwrap();
    let entry = fs::read_dir(&cache).unwrap().next().unwrap().unwrap().path();
    let whole = fs::read(&entry).unwrap();
    let mut within = whole.clone();
    // In the middle are packed pixels: what the file holds can still be listed.
    let middle = within.len() / 2;
    within[middle..middle + 64].fill(0x55);
    for damaged in [&whole[..middle], &within] {
        fs::write(&entry, damaged).unwrap();
        let again = prepare(&config).unwrap();
        assert_eq!(first.identity, again.identity);
    }
}

#[test]
fn what_is_unusual_about_classes_is_said() {
    let said = |labels: Vec<u32>, classes: &[&str]| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("d.h5");
        let pixels = vec![1; labels.len() * SHAPE.n_bytes()];
        let classes = classes.iter().copied().map(String::from).collect();
        let set = ImageSet::new(pixels, SHAPE, labels, classes).unwrap();
        write_splits(&path, &Splits::new(Some(set), None).unwrap(), &Factors::default()).unwrap();
        let warnings = RefCell::new(Vec::new());
        let say = |notice: Notice| {
            if let Notice::Warning(text) = notice {
                warnings.borrow_mut().push(text);
            }
        };
        let hooks = Hooks { say: &say, ..Hooks::default() };
        Loader::new(&DataConfig::of(&path), hooks).splits().unwrap();
        warnings.into_inner().join("\n")
    };
    assert_eq!(said(vec![0, 1], &["a", "b"]), "");
    let gaps = said(vec![0, 3], &["a", "b", "c", "d"]);
    assert!(gaps.contains("2 of 4 classes have no training images: b, c"), "{gaps}");
    assert!(said(vec![1, 1], &["a", "b"]).contains("are of one class"));
}

#[test]
fn one_class_alone_is_refused_with_its_file_and_the_likely_cause() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("photos");
    fs::create_dir_all(path.join("only")).unwrap();
    for i in 0..5 {
        write_png(&path.join(format!("only/{i}.png")), &[i; 768], SHAPE).unwrap();
    }
    let Err(error) = prepare(&DataConfig::of(&path)) else { panic!("nothing to tell apart") };
    let error = error.to_string();
    for part in ["photos", "only", "one level deeper"] {
        assert!(error.contains(part), "no {part:?} in {error}");
    }
}

#[test]
fn classes_get_other_names_and_a_size_beyond_memory_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for class in ["cats", "dogs", "owls"] {
        let path = folder.path().join("photos").join(class);
        fs::create_dir_all(&path).unwrap();
        for i in 0..5 {
            write_png(&path.join(format!("{i}.png")), &vec![i; SHAPE.n_bytes()], SHAPE).unwrap();
        }
    }
    let map = [("cats", "cat"), ("dogs", "non-cat"), ("owls", "non-cat")];
    let config = DataConfig {
        class_map: map.map(|(own, name)| (own.to_owned(), name.to_owned())).into(),
        ..DataConfig::of(folder.path().join("photos"))
    };
    let splits = Loader::new(&config, Hooks::default()).splits().unwrap();
    let train = splits.train().unwrap();
    assert_eq!(
        (train.classes(), train.class_counts()),
        (&["cat", "non-cat"].map(String::from)[..], vec![4, 8])
    );
    let path = folder.path().join("d.h5");
    write(&path);
    let input = InputConfig { size: Some(Size(4096, 4096)), ..InputConfig::default() };
    let config = DataConfig { input: Some(input), ..DataConfig::of(&path) };
    let error = prepare(&config).err().unwrap().to_string();
    assert!(error.contains("4294967296 bytes in memory at most"), "{error}");
}

#[test]
fn how_much_data_there_are_is_known_before_they_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for i in 0..10 {
        let path = at("photos").join(if i < 5 { "cats" } else { "dogs" });
        fs::create_dir_all(&path).unwrap();
        // What is in them is not looked at.
        fs::write(path.join(format!("{i}.png")), "no picture").unwrap();
    }
    write(&at("d.h5"));
    let size = |size| Some(InputConfig { size, ..InputConfig::default() });
    let extent = |input: Option<InputConfig>, data: DataConfig| {
        Loader::new(&DataConfig { input, ..data }, Hooks::default()).extent().unwrap()
    };
    let known = |n_features, n_train, n_examples| {
        Some(Extent { n_features, n_classes: 2, n_train, n_examples })
    };
    let large = size(Some(Size(4096, 2048)));
    assert_eq!(extent(large.clone(), DataConfig::of(at("photos"))), known(25_165_824, 8, 10));
    assert_eq!(extent(large.clone(), DataConfig::of(at("d.h5"))), known(25_165_824, 5000, 5002));
    assert_eq!(extent(large, DataConfig::of("drawn")), known(25_165_824, 209, 259));
    assert_eq!(extent(None, DataConfig::of(at("photos"))), known(12_288, 8, 10));
    // What has its own size shows when it is read.
    assert_eq!(extent(None, DataConfig::of(at("d.h5"))), None);
    assert_eq!(extent(None, DataConfig::of(at("nowhere"))), None);
}
