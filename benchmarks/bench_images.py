"""New classes of images: DeepMetricClusterer with a ConvEncoder against five losses.

A metric is learned on half of the classes and judged on the other half: Recall@1, 2, 4 and 8,
and NMI and accuracy of two clusterings into the true number of classes, see
``unseen_classes.py``. Compared:

- "raw": the pixels,
- "ours, closed form": DeepMetricClusterer(encoder="linear") on the pixels,
- "ours, gradient": DeepMetricClusterer(encoder=ConvEncoder()),
- the losses of ``metric_losses.py`` with the same ConvEncoder.

All but the first two have the same budget in seconds of wall-clock time (``--seconds``), the
same batch size, width of the embedding and random distortions of the training images
(``--augment``); nothing stops early, and everything else is at its default, untuned. The closed
form takes what time it needs, without distortions. The budget is one of gradient steps: what a
fit needs before and after them comes on top, and is part of the time in the tables.

Data: MNIST and Fashion-MNIST, trained on classes 0 to 4 and judged on 5 to 9 (training images;
``mnist.npz`` and ``fashion_mnist.npz`` in the data directory: x_train, y_train), and letters of
EMNIST, trained on A to M and judged on N to Z (``emnist_letters.npz``: images, labels). For each
seed ``--rows`` random images are drawn from the training classes, and 5,000 from the others.

A metric for new classes wants many training classes. Five are few: an embedding that only tells
these five apart has forgotten what would tell others apart, so the raw pixels are the bar here,
and falling below them is a possible outcome for every method.

Run, from the root of the repository::

    python benchmarks/bench_images.py --json docs/benchmarks/images.json \
        --markdown docs/benchmarks/images.md

About an hour and a quarter; each fit is added to the JSON file at once, and what is there is
not computed again, so that the program can be cut short and run again. ``--methods`` and
``--data`` choose a part; the tables are made from all that the file has. ``--quick`` takes
seconds.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from unseen_classes import (
    CLOSED_FORM,
    GRADIENT,
    OURS,
    RAW,
    Split,
    Store,
    at_most,
    choose_names,
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

from skdeepclust import ConvEncoder, DeepMetricClusterer
from skdeepclust.datasets import make_glyphs

_FILES = {
    "MNIST": ("mnist.npz", "x_train", "y_train"),
    "Fashion-MNIST": ("fashion_mnist.npz", "x_train", "y_train"),
    "EMNIST letters": ("emnist_letters.npz", "images", "labels"),
}
_GLYPHS = "glyphs"
_N_SEEDS, _SECONDS, _ROWS, _NEW_ROWS = 3, 60.0, 10_000, 5_000
_QUICK: dict[str, Any] = {"seeds": 1, "seconds": 0.3, "rows": 200}
_EMBEDDING_DIM, _BATCH_SIZE = 64, 256

# More than any budget of seconds allows: time alone ends the training.
_MAX_EPOCHS = 1_000_000


def main() -> None:
    """Judge the methods asked for, print the tables, and write them where wanted."""
    options = parse_options()
    store = Store(options.json, settings(options))
    with limit_threads(options.threads):
        for data in [_GLYPHS] if options.quick else options.data:
            for seed in range(options.seeds):
                run(data, seed, store, options)
    publish(report(store), "New classes of images", options.markdown)


def parse_options() -> argparse.Namespace:
    """Options of the command line."""
    parser = unseen_class_parser(__doc__, _N_SEEDS, (RAW, *OURS, *loss_names()))
    parser.add_argument(
        "--data",
        type=lambda text: choose_names(text, list(_FILES)),
        default=list(_FILES),
        help=f"comma-separated, of: {'; '.join(_FILES)}",
    )
    parser.add_argument("--seconds", type=float, default=_SECONDS, help="for each training")
    parser.add_argument("--rows", type=int, default=_ROWS, help="training images")
    parser.add_argument("--augment", choices=["affine", "affine+turns", "none"], default="affine")
    options = parser.parse_args()
    return at_most(options, _QUICK) if options.quick else options


def settings(options: argparse.Namespace) -> dict[str, Any]:
    """What all records of a file have in common."""
    return {name: getattr(options, name) for name in ("seconds", "rows", "augment", "quick")}


def run(data: str, seed: int, store: Store, options: argparse.Namespace) -> None:
    """Judge all methods asked for on the images of one seed."""
    split = draw(data, options, seed)
    for method in options.methods:

        def compute(method: str = method) -> dict[str, Any]:
            if method == RAW:
                return judge_raw(split, seed)
            return judge(estimator(method, options, seed), split, seed)

        store.recall([data, method, str(seed)], {}, compute)


def draw(data: str, options: argparse.Namespace, seed: int) -> Split:
    """Random images of the first half of the classes, and of the second half."""
    images, classes = glyphs() if data == _GLYPHS else load(options.data_dir, data)
    rng = np.random.default_rng(seed)
    new = classes >= (classes.max() + 1) // 2
    seen_rows = rng.permutation(np.flatnonzero(~new))[: options.rows]
    new_rows = rng.permutation(np.flatnonzero(new))[:_NEW_ROWS]
    return Split(
        pixels(images[seen_rows]), classes[seen_rows], pixels(images[new_rows]), classes[new_rows]
    )


def load(data_dir: Path, data: str) -> tuple[NDArray[Any], NDArray[Any]]:
    """Images (n, h, w) of a file and their classes."""
    name, images, classes = _FILES[data]
    with np.load(data_dir / name) as archive:
        return archive[images], archive[classes].astype(np.int64)


def glyphs() -> tuple[NDArray[Any], NDArray[Any]]:
    """Twenty characters, for quick runs."""
    drawn = make_glyphs(20, n_classes=20, image_size=16, random_state=0)
    return (drawn.images[:, 0] * 255).astype(np.uint8), drawn.target


def pixels(images: NDArray[Any]) -> NDArray[Any]:
    """Images (n, h, w) of bytes as (n, 1, h, w) in [0, 1]."""
    return np.divide(images[:, None], 255, dtype=np.float32)


def estimator(method: str, options: argparse.Namespace, seed: int) -> Any:
    """A method with the budget asked for."""
    if method == CLOSED_FORM:
        return DeepMetricClusterer(encoder="linear", random_state=seed)
    common: dict[str, Any] = {
        "encoder": ConvEncoder((8, 8)) if options.quick else ConvEncoder(),
        "embedding_dim": _EMBEDDING_DIM,
        "batch_size": _BATCH_SIZE,
        "max_epochs": _MAX_EPOCHS,
        "max_time": options.seconds,
        "augment": None if options.augment == "none" else options.augment,
        "random_state": seed,
    }
    if method == GRADIENT:
        return DeepMetricClusterer(early_stopping=False, n_iter_no_change=_MAX_EPOCHS, **common)
    from metric_losses import LossEmbedder  # needs a package that may be missing

    return LossEmbedder(method, **common)


def report(store: Store) -> list[str]:
    """For each data set a table of figures and one of targets, from all records."""
    setting = store.content["settings"]
    tables = []
    for data, records in store.records.items():
        results = gather(records)
        figures = figure_table(results, "budget", setting["seconds"])
        tables += [f"## {data}", figures, target_table(results)]
    notes = [
        f"All gradient methods: {setting['seconds']:g} s each, {setting['rows']:,} training "
        f"images, distortions: {setting['augment']}."
    ]
    notes += ["Quick run: glyphs instead of the data sets."] if setting["quick"] else []
    return [*tables, "## Notes", *table_notes(len(loss_names())), *notes]


if __name__ == "__main__":
    main()
