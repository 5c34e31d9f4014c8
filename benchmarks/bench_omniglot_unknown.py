"""New alphabets of Omniglot whose number of characters K is not known.

A metric is learned from the background alphabets (`DeepMetricClusterer` exactly as in
``bench_omniglot.py``, for ``--minutes``), and each of the 20 evaluation alphabets is clustered in
its embedding (`transform`) without K, of which all numbers up to 100 are admitted. Measured for
each alphabet, and as means over the 20: clustering accuracy (clusters and characters matched one
to one), normalised mutual information (NMI), and the absolute error of K. Ways to cluster:

- ``CriticClusterer``, its search driven by one of four critics;
- "Algorithm 2, K by the critic": of the clusterings by Algorithm 2 at every K from 2 to 100 the one
  that the critic likes best;
- HDBSCAN at three smallest sizes, and KMeans with K by the silhouette width;
- for scale, Algorithm 2 with K given, and published figures.

The critics are the one that comes with the package; one by ``ClusteringCritic.fit`` with alphabets
as groups, from scratch; the same trained on from the one that comes with the package; and one
trained on from there on tasks of up to all characters of an alphabet, all numbers equally likely,
where `fit` draws few more often than many. Characters that a metric has learned are better
separated than new ones. So the critics learn from a fifth of the background alphabets, embedded by
a second metric that is learned from the other four fifths (for ``--critic-minutes``, as long by
default); with ``--folds 5`` from all of them, embedded by five such metrics. The evaluation
alphabets have no part in any training.

Data: ``omniglot32.npz`` in the data directory, as for ``bench_omniglot.py``.

Run, from the root of the repository::

    python benchmarks/bench_omniglot_unknown.py --minutes 45 --critic-minutes 10 --folds 5 \
        --models ../omniglot --json docs/benchmarks/omniglot_unknown.json \
        --markdown docs/benchmarks/omniglot_unknown.md

The JSON file is added to: what it holds is not computed again, and the tables show all of it. The
embeddings and critics are kept in the folder ``--models``, so that an interrupted run goes on.
``--quick`` takes seconds.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from alphabet_critics import (
    CRITICS,
    SHIPPED,
    Embedded,
    embed_held_out,
    embed_new,
    train_critic_of_alphabets,
)
from alphabet_methods import CHOICE, KNOWN, SEARCH, critic_methods, figures_of, rival_methods
from alphabet_tables import alphabet_report, summarize
from bench_omniglot import CHOSEN, OURS, Task, draw_glyphs, load_omniglot
from bench_unsupervised import argument_parser
from critic_training import keep
from suite_methods import find_critic, fingerprint
from unseen_classes import Store, choose_names, limit_threads, publish

from skdeepclust import ClusteringCritic

_QUICK = {"population_size": 4, "n_generations": 1}


class Bench:
    """Options, records, embeddings and critics; made when first needed.

    Parameters
    ----------
    options : Namespace
    store : Store
    task : Task
    """

    def __init__(self, options: argparse.Namespace, store: Store, task: Task) -> None:
        self.options, self.store, self.task = options, store, task
        self._made: dict[str, Any] = {}

    @cached_property
    def base(self) -> ClusteringCritic:
        """The critic that learned from no alphabets."""
        return find_critic(self.options.critic)

    @property
    def metric(self) -> dict[str, Any]:
        """What the metric is learned with."""
        return {"minutes": self.options.minutes, "data": self.task.name, **CHOSEN[OURS]}

    @property
    def training(self) -> dict[str, Any]:
        """Parameters that all critics trained here share."""
        options = self.options
        return {
            "n_tasks": options.tasks,
            "n_proposals": options.proposals,
            "max_epochs": options.epochs,
            "adversarial_rounds": options.attacks,
        }

    def new(self, seed: int) -> Embedded:
        """The evaluation alphabets."""
        make = partial(embed_new, self.task, self.options.minutes, seed)
        return self._kept(f"new-{seed}", self.metric, make)

    def held_out(self, seed: int) -> Embedded:
        """Background alphabets as if they were new."""
        options = self.options
        make = partial(embed_held_out, self.task, options.critic_minutes, seed, options.folds)
        return self._kept(f"held-out-{seed}", self.critic_metric, make)

    @property
    def critic_metric(self) -> dict[str, Any]:
        """What the metrics are learned with by which critics see alphabets."""
        options = self.options
        return {**self.metric, "minutes": options.critic_minutes, "folds": options.folds}

    def critic(self, name: str, seed: int) -> ClusteringCritic:
        """A fitted critic."""
        if name == SHIPPED:
            return self.base

        def make() -> ClusteringCritic:
            training = {**self.training, "n_jobs": self.options.jobs}
            held_out = self.held_out(seed)
            return train_critic_of_alphabets(name, self.base, held_out, seed, training)

        settings = self.critic_settings(name)
        critic: ClusteringCritic = self._kept(f"critic-{name}-{seed}", settings, make)
        return critic

    def critic_settings(self, name: str) -> dict[str, Any]:
        """What a critic depends on."""
        base = {"shipped": fingerprint(self.base)}
        if name == SHIPPED:
            return base
        return {**base, "metric of the critic": self.critic_metric, "training": self.training}

    def _kept(self, name: str, settings: Mapping[str, Any], make: Callable[[], Any]) -> Any:
        """What was made before, in this run or another one."""
        if name not in self._made:
            self._made[name] = keep(self.options.models, name.replace(" ", "-"), settings, make)
        return self._made[name]

    def record(
        self, name: str, seed: int, settings: Mapping[str, Any], compute: Callable[[], Any]
    ) -> None:
        """Add a record unless it is there; those made with other settings are dropped."""
        keys = ("alphabets", f"{self.options.minutes:g}", name)
        settings = {**self.metric, "max_clusters": self.options.max_clusters, **settings}
        self.store.forget(keys, settings)
        self.store.recall((*keys, str(seed)), settings, compute)


def main() -> None:
    """Measure what is not in the file yet, print the tables, and write them where wanted."""
    options = parse_options()
    task = draw_glyphs() if options.quick else load_omniglot(options.data_dir / "omniglot32.npz")
    store = Store(options.json, {"benchmark": "omniglot, K unknown", "data": task.name})
    bench = Bench(options, store, task)
    with limit_threads(options.threads):
        for seed in range(options.seeds):
            measure_rivals(bench, seed)
            for name in options.critics:
                measure_critic(bench, name, seed)
    store.keep_summary(summarize(store.records))
    quick = ["Quick run: printed characters instead of Omniglot."] * options.quick
    title = "New alphabets of Omniglot, number of characters unknown"
    publish([*alphabet_report(store.records), *quick], title, options.markdown)


def measure_rivals(bench: Bench, seed: int) -> None:
    """Those without a critic, on the same embedding."""
    options = bench.options
    for name, cluster in rival_methods(bench.base).items():

        def compute(name: str = name, cluster: Any = cluster) -> dict[str, Any]:
            most = None if name == KNOWN else options.max_clusters
            return figures_of(cluster, bench.new(seed), seed, most, options.jobs)

        bench.record(name, seed, {}, compute)


def measure_critic(bench: Bench, critic: str, seed: int) -> None:
    """The search and the choice of one critic."""
    options = bench.options
    parameters = _QUICK if options.quick else {}

    def compute(way: str) -> dict[str, Any]:
        cluster = critic_methods(bench.critic(critic, seed), parameters)[way]
        return figures_of(cluster, bench.new(seed), seed, options.max_clusters, options.jobs)

    for way in (SEARCH, CHOICE):
        settings = {**bench.critic_settings(critic), **parameters}
        bench.record(f"{way}, {critic}", seed, settings, partial(compute, way))


def parse_options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Options of the command line; a quick run has defaults of its own."""
    parser = argument_parser(__doc__)
    add = parser.add_argument
    add("--minutes", type=float, help="training time of the metric")
    add("--critic-minutes", type=float, help="training time of each metric for the critics")
    add("--folds", type=int, default=1, help="such metrics, with other alphabets held out: 1 to 5")
    add("--critic", help="where critics start: pretrained (the default), tiny, or a saved one")
    add("--critics", type=_critics, help=f"parts of the names of: {'; '.join(CRITICS)}")
    add("--models", type=Path, help="folder where embeddings and critics are kept")
    add("--max-clusters", type=int, help="largest number of clusters")
    add("--tasks", type=int, help="training tasks of a critic")
    add("--proposals", type=int, help="clusterings of a training task")
    add("--epochs", type=int, help="passes over the training tasks")
    add("--attacks", type=int, help="adversarial rounds")
    add("--jobs", type=int, help="processes")
    add("--threads", type=int, help="threads of torch, BLAS and OpenMP")
    options = with_defaults(parser.parse_args(arguments))
    if not 1 <= options.folds <= 5:
        parser.error(f"argument --folds: {options.folds} is not between 1 and 5")
    return options


def _critics(text: str) -> list[str]:
    return choose_names(text, list(CRITICS))


def with_defaults(options: argparse.Namespace) -> argparse.Namespace:
    """What was not given, as suits the kind of run."""
    quick = options.quick
    defaults = {
        "minutes": 0.02 if quick else 2.0,
        "critic": "tiny" if quick else "pretrained",
        "critics": list(CRITICS[::3] if quick else CRITICS),
        "seeds": 1,
        "max_clusters": 10 if quick else 100,
        "tasks": 2 if quick else 500,
        "proposals": 6 if quick else 24,
        "epochs": 1 if quick else 4,
        "attacks": 0 if quick else 1,
        "jobs": 1 if quick else 2,
        "threads": 1 if quick else 2,
    }
    for name, value in defaults.items():
        if getattr(options, name) is None:
            setattr(options, name, value)
    if options.critic_minutes is None:
        options.critic_minutes = options.minutes
    return options


if __name__ == "__main__":
    main()
