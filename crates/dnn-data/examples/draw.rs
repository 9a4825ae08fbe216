//! Draws images of cats and other things, and shows what the course's causes of error do to one.
//!
//! `cargo run -p dnn-data --example draw [FOLDER]` writes two pictures into FOLDER (by default the
//! current one): `drawn.png`, the first 140 images to learn from, and `causes.png`, one cat with
//! each cause from one end of its range to the other, a row each.

use dnn_data::image::write_png;
use dnn_data::synthetic::{Cause, DrawOptions, DrawnSet, Factors, Kind, Plan, draw};
use dnn_data::{DataError, ImageShape};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), DataError> {
    let folder = std::env::args_os().nth(1).map_or_else(|| PathBuf::from("."), PathBuf::from);
    let options = DrawOptions::default();
    let drawn = draw(&options)?;
    let n_cats = drawn.train_factors.iter().filter(|f| f.kind == Kind::Cat).count();
    println!("{} images to learn from, {n_cats} of them cats", drawn.train_factors.len());

    let first: Vec<&[u8]> = (0..140).map(|i| drawn.train.image(i)).collect();
    sheet(&folder.join("drawn.png"), &first, 14, options.size)?;

    // The details of an image do not depend on its factors: change one, and all else stays.
    let mut plan = Plan::new(options.seed, DrawnSet::Test, 5);
    let mut images = Vec::new();
    for cause in Cause::ALL {
        for step in 0..7 {
            plan.factors = with(cause, f64::from(step) / 6.0);
            images.push(plan.render(options.size)?);
        }
    }
    let images: Vec<&[u8]> = images.iter().map(Vec::as_slice).collect();
    sheet(&folder.join("causes.png"), &images, 7, options.size)
}

/// An easy cat with one cause at work, as far as `t` (0 to 1) says.
fn with(cause: Cause, t: f64) -> Factors {
    let easy = Factors::usual(Kind::Cat);
    match cause {
        Cause::Pose => Factors { pose_degrees: 45.0 * t, ..easy },
        Cause::Background => Factors { background_similarity: t, ..easy },
        Cause::RareColor => Factors { rare_color: t > 0.5, ..easy },
        Cause::CameraAngle => Factors { camera_degrees: 55.0 * t, ..easy },
        Cause::Brightness => Factors { brightness: 0.3 + 1.9 * t, ..easy },
        Cause::Scale => Factors { scale: 0.45 + 1.05 * t, ..easy },
    }
}

/// Writes images side by side as one picture, `n_columns` a row.
fn sheet(path: &Path, images: &[&[u8]], n_columns: usize, side: usize) -> Result<(), DataError> {
    let (width, height) = (n_columns * side, images.len().div_ceil(n_columns) * side);
    let mut pixels = vec![255; width * height * 3];
    for (i, image) in images.iter().enumerate() {
        let (top, left) = (i / n_columns * side, i % n_columns * side);
        for (y, row) in image.chunks_exact(side * 3).enumerate() {
            let start = ((top + y) * width + left) * 3;
            pixels[start..start + row.len()].copy_from_slice(row);
        }
    }
    write_png(path, &pixels, ImageShape { height, width, channels: 3 })?;
    println!("wrote {}", path.display());
    Ok(())
}
