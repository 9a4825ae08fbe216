//! Images whose label looks wrong, by confident learning.

use dnn_core::nalgebra::DMatrix;
use serde::Serialize;

/// The number of suspects that a report lists.
pub const MAX_LISTED: usize = 20;

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
    fn nothing_is_suspect_where_all_agree_or_a_class_has_no_image() {
        let p = DMatrix::from_columns(&[
            dnn_core::nalgebra::DVector::from_vec(vec![0.7, 0.2, 0.1]),
            dnn_core::nalgebra::DVector::from_vec(vec![0.1, 0.1, 0.8]),
        ]);
        assert!(suspects(&p, &[0, 2]).is_empty());
        assert!(suspects(&p, &[0, 0]).is_empty(), "class 2 has no image to set a threshold");
    }
}
