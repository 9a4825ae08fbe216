//! The course's own files, when they were fetched.
#![cfg(feature = "hdf5")]

mod common;

use common::{backends, real_data};
use dnn_data::ImageSet;
use dnn_data::SplitName;
use dnn_data::hdf5::{self, Options};

fn n_cats(set: &ImageSet) -> usize {
    set.labels().iter().filter(|&&label| label == 1).count()
}

#[test]
fn the_courses_files_are_read_as_h5py_reads_them() {
    let Some(folder) = real_data() else { return };
    for backend in backends() {
        let options = Options { backend, ..Options::default() };
        let splits = common::load_hdf5(&folder, &options).expect("the course's files");
        let (train, test) = (splits.train().expect("train"), splits.test().expect("test"));
        assert_eq!((train.len(), n_cats(&train)), (209, 72));
        assert_eq!((test.len(), n_cats(&test)), (50, 33));
        assert_eq!(train.shape().to_string(), "64×64×3");
        assert_eq!(train.classes(), ["non-cat", "cat"]);
        assert_eq!(splits.path(SplitName::Train), Some(&*folder.join("train_catvnoncat.h5")));
        assert_eq!(splits.path(SplitName::Test), Some(&*folder.join("test_catvnoncat.h5")));
        // python -c "import h5py; f=h5py.File('data/train_catvnoncat.h5'); x=f['train_set_x']
        // print(x[0,0,0], x[25,31,17], x[208,30,40], x[()].sum(dtype='u8'), f['train_set_y'][:9])"
        let pixel = |set: &ImageSet, i: usize, y: usize, x: usize| {
            <[u8; 3]>::try_from(&set.image(i)[(y * 64 + x) * 3..][..3]).expect("three channels")
        };
        assert_eq!(pixel(&train, 0, 0, 0), [17, 31, 56]);
        assert_eq!(pixel(&train, 25, 31, 17), [91, 97, 101]);
        assert_eq!(pixel(&train, 208, 30, 40), [160, 94, 59]);
        let sum = |set: &ImageSet| set.pixels().iter().map(|&byte| u64::from(byte)).sum::<u64>();
        assert_eq!(sum(&train), 264_542_077);
        assert_eq!(train.labels()[..9], [0, 0, 1, 0, 0, 0, 0, 1, 0]);
        // The same for data/test_catvnoncat.h5: x[49,10,20], the sum, y[:9].
        assert_eq!(pixel(&test, 49, 10, 20), [22, 29, 20]);
        assert_eq!(sum(&test), 65_969_547);
        assert_eq!(test.labels()[..9], [1, 1, 1, 1, 1, 0, 1, 1, 1]);
        // The course's sets share one image.
        assert_eq!(train.image(146), test.image(17));
    }
}

#[test]
fn what_is_written_is_read_back() {
    let Some(folder) = real_data() else { return };
    let splits = common::load_hdf5(&folder, &Options::default()).expect("the course's files");
    let scratch = tempfile::tempdir().expect("a folder");
    let path = scratch.path().join("both.h5");
    hdf5::write_splits(&path, &splits, &hdf5::Factors::default()).expect("written");
    for backend in backends() {
        let back = common::load_hdf5(&path, &Options { backend, ..Options::default() });
        let back = back.expect("readable");
        assert!(back.train() == splits.train() && back.test() == splits.test());
    }
}
