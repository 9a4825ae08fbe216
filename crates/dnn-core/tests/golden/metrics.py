"""Makes metrics.json: python metrics.py > metrics.json

scikit-learn 1.9.1, SciPy 1.17.1, NumPy 2.4.6.
"""

import json
import sys

import numpy as np
from scipy.stats import binomtest, chi2
from sklearn import metrics as sk
from sklearn.calibration import calibration_curve

BINS = 10


def curves(score, positive):
    fpr, tpr, at = sk.roc_curve(positive, score)
    precision, recall, pr_at = sk.precision_recall_curve(
        positive, score, drop_intermediate=True
    )
    return {
        # In JSON there is no infinity, the threshold above every score.
        "roc": [[None if np.isinf(t) else t, f, r] for t, f, r in zip(at, fpr, tpr)],
        "roc_auc": sk.roc_auc_score(positive, score),
        # From recall 0 upwards.
        "precision_recall": [
            [None if t is None else float(t), float(p), float(r)]
            for t, p, r in zip([*pr_at, None], precision, recall)
        ][::-1],
        "average_precision": sk.average_precision_score(positive, score),
    }


def calibration(confidence, right):
    """The bins that are not empty, and the expected calibration error."""
    accuracy, mean = calibration_curve(right, confidence, n_bins=BINS)
    counts = np.bincount(np.maximum(np.ceil(confidence * BINS), 1).astype(int))
    counts = counts[counts > 0]
    return {
        "counts": counts.tolist(),
        "confidence": mean.tolist(),
        "accuracy": accuracy.tolist(),
        "expected_error": float(np.sum(counts * np.abs(accuracy - mean)) / len(right)),
    }


def case(seed, m, n_classes, decimals):
    """Random probabilities that know something of the labels; rounded, so that there are ties."""
    rng = np.random.default_rng(seed)
    share = np.arange(1, n_classes + 1)
    labels = rng.choice(n_classes, m, p=share / share.sum())
    p = rng.dirichlet(np.full(n_classes, 0.7), m)
    p[np.arange(m), labels] += rng.random(m)
    p /= p.sum(axis=1, keepdims=True)
    p = np.round(p, decimals)
    p[:, 0] = 1 - p[:, 1:].sum(axis=1)
    p = np.clip(p, 0, 1)
    predicted = p.argmax(axis=1)
    precision, recall, f1, _ = sk.precision_recall_fscore_support(
        labels, predicted, average="macro", zero_division=0
    )
    return {
        "probabilities": p.tolist(),
        "labels": labels.tolist(),
        "accuracy": sk.accuracy_score(labels, predicted),
        "balanced_accuracy": sk.balanced_accuracy_score(labels, predicted),
        "macro": [precision, recall, f1],
        "log_loss": sk.log_loss(labels, p, labels=range(n_classes)),
        "brier_score": sk.brier_score_loss(labels, p, labels=range(n_classes)),
        "curves": [curves(p[:, k], labels == k) for k in range(n_classes)],
        "calibration": calibration(p.max(axis=1), predicted == labels),
        "calibration_of_class_1": calibration(p[:, 1], labels == 1),
    }


def mcnemar(a, b):
    statistic = (abs(a - b) - 1) ** 2 / (a + b)
    return {
        "only_first": a,
        "only_second": b,
        "exact": binomtest(a, a + b, 0.5).pvalue,
        "chi_square": [statistic, chi2.sf(statistic, 1)],
    }


json.dump(
    {
        "cases": [case(1, 70, 2, 2), case(2, 50, 2, 16), case(3, 90, 4, 1), case(4, 120, 6, 4)],
        "mcnemar": [
            mcnemar(*pair)
            for pair in [
                *[(1, 0), (5, 3), (0, 6), (12, 30), (2, 25), (300, 260), (410, 590)],
                *[(480, 521), (1500, 1300), (9000, 8500)],
            ]
        ],
    },
    sys.stdout,
    default=float,
    separators=(",", ":"),
)
print()
