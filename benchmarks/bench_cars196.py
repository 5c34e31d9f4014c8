"""New classes of Cars196 from frozen features: DeepMetricClusterer against five losses.

A metric is learned on the first 98 car models and judged on the 98 others: Recall@1, 2, 4 and
8, and NMI and accuracy of two clusterings into 98 clusters, see ``unseen_classes.py``. Compared:

- "raw": the features,
- "ours, closed form": DeepMetricClusterer(encoder="linear"), which needs no gradient steps,
- "ours, gradient": DeepMetricClusterer with a linear encoder or a multilayer perceptron,
- the losses of ``metric_losses.py`` with the same encoders.

Each method is tuned by the same number of random trials on the training classes alone:
3-fold ClassDisjointKFold, best mean of Recall@1 and NMI, the NMI being that of the method's own
`cluster` (Algorithm 2 for ours, k-means for the losses). Encoder, width of the embedding,
learning rate and weight decay of the trials are the same draws for all gradient methods; ridge,
whitening and temperature are drawn for ours, for the losses their own temperature or margin around
the recommended one, and the rate of the proxies where there are any. All gradient methods take the
same number of steps: batch size and number of epochs are fixed, nothing stops early. With the
parameters found, each is fitted on all training classes once for each seed.

The features are scaled to unit length for all methods, which leaves cosines as they are;
``--features roots`` takes their square roots before, which raises the Recall@1 of the raw
features by about 0.01 (they are non-negative).

Data: ``cars196_lite0.npz`` in the data directory, with arrays features, labels and split.

Run, from the root of the repository::

    python benchmarks/bench_cars196.py --json docs/benchmarks/cars196.json \
        --markdown docs/benchmarks/cars196.md

An hour or two on two CPU cores; each trial and each fit is added to the JSON file at once, and
what is there is not computed again, so that the program can be cut short and run again.
``--methods`` chooses a part; the tables are made from all that the file has. ``--quick`` takes
seconds.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from bench_unsupervised import markdown_table
from metric_losses import WITH_PROXIES, LossEmbedder
from scipy.stats import loguniform, uniform
from sklearn.datasets import make_blobs
from sklearn.model_selection import ParameterSampler, cross_validate
from sklearn.preprocessing import normalize
from unseen_classes import (
    CLOSED_FORM,
    GRADIENT,
    OURS,
    RAW,
    Split,
    Store,
    at_most,
    figure_table,
    gather,
    judge,
    judge_raw,
    limit_threads,
    loss_names,
    publish,
    table_notes,
    target_table,
    unseen_class_parser,
)

from skdeepclust import DeepMetricClusterer, MLPEncoder
from skdeepclust.metrics import recall_at_k_scorer, zero_shot_clustering_scorer
from skdeepclust.model_selection import ClassDisjointKFold

_N_SEEDS, _N_TRIALS, _N_EPOCHS, _BATCH_SIZE = 3, 12, 20, 512
_QUICK: dict[str, Any] = {"seeds": 1, "trials": 2, "epochs": 2}
_SCORERS = {"R@1": recall_at_k_scorer, "NMI": zero_shot_clustering_scorer}

# Names of parameters with lists or distributions, of which every value can be written as JSON.
Space = dict[str, Any]

_OUR_SPACE: Space = {"ridge": loguniform(0.1, 30), "whiten": uniform(0, 1)}
_CLOSED_FORM_SPACE: Space = {**_OUR_SPACE, "embedding_dim": [32, 48, 64, "auto"]}
_GRADIENT_SPACE: Space = {**_OUR_SPACE, "temperature": loguniform(0.005, 0.2)}
_ENCODER_SPACE: Space = {
    "hidden": [(), (512,), (1024,)],
    "dropout": [0.0, 0.3],
    "embedding_dim": [64, 128, 256],
    "learning_rate": loguniform(1e-4, 1e-2),
    "weight_decay": loguniform(1e-5, 1e-1),
}
_LOSS_SPACE: Space = {"sharpness": loguniform(0.3, 3)}
# A multiple of the learning rate.
_PROXY_SPACE: Space = {**_LOSS_SPACE, "proxy_rate": loguniform(1, 300)}


def main() -> None:
    """Tune and judge the methods asked for, print the tables, and write them where wanted."""
    options = parse_options()
    store = Store(options.json, settings(options))
    split = blobs() if options.quick else cars(options.data_dir, options.features)
    with limit_threads(options.threads):
        for method in options.methods:
            run(method, split, store, options)
    publish(report(store), "New classes of Cars196", options.markdown)


def parse_options() -> argparse.Namespace:
    """Options of the command line."""
    parser = unseen_class_parser(__doc__, _N_SEEDS, (RAW, *OURS, *loss_names()))
    parser.add_argument("--trials", type=int, default=_N_TRIALS, help="trials for each method")
    parser.add_argument("--epochs", type=int, default=_N_EPOCHS, help="epochs of every fit")
    parser.add_argument("--batch-size", type=int, default=_BATCH_SIZE)
    parser.add_argument("--features", choices=["plain", "roots"], default="plain")
    options = parser.parse_args()
    return at_most(options, _QUICK) if options.quick else options


def settings(options: argparse.Namespace) -> dict[str, Any]:
    """What all records of a file have in common."""
    names = ("epochs", "batch_size", "features", "quick")
    return {name: getattr(options, name) for name in names}


def cars(data_dir: Path, features: str) -> Split:
    """The two halves of Cars196, unit rows."""
    with np.load(data_dir / "cars196_lite0.npz") as archive:
        X = archive["features"].astype(np.float32)
        y, new = archive["labels"].astype(np.int64), archive["split"] == 1
    X = normalize(np.sqrt(X) if features == "roots" else X)
    return Split(X[~new], y[~new], X[new], y[new])


def blobs() -> Split:
    """Forty blobs, half of them unseen, for quick runs."""
    X, y = make_blobs(800, 16, centers=40, cluster_std=6.0, random_state=0)
    X, new = normalize(X).astype(np.float32), y >= 20
    return Split(X[~new], y[~new], X[new], y[new])


def run(method: str, split: Split, store: Store, options: argparse.Namespace) -> None:
    """Tune a method and judge it once for each seed."""
    chosen = {} if method == RAW else tune(method, split, store, options)
    store.forget(["results", method], chosen)
    for seed in range(options.seeds):

        def compute(seed: int = seed) -> dict[str, Any]:
            if method == RAW:
                return judge_raw(split, seed)
            return judge(estimator(method, chosen, options, seed), split, seed)

        store.recall(["results", method, str(seed)], chosen, compute)


def tune(method: str, split: Split, store: Store, options: argparse.Namespace) -> dict[str, Any]:
    """Parameters of the best trial of a method."""
    trials = []
    for i, parameters in enumerate(drawn_parameters(method, options.trials)):

        def compute(parameters: dict[str, Any] = parameters) -> dict[str, Any]:
            return cross_validated(estimator(method, parameters, options, seed=0), split)

        trials.append(store.recall(["search", method, str(i)], parameters, compute))
    best: dict[str, Any] = max(trials, key=lambda trial: trial["score"])["parameters"]
    return best


def drawn_parameters(method: str, n_trials: int) -> list[dict[str, Any]]:
    """Parameters of the trials; encoder and optimiser are the same for all gradient methods."""
    own = {CLOSED_FORM: _CLOSED_FORM_SPACE, GRADIENT: _GRADIENT_SPACE}.get(method, _LOSS_SPACE)
    own = _PROXY_SPACE if method in WITH_PROXIES else own
    spaces = [own] if method == CLOSED_FORM else [_ENCODER_SPACE, own]
    drawn = [ParameterSampler(space, n_trials, random_state=0) for space in spaces]
    return [
        {name: plain(value) for part in parts for name, value in part.items()}
        for parts in zip(*drawn, strict=True)
    ]


def plain(value: Any) -> Any:
    """A drawn value without NumPy's types."""
    return value.item() if isinstance(value, np.generic) else value


def cross_validated(candidate: Any, split: Split) -> dict[str, Any]:
    """Recall@1 and NMI on classes left out of the training half, and their mean."""
    folds = ClassDisjointKFold(3, shuffle=True, random_state=0)
    scores = cross_validate(
        candidate, split.X, split.y, scoring=_SCORERS, cv=folds, error_score="raise"
    )
    found = {name: float(scores[f"test_{name}"].mean()) for name in _SCORERS}
    return {**found, "score": float(np.mean(list(found.values())))}


def estimator(
    method: str, parameters: Mapping[str, Any], options: argparse.Namespace, seed: int
) -> Any:
    """A method with the parameters drawn or chosen for it."""
    if method == CLOSED_FORM:
        return DeepMetricClusterer(encoder="linear", random_state=seed, **parameters)
    rest = dict(parameters)
    encoder = MLPEncoder(tuple(rest.pop("hidden")), dropout=rest.pop("dropout"))
    common = {
        **rest,
        "encoder": encoder,
        "batch_size": options.batch_size,
        "max_epochs": options.epochs,
        "random_state": seed,
    }
    if method == GRADIENT:
        return DeepMetricClusterer(early_stopping=False, n_iter_no_change=options.epochs, **common)

    return LossEmbedder(method, **common)


def report(store: Store) -> list[str]:
    """The tables of figures, of targets and of parameters, from all records."""
    results = gather(store.records.get("results", {}))
    setting = store.content["settings"]
    budget = f"{setting['epochs']} epochs, batches of {setting['batch_size']} rows"
    notes = [f"All gradient methods: {budget}; features: {setting['features']}, unit length."]
    notes += ["Quick run: blobs instead of Cars196."] if setting["quick"] else []
    closed_form = float(np.median(results.get(CLOSED_FORM, {}).get("seconds", np.nan)))
    tables = [figure_table(results, CLOSED_FORM, closed_form), target_table(results)]
    chosen = parameter_table(store.records)
    found = "Parameters found, and their mean of Recall@1 and NMI in cross-validation:"
    return [*tables, found, chosen, *table_notes(len(loss_names())), *notes]


def parameter_table(records: Mapping[str, Any]) -> str:
    """The chosen parameters of each method that has been tuned and judged."""
    rows = []
    for method, trials in records.get("search", {}).items():
        for record in list(records.get("results", {}).get(method, {}).values())[:1]:
            chosen = record["parameters"]
            score = max(t["score"] for t in trials.values() if t["parameters"] == chosen)
            shown = ", ".join(f"{name} {written(value)}" for name, value in chosen.items())
            rows.append([method, shown, str(len(trials)), f"{score:.3f}"])
    return markdown_table(["method", "parameters", "trials", "score"], rows)


def written(value: Any) -> str:
    """A parameter with three digits."""
    return f"{value:.3g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main()
