//! Files of the formats that need no library of their own, made by the tests.

use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::{Cursor, Write};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// An idx file of this type, these dimensions and elements.
pub(crate) fn idx(code: u8, dims: &[u32], elements: &[u8]) -> Vec<u8> {
    let dims_bytes = dims.iter().flat_map(|n| n.to_be_bytes());
    let head = [0, 0, code, dims.len() as u8].into_iter().chain(dims_bytes);
    head.chain(elements.iter().copied()).collect()
}

/// Bytes as gzip.
pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("packed");
    encoder.finish().expect("packed")
}

/// An .npy: NumPy's name of the type, order, shape, elements.
pub(crate) fn npy(descr: &str, fortran_order: bool, shape: &[u64], elements: &[u8]) -> Vec<u8> {
    let order = if fortran_order { "True" } else { "False" };
    let dims = shape.iter().fold(String::new(), |dims, n| dims + &n.to_string() + ", ");
    let header = format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': ({dims}), }}\n");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.bytes());
    bytes.extend(elements);
    bytes
}

/// A zip archive of these arrays, deflated or not.
pub(crate) fn npz(arrays: &[(&str, Vec<u8>)], deflate: bool) -> Vec<u8> {
    let method = if deflate { CompressionMethod::Deflated } else { CompressionMethod::Stored };
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in arrays {
        let options = SimpleFileOptions::default().compression_method(method);
        zip.start_file(format!("{name}.npy"), options).expect("begun");
        zip.write_all(bytes).expect("written");
    }
    zip.finish().expect("finished").into_inner()
}

/// CIFAR-10's records with these labels; the pixels of record i are i, 100 + i and 200 + i.
pub(crate) fn cifar(labels: &[u8]) -> Vec<u8> {
    let record = |(i, label): (usize, &u8)| {
        let plane = |first: u8| vec![first + i as u8; 1024];
        [vec![*label], plane(0), plane(100), plane(200)].concat()
    };
    labels.iter().enumerate().flat_map(record).collect()
}
