"""Figures of a critic that is known to be perfect, or blind."""

import numpy as np
import pytest
from sklearn.datasets import make_blobs

from skdeepclust.critic import _report
from skdeepclust.critic._judging import Judgement
from skdeepclust.critic._tasks import make_task


@pytest.fixture(scope="module")
def tasks():
    rng = np.random.RandomState(0)
    data = [make_blobs(60, centers=3, random_state=seed) for seed in range(4)]
    return [make_task(*item, rng, n_proposals=8) for item in data]


def figures(monkeypatch, tasks, sign):
    by_graph = {id(task.graph): task.quality.double().numpy() for task in tasks}

    def judge(network, graph, labels):
        return Judgement(sign * by_graph[id(graph)], None, None)

    monkeypatch.setattr(_report, "judge", judge)
    return _report.choice_figures(None, tasks)


def test_a_perfect_critic(monkeypatch, tasks):
    found = figures(monkeypatch, tasks, 1.0)
    assert found.pop("regret without truth") == 0
    assert list(found.values()) == pytest.approx([1.0] * len(found))


def test_one_that_prefers_the_worst(monkeypatch, tasks):
    found = figures(monkeypatch, tasks, -1.0)
    assert found["truth first"] == found["truth in top 3"] == 0
    assert found["rank correlation"] == pytest.approx(-1)
    worst = np.mean([float(task.quality.min()) for task in tasks])
    assert found["ARI of the chosen"] == pytest.approx(worst)
    best = [float(t.quality[t.quality < 1 - 1e-6].max()) for t in tasks]
    assert found["regret without truth"] == pytest.approx(np.mean(best) - worst)
