//! Images whose label looks wrong, by confident learning.

use dnn_core::nalgebra::DMatrix;
use dnn_data::ImageSet;
use serde::Serialize;
use std::io::Read;
use std::path::Path;

/// Why predictions cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PredictionsError {
    /// They are no table.
    #[error("not a table of predictions")]
    Csv(#[from] csv::Error),
    /// A column is missing.
    #[error(
        "no column `{column}`: expected the predictions.csv of `dnn train --folds`, of a model with the \
         same classes"
    )]
    Column {
        /// The column.
        column: String,
    },
    /// A cell holds no probability.
    #[error("line {line}: `{got}` is no probability")]
    Probability {
        /// Line of the file, from 1.
        line: u64,
        /// What stands there.
        got: String,
    },
    /// An example is not in the data.
    #[error("line {line}: no training image `{example}`; there are {n}")]
    Unknown {
        /// Line of the file, from 1.
        line: u64,
        /// How the table names it.
        example: String,
        /// Number of training images.
        n: usize,
    },
    /// Examples are missing.
    #[error(
        "{missing} of {n} training images have no prediction: these are of other data, or of folds that are not finished"
    )]
    Missing {
        /// Images without a row.
        missing: usize,
        /// Number of training images.
        n: usize,
    },
}

/// Reads out-of-sample predictions of all images: a table with the column `example`, an index from 0 or a
/// file, and `probability_CLASS` for each class, as `dnn train --folds` and `dnn predict --out` write it.
///
/// # Shapes
/// → (n_classes, m) for m `images`.
/// # Errors
/// [`PredictionsError`], with the line.
pub fn read_predictions(
    file: impl Read,
    classes: &[String],
    images: &ImageSet,
) -> Result<DMatrix<f64>, PredictionsError> {
    let n = images.len();
    let mut reader = csv::Reader::from_reader(file);
    let header = reader.headers()?.clone();
    let column = |name: String| {
        let place = header.iter().position(|column| column == name);
        place.ok_or(PredictionsError::Column { column: name })
    };
    let example = column("example".into())?;
    let columns: Vec<usize> =
        classes.iter().map(|c| column(format!("probability_{c}"))).collect::<Result<_, _>>()?;
    let mut probabilities = DMatrix::from_element(classes.len(), n, f64::NAN);
    for record in reader.records() {
        let record = record?;
        let line = record.position().map_or(0, csv::Position::line);
        let name = &record[example];
        let by_file = || images.files().iter().position(|file| file == Path::new(name));
        let index = name.parse().ok().filter(|i| *i < n && images.files().is_empty());
        let Some(index) = index.or_else(by_file) else {
            return Err(PredictionsError::Unknown { line, example: name.into(), n });
        };
        for (class, &column) in columns.iter().enumerate() {
            let p = record[column].parse().ok().filter(|p| (0.0..=1.0).contains(p));
            let got = || record[column].to_owned();
            probabilities[(class, index)] =
                p.ok_or_else(|| PredictionsError::Probability { line, got: got() })?;
        }
    }
    let missing = (0..n).filter(|&j| probabilities[(0, j)].is_nan()).count();
    if missing > 0 {
        return Err(PredictionsError::Missing { missing, n });
    }
    Ok(probabilities)
}

/// An image whose label looks wrong.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Suspect {
    /// Its index.
    pub index: usize,
    /// Its label.
    pub label: u32,
    /// The class that it looks like.
    pub likely: u32,
    /// Probability of the likely class less that of the label.
    pub margin: f64,
}

/// Returns the images that confident learning finds mislabelled (Northcutt and others 2021), the surest
/// first. The threshold of a class is the mean probability that images labelled so have of it. An image
/// belongs to the most probable of the classes whose threshold it reaches; when that is not its label,
/// it is suspect.
///
/// The probabilities must be out of sample, of networks that have not seen the image: those of
/// cross-validation.
///
/// # Shapes
/// `probabilities` (n_classes, m), `labels` (m).
/// # Panics
/// When the two differ in number, or a label is not below n_classes.
#[doc(alias = "cleanlab")]
pub fn suspects(probabilities: &DMatrix<f64>, labels: &[u32]) -> Vec<Suspect> {
    assert_eq!(probabilities.ncols(), labels.len(), "an image a label");
    let n_classes = probabilities.nrows();
    let threshold = |class: usize| {
        let own = labels.iter().enumerate().filter(|(_, label)| **label as usize == class);
        let (sum, n) =
            own.fold((0.0, 0), |(sum, n), (j, _)| (sum + probabilities[(class, j)], n + 1));
        // No image can be said to reach what no image shows.
        if n > 0 { sum / f64::from(n) } else { f64::INFINITY }
    };
    let thresholds: Vec<f64> = (0..n_classes).map(threshold).collect();
    let mut found: Vec<Suspect> = labels
        .iter()
        .enumerate()
        .filter_map(|(index, &label)| {
            let p = probabilities.column(index);
            let likely = (0..n_classes)
                .filter(|&class| p[class] >= thresholds[class])
                .max_by(|&a, &b| p[a].total_cmp(&p[b]))?;
            let margin = p[likely] - p[label as usize];
            let likely = likely as u32;
            (likely != label).then_some(Suspect { index, label, likely, margin })
        })
        .collect();
    found.sort_by(|a, b| b.margin.total_cmp(&a.margin).then(a.index.cmp(&b.index)));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_of_cleanlab_are_found_in_its_order() {
        // cleanlab 2.9.0: find_label_issues(labels, pred_probs, filter_by="confident_learning",
        // return_indices_ranked_by="normalized_margin") → [6 2]
        let p_of_one = [0.1, 0.2, 0.8, 0.3, 0.9, 0.8, 0.1, 0.7];
        let labels = [0, 0, 0, 0, 1, 1, 1, 1];
        let p = DMatrix::from_fn(2, 8, |class, j| [1.0 - p_of_one[j], p_of_one[j]][class]);
        let found = suspects(&p, &labels);
        assert_eq!(found.iter().map(|s| s.index).collect::<Vec<_>>(), [6, 2]);
        assert!((found[0].margin - 0.8).abs() < 1e-12 && found[1].likely == 1);
    }

    #[test]
    fn predictions_are_read_for_each_image_or_refused() {
        let shape = dnn_data::ImageShape { height: 1, width: 1, channels: 1 };
        let classes = ["a".to_owned(), "b".to_owned()];
        let images = ImageSet::new(vec![0; 2], shape, vec![0, 1], classes.to_vec()).unwrap();
        let read = |text: &str| read_predictions(text.as_bytes(), &classes, &images);
        let header = "example,true_class,class,probability,probability_a,probability_b\n";
        let p = read(&format!("{header}1,b,b,0.9,0.1,0.9\n0,a,b,0.6,0.4,0.6\n")).unwrap();
        assert_eq!(p, DMatrix::from_row_slice(2, 2, &[0.4, 0.1, 0.6, 0.9]));
        for (text, expected) in [
            ("example,class\n".to_owned(), "no column `probability_a`"),
            (format!("{header}2,b,b,0.9,0.1,0.9\n"), "line 2: no training image `2`; there are 2"),
            (format!("{header}0,b,b,0.9,x,0.9\n"), "line 2: `x` is no probability"),
            (format!("{header}0,b,b,0.9,0.1,0.9\n"), "1 of 2 training images have no prediction"),
        ] {
            let error = read(&text).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
        }
    }

    #[test]
    fn nothing_is_suspect_where_all_agree_or_a_class_has_no_image() {
        let p = DMatrix::from_columns(&[
            dnn_core::nalgebra::DVector::from_vec(vec![0.7, 0.2, 0.1]),
            dnn_core::nalgebra::DVector::from_vec(vec![0.1, 0.1, 0.8]),
        ]);
        assert!(suspects(&p, &[0, 2]).is_empty());
        assert!(suspects(&p, &[0, 0]).is_empty(), "class 2 has no image to set a threshold");
    }
}
