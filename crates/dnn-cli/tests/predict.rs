//! `dnn predict` on folders, data of any kind, lists and standard input; `dnn evaluate --predictions` and
//! `dnn train --folds`, which write the same rows.
#![allow(clippy::unwrap_used)] // tests

mod common;

use common::{DATA, Place, draw_folder, stderr, stdout};
use serde_json::Value;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;

/// The rows of a CSV file, header first.
fn table(path: &Path) -> Vec<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_path(path).unwrap();
    reader.records().map(|row| row.unwrap().iter().map(String::from).collect()).collect()
}

fn lines(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A table of two numbers and a class: `a` where the first is the larger.
fn write_table(path: &Path, n: usize, with_labels: bool) {
    let mut text = String::from(if with_labels { "u,v,label\n" } else { "u,v\n" });
    for i in 0..n {
        let (u, v) = ((i * 37 % 101) as f64 / 10.0 - 4.0, (i * 53 % 97) as f64 / 10.0 - 4.0);
        let label = if u > v { ",a" } else { ",b" };
        text = format!("{text}{u},{v}{}\n", if with_labels { label } else { "" });
    }
    fs::write(path, text).unwrap();
}

fn train_on_table(place: &Place) {
    write_table(&place.path("t.csv"), 90, true);
    let train = ["train", "t.csv", "--layers", "4", "--iterations", "60", "--threads=1"];
    let said = place.ok(&[&train[..], &["--standardize", "--out", "r"]].concat());
    assert!(said.contains("dnn predict r t.csv --split train\n"), "{said}");
}

#[cfg(unix)]
#[test]
fn a_named_pipe_is_not_waited_for_and_one_without_a_name_is_read() {
    let place = Place::new();
    place.trained();
    draw_folder(&place.path("photos"), 2, 2);
    assert!(std::process::Command::new("mkfifo").arg(place.path("f")).status().unwrap().success());
    for args in [
        &["predict", "f", "photos"][..],
        &["predict", "r", "f"],
        &["evaluate", "r", "f"],
        &["explain", "r", "--factors", "f"],
        &["explain", "r", "--predictions", "f"],
        &["export", "f", "--format", "npz", "--out", "m.npz"],
        &["inspect", "f"],
        &["serve", "f"],
        &["train", "f", "--out", "x"],
    ] {
        let error = place.refused(args);
        assert!(error.contains("expected a file, got a pipe"), "{args:?}: {error}");
    }
    let predict = "cat r/model.safetensors | \"$0\" predict /dev/stdin photos --json";
    let output = std::process::Command::new("sh")
        .args(["-c", predict])
        .arg(place.dnn(&[]).get_program())
        .current_dir(place.path("."))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let said: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(said["predictions"], place.json(&["predict", "r", "photos"])["predictions"]);
}

#[test]
fn a_folder_is_predicted_with_all_below_it_as_each_of_its_images_alone() {
    let place = Place::new();
    place.trained();
    draw_folder(&place.path("photos"), 8, 6);
    fs::write(place.path("photos/notes.txt"), "no image").unwrap();
    let said = place.json(&["predict", "r", "photos"]);
    let predictions = said["predictions"].as_array().unwrap();
    assert_eq!(predictions.len(), 14);
    let files: Vec<&str> = predictions.iter().map(|one| one["image"].as_str().unwrap()).collect();
    assert!(files.is_sorted(), "{files:?}");
    let alone = place.json(&[&["predict", "r"], &files[..]].concat());
    assert_eq!(alone["predictions"], said["predictions"]);
    for one in predictions {
        let folder = one["image"].as_str().unwrap().split('/').nth(2).unwrap();
        assert_eq!(one["true_class"], folder);
    }

    // The same as rows, in both formats, and by lists.
    place.ok(&["predict", "r", "photos", "--out", "p.csv"]);
    place.ok(&["predict", "r", "photos", "--out", "p.jsonl"]);
    fs::write(place.path("list"), files.join("\n") + "\n").unwrap();
    place.ok(&["predict", "r", "@list", "--out", "q.csv"]);
    place.ok(&["predict", "r", "--list", "list", "--out", "s.csv"]);
    let text = |name: &str| fs::read_to_string(place.path(name)).unwrap();
    assert_eq!(text("p.csv"), text("q.csv"));
    assert_eq!(text("p.csv"), text("s.csv"));
    let rows = table(&place.path("p.csv"));
    let header =
        ["example", "true_class", "class", "probability", "probability_non-cat", "probability_cat"];
    assert_eq!(rows[0], header);
    let objects = lines(&place.path("p.jsonl"));
    assert_eq!((rows.len(), objects.len()), (15, 14));
    for ((one, row), object) in predictions.iter().zip(&rows[1..]).zip(&objects) {
        let number = |text: &String| text.parse::<f64>().unwrap();
        assert_eq!(
            (&row[0][..], &row[2][..]),
            (one["image"].as_str().unwrap(), one["class"].as_str().unwrap())
        );
        assert_eq!(
            [number(&row[4]), number(&row[5])].as_slice(),
            &serde_json::from_value::<Vec<f64>>(one["probabilities"].clone()).unwrap()[..]
        );
        assert_eq!(object["example"], one["image"]);
        assert_eq!((&object["class"], &object["true_class"]), (&one["class"], &one["true_class"]));
        assert_eq!(object["probabilities"]["cat"], one["probabilities"][1]);
    }
    let found = stdout(&place.run(&["predict", "r", "photos", "--out", "p.csv", "--json"]));
    let found: Value = serde_json::from_str(&found).unwrap();
    assert_eq!((&found["rows"], &found["left_out"]), (&14.into(), &0.into()));
}

#[test]
fn the_k_most_probable_classes_are_named() {
    let place = Place::new();
    common::write_colours(&place.path("c.h5"));
    place.ok(&["train", "c.h5", "--layers", "5", "--iterations", "30", "--out", "r"]);
    let all = place.json(&["predict", "r", "c.h5", "--top", "2"]);
    let one = &all["predictions"][0];
    assert_eq!(one["top"].as_array().unwrap().len(), 2);
    assert_eq!(one["top"][0]["class"], one["class"]);
    assert!(one["top"][0]["probability"].as_f64() >= one["top"][1]["probability"].as_f64());
    let text = place.ok(&["predict", "r", "c.h5", "--top", "3"]);
    assert_eq!(text.lines().next().unwrap().matches(", ").count(), 2, "{text}");
    for k in ["2", "3", "9"] {
        place.ok(&["predict", "r", "c.h5", "--top", k, "--out", "p.csv"]);
        let header = &table(&place.path("p.csv"))[0];
        let n = k.parse::<usize>().unwrap().min(3);
        assert_eq!(header.len(), 2 + 2 * n, "{header:?}");
        assert_eq!(header[header.len() - 2..], [format!("class_{n}"), format!("probability_{n}")]);
    }
    place.ok(&["predict", "r", "c.h5", "--top", "2", "--out", "p.jsonl"]);
    let row = &lines(&place.path("p.jsonl"))[0];
    assert_eq!(row["top"], one["top"]);
    assert!(row.get("probabilities").is_none());
}

#[test]
fn the_rows_of_data_are_those_of_the_evaluation() {
    let place = Place::new();
    place.trained();
    place.ok(&["data", "draw", "--train", "30", "--test", "12", "--size", "24", "--out", "d.h5"]);
    place.ok(&["evaluate", "r", "d.h5", "--predictions", "e.csv"]);
    let split = ["predict", "r", "d.h5", "--split", "test"];
    for (args, out) in [
        (&["predict", "r", "d.h5"][..], "test by default"),
        (&split, "as asked"),
        (&[&["predict", "r"], &DATA[..]].concat(), "drawn"),
    ] {
        place.ok(&[args, &["--out", "p.csv"]].concat());
        let (judged, predicted) = (table(&place.path("e.csv")), table(&place.path("p.csv")));
        assert_eq!((judged.len(), predicted.len()), (13, 13), "{out}");
        for (a, b) in judged.iter().zip(&predicted).skip(1) {
            assert_eq!(a[..3], b[..3], "{out}");
            let gap = a[5].parse::<f64>().unwrap() - b[5].parse::<f64>().unwrap();
            assert!(gap.abs() < 1e-12, "{out}: {gap:e}");
        }
    }
    place.ok(&["predict", "r", "d.h5", "--split", "train", "--out", "p.jsonl"]);
    assert_eq!(lines(&place.path("p.jsonl")).len(), 30);
    let error = place.refused(&["predict", "r", "d.h5", "--split", "validation"]);
    assert!(error.contains("expected train, test, got validation"), "{error}");
}

#[test]
fn rows_of_a_table_are_predicted_with_and_without_labels() {
    let place = Place::new();
    train_on_table(&place);
    write_table(&place.path("bare.csv"), 40, false);
    let judged = place.json(&["evaluate", "r", "t.csv", "--split", "train"]);
    place.ok(&["predict", "r", "t.csv", "--out", "p.csv"]);
    let rows = table(&place.path("p.csv"));
    let right = rows[1..].iter().filter(|row| row[1] == row[2]).count();
    assert_eq!((rows.len(), judged["correct"].as_u64()), (91, Some(right as u64)));
    let output = place.run(&["predict", "r", "bare.csv", "--out", "b.csv"]);
    assert!(stderr(&output).contains("2 columns of features, no labels"), "{}", stderr(&output));
    let bare = table(&place.path("b.csv"));
    assert_eq!(bare.len(), 41);
    for (with, without) in rows[1..].iter().zip(&bare[1..]) {
        assert_eq!((&without[1][..], &with[2..]), ("", &without[2..]));
    }
    // Classes that the model does not have are said, and the rows answered for all the same.
    let text = fs::read_to_string(place.path("t.csv")).unwrap();
    fs::write(place.path("other.csv"), text.replace(",a", ",x").replace(",b", ",y")).unwrap();
    let output = place.run(&["predict", "r", "other.csv", "--out", "o.csv"]);
    assert!(stderr(&output).contains("classes x, y; the network has a, b"), "{}", stderr(&output));
    assert!(table(&place.path("o.csv"))[1..].iter().all(|row| row[1].is_empty()));
    place.ok(&["predict", "r", "other.csv", "--class-map", "x=a,y=b", "--out", "o.csv"]);
    assert_eq!(table(&place.path("o.csv")), rows);
    // Another number of columns, an image, a value that is no number.
    write_table(&place.path("wide.csv"), 5, true);
    let wide = fs::read_to_string(place.path("wide.csv")).unwrap().replace(',', ",0,");
    fs::write(place.path("wide.csv"), wide).unwrap();
    let error = place.refused(&["predict", "r", "wide.csv", "--out", "w.csv"]);
    assert!(error.contains("example 0") && error.contains("1×2×1"), "{error}");
    assert!(!place.path("w.csv").exists());
}

#[test]
fn an_image_comes_from_standard_input() {
    let place = Place::new();
    place.trained();
    draw_folder(&place.path("photos"), 2, 2);
    let file = "photos/test/cat/000.png";
    let file = if place.path(file).exists() { file } else { "photos/test/non-cat/000.png" };
    let ask = |bytes: &[u8]| {
        let mut child = place
            .dnn(&["predict", "r", "-", "--json"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(bytes).unwrap();
        child.wait_with_output().unwrap()
    };
    let output = ask(&fs::read(place.path(file)).unwrap());
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    let expected = place.json(&["predict", "r", file]);
    assert_eq!(said["predictions"][0]["image"], "-");
    let of = |said: &Value| said["predictions"][0]["probabilities"].clone();
    assert_eq!(of(&said), of(&expected));
    let output = ask(b"<html>");
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).starts_with("error: -: "), "{}", stderr(&output));
}

#[cfg(unix)]
#[test]
fn a_closed_pipe_ends_neither_the_work_nor_its_exit_code() {
    let place = Place::new();
    place.trained();
    let run = |args: &[&str]| {
        let mut child =
            place.dnn(args).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        drop(child.stdout.take());
        child.wait().unwrap().code()
    };
    let judged = ["evaluate", "r", "drawn", "--draw-test", "300", "--require", "1"];
    assert_eq!(
        run(&[&judged[..], &["--mislabeled", "m.png", "--predictions", "p.csv"]].concat()),
        Some(1)
    );
    assert!(place.path("m.png").exists() && place.path("p.csv").exists());
    assert_eq!(run(&["predict", "r", "m.png", "nothing.png"]), Some(2));
    assert_eq!(run(&["predict", "r", "nothing.png", "--on-bad-image", "skip"]), Some(2));
    assert_eq!(run(&["inspect", "r"]), Some(0));
}

#[test]
fn bad_images_keep_a_file_from_being_written_unless_they_are_skipped() {
    let place = Place::new();
    place.trained();
    draw_folder(&place.path("photos"), 4, 2);
    fs::write(place.path("photos/train/broken.png"), "no image").unwrap();
    let older = "example,true_class,class,probability\n";
    fs::write(place.path("p.csv"), older).unwrap();
    let error = place.refused(&["predict", "r", "photos", "--out", "p.csv"]);
    assert!(error.contains("broken.png") && error.contains("1 of 7 images"), "{error}");
    assert!(error.contains("p.csv is not written (--on-bad-image skip"), "{error}");
    assert_eq!(fs::read_to_string(place.path("p.csv")).unwrap(), older);
    let skip = ["predict", "r", "photos", "--on-bad-image", "skip", "--out", "p.csv", "--json"];
    let output = place.run(&skip);
    assert_eq!(output.status.code(), Some(0));
    assert!(stderr(&output).contains("1 of 7 images could not be read"), "{}", stderr(&output));
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&said["rows"], &said["left_out"]), (&6.into(), &1.into()));
    assert_eq!(table(&place.path("p.csv")).len(), 7);
    for (args, says) in [
        (&["predict", "r", "photos", "--label", "y"][..], "only images"),
        (&["predict", "r", "photos", "--out", "p.txt"], "rows are written as .csv or .jsonl"),
        (&["predict", "r", "@nowhere"], "cannot read the list nowhere"),
        #[cfg(unix)]
        (&["predict", "r", "--list", "/dev/zero"], "expected at most 268435456 bytes, got more"),
        (&["predict", "r"], "INPUT"),
        (&["evaluate", "r", "photos", "--predictions", "p.png"], ".csv or .jsonl"),
    ] {
        let output = place.run(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(stderr(&output).contains(says), "{args:?}: {}", stderr(&output));
    }
}

#[test]
fn folds_leave_the_answers_of_the_networks_that_had_not_seen_the_examples() {
    let place = Place::new();
    write_table(&place.path("t.csv"), 60, true);
    let train = ["train", "t.csv", "--layers", "3", "--iterations", "40", "--threads=1"];
    let said = place.json(&[&train[..], &["--folds", "3", "--out", "k"]].concat());
    let rows = table(&place.path("k/predictions.csv"));
    assert_eq!(
        rows[0],
        ["example", "true_class", "class", "probability", "probability_a", "probability_b", "fold"]
    );
    let examples: Vec<usize> = rows[1..].iter().map(|row| row[0].parse().unwrap()).collect();
    assert_eq!(examples, (0..60).collect::<Vec<_>>());
    let right = rows[1..].iter().filter(|row| row[1] == row[2]).count();
    assert_eq!(said["summary"]["pooled"]["correct"], right);
    // Rows of folds that are trained stay when others are trained anew.
    let mut report: Value =
        serde_json::from_slice(&fs::read(place.path("k/folds.json")).unwrap()).unwrap();
    report["folds"].as_array_mut().unwrap().remove(1);
    fs::write(place.path("k/folds.json"), report.to_string()).unwrap();
    place.ok(&["train", "--resume", "k"]);
    assert_eq!(table(&place.path("k/predictions.csv")), rows);
}

#[test]
fn a_model_is_exported_and_a_file_that_is_there_stays() {
    let place = Place::new();
    place.trained();
    for (format, start) in [("onnx", &b"\x08\x08"[..]), ("npz", b"PK"), ("c", b"/* ")] {
        let name = format!("m.{format}");
        let args = ["export", "r", "--format", format, "--out", &name];
        let said = place.json(&args);
        let bytes = fs::read(place.path(&name)).unwrap();
        assert!(bytes.starts_with(start), "{format}");
        assert_eq!(said["bytes"], bytes.len());
        let error = place.refused(&args);
        assert!(
            error.contains(&format!("{name} is there already; --force replaces it")),
            "{error}"
        );
        assert_eq!(fs::read(place.path(&name)).unwrap(), bytes);
        place.ok(&[&args[..], &["--force"]].concat());
    }
    place.ok(&["export", "r", "--format", "onnx", "--out", "e.onnx", "--external-data"]);
    let size = |name: &str| fs::metadata(place.path(name)).unwrap().len();
    assert!(size("e.onnx") < 30_000 && size("e.onnx.data") > 100_000);
    let error = place.refused(&["export", "r", "--format", "c", "--out", "d.c", "--external-data"]);
    assert!(error.contains("are for --format onnx"), "{error}");
    let check = ["export", "r", "--format", "onnx", "--out", "f.onnx", "--check=/no/python"];
    let error = place.refused(&check);
    assert!(error.contains("/no/python has no onnxruntime"), "{error}");
    assert!(!place.path("f.onnx").exists());
    train_on_table(&Place::new());
    let tables = Place::new();
    train_on_table(&tables);
    let error = tables.refused(&["export", "r", "--format", "onnx", "--out", "t.onnx"]);
    assert!(error.contains("numbers that are no pixels"), "{error}");
    tables.ok(&["export", "r", "--format", "onnx", "--input", "features", "--out", "t.onnx"]);
}
