"""Write the files of a release that all later ones must read, with what they must answer.

Once for each release, with that release installed, from the root of the repository::

    python tests/releases/make_files.py
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from sklearn.base import clone
from sklearn.datasets import make_blobs

import skdeepclust
from skdeepclust import (
    ClusteringCritic,
    ConvEncoder,
    CriticClusterer,
    DeepMetricClusterer,
    MLPEncoder,
    save,
)

FOLDER = Path(__file__).parent


def rows():
    """Rows and classes that need no random numbers of a library's version."""
    places = np.arange(60)
    y = places % 3
    X = np.stack([np.sin(places), np.cos(1.7 * places), np.sin(0.3 * places) ** 2, places % 5], 1)
    return X + 4.0 * y[:, None], y


def estimators():
    """Small fitted estimators by name; all kinds of values that a file may hold."""
    X, y = rows()
    names = np.array(["ash", "beech", "cedar"], dtype=object)[y]
    quick = {"max_epochs": 2, "early_stopping": False}
    small = {"hidden_dim": 4, "n_tasks": 2, "n_proposals": 4, "max_epochs": 1}
    critic = ClusteringCritic(**small, adversarial_rounds=0, random_state=0)
    search = {"population_size": 4, "n_generations": 1, "max_clusters": 4, "random_state": 0}
    state = np.random.RandomState(0)
    return {
        "mlp": DeepMetricClusterer(
            encoder=MLPEncoder((5,), "gelu", dropout=0.1), random_state=state, **quick
        ).fit(X, names),
        "linear": DeepMetricClusterer(encoder="linear", random_state=0).fit(X, y),
        "conv": DeepMetricClusterer(
            encoder=ConvEncoder((2,), image_shape=(2, 2)), random_state=0, **quick
        ).fit(X, y),
        "critic": critic.fit(*make_blobs(40, random_state=0)),
        "searcher": CriticClusterer(critic=clone(critic), **search).fit(X, y),
    }


def answers(estimator):
    """What an estimator says of the rows, as JSON."""
    X, y = rows()
    if isinstance(estimator, ClusteringCritic):
        return {"scores": estimator.score_clusterings(X, [y, y // 2, np.arange(60) % 7]).tolist()}
    found = {"labels": estimator.predict(X).tolist(), "rows": estimator.transform(X).tolist()}
    if hasattr(estimator, "classes_"):
        found["classes"] = estimator.classes_.tolist()
    return found


def main():
    folder = FOLDER / skdeepclust.__version__
    folder.mkdir()
    wanted = {}
    for name, estimator in estimators().items():
        wanted[name] = answers(estimator)
        save(estimator, folder / f"{name}.safetensors")
    text = json.dumps(wanted, indent=1)
    (folder / "answers.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
