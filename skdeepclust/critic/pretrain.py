"""Train the critics that come with the package: ``python -m skdeepclust.critic.pretrain``.

"default" learns from synthetic data that this program generates. With ``--images`` it is trained
on from there on tasks of handwritten digits (``mnist.npz`` in ``--data-dir``) and becomes
"images". Each set of weights gets a model card beside it: data, figures on tasks that were held
out, and hashes. A seed fixes every bit on one machine; on two cores it takes under an hour,
and with ``--checkpoint`` a run that was killed goes on where its training was.
"""

from __future__ import annotations

import argparse
import hashlib
import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from .._checkpoint import Checkpoint
from .._critic import ClusteringCritic
from ..persistence import save
from ..training import epoch_progress, module_draws
from ._adversary import n_epochs_in_all, train_in_rounds
from ._labelled import LabelledSet, sample_tasks
from ._network import CriticNetwork
from ._report import choice_figures
from ._synthetic import FAMILIES
from ._tasks import Task, draw_tasks
from ._training import CriticPlan

__all__ = ["main"]

_WEIGHTS = Path(__file__).parent / "weights"
# Pictures are judged in their leading principal components, and as they are.
_COMPONENTS = (10, 30)
_PICTURES = 10_000
# Rows times clusterings of a synthetic set: large ones teach little more and take most of the time.
_MAX_CELLS = 16_000
# Share of so many tasks that a round attacks.
_ATTACKED = 0.12
_QUICK = {"tasks": 8, "rounds": 1, "epochs": 1, "held_out": 4, "digit_tasks": 6}

Figures = dict[str, dict[str, float]]


def main(arguments: Sequence[str] | None = None) -> None:
    """Train one critic, measure it, write weights and model card."""
    options = _parse(arguments)
    # Its many small operations gain little from a second thread, and lose a lot to a busy one.
    torch.set_num_threads(1)
    started = time.perf_counter()
    train = _train_images if options.images else _train_default
    critic, figures, data = train(options)
    path = options.output / ("images.safetensors" if options.images else "default.safetensors")
    options.output.mkdir(parents=True, exist_ok=True)
    save(critic, path)
    minutes = (time.perf_counter() - started) / 60
    if options.verbose:
        sys.stderr.write(f"{path} after {minutes:.0f} minutes\n")
    path.with_suffix(".md").write_text(_card(path, options, figures, data), encoding="utf-8")


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--images", action="store_true", help="train on with handwritten digits")
    parser.add_argument("--data-dir", type=Path, default=Path("../shared/data"))
    parser.add_argument("--output", type=Path, default=_WEIGHTS, help="folder of the weights")
    parser.add_argument("--tasks", type=int, default=5_000, help="synthetic data sets")
    parser.add_argument("--digit-tasks", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=2, help="attacks by the search")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--held-out", type=int, default=300, help="data sets for the figures")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--checkpoint", type=Path, help="folder of the state after each epoch")
    parser.add_argument("--quick", action="store_true", help="a few tasks, to try the program")
    parser.add_argument("--verbose", type=int, default=1)
    options = parser.parse_args(arguments)
    if options.quick:
        vars(options).update(_QUICK)
    return options


def _train_default(options: argparse.Namespace) -> tuple[ClusteringCritic, Figures, list[str]]:
    """A critic of synthetic data, its figures, and what it learned from."""
    rng = np.random.RandomState(options.seed)
    tasks = draw_tasks(options.tasks, rng, n_jobs=options.jobs, max_cells=_MAX_CELLS)
    held_out = draw_tasks(options.held_out, rng, n_jobs=options.jobs)
    with module_draws(rng, torch.device("cpu"), True) as draws, draws.initialization():
        network = CriticNetwork()
    plan = CriticPlan(n_epochs=options.epochs, attacked=_ATTACKED)
    history, checkpoint = _learn(network, tasks, plan, rng, options)
    figures = {f"{options.held_out} synthetic sets": choice_figures(network, held_out)}
    checkpoint.remove()
    data = [
        f"{options.tasks} synthetic data sets of {len(FAMILIES)} families",
        f"tasks, SHA-256 {_digest(tasks)}",
    ]
    return _as_estimator(network, history, options), figures, data


def _train_images(options: argparse.Namespace) -> tuple[ClusteringCritic, Figures, list[str]]:
    """The default critic, trained on with digits; its figures on digits, letters and clothes."""
    from ..persistence import load

    rng = np.random.RandomState(options.seed)
    default: ClusteringCritic = load(options.output / "default.safetensors")
    network = default.network_
    sets = _picture_sets(*_digits(options.data_dir, "train"))
    tasks = sample_tasks(sets, options.digit_tasks, rng, n_jobs=options.jobs)
    tasks += draw_tasks(options.digit_tasks, rng, n_jobs=options.jobs, max_cells=_MAX_CELLS)
    plan = CriticPlan(
        n_epochs=options.epochs,
        learning_rate=CriticPlan.learning_rate / 2,
        attacked=_ATTACKED,
    )
    before = _picture_figures(network, options)
    history, checkpoint = _learn(network, tasks, plan, rng, options)
    figures = {f"{name}, default critic": found for name, found in before.items()}
    figures |= _picture_figures(network, options)
    checkpoint.remove()
    data = [
        f"the default critic, then {options.digit_tasks} tasks of MNIST digits (training half) and "
        f"{options.digit_tasks} new synthetic data sets",
        f"tasks, SHA-256 {_digest(tasks)}",
    ]
    return _as_estimator(network, history, options), figures, data


def _learn(
    network: CriticNetwork,
    tasks: list[Task],
    plan: CriticPlan,
    rng: np.random.RandomState,
    options: argparse.Namespace,
) -> tuple[dict[str, list[float]], Checkpoint]:
    """Train; the history, and what to remove when all is done."""
    estimator = ClusteringCritic(
        adversarial_rounds=options.rounds,
        max_epochs=options.epochs,
        learning_rate=plan.learning_rate,
        random_state=options.seed,
    )
    checkpoint = Checkpoint(options.checkpoint, estimator, _digest(tasks))
    checkpoint.restore_rng(rng)
    total = n_epochs_in_all(plan, options.rounds)
    with epoch_progress(total, options.verbose, "critic") as report:
        history = train_in_rounds(
            *(network, tasks, plan, rng, options.rounds, report, options.jobs), store=checkpoint
        )
    return history, checkpoint


def _as_estimator(
    network: CriticNetwork, history: dict[str, list[float]], options: argparse.Namespace
) -> ClusteringCritic:
    critic = ClusteringCritic(adversarial_rounds=options.rounds, max_epochs=options.epochs)
    critic.network_, critic.history_ = network.eval(), history
    return critic


def _picture_figures(network: CriticNetwork, options: argparse.Namespace) -> Figures:
    """Figures on tasks of digits that were not learned from, of letters and of clothes."""
    rng, folder = np.random.RandomState(options.seed + 1), options.data_dir
    sources = {"digits": _digits(folder, "test"), "letters": _letters(folder)}
    sources["clothes"] = _archive(folder / "fashion_mnist.npz", "x_test", "y_test")
    found = {}
    for name, (images, y) in sources.items():
        (data,) = _picture_sets(images, y, (30,), raw=False)
        tasks = sample_tasks([data], options.held_out, rng, n_jobs=options.jobs)
        found[f"{options.held_out} tasks of {name}"] = choice_figures(network, tasks)
    return found


def _digits(folder: Path, half: str) -> tuple[NDArray[Any], NDArray[Any]]:
    return _archive(folder / "mnist.npz", f"x_{half}", f"y_{half}")


def _letters(folder: Path) -> tuple[NDArray[Any], NDArray[Any]]:
    return _archive(folder / "emnist_letters.npz", "images", "labels")


def _archive(path: Path, images: str, labels: str) -> tuple[NDArray[Any], NDArray[Any]]:
    if not path.exists():
        raise SystemExit(f"No file {path}: give its folder as --data-dir.")
    with np.load(path) as archive:
        return archive[images], archive[labels]


def _picture_sets(
    images: NDArray[Any],
    y: NDArray[Any],
    components: Sequence[int] = _COMPONENTS,
    raw: bool = True,
) -> list[LabelledSet]:
    """The pictures in principal components, and as they are."""
    kept = np.random.RandomState(0).permutation(len(images))[:_PICTURES]
    X = images[kept].reshape(len(kept), -1) / 255.0
    y = y[kept].astype(np.int64)
    groups = np.zeros(len(y), dtype=np.int64)
    scores = PCA(max(components), random_state=0).fit_transform(X)
    views = [scores[:, :d] for d in components] + ([X] if raw else [])
    return [LabelledSet(view, y, groups) for view in views]


def _digest(tasks: Sequence[Task]) -> str:
    """Hash of the clusterings of all tasks."""
    digest = hashlib.sha256()
    for task in tasks:
        digest.update(task.labels.numpy().tobytes())
    return digest.hexdigest()


def _card(
    path: Path, options: argparse.Namespace, figures: Mapping[str, Any], data: Sequence[str]
) -> str:
    """Model card as markdown."""
    names = list(next(iter(figures.values())))
    rows = [[held, *(f"{found[name]:.3f}" for name in names)] for held, found in figures.items()]
    table = [["tasks", *names], ["---"] * (len(names) + 1), *rows]
    arguments = ["--images"] if options.images else []
    sizes = ("tasks", "digit_tasks", "rounds", "epochs", "held_out", "seed")
    arguments += [f"--{name.replace('_', '-')}={getattr(options, name)}" for name in sizes]
    command = shlex.join(["python", "-m", "skdeepclust.critic.pretrain", *arguments])
    lines = [
        f'# Critic "{path.stem}"',
        f"Weights: `{path.name}`, {path.stat().st_size:,} bytes, SHA-256 "
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}.",
        f"Made by `{command}` with torch {torch.__version__}, numpy {np.__version__}.",
        "Learned from: " + "; ".join(data) + ".",
        "Chosen from pools of up to 24 clusterings with the truth among them; none of these tasks "
        "was learned from. One seed, means over the tasks.",
        "\n".join("| " + " | ".join(row) + " |" for row in table),
        "Meant for choosing among clusterings of numeric tables. Scores are not calibrated across "
        "data sets; categorical features, time series and graphs were not seen.",
    ]
    return "\n\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
