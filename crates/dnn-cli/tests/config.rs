//! `dnn config`: what it writes is what training takes.
#![allow(clippy::unwrap_used)] // tests

mod common;

use common::{DATA, Place};
use std::fs;

#[test]
fn what_init_writes_trains_as_the_preset_does() {
    let place = Place::new();
    for preset in ["course-deep", "course-two-layer"] {
        let file = format!("{preset}.toml");
        let out = place.ok(&["config", "init", "--preset", preset, "--out", &file]);
        assert_eq!(out, format!("Written: {file}\n"));
        let text = fs::read_to_string(place.path(&file)).unwrap();
        assert_eq!(place.ok(&["config", "init", "--preset", preset]), text, "to standard output");
        let short = [&DATA[..], &["--iterations", "3", "--threads=1", "--out"]].concat();
        place.ok(&[&["train", "--preset", preset], &short[..], &["a"]].concat());
        place.ok(&[&["train", "--config", &file], &short[..], &["b"]].concat());
        for name in ["config.toml", "model.safetensors"] {
            let read = |run: &str| fs::read(place.path(run).join(name)).unwrap();
            assert!(read("a") == read("b"), "{preset}: {name}");
        }
        fs::remove_dir_all(place.path("a")).unwrap();
        fs::remove_dir_all(place.path("b")).unwrap();
    }
}

#[test]
fn every_line_is_explained() {
    let place = Place::new();
    let text = place.ok(&["config", "init"]);
    for part in [
        "hidden = [20, 7, 5]",
        "One of relu, sigmoid, tanh, leaky-relu, elu, silu, gelu. Default: \"relu\".",
        "learning_rate = 0.0075",
        "Default: 100.\nlog_every = 100",
        "#[source]",
        "#test = ",
    ] {
        // Long comments are wrapped.
        let found = text.contains(part) || text.replace("\n# ", " ").contains(part);
        assert!(found, "no {part:?} in {text}");
    }
    let lines: Vec<_> = text.lines().collect();
    for pair in
        lines.windows(2).filter(|pair| pair[1].contains(" = ") && !pair[1].starts_with("# "))
    {
        let header = pair[0].trim_start_matches('#').starts_with('[');
        assert!(pair[0].starts_with("# ") && !header, "no comment above {}", pair[1]);
    }
    assert!(lines.iter().all(|line| line.chars().count() <= 100));
}

#[test]
fn a_file_is_replaced_only_when_forced() {
    let place = Place::new();
    for (text, says) in [("mine", "no configuration"), ("# mine\n", "")] {
        fs::write(place.path("c.toml"), text).unwrap();
        let error = place.refused(&["config", "init", "--out", "c.toml"]);
        assert!(error.contains("c.toml") && error.contains("--force"), "{error}");
        if !says.is_empty() {
            let error = place.refused(&["config", "init", "--out", "c.toml", "--force"]);
            assert!(error.contains("c.toml") && error.contains(says), "{error}");
        }
        assert_eq!(fs::read_to_string(place.path("c.toml")).unwrap(), text);
    }
    place.ok(&["config", "init", "--out", "c.toml", "--force"]);
    place.ok(&["config", "check", "c.toml"]);
    let error = place.refused(&["config", "init", "--out", "none/c.toml"]);
    assert!(error.contains("none/c.toml"), "{error}");
    let error = place.refused(&["config", "init", "--preset", "course-dep"]);
    assert!(error.contains("'course-deep'"), "{error}");
    assert_eq!(place.names(), ["c.toml"]);
}

#[test]
fn check_says_sound_or_what_is_wrong_and_where() {
    let place = Place::new();
    place.trained();
    let text = place.ok(&["config", "check", "r/config.toml"]);
    let says = "r/config.toml: sound; hidden layers 20-7-5, ReLU; gradient-descent, learning rate 0.0075, 40 iterations";
    assert!(text.starts_with(says) && text.contains("data: drawn --draw-train 30"), "{text}");
    assert_eq!(text.lines().count(), 1);
    let json = place.json(&["config", "check", "r/config.toml"]);
    assert_eq!((&json["sound"], &json["config"]["training"]["seed"]), (&true.into(), &1.into()));
    let sound = fs::read_to_string(place.path("r/config.toml")).unwrap();
    for (from, to, says) in [
        ("learning_rate", "learning_rat", &["line ", "did you mean `learning_rate`?"][..]),
        ("\"relu\"", "\"rely\"", &["line ", "did you mean `relu`?"]),
        ("[training", "[trianing", &["line ", "did you mean `training`?"]),
        ("0.0075", "-1.0", &["line ", "learning_rate is -1: expected a finite number above 0"]),
        (
            "seed = 1\n",
            "seed = \"x\"\n",
            &["line ", "seed is \"x\": expected a whole number, at least 0"],
        ),
        ("\"drawn\"", "\"x.h5\"", &["x.h5 is not drawn"]),
    ] {
        assert!(sound.contains(from), "{sound}");
        fs::write(place.path("c.toml"), sound.replace(from, to)).unwrap();
        let error = place.refused(&["config", "check", "c.toml"]);
        for part in says {
            assert!(error.contains("c.toml") && error.contains(part), "{to}: {error}");
        }
    }
    let error = place.refused(&["config", "check", "none.toml"]);
    assert!(error.contains("none.toml"), "{error}");
}
