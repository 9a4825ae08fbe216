//! The file of C, compiled by the system's compiler, beside the model it was made from.
//!
//! `CC` names the compiler, `cc` by default; without one this skips, unless `DNN_REQUIRE_CC` is set.
#![allow(clippy::unwrap_used)] // tests

mod common;

use common::{hidden_activations, model, probabilities, rows, table};
use dnn_core::{OutputActivation, Precision};
use std::fmt::Write;
use std::process::Command;

const N_FEATURES: u32 = 23;
const N_ROWS: usize = 40;

/// Reads rows, writes their probabilities; the numbers are exact as hexadecimal ones.
const MAIN: &str = r#"
#include <stdio.h>
int main(void) {
    dnn_real features[DNN_N_FEATURES], probabilities[DNN_N_CLASSES];
    double value;
    for (int at = 0; scanf("%lf", &value) == 1; at++) {
        features[at % DNN_N_FEATURES] = (dnn_real)value;
        if (at % DNN_N_FEATURES < DNN_N_FEATURES - 1) continue;
        dnn_probabilities(features, probabilities);
        for (int i = 0; i < DNN_N_CLASSES; i++) printf("%.17g\n", (double)probabilities[i]);
    }
    for (int i = 0; i < DNN_N_CLASSES; i++) puts(dnn_class_names[i]);
    return 0;
}
"#;

#[test]
fn compiled_c_gives_the_probabilities_of_every_kind_of_network() {
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".into());
    if Command::new(&compiler).arg("--version").output().is_err() {
        assert!(std::env::var_os("DNN_REQUIRE_CC").is_none(), "no C compiler `{compiler}`");
        eprintln!("skipped: no C compiler `{compiler}`");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (source, program) = (folder.path().join("model.c"), folder.path().join("model"));
    let rows = rows(N_ROWS, N_FEATURES);
    let text = rows.iter().fold(String::new(), |mut text, value| {
        writeln!(text, "{value:e}").unwrap();
        text
    });
    std::fs::write(folder.path().join("rows"), text).unwrap();
    for (i, activation) in hidden_activations().into_iter().enumerate() {
        for (precision, tolerance) in [(Precision::F32, 5e-7), (Precision::F64, 1e-12)] {
            let output = [OutputActivation::Sigmoid, OutputActivation::Softmax]
                [(i + usize::from(precision == Precision::F32)) % 2];
            let mut contract = table(N_FEATURES);
            if i % 3 == 2 {
                contract.standardization = None;
            }
            let model = model(contract, activation, output, precision);
            std::fs::write(&source, dnn_export::c(&model).unwrap() + MAIN).unwrap();
            let flags = ["-std=c99", "-O1", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-o"];
            let mut compile = Command::new(&compiler);
            let compiled =
                compile.args(flags).args([&program, &source]).arg("-lm").output().unwrap();
            let said = String::from_utf8_lossy(&compiled.stderr);
            assert!(compiled.status.success(), "{activation} {output} {precision}: {said}");
            let input = std::fs::File::open(folder.path().join("rows")).unwrap();
            let output = Command::new(&program).stdin(input).output().unwrap();
            let printed = String::from_utf8(output.stdout).unwrap();
            let mut lines = printed.lines();
            for (at, expected) in probabilities(&model, &rows).iter().enumerate() {
                let got: f64 = lines.next().unwrap().parse().unwrap();
                let difference = (got - expected).abs();
                assert!(difference <= tolerance, "{activation} {precision}, {at}: {difference:e}");
            }
            assert_eq!(lines.collect::<Vec<_>>(), model.classes());
        }
    }
}
