//! What is written over what, what is printed of hostile names, and how signals end the program.

mod common;

use common::{DATA, Place, quick, stderr, stdout};
use std::fs;

/// A run on grey images in `r`, and the arguments that evaluate it.
fn grey(place: &Place) -> Vec<&'static str> {
    place.ok(&[&quick()[..], &["--out", "r", "--colors", "grey"]].concat());
    [&["evaluate", "r"], &DATA[..], &["--mislabeled"]].concat()
}

#[test]
fn grey_images_are_drawn_as_png_and_as_svg() {
    let place = Place::new();
    let evaluate = grey(&place);
    let found = place.json(&[&evaluate[..], &["wrong.png"]].concat());
    assert!(!found["mislabeled"].as_array().unwrap().is_empty(), "a picture needs images");
    assert!(image::open(place.path("wrong.png")).is_ok());
    place.ok(&[&evaluate[..], &["wrong.svg"]].concat());
    let svg = fs::read_to_string(place.path("wrong.svg")).unwrap();
    assert!(svg.starts_with("<svg") && svg.contains("<title>") && svg.contains("data:image/png"));
}

#[test]
fn a_picture_that_cannot_be_written_costs_the_exit_code_and_not_the_evaluation() {
    let place = Place::new();
    let evaluate = grey(&place);
    let expected = place.ok(&evaluate[..evaluate.len() - 1]);
    let before = fs::read(place.path("r/config.toml")).unwrap();
    fs::copy(place.path("r/config.toml"), place.path("config")).unwrap();
    let cases: &[&str] =
        if cfg!(unix) { &["config", "no/such/x.png", "/dev/null"] } else { &["config"] };
    for name in cases {
        let output = place.run(&[&evaluate[..], &[name]].concat());
        assert_eq!(output.status.code(), Some(2), "{name}: {}", stderr(&output));
        assert_eq!(stdout(&output), expected, "{name}");
        assert!(stderr(&output).contains(name), "{}", stderr(&output));
    }
    assert_eq!(fs::read(place.path("config")).unwrap(), before);
    // These ask for something else than a picture from the start.
    for name in ["r/model.safetensors", "r/config.toml", "wrong.jpg"] {
        let error = place.refused(&[&evaluate[..], &[name]].concat());
        assert!(error.contains(name) && error.contains(".png or .svg"), "{error}");
    }
    assert_eq!(fs::read(place.path("r/config.toml")).unwrap(), before);
}

#[test]
fn nothing_but_its_own_kind_is_replaced() {
    let place = Place::new();
    let rows = (0..12).map(|i| format!("{i},{},{}", 12 - i, ["a", "b"][i % 2]));
    let rows: Vec<_> = std::iter::once("x,y,label".to_owned()).chain(rows).collect();
    fs::write(place.path("t.csv"), rows.join("\n")).unwrap();
    let table = ["t.csv", "--label", "label"];
    let with = |start: &[&'static str], end: &[&'static str]| [start, &table, end].concat();
    place.ok(&with(&["train"], &["--iterations", "5", "--out", "r"]));
    place.ok(&with(&["train"], &["--iterations", "5", "--folds", "2", "--out", "k"]));
    place.ok(&with(&["data", "convert"], &["t.h5"]));
    fs::write(place.path("r/README.md"), "# Mine\n").unwrap();
    let files = || -> Vec<_> {
        let in_folder = |folder: &str| {
            let names = common::names(&place.path(folder)).into_iter();
            names.map(|name| format!("{folder}/{name}")).collect::<Vec<_>>()
        };
        let all = [".", "r", "k"].map(in_folder).concat().into_iter();
        all.filter_map(|name| Some((fs::read(place.path(&name)).ok()?, name))).collect()
    };
    let before = files();
    for (args, says) in [
        (with(&["predict", "r"], &["--out", "t.csv"]), "t.csv: there is a file of that name"),
        (with(&["predict", "r"], &["--out", "r/metrics.jsonl"]), "record of the run"),
        (with(&["predict", "r"], &["--out", "k/predictions.csv"]), "record of the run"),
        (vec!["evaluate", "r", "--split", "train", "--predictions", "t.csv"], "no table of pred"),
        (vec!["evaluate", "r", "--split", "train", "--plots", "t.csv"], "t.csv"),
        (with(&["data", "convert"], &["r/model.safetensors"]), "record of the run"),
        (with(&["data", "convert"], &["t.csv"]), "no HDF5 file"),
        (vec!["data", "convert", "t.h5", "t.h5"], "t.h5: expected another than those that are"),
        (vec!["data", "draw", "--out", "t.csv"], "no HDF5 file"),
        (vec!["data", "draw", "--contact-sheet", "r/cost.png"], "record of the run"),
        (vec!["data", "audit", "t.h5", "--sheet", "x.jpg"], ".png or .svg"),
        (vec!["data", "preview", "drawn", "--out", "r/cost.svg"], "record of the run"),
        (
            vec!["export", "r", "--force", "--format", "npz", "--out", "r/model.safetensors"],
            "record",
        ),
        (vec!["export", "r", "--force", "--format", "c", "--out", "t.csv"], "no C source"),
        (vec!["export", "r", "--format", "c", "--out", "t.csv"], "--force"),
        (vec!["config", "init", "--force", "--out", "r/config.toml"], "record of the run"),
        (vec!["config", "init", "--force", "--out", "t.csv"], "no configuration"),
        (with(&["tune"], &["--out", "r/config.toml", "--force"]), "record of the run"),
        (with(&["tune"], &["--out", "r/metrics.toml", "--force"]), "record of the run"),
        (with(&["tune"], &["--out", "t.h5", "--force"]), "no configuration"),
        (vec!["report", "r", "--split", "train"], "no model card of dnn"),
        (vec!["report", "r", "--split", "train", "--out", "k/config.html"], ""),
    ] {
        if says.is_empty() {
            place.ok(&args);
            fs::remove_file(place.path("k/config.html")).unwrap();
        } else {
            let error = place.refused(&args);
            assert!(error.contains(says), "{args:?}: {error}");
        }
        assert_eq!(files(), before, "{args:?}");
    }
    // A run that is replaced leaves a README.md that is not its own.
    place.ok(&with(&["train"], &["--iterations", "5", "--out", "r", "--force"]));
    assert_eq!(fs::read(place.path("r/README.md")).unwrap(), b"# Mine\n");
}

#[cfg(unix)]
#[test]
fn links_are_followed_and_devices_left_alone() {
    use std::os::unix::fs::{FileTypeExt, symlink};
    let place = Place::new();
    fs::create_dir(place.path("there")).unwrap();
    fs::write(place.path("there/old.png"), b"\x89PNG old").unwrap();
    symlink("there/old.png", place.path("p.png")).unwrap();
    let preview = [&["data", "preview"], &DATA[..], &["--out"]].concat();
    place.ok(&[&preview[..], &["p.png"]].concat());
    assert!(place.path("p.png").symlink_metadata().unwrap().is_symlink());
    assert!(image::open(place.path("there/old.png")).is_ok());

    assert!(std::process::Command::new("mkfifo").arg(place.path("f")).status().unwrap().success());
    for name in ["/dev/null", "f"] {
        let error = place.refused(&[&preview[..], &[name]].concat());
        assert!(error.contains("only files are replaced"), "{error}");
    }
    assert!(fs::metadata("/dev/null").unwrap().file_type().is_char_device());
    assert!(fs::metadata(place.path("f")).unwrap().file_type().is_fifo());
}

#[cfg(unix)]
#[test]
fn a_limit_of_the_file_size_is_a_full_disk() {
    let place = Place::new();
    let draw = "ulimit -f 64; exec \"$0\" data draw --train 400 --test 4 --out big.h5";
    let dnn = place.dnn(&[]);
    let output = std::process::Command::new("sh")
        .args(["-c", draw])
        .arg(dnn.get_program())
        .current_dir(place.path("."))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(stderr(&output).contains("big.h5"), "{}", stderr(&output));
    assert_eq!(place.names(), Vec::<String>::new());
}

#[cfg(unix)]
#[test]
fn names_from_the_file_system_do_not_steer_the_terminal() {
    let place = Place::new();
    place.trained();
    let name = "a\u{1b}[2Jb\u{202e}gnp.jpg";
    fs::write(place.path(name), "no image").unwrap();
    for args in [
        &["predict", "r", name][..],
        &["inspect", name],
        &["train", name],
        &["evaluate", "r", name],
    ] {
        let output = place.run(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        let said = stderr(&output) + &stdout(&output);
        assert!(said.contains(r"\u{1b}[2Jb\u{202e}gnp.jpg"), "{args:?}: {said}");
        assert!(!said.contains(['\u{1b}', '\u{202e}']), "{args:?}: {said:?}");
    }
    // Nor does what a run keeps of them.
    fs::rename(place.path("r"), place.path("r\nerror: x")).unwrap();
    let inside = "r\nerror: x/config.toml";
    let config = fs::read_to_string(place.path(inside)).unwrap();
    fs::write(place.path(inside), config.replace("\"drawn\"", "\"a\\nerror: x\"")).unwrap();
    for args in [
        &["inspect", "r\nerror: x"][..],
        &["train", "b\nerror: x", "--resume", "r\nerror: x"],
        &["evaluate", "r\nerror: x"],
    ] {
        let output = place.run(args);
        let said = stderr(&output) + &stdout(&output);
        assert!(said.contains("error: x") && !said.contains("\nerror: x"), "{args:?}: {said}");
    }
    fs::rename(place.path("r\nerror: x"), place.path("r")).unwrap();
    let json = stdout(&place.run(&["predict", "r", name, "--json"]));
    let read: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(read["predictions"][0]["image"], name);
    assert!(!json.contains(['\u{1b}', '\u{202e}']), "{json:?}");
}

#[test]
fn arguments_do_not_steer_the_terminal() {
    let place = Place::new();
    for args in [
        &["train", "--iterations", "5\u{1b}[2J\nerror: x"][..],
        &["train", "--no-such\n\u{1b}[2J"],
        &["tr\u{1b}[2J\nain"],
        &["train", "drawn", "--class-map", "a\n\u{1b}[2J"],
        &["train", "drawn", "--class-map", "a\n\u{1b}[2J=b"],
        &["train", "drawn", "--layers", "4,\u{1b}[2J\n"],
        &["train", "drawn", "--augment", "\u{1b}[2J\n=3"],
        &["train", "drawn", "--optimizer", "adam:\u{1b}[2J\n=3"],
        &["predict", "r", "x", "--out", "\n\u{1b}[2J"],
        &["evaluate", "r", "--mislabeled", "a.\n\u{1b}[2J"],
    ] {
        let error = place.refused(args);
        assert!(error.contains("[2J") && !error.contains('\u{1b}'), "{args:?}: {error:?}");
        assert!(!error.contains("\nerror: x") && !error.contains("\n\\u{1b}"), "{error:?}");
    }
}

#[cfg(unix)]
#[test]
fn a_signal_while_a_sweep_is_read_ends_it_at_once() {
    use std::os::unix::process::ExitStatusExt;
    let place = Place::new();
    assert!(std::process::Command::new("mkfifo").arg(place.path("f")).status().unwrap().success());
    let mut child = place.dnn(&["sweep", "f"]).spawn().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(300));
    let id = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().signal(), Some(15));
    assert_eq!(place.names(), ["f"]);
}

#[test]
fn a_curve_has_two_points_and_the_title_says_the_schedule() {
    let place = Place::new();
    let short = ["--iterations", "5", "--log-every", "100", "--schedule", "exponential:factor=0.9"];
    place.ok(&[&["train"], &DATA[..], &short, &["--out", "r"]].concat());
    let svg = fs::read_to_string(place.path("r/cost.svg")).unwrap();
    assert!(
        svg.contains(">Learning rate by schedule: exponential of 0.0075, factor=0.9<"),
        "{svg}"
    );
    let curve = svg.split("<polyline").find(|line| line.contains("#0072b2")).expect("a curve");
    let points = curve.split('"').nth(1).expect("its points");
    assert_eq!(points.split(' ').count(), 2, "{points}");
    assert!(!svg.contains("<circle"));
}
