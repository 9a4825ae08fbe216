//! Files with labelled data.

use super::super::files::joined;
use super::super::written::{cifar as records, gzip, idx as idx_file, npy, npz as archive};
use super::{Seeds, fixtures};

pub fn idx() -> Seeds {
    let labels = idx_file(8, &[3], &[0, 1, 2]);
    let bytes: Vec<u8> = (0..48).collect();
    let floats: Vec<u8> = (0..12_i16).flat_map(|i| (f32::from(i) / 7.0).to_be_bytes()).collect();
    let doubles = [0.5_f64, -1.0, 2.0, 1e-3, 0.0, 7.0].map(f64::to_be_bytes).concat();
    let wide_labels = [0_i32, 3, 1].map(i32::to_be_bytes).concat();
    let of = |images: &[u8], labels: &[u8]| joined(&[(0, images), (0, labels)]);
    let images = idx_file(8, &[3, 4, 4], &bytes);
    let many = |shape: &[u32]| gzip(&idx_file(8, shape, &vec![0; 1 << 18]));
    vec![
        ("bytes".into(), of(&images, &labels)),
        ("packed".into(), joined(&[(1, &images), (1, &labels)])),
        ("gzip".into(), of(&gzip(&images), &gzip(&labels))),
        ("colours".into(), of(&idx_file(8, &[3, 2, 2, 3], &bytes[..36]), &labels)),
        ("signed".into(), of(&idx_file(9, &[3, 2, 2], &bytes[..12]), &labels)),
        ("shorts".into(), of(&idx_file(0x0b, &[3, 2, 2], &bytes[..24]), &labels)),
        ("floats".into(), of(&idx_file(0x0d, &[3, 2, 2], &floats), &labels)),
        ("doubles".into(), of(&idx_file(0x0e, &[3, 2], &doubles), &labels)),
        ("integers".into(), of(&images, &idx_file(0x0c, &[3], &wide_labels))),
        ("column".into(), of(&images, &idx_file(8, &[3, 1], &[0, 1, 2]))),
        ("many".into(), of(&many(&[1 << 18, 1, 1]), &many(&[1 << 18]))),
    ]
}

/// Arrays and their places among the names of the target.
fn arrays() -> Vec<Vec<(u8, Vec<u8>)>> {
    let floats: Vec<u8> = (0..12_i16).flat_map(|i| (f32::from(i) / 7.0).to_le_bytes()).collect();
    let bytes: Vec<u8> = (0..24).map(|i| i * 10).collect();
    let labels = [1_i64, 0, 2].map(i64::to_le_bytes).concat();
    let characters = ['c', 'ä', 't', '\0', 'd', 'o', 'g', 's', 'x', '\0', '\0', '\0'];
    let wide = characters.map(|c| u32::from(c).to_le_bytes()).concat();
    vec![
        vec![
            (0, npy("<f4", true, &[3, 2, 2], &floats)),
            (1, npy("<i8", false, &[3], &labels)),
            (2, npy(">f4", false, &[1, 2, 2], &floats[..16])),
            (3, npy("|u1", false, &[1, 1], &[1])),
            (4, npy("|S2", false, &[3], b"a\0bcd\0")),
        ],
        vec![
            (0, npy("|u1", false, &[2, 2, 2, 3], &bytes)),
            (1, npy("<u2", false, &[2], &[0, 0, 1, 0])),
            (4, npy("<U4", false, &[3], &wide)),
        ],
        vec![
            (5, npy("<f8", true, &[2, 3], &[0.5_f64; 6].map(f64::to_le_bytes).concat())),
            (6, npy("|b1", false, &[1, 2], &[0, 1])),
            (7, npy("<i2", false, &[2], &[4, 0, 7, 0])),
        ],
        // A table of bytes beside one of numbers.
        vec![
            (0, npy("|u1", false, &[3, 4], &bytes[..12])),
            (1, npy("<i8", false, &[3], &labels)),
            (2, npy("<f4", false, &[1, 4], &floats[..16])),
            (3, npy("|i1", false, &[1], &[2])),
        ],
    ]
}

pub fn npz() -> Seeds {
    const NAMES: [&str; 8] =
        ["x_train", "y_train", "x_test", "y_test", "class_names", "X", "y", "list_classes"];
    let mut seeds = Seeds::new();
    for (i, arrays) in arrays().into_iter().enumerate() {
        let parts: Vec<_> = arrays.iter().map(|(at, npy)| (at * 2, npy.as_slice())).collect();
        seeds.push((format!("arrays-{i}"), joined(&parts)));
        let named = |(at, npy): (u8, Vec<u8>)| (NAMES[usize::from(at)], npy);
        let arrays: Vec<_> = arrays.into_iter().map(named).collect();
        seeds.push((format!("stored-{i}"), archive(&arrays, false)));
        seeds.push((format!("deflated-{i}"), archive(&arrays, true)));
    }
    seeds
}

pub fn cifar() -> Seeds {
    let names = "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n".as_bytes();
    vec![
        ("batch".into(), joined(&[(0, &records(&[3, 1]))])),
        ("batches".into(), joined(&[(0, &records(&[9])), (1, &records(&[0]))])),
        ("named".into(), joined(&[(0, &records(&[4])), (2, names)])),
        ("test".into(), joined(&[(1, &records(&[7])), (2, names)])),
    ]
}

pub fn csv() -> Seeds {
    let tables = [
        ("header", "length,width,species\n1.5,2,a\n3,4e1,b\n-0.5,1,a\n"),
        ("plain", "1,2,0\n3,4,1\n5,6,2\n"),
        ("tabs", "x\ty\tlabel\n0.1\t0.2\t0\n0.3\t0.4\t1\n"),
        ("semicolons", "class;a;b\r\ncat;1;2\r\ndog;3;4\r\n"),
        ("quoted", "\"a\",\"b, c\",\"label\"\n\"1\",\"2\",\"a \"\"b\"\"\"\n3,4,\"c\nd\"\n"),
        ("marked", "\u{feff}a, y ,b\n 1 ,1.0,3\n4,0.0,6\n"),
        ("fractions", "0.25,-1e-3,1\n255,1e3,0.0\n"),
    ];
    tables.map(|(name, table)| (name.into(), table.into())).to_vec()
}

/// Some of everything, and what is often mistaken for data.
pub fn source() -> Seeds {
    let of_kind = |seeds: Seeds, kind: &str| -> Seeds {
        seeds.into_iter().map(|(name, bytes)| (format!("{kind}-{name}"), bytes)).collect()
    };
    let of_hdf5 = |(name, bytes): &(String, Vec<u8>)| {
        bytes.len() < 3000 && ["grey.h5", "contiguous.h5", "float_images.h5"].contains(&&**name)
    };
    let mut seeds: Seeds = fixtures("hdf5", &["h5"]).into_iter().filter(of_hdf5).collect();
    let archives = npz().into_iter().filter(|(_, bytes)| bytes.starts_with(b"PK")).take(2);
    seeds.extend(of_kind(archives.collect(), "npz"));
    seeds.extend(of_kind(csv(), "csv"));
    let images = idx_file(8, &[3, 2, 2], &[7; 12]);
    let others: [(&str, &[u8]); 8] = [
        ("idx", &images),
        ("idx-packed", &gzip(&images)),
        ("cifar", &records(&[3])),
        ("npy", &npy("<f4", false, &[1], &[0; 4])),
        ("page", b"<!DOCTYPE html><html><body>Not found</body></html>"),
        ("pointer", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"),
        ("png", b"\x89PNG\r\n\x1a\n"),
        ("text", b"one word"),
    ];
    seeds.extend(others.map(|(name, bytes)| (name.into(), bytes.to_vec())));
    seeds
}

pub fn folder_of_images() -> Seeds {
    let images = fixtures("images", &["png", "jpg"]);
    let of = |name: &str| {
        let image = images.iter().find(|(own, _)| own == name).expect("a fixture");
        image.1.as_slice()
    };
    let (bits, grey, rgba) = (of("one-bit.png"), of("grey16.png"), of("rgba.png"));
    let (jpeg, turned) = (of("grey.jpg"), of("orientation.jpg"));
    let bad = b"no image".as_slice();
    vec![
        ("splits".into(), joined(&[(0, bits), (2, grey), (4, jpeg), (5, bits)])),
        (
            "all-splits".into(),
            joined(&[(1, turned), (3, rgba), (4, jpeg), (5, grey), (6, bits), (7, jpeg)]),
        ),
        ("classes".into(), joined(&[(8, rgba), (9, jpeg), (10, turned), (11, bits)])),
        ("bad".into(), joined(&[(0, bits), (1, bad), (2, grey), (3, bad), (4, jpeg), (5, rgba)])),
        ("case".into(), joined(&[(8, bits), (12, bad), (13, grey), (14, bits), (15, bad)])),
    ]
}
