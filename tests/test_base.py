"""What the estimators share."""

import pickle

import pytest
import torch
from sklearn.base import BaseEstimator
from torch import nn

from skdeepclust._base import DevicePickleMixin, keep_fitted_on_error


class Estimator(DevicePickleMixin, BaseEstimator):
    """Has a parameter and, after fitting, a network."""

    def __init__(self, width=2):
        self.width = width


class Remote(nn.Linear):
    """Says that its weights lie on an accelerator until they are asked to come back."""

    place = "cuda"

    def parameters(self, recurse=True):
        for parameter in super().parameters(recurse):
            yield type("Parameter", (), {"device": torch.device(self.place), "data": parameter})()

    def cpu(self):
        self.place = "cpu"
        return self


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_failed_fit_leaves_the_estimator_as_it_was(error):
    estimator = Estimator()
    estimator.labels_ = labels = [0, 1]
    before = dict(vars(estimator))
    with pytest.raises(error), keep_fitted_on_error(estimator):
        estimator.labels_ = [1, 1]
        estimator.n_features_in_ = 3
        del estimator.width
        raise error
    assert vars(estimator) == before
    assert estimator.labels_ is labels


def test_a_fit_that_ends_well_keeps_its_results():
    estimator = Estimator()
    with keep_fitted_on_error(estimator):
        estimator.labels_ = [1, 1]
    assert estimator.labels_ == [1, 1]


def test_networks_are_pickled_from_the_cpu():
    estimator = Estimator()
    estimator.network_ = Remote(3, 2)
    state = estimator.__getstate__()
    assert state["network_"].place == "cpu"
    assert torch.equal(state["network_"].weight, estimator.network_.weight)


def test_pickling_leaves_the_network_on_its_device():
    estimator = Estimator()
    estimator.network_ = network = Remote(3, 2)
    estimator.__getstate__()
    assert estimator.network_ is network
    assert network.place == "cuda"


def test_a_network_on_the_cpu_is_not_copied():
    estimator = Estimator()
    estimator.network_ = nn.Linear(3, 2)
    assert estimator.__getstate__()["network_"] is estimator.network_


def test_pickle_keeps_everything_else():
    estimator = Estimator(width=5)
    estimator.network_, estimator.labels_ = nn.Linear(3, 2), [0, 1]
    again = pickle.loads(pickle.dumps(estimator))
    assert (again.width, again.labels_) == (5, [0, 1])
    assert torch.equal(again.network_.weight, estimator.network_.weight)
