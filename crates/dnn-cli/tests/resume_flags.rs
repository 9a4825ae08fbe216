//! Which flags a run that goes on may be given: each of them is tried.
#![allow(clippy::unwrap_used)] // tests

mod common;

use common::{Place, files, quick, stderr};
use std::fs;

/// Every flag of `dnn train`, each with a value that changes something.
fn all_flags(place: &Place) -> Vec<Vec<String>> {
    let help = place.ok(&["train", "--help"]);
    let mut flags = Vec::new();
    let lines: Vec<_> = help.lines().collect();
    for (i, line) in lines.iter().enumerate() {
        let Some(flag) = line.split_whitespace().find(|word| word.starts_with("--")) else {
            continue;
        };
        if !line.trim_start().starts_with('-') || ["--help", "--resume"].contains(&flag) {
            continue;
        }
        let value_name = line.split_once('<').and_then(|(_, rest)| rest.split_once('>'));
        let Some((value_name, _)) = value_name else {
            flags.push(vec![flag.to_owned()]);
            continue;
        };
        // The help of this flag, up to the next.
        let rest = lines[i + 1..].iter().take_while(|line| !line.trim_start().starts_with("--"));
        let text = [line].into_iter().chain(rest).map(|l| l.trim()).collect::<Vec<_>>().join(" ");
        let choices = text.split_once("[possible values: ").and_then(|(_, rest)| {
            let names = rest.split_once(']')?.0.split(", ");
            names.map(str::to_owned).find(|name| !text.contains(&format!("[default: {name}]")))
        });
        let value = match (flag, value_name) {
            ("--on-bad-image", _) => "skip".into(),
            ("--scale", _) => "as-is".into(),
            ("--class-map", _) => "a=b".into(),
            _ if choices.is_some() => choices.unwrap(),
            ("--iterations" | "--epochs", _) => "60".into(),
            ("--activation", _) => "tanh".into(),
            ("--init", _) => "zeros".into(),
            ("--optimizer", _) => "adam".into(),
            ("--schedule", _) => "cosine".into(),
            ("--class-weights", _) => "balanced".into(),
            ("--augment", _) => "light".into(),
            ("--background", _) => "black".into(),
            ("--memory-limit", _) => "1G".into(),
            ("--checkpoint-every", _) => "13".into(),
            ("--time", _) => "1h".into(),
            (_, "N" | "K" | "SIZE" | "N,N,…" | "COLUMN") => "7".into(),
            (_, "F") => "0.3".into(),
            (_, "FILE" | "FILE.toml" | "DIR" | "NAME" | "MODEL") => "elsewhere".into(),
            _ => panic!("no value for {flag} <{value_name}>"),
        };
        flags.push(vec![flag.to_owned(), value]);
    }
    flags
}

#[test]
fn going_on_changes_the_length_and_the_logging_and_nothing_else() {
    const MAY: [&str; 10] = [
        "--iterations",
        "--epochs",
        "--time",
        "--threads",
        "--log-every",
        "--checkpoint-every",
        "--json",
        "--quiet",
        "--previous",
        "--no-cache",
    ];
    let place = Place::new();
    place.ok(&[&quick()[..], &["--checkpoint-every", "10", "--out", "r"]].concat());
    let (before, flags) = (files(&place.path("r")), all_flags(&place));
    assert!(flags.len() > 50, "{flags:?}");
    for flag in &flags {
        let args: Vec<_> = flag.iter().map(String::as_str).collect();
        let output = place.run(&[&["train", "--resume", "r"], &args[..]].concat());
        let error = stderr(&output);
        if MAY.contains(&args[0]) {
            assert_eq!(output.status.code(), Some(0), "{flag:?}: {error}");
            fs::remove_dir_all(place.path("r")).unwrap();
            for (path, content) in &before {
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, content).unwrap();
            }
        } else {
            assert_eq!(output.status.code(), Some(2), "{flag:?}: {error}");
            let says = [args[0], "--config r/config.toml", "a memory limit is for"];
            assert!(says.iter().any(|part| error.contains(part)), "{flag:?}: {error}");
            assert!(files(&place.path("r")) == before, "{flag:?} changed the run");
        }
    }
}
