"""scikit-learn's MLPClassifier, with the job's own initial weights put in place of its draws."""

import warnings

import numpy as np
import sklearn
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from common import Report, dtype_of, initial_weights, job_parser, read_set


class StartsAt(MLPClassifier):
    """Starts at given weights; scikit-learn has no parameter for that, only this method."""

    def _init_coef(self, fan_in, fan_out, dtype):
        del fan_in
        return next(self.given_).T.astype(dtype), np.zeros(fan_out, dtype)


def main():
    job = job_parser(__doc__).parse_args()
    dtype = dtype_of(job)
    images, labels = read_set(job.data, "train")
    x = images.astype(dtype) / dtype(255)
    n_epochs = job.epochs if job.batch_size else job.iterations
    model = StartsAt(
        hidden_layer_sizes=[int(n) for n in job.layers.split(",")],
        solver="adam" if job.optimizer == "adam" else "sgd",
        learning_rate_init=job.lr, momentum=0.0, nesterovs_momentum=False, alpha=0.0,
        batch_size=job.batch_size or len(x), shuffle=bool(job.batch_size), random_state=job.seed,
        max_iter=n_epochs, n_iter_no_change=n_epochs + 1, tol=0.0,
    )
    model.given_ = iter(initial_weights(job, x.shape[1]))
    warnings.simplefilter("ignore", ConvergenceWarning)

    report = Report("scikit-learn", versions={"scikit-learn": sklearn.__version__})
    report.start()
    model.fit(x, labels)
    report.stop()
    if not job.batch_size:
        for i in range(0, n_epochs, job.log_every):
            report.log(i, model.loss_curve_[i])
    p = model.predict_proba(x)
    report.final_cost = -np.mean(np.log(p[np.arange(len(p)), labels]))
    report.accuracy["train"] = float(model.score(x, labels))
    report.emit()


main()
