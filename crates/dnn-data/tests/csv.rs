//! Tables as text.
#![cfg(feature = "csv")]

mod common;

use common::message;
use dnn_data::{DataError, ImageSet, Limits, SplitName, format};
use std::fs;
use tempfile::NamedTempFile;

fn file(text: &str) -> NamedTempFile {
    let file = NamedTempFile::new().expect("a file");
    fs::write(file.path(), text).expect("written");
    file
}

fn load(text: &str, label: Option<&str>) -> Result<ImageSet, DataError> {
    let file = file(text);
    let options = format::Options { label: label.map(String::from), ..format::Options::default() };
    format::open(file.path(), &options)
        .map(|mut splits| splits.take(SplitName::Train).expect("a training set"))
}

fn refusal(text: &str, label: Option<&str>) -> String {
    let file = file(text);
    let options = format::Options { label: label.map(String::from), ..format::Options::default() };
    let read = common::load_as("a table (CSV)", file.path(), &options);
    let error = read.expect_err("refused");
    message(&error).replace(&file.path().display().to_string(), "F")
}

#[test]
fn iris_is_read_with_and_without_a_header() {
    let rows = "5.1,3.5,setosa\n7.0,3.2,versicolor\n\n6.3,-3.3,virginica\n4.9, 3.0 ,setosa\n";
    for header in ["", "length,width,species\n", "\u{feff}length,width,Class\r\n"] {
        let set = load(&format!("{header}{rows}"), None).expect("readable");
        assert_eq!(set.shape().to_string(), "1×2×1");
        assert_eq!(set.classes(), ["setosa", "versicolor", "virginica"]);
        assert_eq!(set.labels(), [0, 1, 2, 0]);
        assert_eq!(common::numbers(&set), Some(vec![5.1, 3.5, 7.0, 3.2, 6.3, -3.3, 4.9, 3.0]));
    }
    let other = rows.replace(',', ";").replace(' ', "");
    assert_eq!(load(&other, None).expect("readable").len(), 4);
    assert_eq!(load(&rows.replace(',', "\t"), None).expect("readable").len(), 4);
}

#[test]
fn the_labels_are_where_they_are_said_to_be() {
    // Digits as they are often passed on: the label first, pixels after it.
    let digits = load("label,0,1\n7,0,255\n1,128,3\n", None).expect("readable");
    assert_eq!((digits.labels(), digits.pixels()), (&[7, 1][..], &[0, 255, 128, 3][..]));
    assert_eq!(digits.classes().len(), 8);
    let text = "a,b,c\n0,1.5,2\n1,2.5,3\n";
    let labels = |label: Option<&str>| load(text, label).expect("readable").labels().to_vec();
    assert_eq!(labels(None), [2, 3]);
    assert_eq!(labels(Some("A")), [0, 1]);
    assert_eq!(labels(Some("1")), [0, 1]);
    assert_eq!(load("0.0,1.5\n1.0,2.5\n", Some("1")).expect("readable").labels(), [0, 1]);
    assert_eq!(load("1.5,n\n2.5,y\n", None).expect("readable").classes(), ["n", "y"]);
    assert_eq!(load("1.5,-1\n2.5,1\n", None).expect("readable").labels(), [0, 1]);
    assert_eq!(
        load("x,\"a,b\"\n1,\"c\nd\"\n2,e\n", None).expect("readable").classes(),
        ["c\nd", "e"]
    );
    assert_eq!(
        refusal(text, Some("d")),
        "F: columns: expected one called \"d\", or a number from 1 to 3, got a, b, c"
    );
    assert!(refusal("1,2\n", Some("3")).ends_with("1 to 2, got a table without a header"));
}

#[test]
fn what_is_no_table_is_refused_with_line_and_column() {
    let cases = [
        ("a,b,y\n1,2,0\n1,x,1\n", "F: line 3, column 2 (b): expected a number, got \"x\""),
        ("1,2,0\n1,,1\n", "F: line 2, column 2: expected a number, got nothing"),
        ("1,nan,0\n", "F: line 1, column 2: expected a number, got \"nan\""),
        ("1,1e999,0\n", "F: line 1, column 2: expected a number, got \"1e999\""),
        ("1,2,0\n1,2\n", "F: line 2: expected 3 columns, as in the first line, got 2"),
        (
            "a,y\n1,0\n2,0.5\n",
            "F: line 3, column 2 (y): expected a class: its name, or an integer, got \"0.5\"",
        ),
        (
            "a,y\n1,\n",
            "F: line 2, column 2 (y): expected a class: its name, or an integer, got \"\"",
        ),
        (
            "a,y\n1,4096\n",
            "F: line 2, column 2 (y): expected a class index below 4096, got \"4096\"",
        ),
        ("a,y\n1,b\n", "F: classes: expected 2 at least, got only \"b\""),
        ("a,y\n", "F: rows: expected at least one, got none"),
        (
            "404: Not Found",
            "F: columns: expected a column of labels and 1 to 16777216 of numbers, separated by commas, \
             semicolons or tabs, got 1 column, beginning with \"404: Not Found\"",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(refusal(text, None), expected);
    }
    let file = NamedTempFile::new().expect("a file");
    fs::write(file.path(), b"a,b\n1,2\n\xff,3\n").expect("written");
    let error = common::load_within("a table (CSV)", file.path(), &Limits::default())
        .expect_err("no UTF-8");
    assert!(message(&error).ends_with("line 3, column 1: expected text in UTF-8, got other bytes"));
    let limits = Limits { max_bytes: 8, ..Limits::default() };
    let error = common::load_within("a table (CSV)", file.path(), &limits).expect_err("too large");
    assert!(matches!(error, DataError::Limit { bytes: Some(12), limit: 8, .. }));
}

#[test]
fn a_page_about_the_data_is_not_taken_for_it() {
    for (text, expected) in [
        ("<!DOCTYPE html><html>a,b", "an HTML page: what was downloaded"),
        ("version https://git-lfs.github.com/spec/v1\noid 1,2", "a git-LFS pointer"),
    ] {
        let error = message(&load(text, None).expect_err("no data"));
        assert!(error.contains(expected), "{error}");
        assert!(error.contains("; looked for "), "{error}");
    }
}
