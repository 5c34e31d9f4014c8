"""What ranks agree on before a fit, with a stand-in for the group."""

import numpy as np
import pytest

from skdeepclust import DeepMetricClusterer
from skdeepclust._shards import check_fit_data
from skdeepclust.training import ALONE, Ranks


class Pair(Ranks):
    """Rank 0 of two; what rank 1 has is what rank 0 has, but for some changes."""

    def __init__(self, **changes):
        self.rank, self.n_ranks = 0, 2
        self.changes = changes

    def gather(self, value):
        return [value, value._replace(**self.changes)]

    def hold(self, sizes):
        self.sizes = sizes


X = np.arange(12.0).reshape(6, 2)
Y = np.array(["b", "a", "b", "a", "a", "b"])


def check(y=Y, ranks=None, **parameters):
    return check_fit_data(DeepMetricClusterer(**parameters), X, y, ranks or Pair())


def test_a_process_by_itself_sees_its_own_rows():
    rows, targets = check(ranks=ALONE)
    np.testing.assert_array_equal(rows, X)
    assert targets.classes.tolist() == ["a", "b"]
    assert targets.values.tolist() == [1, 0, 1, 0, 0, 1]


def test_codes_of_all_ranks_count_the_classes_of_all():
    ranks = Pair(codes=np.array([1, 0, 0]), classes=np.array(["aa", "b"]))
    rows, targets = check(ranks=ranks)
    assert targets.classes.tolist() == ["a", "aa", "b"]
    assert targets.values.tolist() == [2, 0, 2, 0, 0, 2, 2, 1, 1]
    assert ranks.sizes == [6, 3]
    assert len(rows) == 6


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"row_shape": (3,)}, r"shape \(2,\) on rank 0, but \(3,\) on rank 1"),
        ({"classes": np.array([0, 1])}, "labels of kind 'U' on rank 0, but 'i' on rank 1"),
        ({"parameters": {"ridge": 5.0}}, "is .* on rank 0, but"),
        ({"goes_on": True}, "warm_start finds weights: False on rank 0, but True"),
    ],
)
def test_ranks_that_do_not_fit_each_other(changes, message):
    with pytest.raises(ValueError, match=message):
        check(ranks=Pair(**changes))


def test_a_single_class_on_all_ranks():
    with pytest.raises(ValueError, match="one class only on all ranks, 'a'"):
        check(y=np.repeat("a", 6))


@pytest.mark.parametrize(
    ("y", "parameters", "message"),
    [
        (np.array([0, 1, -1, 0, 1, 0]), {}, "no label for 1 of 6 rows"),
        (np.eye(2)[[0, 1, 0, 1, 0, 1]], {}, r"y of shape \(6, 2\) inside a process group"),
        (Y, {"n_clusters": 3}, "n_clusters=3 inside a process group"),
    ],
)
def test_what_is_not_summed_up_over_ranks(y, parameters, message):
    with pytest.raises(NotImplementedError, match=message):
        check(y=y, **parameters)


def test_devices_and_seeds_may_differ():
    own = DeepMetricClusterer().get_params()
    parameters = {n: v for n, v in own.items() if isinstance(v, str | int | float | bool | None)}
    for name in ("device", "random_state", "verbose"):
        parameters.pop(name)
    assert len(check(ranks=Pair(parameters=parameters), random_state=3, verbose=0)[1].values) == 12
