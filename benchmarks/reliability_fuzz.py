"""Random data, labels and parameters: a valid result, or an error that says what is wrong.

Each case draws an estimator, rows (see `fuzz_inputs`: shapes, types, orders, scales from 1e-300 to
1e300, duplicates, constant columns, 1 to 5 rows, up to 50,000 columns, containers of every kind),
labels (of any type, equal, different, missing, memberships) or parameters (see `fuzz_parameters`:
drawn from the constraints of the estimator), fits, and asks everything the estimator can be asked.
It ends in one of these ways:

- valid: results are finite and of the right shape, labels are in range, `predict` of the training
  rows gives `labels_`, a repeated call and a repeated fit give the same bits;
- refused: a ValueError or TypeError names the argument that is wrong; of parameters that the
  constraints exclude before X is looked at; an earlier fit stays as it was;
- failed: anything else, also warnings from numpy or torch, changed inputs, changed global random
  states, and more than ten seconds.

Run, from the root of the repository::

    python benchmarks/reliability_fuzz.py --cases 20000 \
        --markdown docs/benchmarks/reliability_fuzz.md --json docs/benchmarks/reliability_fuzz.json

About 0.1 s a case. ``--seconds`` ends earlier, ``--first`` begins later, ``--kinds`` chooses;
``--case K`` runs one case again and shows the traceback; ``--quick`` takes seconds.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from fuzz_checks import (
    BrokenError,
    RefusedError,
    Untouchable,
    check_critic,
    check_metric,
    check_other_rows,
    check_scores,
    check_searcher,
    global_state,
    may_refuse,
)
from fuzz_inputs import Rng, draw_images, draw_labels, draw_rows, pick
from fuzz_parameters import draw_invalid, draw_valid
from reliability_cases import FAILED, Record, argument_parser, publish, run_cases, summary_table
from sklearn.datasets import make_blobs
from sklearn.frozen import FrozenEstimator

from skdeepclust import (
    ClusteringCritic,
    ConvEncoder,
    CriticClusterer,
    DeepMetricClusterer,
    MLPEncoder,
    ModuleEncoder,
    load,
    save,
)

VALID, REFUSED = "valid", "refused"
_N_CASES, _N_QUICK = 20_000, 24
_MAX_SECONDS = 10.0
_CRITIC = "critic.safetensors"
_METRIC: dict[str, Any] = {"max_epochs": 2, "random_state": 0}
_SMALL_CRITIC: dict[str, Any] = {
    "hidden_dim": 4,
    "n_tasks": 1,
    "n_proposals": 3,
    "max_epochs": 1,
    "adversarial_rounds": 0,
    "random_state": 0,
}
_SEARCH: dict[str, Any] = {
    "population_size": 3,
    "n_generations": 1,
    "max_clusters": 3,
    "random_state": 0,
}


def main() -> int:
    """Run the cases, print the table, and write it where wanted."""
    options = parse_options()
    kinds = [kind for kind in KINDS if options.kinds in kind]
    with tempfile.TemporaryDirectory() as folder:
        write_critic(Path(folder))
        records = run_cases(partial(fuzz_cases, Path(folder), options.seed, kinds), options)
    table = summary_table(records, (VALID, REFUSED, FAILED))
    note = f"Seed {options.seed}, cases from {options.first} on."
    return publish("Random data and parameters", table, records, note, options)


def parse_options() -> argparse.Namespace:
    """Options of the command line."""
    parser = argument_parser(__doc__, _N_CASES)
    parser.add_argument("--kinds", default="", help="only kinds whose name has this part")
    options = parser.parse_args()
    if options.quick:
        options.cases = min(options.cases, _N_QUICK)
    return options


def write_critic(folder: Path) -> None:
    """The critic that all cases share."""
    X, y = make_blobs(60, centers=3, random_state=0)
    save(ClusteringCritic(**_SMALL_CRITIC).fit(X, y), folder / _CRITIC)


def fuzz_cases(folder: Path, seed: int, kinds: list[str] | None = None) -> Callable[[int], Record]:
    """The function of a case's number that runs it."""
    torch.set_num_threads(1)
    names, path = kinds or list(KINDS), folder / _CRITIC
    weights = np.array([WEIGHTS.get(name, 1.0) for name in names])

    def run(case: int) -> Record:
        rng = np.random.default_rng([seed, case])
        kind = str(rng.choice(names, p=weights / weights.sum()))
        return {"case": case, "kind": kind, **judge(lambda story: KINDS[kind](rng, story, path))}

    return run


def judge(act: Callable[[list[str]], None]) -> dict[str, Any]:
    """Outcome of what a case does; `act` adds to its story while it goes on."""
    story: list[str] = []
    before, started = global_state(), time.process_time()
    outcome, detail = VALID, ""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            act(story)
        except RefusedError as refusal:
            outcome, detail = REFUSED, str(refusal)
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is a result
            outcome, detail = FAILED, f"{type(error).__name__}: {error} {_place(error)}"
            if "--case" in sys.argv:
                traceback.print_exc()
    seconds = time.process_time() - started
    faults = [f"{w.category.__name__}: {w.message}" for w in caught if _is_internal(w)]
    faults += ["a global state has changed"] if global_state() != before else []
    faults += [f"{seconds:.0f} s"] if seconds > _MAX_SECONDS else []
    if faults:
        outcome, detail = FAILED, f"{faults[0]} {detail}"
    return {"outcome": outcome, "detail": f"{'; '.join(story)}: {detail}", "seconds": seconds}


def _is_internal(warning: warnings.WarningMessage) -> bool:
    """Whether a warning tells users about our insides, and not about their data."""
    place = os.path.join("site-packages", "")
    _, _, module = warning.filename.partition(place)
    is_internal = issubclass(warning.category, RuntimeWarning | DeprecationWarning | FutureWarning)
    return is_internal or module.split(os.sep)[0] in ("numpy", "torch", "scipy")


def _place(error: BaseException) -> str:
    """Where in the package an error was raised."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if f"skdeepclust{os.sep}" in f.filename] or frames
    return f"[{Path(own[-1].filename).name}:{own[-1].lineno}]"


def _fit(model: Any, X: Any, *more: Any) -> None:
    """Fit; a refusal is a result, a changed X is none."""
    before = np.asarray(X).tobytes() if isinstance(X, np.ndarray) else b""
    try:
        may_refuse(model.fit, X, *more)
    finally:
        if before and np.asarray(X).tobytes() != before:
            raise BrokenError("fit changed X")


def _metric_model(rng: Rng, story: list[str]) -> DeepMetricClusterer:
    encoder = pick(rng, ("linear", "linear", MLPEncoder((4,)), MLPEncoder((4,), dropout=0.3)))
    n_clusters = pick(rng, (None, None, 1, 2, 3, 7))
    loss, whiten = pick(rng, ("auto", "spectral", "leave-one-out")), pick(rng, (0.0, 0.5, 1.0))
    model = DeepMetricClusterer(n_clusters, encoder=encoder, loss=loss, whiten=whiten, **_METRIC)
    story.append(repr(model))
    return model


def _rows_and_labels(rng: Rng, story: list[str], share: float = 0.7) -> tuple[Any, Any]:
    """X and y; without labels in the rest of the cases."""
    X, what = draw_rows(rng)
    y, kind = draw_labels(rng, _length(X)) if rng.uniform() < share else (None, "None")
    story += [f"X {what}", f"y {kind}"]
    return X, y


def _length(X: Any) -> int:
    shape = getattr(X, "shape", None)
    if shape is not None and len(shape):
        return int(shape[0])
    return len(X) if isinstance(X, list | tuple | dict) else 3


def _metric_on_rows(rng: Rng, story: list[str], path: Path) -> None:
    model, (X, y) = _metric_model(rng, story), _rows_and_labels(rng, story)
    _fit(model, X, y)
    story.append("fitted")
    check_metric(model, X, y)
    check_other_rows(model, rng, X)


def _metric_on_images(rng: Rng, story: list[str], path: Path) -> None:
    X, what = draw_images(rng)
    y, kind = draw_labels(rng, len(X))
    encoder = pick(rng, (ConvEncoder((2,)), ConvEncoder((2, 3), dropout=0.2), "linear"))
    augment = pick(rng, (None, "affine", "affine+turns"))
    model = DeepMetricClusterer(encoder=encoder, augment=augment, **_METRIC)
    story += [repr(model), what, f"y {kind}"]
    _fit(model, X, y)
    check_metric(model, X, y)


def _metric_in_chunks(rng: Rng, story: list[str], path: Path) -> None:
    model, (X, y) = _metric_model(rng, story), _rows_and_labels(rng, story)
    may_refuse(model.partial_fit, X, y)
    story.append("fitted")
    check_metric(model, X, y, has_all=False)
    before = model.predict(X)
    other, what = draw_rows(rng, model.n_features_in_)
    labels, kind = draw_labels(rng, _length(other))
    story += [f"X {what}", f"y {kind}"]
    try:
        may_refuse(model.partial_fit, other, labels)
    except RefusedError:
        if not np.array_equal(model.predict(X), before):
            raise BrokenError("a refused chunk changed the predictions") from None
        raise
    check_metric(model, other, labels, has_all=False)


def _critic_on_rows(rng: Rng, story: list[str], path: Path) -> None:
    X, labels = _rows_and_labels(rng, story, share=1.0)
    check_scores(load(path), X, labels)


def _critic_learns(rng: Rng, story: list[str], path: Path) -> None:
    X, y = _rows_and_labels(rng, story, share=1.0)
    model = ClusteringCritic(**_SMALL_CRITIC)
    groups, kind = draw_labels(rng, _length(X)) if rng.uniform() < 0.3 else (None, "None")
    story.append(f"groups {kind}")
    _fit(model, X, y, groups)
    story.append("fitted")
    if groups is None:
        check_critic(model, X, y)


def _searcher_on_rows(rng: Rng, story: list[str], path: Path) -> None:
    X, y = _rows_and_labels(rng, story, share=0.2)
    n_clusters, search = pick(rng, (None, None, 1, 2, 4)), pick(rng, ("genetic", "genetic", "cem"))
    critic = FrozenEstimator(load(path))
    model = CriticClusterer(n_clusters, critic=critic, search=search, **_SEARCH)
    story += [f"n_clusters={n_clusters}", search]
    _fit(model, X, y)
    story.append("fitted")
    check_searcher(model, X, y)
    if rng.uniform() < 0.3:
        check_other_rows(model, rng, X)


def _parameters(cls: type, small: dict[str, Any], check: Callable[..., None]) -> Any:
    """A kind of cases that draws valid parameters."""

    def run(rng: Rng, story: list[str], path: Path) -> None:
        X, truth = make_blobs(int(rng.integers(8, 60)), n_features=3, random_state=rng.integers(99))
        y = pick(rng, (truth, np.where(rng.uniform(size=len(X)) < 0.5, -1, truth)))
        y = None if rng.uniform() < 0.3 and cls is not ClusteringCritic else y
        model = cls(**{**small, **draw_valid(rng, cls, path)})
        story += [repr(model), f"{len(X)} rows", "no y" if y is None else "y"]
        _fit(model, X, y)
        check(model, X, y)

    return run


def _invalid(cls: type) -> Any:
    """A kind of cases that draws one invalid parameter."""

    def run(rng: Rng, story: list[str], path: Path) -> None:
        name, value = draw_invalid(rng, cls)
        story.append(f"{cls.__name__}({name}={value!r})")
        try:
            may_refuse(cls(**{name: value}).fit, Untouchable(), Untouchable())
        except RefusedError as refusal:
            if name not in str(refusal):
                raise BrokenError(f"{name} is not named: {refusal}") from None
            raise
        raise BrokenError("it was accepted")

    return run


def _invalid_encoder(rng: Rng, story: list[str], path: Path) -> None:
    wrong: tuple[tuple[type, str, Any], ...] = (
        (MLPEncoder, "hidden", (0,)),
        (MLPEncoder, "hidden", "large"),
        (MLPEncoder, "hidden", None),
        (MLPEncoder, "activation", "sine"),
        (MLPEncoder, "activation", ["relu"]),
        (MLPEncoder, "dropout", 1.0),
        (MLPEncoder, "dropout", "none"),
        (ConvEncoder, "channels", (3, -1)),
        (ConvEncoder, "channels", 2.5),
        (ConvEncoder, "dropout", float("nan")),
        (ConvEncoder, "precision", "float8"),
        (ConvEncoder, "image_shape", (0, 3)),
        (ModuleEncoder, "module", 3),
    )
    cls, name, value = wrong[int(rng.integers(len(wrong)))]
    story.append(f"{cls.__name__}({name}={value!r})")
    try:
        may_refuse(DeepMetricClusterer(encoder=cls(**{name: value})).fit, Untouchable())
    except RefusedError as refusal:
        if name not in str(refusal):
            raise BrokenError(f"{name} is not named: {refusal}") from None
        raise
    raise BrokenError("it was accepted")


KINDS: dict[str, Callable[[Rng, list[str], Path], None]] = {
    "DeepMetricClusterer: rows": _metric_on_rows,
    "DeepMetricClusterer: images": _metric_on_images,
    "DeepMetricClusterer: chunks": _metric_in_chunks,
    "DeepMetricClusterer: parameters": _parameters(DeepMetricClusterer, _METRIC, check_metric),
    "DeepMetricClusterer: invalid parameter": _invalid(DeepMetricClusterer),
    "DeepMetricClusterer: invalid encoder": _invalid_encoder,
    "ClusteringCritic: rows": _critic_on_rows,
    "ClusteringCritic: fit": _critic_learns,
    "ClusteringCritic: parameters": _parameters(ClusteringCritic, _SMALL_CRITIC, check_critic),
    "ClusteringCritic: invalid parameter": _invalid(ClusteringCritic),
    "CriticClusterer: rows": _searcher_on_rows,
    "CriticClusterer: parameters": _parameters(CriticClusterer, _SEARCH, check_searcher),
    "CriticClusterer: invalid parameter": _invalid(CriticClusterer),
}
"""By name; each takes a generator, a story to add to, and the file of a critic."""

# Chances of kinds, 1 for the others: quick ones and those with much to draw are more frequent.
WEIGHTS = {
    "DeepMetricClusterer: rows": 8.0,
    "DeepMetricClusterer: chunks": 3.0,
    "DeepMetricClusterer: parameters": 3.0,
    "ClusteringCritic: rows": 6.0,
    "CriticClusterer: rows": 2.0,
}


if __name__ == "__main__":
    raise SystemExit(main())
