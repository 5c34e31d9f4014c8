"""What a process does with rows that others hold; the meeting of ranks: `test_distributed_fit`."""

import warnings
from datetime import timedelta

import numpy as np
import pytest
import torch
import torch.distributed as dist
from torch import nn

from skdeepclust.spectral import SpectralStatistics
from skdeepclust.training import ALONE, Ranks, joined_ranks, refuse_in_group, seeded_torch


@pytest.fixture
def group(tmp_path):
    """A process group of one rank, which can do all that several can."""
    if not dist.is_available():
        pytest.skip("torch was built without process groups")
    store = f"file://{tmp_path / 'store'}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dist.init_process_group("gloo", store, timedelta(seconds=10), world_size=1, rank=0)
    yield Ranks()
    dist.destroy_process_group()


def test_one_process_gets_back_what_it_gives():
    value = torch.ones(3)
    indices, targets = np.array([4, 2]), np.array([1, 0])
    assert ALONE.sums(value, 2.0) == (value, 2.0)
    assert ALONE.first(value) is value
    assert ALONE.largest(0.5) == 0.5
    own, wanted = ALONE.share(indices, targets)
    np.testing.assert_array_equal(own, indices)
    np.testing.assert_array_equal(wanted, targets)
    statistics = SpectralStatistics(torch.eye(2), torch.ones(3, 2), torch.ones(3))
    assert ALONE.statistics(statistics).gram is statistics.gram


def test_one_process_shares_no_weights():
    network = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    ALONE.prepare(network)
    ALONE.share_weights(network)
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


def test_without_a_group_of_several_a_process_is_alone(group):
    with joined_ranks() as ranks:
        assert ranks is ALONE
    refuse_in_group("anything")


def test_sums_keep_shapes_and_take_the_widest_precision(group):
    values = torch.ones(2, 3), np.arange(4.0), 5.0
    found = group.sums(*values)
    assert [tuple(v.shape) for v in found] == [(2, 3), (4,), ()]
    assert {v.dtype for v in found} == {torch.float64}
    for value, total in zip(values, found, strict=True):
        np.testing.assert_array_equal(total, value)


def test_large_numbers_of_rows_are_not_rounded(group):
    assert float(group.sums(torch.ones(2), 2.0**24 + 1)[1]) == 2**24 + 1


def test_promised_sums_are_sent_as_promised(group):
    group.promise(5, torch.float32)
    found = group.sums(torch.ones(2, dtype=torch.float64), torch.ones(3))
    assert {v.dtype for v in found} == {torch.float32}


def test_other_sums_than_promised_are_refused(group):
    group.promise(5, torch.float32)
    with pytest.raises(RuntimeError, match="4 sums, 5 were promised"):
        group.sums(torch.ones(4))
    group.sums(torch.ones(5))
    group.sums(torch.ones(4))  # a promise holds once


@pytest.mark.parametrize("rank", [0, 1, 2])
def test_rows_are_numbered_rank_after_rank(group, rank):
    group.rank = rank
    group.hold([4, 1, 3])
    first = [0, 4, 5][rank]
    indices = np.array([7, 0, 5, 4, 3, 6])
    targets = 10 * indices
    own, wanted = group.share(indices, targets)
    np.testing.assert_array_equal(own + first, [[0, 3], [4], [7, 5, 6]][rank])
    np.testing.assert_array_equal(wanted, 10 * (own + first))
    np.testing.assert_array_equal(indices[group.own(indices)], own + first)


def test_backward_leaves_the_gradient_of_autograd(group):
    network = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 2), nn.Linear(2, 1))
    network[1].weight.requires_grad_(False)
    network[2].weight.register_hook(lambda gradient: gradient * 2)
    network.unused = nn.Parameter(torch.ones(2))

    def loss():
        return network[2](network[1](network[0](torch.ones(4, 3)))).square().sum()

    loss().backward()
    wanted = {name: value.grad for name, value in network.named_parameters()}
    network.zero_grad()
    group.backward(loss(), network)
    for name, value in network.named_parameters():
        assert (value.grad is None) == (wanted[name] is None)
        if value.grad is not None:
            torch.testing.assert_close(value.grad, wanted[name])
    assert network.unused.grad is None


def test_nothing_is_promised_where_layers_have_sums(group):
    group.prepare(nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)))
    group.promise(5, torch.float32)
    group.sums(torch.ones(4))


@pytest.mark.parametrize("rank", [0, 1])
def test_ranks_draw_apart_after_the_same_weights(group, rank, monkeypatch):
    monkeypatch.setattr(group, "share_weights", lambda network: None)
    group.rank = rank
    with seeded_torch(np.random.RandomState(0), torch.device("cpu")):
        group.prepare(nn.Linear(2, 2))
        found = torch.rand(4)
    with seeded_torch(np.random.RandomState(0), torch.device("cpu")):
        nn.Linear(2, 2)
        assert torch.equal(torch.rand(4), found) == (rank == 0)


def test_the_failure_of_another_rank_is_not_answered(group, monkeypatch):
    monkeypatch.setattr(group, "_gather", lambda value: ["", "rank 1: ValueError: bad"])
    with pytest.raises(RuntimeError, match="ranks failed, rank 1: ValueError: bad") as caught:
        group._raise_if_failed(torch.ones(1))
    monkeypatch.setattr(group, "_all_reduce", None)
    group.report(caught.value)
