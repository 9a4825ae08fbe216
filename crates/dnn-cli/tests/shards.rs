//! What is done in shards and merged is what one process does, by bytes; and what is no whole job is refused.

mod common;

use common::{DATA, Place, draw_folder, stderr, stdout};
use serde_json::Value;
use std::fs;
use std::path::Path;

const COUNTS: [usize; 4] = [1, 2, 3, 5];

/// Does the command in so many shards.
fn shards(place: &Place, command: &[&str], count: usize) {
    for i in 1..=count {
        let shard = format!("{i}/{count}");
        place.ok(&[command, &["--shard", &shard, "--shards", &format!("s{count}")]].concat());
    }
}

/// Does the command whole and in shards; `written` is what it says and writes.
fn same(place: &Place, command: &[&str], out: &str, written: impl Fn(&str) -> Vec<u8>) {
    remove(&place.path(out));
    let said = place.ok(command);
    let whole = written(&said);
    for count in COUNTS {
        remove(&place.path(out));
        shards(place, command, count);
        assert!(!place.path(out).exists(), "a shard writes nothing but itself");
        let said_merged = place.ok(&["merge", &format!("s{count}")]);
        assert!(written(&said_merged) == whole, "{command:?} in {count} shards differs");
        fs::remove_dir_all(place.path(&format!("s{count}"))).expect("the shards");
    }
}

fn remove(path: &Path) {
    if path.is_dir() {
        fs::remove_dir_all(path).expect("removed");
    } else if path.exists() {
        fs::remove_file(path).expect("removed");
    }
}

#[test]
fn predictions() {
    let place = Place::new();
    place.trained();
    draw_folder(&place.path("photos"), 2, 17);
    let data = ["predict", "r", DATA[0], DATA[1], DATA[2], DATA[3], DATA[4], DATA[5], DATA[6]];
    let one = first_png(&place.path("photos/test/cat"));
    let one = one.to_str().expect("Unicode");
    for (command, out) in [
        ([&data[..], &["--split", "train", "--out", "p.csv"]].concat(), "p.csv"),
        // Folders and single images are one sequence, whatever the shards.
        (vec!["predict", "r", "photos/test", one, "--top", "2", "--out", "p.jsonl"], "p.jsonl"),
        // With what cannot be read left out.
        (vec!["predict", "r", "bad", "--on-bad-image", "skip", "--out", "p.csv"], "p.csv"),
    ] {
        if command[2] == "bad" {
            draw_folder(&place.path("bad"), 2, 9);
            fs::write(place.path("bad/test/cat/aaa.png"), "no picture").expect("written");
        }
        same(&place, &command, out, |said| {
            [said.as_bytes(), &fs::read(place.path(out)).expect("written")].concat()
        });
    }
}

fn first_png(folder: &Path) -> std::path::PathBuf {
    let entry = |path: std::path::PathBuf| {
        if path.is_dir() { Some(first_png(&path)) } else { Some(path) }
    };
    let mut found: Vec<_> =
        fs::read_dir(folder).expect("a folder").map(|e| e.expect("readable").path()).collect();
    found.sort();
    found.into_iter().find_map(entry).expect("a file")
}

#[test]
fn conversions() {
    let place = Place::new();
    draw_folder(&place.path("photos"), 23, 8);
    fs::write(place.path("photos/train/cat/zzz.png"), "no picture").expect("written");
    let row = |i| format!("{},{},{}\n", i * 3 % 7, f64::from(i) / 8.0, i % 2);
    let rows: Vec<_> = (0..40).map(row).collect();
    fs::write(place.path("table.csv"), format!("a,b,label\n{}", rows.concat())).expect("written");
    let photos = ["data", "convert", "photos", "o.h5", "--on-bad-image", "skip", "--size", "12"];
    let drawn = [&["data", "convert", DATA[0], "o.h5"], &DATA[1..]].concat();
    for command in [&photos[..], &["data", "convert", "table.csv", "o.h5"], &drawn] {
        same(&place, command, "o.h5", |said| {
            [said.as_bytes(), &fs::read(place.path("o.h5")).expect("written")].concat()
        });
    }
    // A class of which every image is bad is found when all shards are there.
    let bad = place.path("bad");
    draw_folder(&bad, 9, 4);
    for entry in fs::read_dir(bad.join("train/cat")).expect("a class") {
        fs::write(entry.expect("readable").path(), "no picture").expect("written");
    }
    let command = ["data", "convert", "bad", "b.h5", "--on-bad-image", "skip"];
    let whole = place.refused(&command);
    shards(&place, &command, 2);
    let merged = place.refused(&["merge", "s2"]);
    for error in [whole, merged] {
        assert!(error.contains("cat"), "{error}");
    }
    assert!(!place.path("b.h5").exists());
}

#[test]
fn audits() {
    let place = Place::new();
    let photos = place.path("photos");
    draw_folder(&photos, 40, 12);
    // A leak, a copy with another label and a file that is no picture.
    let (cat, other) = (photos.join("train/cat"), photos.join("train/non-cat"));
    let one = first_png(&cat);
    for copy in [photos.join("test/cat/copy.png"), other.join("copy.png")] {
        fs::copy(&one, copy).expect("copied");
    }
    fs::write(cat.join("zzz.png"), "no picture").expect("written");
    let whole = place.ok(&["data", "audit", "photos"]);
    assert!(whole.contains("Test images that are in the training set: 1"), "{whole}");
    for command in [
        vec!["data", "audit", "photos", "--sheet", "sheet.png"],
        vec!["data", "audit", "photos", "--class-map", "cat=animal", "--list", "3"],
        vec!["data", "audit", "drawn", "--draw-train", "30", "--draw-test", "9"],
    ] {
        same(&place, &command, "sheet.png", |said| {
            [said.as_bytes(), &fs::read(place.path("sheet.png")).unwrap_or_default()].concat()
        });
    }
    // The same JSON and the same exit code.
    let strict = ["data", "audit", "photos", "--strict"];
    let whole = place.run(&[&strict[..], &["--json"]].concat());
    shards(&place, &strict, 2);
    let merged = place.run(&["merge", "s2", "--json"]);
    assert_eq!((whole.status.code(), stdout(&whole)), (Some(1), stdout(&merged)));
    assert_eq!(merged.status.code(), Some(1));
    let error = place.refused(&["data", "audit", "photos", "--shard", "1/2", "--cache", "c"]);
    assert!(error.contains("--cache does nothing"), "{error}");
}

#[test]
fn files_that_cannot_be_read_come_in_the_order_of_the_splits() {
    const SPLITS: [&str; 3] = ["train", "validation", "test"];
    let place = Place::new();
    let photos = place.path("photos");
    draw_folder(&photos, 12, 6);
    for (split, class) in SPLITS.iter().flat_map(|split| ["cat", "non-cat"].map(|c| (split, c))) {
        let folder = photos.join(split).join(class);
        fs::create_dir_all(&folder).expect("a folder");
        if *split == "validation" {
            let sound = first_png(&photos.join("test").join(class));
            fs::copy(sound, folder.join("m.png")).expect("copied");
        }
        for name in ["+.png", "zzz.png"] {
            fs::write(folder.join(name), "no picture").expect("written");
        }
    }
    let convert = ["data", "convert", "photos", "o.h5", "--on-bad-image", "skip", "--size", "12"];
    for command in [&convert[..], &["data", "audit", "photos", "--list", "9"]] {
        let said = |args: &[&str]| {
            let output = place.run(&[args, &["--json"]].concat());
            assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
            let left_out = stderr(&output).lines().filter(|l| l.contains("left out: ")).count();
            (stdout(&output), left_out)
        };
        let whole = said(command);
        assert_eq!(whole.0.matches("zzz.png").count(), 6, "{whole:?}");
        for count in [2, 3, 5] {
            shards(&place, command, count);
            let folder = format!("s{count}");
            assert_eq!(said(&["merge", &folder]).0, whole.0, "{command:?} in {count} shards");
            fs::remove_dir_all(place.path(&folder)).expect("the shards");
        }
    }
}

/// A table of two classes that a line divides.
fn write_table(path: &Path) {
    let row = |i: u32| format!("{},{},{}\n", i * 37 % 50, i * 17 % 23, u32::from(i * 37 % 50 > 24));
    let rows: String = (0..60).map(row).collect();
    fs::write(path, format!("a,b,label\n{rows}")).expect("written");
}

#[test]
fn choices_of_a_recipe() {
    let place = Place::new();
    write_table(&place.path("t.csv"));
    let command =
        ["tune", "t.csv", "--repeats", "1", "--folds", "2", "--inner-folds", "2", "--threads", "1"];
    let files =
        || ["tuned.toml", "tuned.jsonl"].map(|name| fs::read(place.path(name)).expect("there"));
    let said = place.ok(&command);
    let whole = files();
    for count in [1, 3] {
        for name in ["tuned.toml", "tuned.jsonl"] {
            remove(&place.path(name));
        }
        shards(&place, &command, count);
        assert_eq!(place.ok(&["merge", &format!("s{count}")]), said);
        assert!(files() == whole, "tuned in {count} shards differs");
    }
}

/// What a sweep says without the seconds that each training took.
fn rows_of(folder: &Path) -> (Vec<Value>, String) {
    let text = fs::read_to_string(folder.join("rows.jsonl")).expect("rows");
    let without_time = |line: &str| {
        let mut row: Value = serde_json::from_str(line).expect("JSON");
        row.as_object_mut().expect("an object").remove("seconds");
        row
    };
    let files = ["sweep.toml", "config.toml", "accuracies.svg"];
    let files = files.map(|name| fs::read_to_string(folder.join(name)).expect("there"));
    (text.lines().map(without_time).collect(), files.concat())
}

#[test]
fn sweeps() {
    let place = Place::new();
    fs::write(
        place.path("grid.toml"),
        "preset = \"course-deep\"\n[grid]\nseed = [1, 2, 3]\nlearning_rate = [0.01, 0.1]\niterations = [20]\n",
    )
    .expect("written");
    common::write_colours(&place.path("c.h5"));
    let command = ["sweep", "grid.toml", "c.h5", "--jobs", "1", "--out", "sweep"];
    let said = place.ok(&command);
    let whole = rows_of(&place.path("sweep"));
    for count in [1, 2, 5] {
        remove(&place.path("sweep"));
        shards(&place, &command, count);
        assert_eq!(place.ok(&["merge", &format!("s{count}")]), said);
        assert_eq!(rows_of(&place.path("sweep")), whole, "swept in {count} shards");
        // The rows are the shards' own, to the byte.
        let csv = fs::read_to_string(place.path("sweep/sweep.csv")).expect("a table");
        assert_eq!(csv.lines().count(), 7);
    }
    // It is a sweep as any other.
    place.ok(&["sweep", "--resume", "sweep"]);

    // A shard that was interrupted is not whole, goes on, and keeps what it had.
    let record = place.path("s2/2-of-2.json");
    let text = fs::read_to_string(&record).expect("a record");
    let mut value: Value = serde_json::from_str(&text).expect("JSON");
    value["result"] = Value::Null;
    fs::write(&record, value.to_string()).expect("written");
    let rows = fs::read_to_string(place.path("s2/2-of-2.jsonl")).expect("rows");
    let first = rows.lines().next().expect("a row");
    fs::write(place.path("s2/2-of-2.jsonl"), format!("{first}\n{{\"setting\"")).expect("written");
    remove(&place.path("sweep"));
    let error = place.refused(&["merge", "s2"]);
    assert!(error.contains("of 2 shards 2 is not whole"), "{error}");
    place.ok(&[&command[..], &["--shard", "2/2", "--shards", "s2"]].concat());
    let again = fs::read_to_string(place.path("s2/2-of-2.jsonl")).expect("rows");
    assert!(again.starts_with(&format!("{first}\n")), "{again}");
    place.ok(&["merge", "s2"]);
    assert_eq!(rows_of(&place.path("sweep")), whole);
}

#[test]
fn what_is_no_whole_job_is_refused_by_name() {
    let place = Place::new();
    common::write_colours(&place.path("c.h5"));
    let command = ["data", "convert", "c.h5", "o.h5"];
    let shard = |of: &str, folder: &str| {
        place.ok(&[&command[..], &["--shard", of, "--shards", folder]].concat())
    };
    shard("1/3", "s");
    shard("3/3", "s");
    let error = place.refused(&["merge", "s"]);
    assert!(error.contains("of 3 shards 2 is missing"), "{error}");
    shard("2/3", "s");
    // Whole already: nothing is done again.
    let output = place.run(&[&command[..], &["--shard", "2/3", "--shards", "s"]].concat());
    assert!(stderr(&output).contains("2-of-3.json is whole already"), "{}", stderr(&output));

    fs::create_dir(place.path("copy")).expect("made");
    for name in ["2-of-3.json", "2-of-3.h5"] {
        fs::copy(place.path("s").join(name), place.path("copy").join(name)).expect("copied");
    }
    let error = place.refused(&["merge", "s", "copy/2-of-3.h5"]);
    assert!(error.contains("shard 2 of 3 is there twice"), "{error}");
    assert!(error.contains("copy/2-of-3.json") && error.contains("s/2-of-3.json"), "{error}");

    // Of another number of shards, command, and of other data.
    shard("1/2", "two");
    let error = place.refused(&["merge", "s/1-of-3.json", "two"]);
    assert!(error.contains("two jobs: its number of shards is"), "{error}");
    place.ok(&["data", "convert", "c.h5", "other.h5", "--shard", "2/3", "--shards", "other"]);
    let error = place.refused(&["merge", "s/1-of-3.json", "s/3-of-3.json", "other"]);
    assert!(error.contains("its command is") && error.contains("other.h5"), "{error}");
    let data = fs::read(place.path("c.h5")).expect("there");
    fs::write(place.path("c.h5"), [&data[..], b" "].concat()).expect("written");
    shard("2/3", "changed");
    let error = place.refused(&["merge", "s/1-of-3.json", "s/3-of-3.json", "changed"]);
    assert!(error.contains("its data is"), "{error}");
    // Nor is a shard of another job overwritten.
    let error = place.refused(&[&command[..], &["--shard", "2/3", "--shards", "s"]].concat());
    assert!(error.contains("a shard of another job, its data is"), "{error}");
    fs::write(place.path("c.h5"), data).expect("written");

    // Another program.
    let record = place.path("s/1-of-3.json");
    let text = fs::read_to_string(&record).expect("a record");
    let mut value: Value = serde_json::from_str(&text).expect("JSON");
    value["job"]["version"] = "9.9.9".into();
    fs::write(&record, value.to_string()).expect("written");
    let error = place.refused(&["merge", "s"]);
    assert!(error.contains("its version of dnn is") && error.contains("9.9.9"), "{error}");
    fs::write(&record, "{").expect("written");
    let error = place.refused(&["merge", "s"]);
    assert!(error.contains("1-of-3.json: cannot read it as the record of a shard"), "{error}");
    fs::write(&record, text).expect("written");

    // A damaged file, and one that is gone; the shard is then done again.
    let file = place.path("s/3-of-3.h5");
    let sound = fs::read(&file).expect("there");
    for damaged in [Some([&sound[..], b"x"].concat()), None] {
        match damaged {
            Some(bytes) => fs::write(&file, bytes).expect("written"),
            None => fs::remove_file(&file).expect("removed"),
        }
        let error = place.refused(&["merge", "s"]);
        assert!(error.contains("3-of-3.h5 is not what shard 3 has written"), "{error}");
        assert!(!place.path("o.h5").exists());
    }
    shard("3/3", "s");
    assert!(fs::read(&file).expect("there") == sound);
    place.ok(&["merge", "s"]);
    place.ok(&["data", "convert", "c.h5", "whole.h5"]);
    assert!(
        fs::read(place.path("o.h5")).expect("there")
            == fs::read(place.path("whole.h5")).expect("there")
    );

    for (args, says) in [
        (vec!["merge", "nowhere"], "nowhere.json"),
        (vec!["merge", "copy", "--json", "c.h5"], "c.json"),
        (vec!["data", "convert", "c.h5", "o.h5", "--shard", "4/3"], "no shard 4 of 3"),
        (vec!["data", "convert", "c.h5", "o.h5", "--shards", "x"], "--shard"),
        (vec!["data", "convert", "c.h5", "o.h5", "--shard", "auto"], "SLURM_ARRAY_TASK_ID"),
        (vec!["data", "convert", "c.h5", "few.h5", "--shard", "1/999"], "shard 1 of 999"),
    ] {
        let mut command = place.dnn(&args);
        command.env_remove("SLURM_ARRAY_TASK_ID").env_remove("OMPI_COMM_WORLD_RANK");
        let error = stderr(&command.output().expect("it starts"));
        assert!(error.starts_with("error: ") && error.contains(says), "{args:?}: {error}");
    }
    fs::create_dir(place.path("empty")).expect("made");
    let error = place.refused(&["merge", "empty"]);
    assert!(error.contains("no shards are there"), "{error}");
}
