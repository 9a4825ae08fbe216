//! `dnn gradcheck`: right gradients pass, each wrong one is found and named.
#![allow(clippy::unwrap_used)] // tests

mod common;

use common::{DATA, Place, quick, stderr, stdout};
use serde_json::Value;
use std::fs;

const ACTIVATIONS: [&str; 7] = ["relu", "tanh", "sigmoid", "leaky-relu", "elu", "silu", "gelu"];

#[test]
fn every_activation_and_loss_passes() {
    let place = Place::new();
    for activation in ACTIVATIONS {
        for (classes, loss) in [("2", "binary-cross-entropy"), ("5", "softmax-cross-entropy")] {
            let args = ["gradcheck", "--activation", activation, "--classes", classes];
            let result = place.json(&args);
            assert_eq!(result["verdict"], "passed");
            assert_eq!(result["architecture"]["loss"], loss);
            let rows = result["parameters"].as_array().unwrap();
            let names: Vec<_> = rows.iter().map(|row| row["name"].as_str().unwrap()).collect();
            assert_eq!(names, ["W1", "b1", "W2", "b2", "W3", "b3", "W4", "b4"]);
            for row in rows {
                assert!(row["relative_gap"].as_f64().unwrap() <= 2e-7, "{activation}: {row}");
                let counted = row["checked"].as_u64().unwrap() + row["kinks"].as_u64().unwrap();
                assert_eq!(counted, row["entries"].as_u64().unwrap().min(200));
            }
        }
    }
    let normalized = ["gradcheck", "--layers", "6,4", "--normalization", "layer"];
    let result = place.json(&normalized);
    let rows = result["parameters"].as_array().unwrap();
    let names: Vec<_> = rows.iter().map(|row| row["name"].as_str().unwrap()).collect();
    let expected = ["W1", "b1", "gamma1", "beta1", "W2", "b2", "gamma2", "beta2", "W3", "b3"];
    assert_eq!((names, &result["verdict"]), (expected.to_vec(), &"passed".into()));
    assert_eq!(rows[2]["entries"], 6);
    assert!(place.ok(&normalized).contains("ReLU, normalised, sigmoid cross-entropy"));
    let text = place.ok(&["gradcheck", "--layers", "none"]);
    assert!(text.contains("20-1, sigmoid cross-entropy") && text.contains("20 of 20"), "{text}");
    assert!(text.contains("Passed: 2 of 2 gradients agree"), "{text}");
}

#[test]
fn each_spoiled_gradient_fails_by_name() {
    let place = Place::new();
    let plain = &["W1", "b1", "W2", "b2", "W3", "b3"][..];
    let cases = ACTIVATIONS.map(|activation| (activation, "none", plain));
    let of_norm = ("gelu", "layer", &["gamma1", "beta1", "gamma2", "beta2", "W1", "b2"][..]);
    for (activation, normalization, names) in cases.into_iter().chain([of_norm]) {
        for name in names {
            let args = ["gradcheck", "--layers", "6,4", "--activation", activation];
            let args = [&args[..], &["--normalization", normalization]].concat();
            let output = place.run(&[&args[..], &["--classes", "3", "--break", name]].concat());
            assert_eq!(output.status.code(), Some(1), "{activation} {name}");
            let (out, error) = (stdout(&output), stderr(&output));
            let failed = format!("Failed: the gradient of {name} is not what");
            assert!(out.contains(&failed), "{name}: {out}");
            assert!(out.matches("<- differs").count() == 1, "{name}: {out}");
            let place = format!("{name}: relative gap ");
            assert!(error.starts_with(&place) && error.contains(" engine "), "{name}: {error}");
        }
    }
    let output = place.run(&["gradcheck", "--break", "W2", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let result: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(result["verdict"], "failed");
    assert_eq!(result["parameters"][2]["outcome"], "differs");
    assert_eq!(result["parameters"][3]["outcome"], "agrees");
    // For tests, not for users.
    assert!(!place.ok(&["gradcheck", "--help"]).contains("--break"));
}

#[test]
fn a_trained_model_is_checked_on_its_images_in_double_precision() {
    let place = Place::new();
    place.json(&[&quick()[..], &["--precision", "f32", "--out", "r"]].concat());
    let check = [&["gradcheck", "r"], &DATA[..]].concat();
    let text = place.ok(&check);
    assert!(text.contains("1728-20-7-5-1") && text.contains("kept in f32"), "{text}");
    assert!(text.contains("30 train images of drawn") && text.contains("200 of 34560"), "{text}");
    let test = [&check[..], &["--split", "test", "--examples", "5", "--sample", "7"]].concat();
    let result = place.json(&test);
    assert_eq!((&result["examples"], &result["model"]), (&5.into(), &"r".into()));
    let first = &result["parameters"][0];
    assert_eq!(first["checked"].as_u64().unwrap() + first["kinks"].as_u64().unwrap(), 7);
    let other = place.json(&[&test[..], &["--seed", "2"]].concat());
    assert_ne!(other["cost"], result["cost"], "other images");
    let output = place.run(&[&check[..], &["--break", "b3"]].concat());
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).starts_with("b3: relative gap"), "{}", stderr(&output));
}

/// Features as training saw them, of tables as of images: the cost is that of `dnn evaluate`.
#[test]
fn the_cost_is_the_one_that_evaluate_reports() {
    let place = Place::new();
    let rows = (0..40).map(|i| format!("{},{},{}\n", i * 3, 500 - i * i, u32::from(i > 20)));
    fs::write(place.path("table.csv"), "a,b,class\n".to_owned() + &rows.collect::<String>())
        .unwrap();
    let train = ["train", "table.csv", "--label", "class", "--standardize", "--layers", "4"];
    place.json(&[&train[..], &["--iterations", "200", "--out", "t"]].concat());
    place.json(&[&quick()[..], &["--out", "r"]].concat());
    for data in [
        &["t", "table.csv", "--label", "class", "--split", "train"][..],
        // Images of another size are resized by the model's contract.
        &["r", "drawn", "--draw-train", "12", "--draw-test", "9", "--split", "test"],
    ] {
        let evaluated = place.json(&[&["evaluate"], data].concat());
        let total = evaluated["total"].to_string();
        let check = [&["gradcheck"], data, &["--examples", &total]].concat();
        let checked = place.json(&check);
        let (cost, expected) = (&checked["cost"], &evaluated["cost"]);
        let (cost, expected) = (cost.as_f64().unwrap(), expected.as_f64().unwrap());
        assert!((cost - expected).abs() < 1e-12 * expected, "{data:?}: {cost} is not {expected}");
        assert_eq!(checked["verdict"], "passed");
    }
}

#[test]
fn what_differences_cannot_tell_is_not_called_right() {
    let place = Place::new();
    // At this step rounding is all there is.
    let output = place.run(&["gradcheck", "--epsilon", "1e-10", "--tolerance", "1e-9"]);
    assert_eq!(output.status.code(), Some(1));
    let text = stdout(&output);
    assert!(
        text.contains("Undecided: no gradient") && text.contains("a larger --epsilon"),
        "{text}"
    );
}

#[test]
fn nonsense_is_refused() {
    let place = Place::new();
    fs::write(place.path("table.csv"), "a,b,class\n0.5,2,0\n2,1.25,1\n").unwrap();
    place.json(&[&quick()[..], &["--out", "r"]].concat());
    for (args, says) in [
        (vec!["--epsilon", "0"], "--epsilon 0: expected 1e-10 to 1e-2"),
        (vec!["--epsilon", "nan"], "--epsilon NaN"),
        (vec!["--epsilon", "-0.001"], "--epsilon -0.001"),
        (vec!["--tolerance", "1"], "--tolerance 1: expected above 0 and below 1"),
        (vec!["--tolerance", "-1"], "--tolerance -1"),
        (vec!["--tolerance", "nan"], "--tolerance NaN"),
        (vec!["--classes", "1"], "--classes 1: expected at least 2"),
        (vec!["--features", "0"], "0 inputs"),
        (vec!["--layers", "3,0"], "number 2 of hidden is 0: expected a whole number"),
        (vec!["--layers", "1048576,1048576"], "is too large to check"),
        (vec!["--layers", "18446744073709551615"], "expected a whole number, 1 to 1048576"),
        (vec!["--examples", "18446744073709551615"], "is too large to check"),
        (vec!["--examples", "0"], "--examples 0"),
        (vec!["--sample", "0"], "--sample 0"),
        (vec!["--activation", "identity"], "identity"),
        (vec!["--activation", "rely"], "did you mean `relu`?"),
        (vec!["--break", "W5"], "expected W1, b1 and so on, to b4"),
        (vec!["--split", "test"], "<DATA>"),
        (vec!["--draw-size", "24"], "need MODEL and DATA"),
        (vec!["r"], "<DATA>"),
        (vec!["r", "drawn", "--layers", "3"], "cannot be used with"),
        (vec!["r", "table.csv"], "table.csv does not fit the model"),
        (vec!["r", "drawn", "--draw-size", "24", "--examples", "999"], "has 209 train images"),
        (vec!["r", "none.h5"], "none.h5: no such file"),
        (vec!["none", "drawn"], "cannot use the model none"),
    ] {
        let error = place.refused(&[&["gradcheck"], &args[..]].concat());
        assert!(error.contains(says), "{args:?}: {error}");
    }
}
