"""Which network for these digits? A search by scikit-learn's `GridSearchCV` in all cores.

    python examples/grid_search.py

`ImageClassifier` clones and pickles like any estimator, so joblib carries the search: to the
processes of this machine as it stands, and unchanged to a cluster's, by one line around it:

    from dask.distributed import Client              # pip install "dask[distributed]"
    Client("scheduler:8786")
    with joblib.parallel_backend("dask"):
        search.fit(images, labels)

    from ray.util.joblib import register_ray         # pip install "ray"
    register_ray()
    with joblib.parallel_backend("ray"):
        search.fit(images, labels)

Every worker needs handgrad installed, and nothing of ours besides. With `inner_max_num_threads` a
worker is told how many threads it may use; without, joblib gives each its part of the cores.
"""

from __future__ import annotations

import joblib
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, train_test_split

import handgrad as hg


def main() -> float:
    """Search, and say what was found; returns the accuracy on digits that no fit has seen."""
    digits = load_digits()
    images = np.round(digits.images * (255 / 16)).astype(np.uint8)  # (1797, 8, 8)
    images, asked, labels, answers = train_test_split(
        images, digits.target, stratify=digits.target, random_state=0
    )
    search = GridSearchCV(
        hg.ImageClassifier(max_iter=15, random_state=0),
        {
            # The hidden layers; one with an output a class is put after them.
            "architecture": [
                (hg.Dense(100, weights=hg.layers.He()), hg.ReLU()),
                (hg.Convolution(8), hg.ReLU(), hg.MaxPool(2)),
            ],
            "optimizer": [hg.Adam(learning_rate=rate) for rate in (0.001, 0.01)],
        },
        cv=3,
        n_jobs=-1,
    )
    with joblib.parallel_backend("loky"):
        search.fit(images, labels)
    results = search.cv_results_
    for settings, score in zip(results["params"], results["mean_test_score"], strict=True):
        layers = " → ".join(str(layer) for layer in settings["architecture"])
        rate = settings["optimizer"].learning_rate
        print(f"{score:6.1%}  {layers}, learning rate {rate:g}")
    accuracy = float(search.score(asked, answers))
    print(f"the best of them, on {len(answers)} other digits: {accuracy:.1%}")
    return accuracy


if __name__ == "__main__":
    main()
