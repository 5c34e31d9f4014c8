"""Estimators: the same bits in threads and processes, and no trace outside."""

import multiprocessing
import pickle
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import make_blobs
from sklearn.model_selection import GridSearchCV
from threadpoolctl import threadpool_limits
from torch import nn

from skdeepclust import ClusteringCritic, CriticClusterer, DeepMetricClusterer, MLPEncoder
from skdeepclust.metrics import critic_scorer
from skdeepclust.model_selection import NoSplit

# Filters of warnings belong to the process: a thread that ignores one may put back an error.
pytestmark = pytest.mark.filterwarnings("ignore")

PATIENCE = 120
N_THREADS = 4

X, Y = make_blobs(90, centers=3, n_features=4, cluster_std=2.0, random_state=0)
CRITIC = ClusteringCritic(
    hidden_dim=4, n_tasks=2, n_proposals=4, max_epochs=1, adversarial_rounds=0, random_state=0
)
METRIC = partial(DeepMetricClusterer, max_epochs=3, random_state=0)
ESTIMATORS = {
    "dropout": METRIC(encoder=MLPEncoder(hidden=(8,), dropout=0.4)),
    "module": METRIC(encoder=nn.Sequential(nn.Linear(4, 6), nn.AlphaDropout(0.3))),
    "searcher": CriticClusterer(population_size=4, n_generations=1, max_clusters=4, random_state=0),
    "own critic": CriticClusterer(
        critic=CRITIC, population_size=4, n_generations=1, max_clusters=4, random_state=0
    ),
    "critic": CRITIC,
}


def answers(estimator):
    """Bytes of what a fitted estimator says."""
    if isinstance(estimator, ClusteringCritic):
        found = [estimator.score_clusterings(X, [Y, Y % 2]), estimator.embed(X, Y)]
    else:
        found = [estimator.labels_, estimator.predict(X), estimator.transform(X)]
    return b"".join(np.ascontiguousarray(part).tobytes() for part in found)


def fit(name):
    return clone(ESTIMATORS[name]).fit(X, Y)


def fit_and_answer(name):
    return answers(fit(name))


@pytest.fixture(scope="module")
def expected():
    """What each estimator says, fitted alone."""
    return {name: fit_and_answer(name) for name in ESTIMATORS}


def states():
    return (
        random.getstate(),
        np.random.get_state()[1].tolist(),
        torch.get_rng_state().tolist(),
        torch.get_num_threads(),
        torch.get_default_dtype(),
        torch.is_grad_enabled(),
    )


@pytest.mark.parametrize("name", ESTIMATORS)
def test_threads_fit_what_each_fits_alone(name, expected):
    before, barrier = states(), threading.Barrier(N_THREADS)

    def run(number):
        barrier.wait()
        return fit_and_answer(name)

    with ThreadPoolExecutor(N_THREADS) as pool:
        found = list(pool.map(run, range(N_THREADS)))
    assert found == [expected[name]] * N_THREADS
    assert states() == before


def test_threads_fit_different_estimators_at_once(expected):
    names = [name for name in ESTIMATORS if name != "own critic"]
    with ThreadPoolExecutor(len(names)) as pool:
        assert list(pool.map(fit_and_answer, names)) == [expected[name] for name in names]


@pytest.mark.parametrize("name", ESTIMATORS)
def test_threads_ask_one_estimator_while_others_fit(name, expected):
    shared, done = fit(name), threading.Event()

    def ask():
        found = set()
        while not done.is_set():
            found.add(answers(shared))
        return found

    with ThreadPoolExecutor(N_THREADS) as pool:
        asking = [pool.submit(ask) for _ in range(N_THREADS - 1)]
        try:
            assert fit_and_answer(name) == expected[name]
        finally:
            done.set()
        assert all(each.result() <= {expected[name]} for each in asking)
    assert any(each.result() for each in asking)


def answer_to(sender, name):
    sender.send(fit_and_answer(name))


@pytest.mark.skipif(
    "fork" not in multiprocessing.get_all_start_methods(), reason="no processes are forked here"
)
@pytest.mark.parametrize("name", ESTIMATORS)
def test_a_child_forked_while_other_threads_fit_finds_the_same(name, expected):
    done = threading.Event()

    def keep_fitting(other):
        while not done.is_set():
            fit(other)

    context = multiprocessing.get_context("fork")
    with ThreadPoolExecutor(2) as pool:
        fitting = [pool.submit(keep_fitting, other) for other in ("module", "searcher")]
        receiver, sender = context.Pipe(duplex=False)
        child = context.Process(target=answer_to, args=(sender, name), daemon=True)
        try:
            with threadpool_limits(limits=1):  # a child waits for ever for threads of OpenMP
                child.start()
            assert receiver.poll(PATIENCE), "the forked child hangs"
            assert receiver.recv() == expected[name]
        finally:
            child.kill()
            child.join()
            done.set()
        for each in fitting:
            each.result()


@pytest.mark.parametrize("name", ESTIMATORS)
def test_pickled_estimators_fit_and_answer_the_same(name, expected):
    again = pickle.loads(pickle.dumps(ESTIMATORS[name])).fit(X, Y)
    assert answers(again) == expected[name]
    assert answers(pickle.loads(pickle.dumps(again))) == expected[name]


@pytest.mark.parametrize("name", ["dropout", "module", "searcher"])
def test_the_best_of_a_grid_search_is_the_fit_alone(name, expected):
    grid = {"random_state": [0, 0]}
    search = GridSearchCV(ESTIMATORS[name], grid, cv=NoSplit(), scoring=critic_scorer())
    assert answers(search.fit(X, Y).best_estimator_) == expected[name]


@pytest.mark.parametrize("name", ESTIMATORS)
def test_the_default_dtype_of_a_user_changes_nothing(name, expected):
    torch.set_default_dtype(torch.float64)
    try:
        found = fit_and_answer(name)
        assert torch.get_default_dtype() == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)
    assert found == expected[name]


@pytest.mark.parametrize("name", ESTIMATORS)
def test_gradients_that_a_user_has_turned_off_are_none_of_a_fits_business(name, expected):
    with torch.no_grad():
        found = fit_and_answer(name)
        assert not torch.is_grad_enabled()
    assert found == expected[name]
