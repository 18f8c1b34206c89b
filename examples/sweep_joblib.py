"""A search on a cluster: scikit-learn's `GridSearchCV`, carried by joblib to Dask.

    pip install "dask[distributed]"
    python examples/sweep_joblib.py

The cluster here is two processes on this machine. For one that there is already, give its address:
``Client("tcp://scheduler:8786")``. On Ray, two other lines and nothing else:

    from ray.util.joblib import register_ray         # pip install "ray[default]"
    register_ray()
    with joblib.parallel_backend("ray"):

A fit goes to a worker as a pickled estimator with its images, so every worker needs handgrad, but
no file. `handgrad sweep` is the other way: a recipe, trials that can be resumed, runs on disk.
"""

from __future__ import annotations

import sys

import joblib
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, train_test_split

import handgrad as hg


def main(epochs: int = 10) -> float:
    """Search, say where and what was found; returns the accuracy on digits that no fit has seen."""
    from dask.distributed import Client, LocalCluster

    digits = load_digits()
    images = np.round(digits.images * (255 / 16)).astype(np.uint8)  # (1797, 8, 8)
    images, asked, labels, answers = train_test_split(
        images, digits.target, stratify=digits.target, random_state=0
    )
    search = GridSearchCV(
        hg.ImageClassifier((hg.Dense(100, weights=hg.layers.He()), hg.ReLU()), max_iter=epochs,
                           random_state=0),
        {"optimizer": [hg.Adam(learning_rate=rate) for rate in (0.0003, 0.003, 0.03)]},
        cv=3,
    )  # fmt: skip
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
        joblib.parallel_backend("dask"),
    ):
        search.fit(images, labels)
        used = sum(client.run(lambda: "handgrad" in sys.modules).values())
        print(f"{search.n_splits_ * 3} fits by {used} workers of {client.scheduler.address}")
    results = search.cv_results_
    for settings, score in zip(results["params"], results["mean_test_score"], strict=True):
        print(f"{score:6.1%}  learning rate {settings['optimizer'].learning_rate:g}")
    accuracy = float(search.score(asked, answers))
    print(f"the best of them, on {len(answers)} other digits: {accuracy:.1%}")
    return accuracy


if __name__ == "__main__":
    main()
