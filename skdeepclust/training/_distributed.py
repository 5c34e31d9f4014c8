"""The rows of a training set spread over the processes of a group.

All that connects the rows are sums over them. Every rank sums over its own rows, the sums are added
up over the ranks, and each goes on as one process that holds all rows would. Row numbers and
targets in the engine are those of the whole set, rank after rank; `share` picks a rank's own.

No rank waits for one that failed: before every collective operation there is another, of one
number, in which a rank says that it failed. In training steps the number travels with the sums,
whose size was announced by `promise`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from functools import reduce
from typing import Any, TypeVar

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn

from ..spectral import SpectralStatistics
from ._shared_normalization import batch_normalizations, normalized_together

__all__ = ["ALONE", "OneProcess", "Ranks", "joined_ranks", "refuse_in_group"]

T = TypeVar("T")


class OneProcess:
    """A process that holds all rows: what concerns the others is nothing to it.

    Attributes
    ----------
    rank, n_ranks : int
    """

    rank = 0
    n_ranks = 1

    def sums(self, *values: Any) -> tuple[Any, ...]:
        """Sums over the ranks of arrays, tensors or floats."""
        return values

    def statistics(self, own: SpectralStatistics) -> SpectralStatistics:
        """Statistics of the rows of all ranks."""
        return SpectralStatistics(*self.sums(own.gram, own.sums, own.counts))

    def largest(self, value: float) -> float:
        """Maximum over the ranks."""
        return value

    def first(self, value: T) -> T:
        """What rank 0 has."""
        return value

    def own(self, indices: np.ndarray) -> slice | np.ndarray:
        """Positions of this rank's rows among the rows at `indices` of the whole set."""
        return slice(None)

    def local(self, indices: np.ndarray) -> np.ndarray:
        """Numbers of own rows of the whole set as numbers of rows of this rank."""
        return indices

    def share(self, indices: np.ndarray, targets: Any) -> tuple[np.ndarray, Any]:
        """The rank's own among the rows at `indices`, and their targets."""
        own = self.own(indices)
        return self.local(indices[own]), targets[own]

    def begin_step(self, n_own: int, n_numbers: int, dtype: torch.dtype) -> None:
        """Announce own rows of a batch, and the size of the sums of its loss."""

    def prepare(self, network: nn.Module) -> None:
        """Make a new network the same on all ranks."""

    def share_weights(self, network: nn.Module) -> None:
        """Take the weights of rank 0."""

    def training(self, network: nn.Module) -> AbstractContextManager[None]:
        """While the network is trained."""
        return nullcontext()

    def backward(self, loss: Tensor, network: nn.Module) -> None:
        """Gradient of the parameters over the rows of all ranks."""
        loss.backward()


ALONE = OneProcess()


class Ranks(OneProcess):
    """One of several processes of the default group, each with rows of its own.

    Attributes
    ----------
    n_counted : int
        Rows of the present inputs that belong to the batch: none where one stands in for none.
    """

    def __init__(self) -> None:
        self.rank = dist.get_rank()
        self.n_ranks = dist.get_world_size()
        self._device = torch.device("cpu")
        if dist.get_backend() == "nccl":
            self._device = torch.device("cuda", torch.cuda.current_device())
        self._start, self._stop = 0, 0
        self.n_counted = 0
        self._promises = True
        self._promised: tuple[int, torch.dtype] | None = None
        self._over = False

    def sums(self, *values: Any) -> tuple[Any, ...]:
        """Sums over the ranks, as tensors of the widest precision among the values."""
        parts = [_as_tensor(value) for value in values]
        dtype = reduce(torch.promote_types, (part.dtype for part in parts))
        if self._promised is None:
            self.check()
        else:
            dtype = self._promised[1]
        # The last number says whether a rank failed.
        flat = [part.detach().reshape(-1).to(self._device, dtype) for part in parts]
        sent = torch.cat([*flat, torch.zeros(1, dtype=dtype, device=self._device)])
        self._keep_promise(sent)
        self._all_reduce(sent)
        self._raise_if_failed(sent)
        totals = sent[:-1].split([part.numel() for part in parts])
        return tuple(
            total.view(part.shape).to(part.device)
            for total, part in zip(totals, parts, strict=True)
        )

    def largest(self, value: float) -> float:
        """Maximum over the ranks."""
        self.check()
        sent = torch.tensor([value], dtype=torch.float64, device=self._device)
        self._all_reduce(sent, largest=True)
        return float(sent)

    def first(self, value: T) -> T:
        """What rank 0 has."""
        self.check()
        sent: list[Any] = [value if self.rank == 0 else None]
        with self._lost_group():
            dist.broadcast_object_list(sent, src=0)
        return value if self.rank == 0 else sent[0]

    def gather(self, value: T) -> list[T]:
        """What each rank has."""
        self.check()
        return self._gather(value)

    def hold(self, sizes: list[int]) -> None:
        """Number the rows of the whole set: each rank has so many."""
        self._stop = sum(sizes[: self.rank + 1])
        self._start = self._stop - sizes[self.rank]

    def own(self, indices: np.ndarray) -> slice | np.ndarray:
        """Positions of this rank's rows among the rows at `indices` of the whole set."""
        return np.flatnonzero((indices >= self._start) & (indices < self._stop))

    def local(self, indices: np.ndarray) -> np.ndarray:
        """Numbers of own rows of the whole set as numbers of rows of this rank."""
        return indices - self._start

    def promise(self, n_numbers: int, dtype: torch.dtype) -> None:
        """Announce the size of the next sums: a rank that fails before them sends as much.

        Nothing is promised where layers have sums of their own in between.
        """
        self._promised = (n_numbers, dtype) if self._promises else None

    def begin_step(self, n_own: int, n_numbers: int, dtype: torch.dtype) -> None:
        """Announce own rows of a batch, and the size of the sums of its loss."""
        self.n_counted = n_own
        self.promise(n_numbers, dtype)

    def training(self, network: nn.Module) -> AbstractContextManager[None]:
        """While the network is trained, its layers see the rows of all ranks."""
        return normalized_together(network, self)

    def prepare(self, network: nn.Module) -> None:
        """Make a new network the same on all ranks, and what is random in it different."""
        self._promises = not batch_normalizations(network)
        self.share_weights(network)
        if self.rank:
            torch.random.manual_seed(torch.initial_seed() + self.rank)  # inside seeded_torch

    def share_weights(self, network: nn.Module) -> None:
        """Take the weights of rank 0."""
        state = {name: value.cpu() for name, value in network.state_dict().items()}
        network.load_state_dict(self.first(state))

    def backward(self, loss: Tensor, network: nn.Module) -> None:
        """Gradient of the parameters over the rows of all ranks."""
        learned = [value for value in network.parameters() if value.requires_grad]
        self.promise(sum(value.numel() for value in learned) + len(learned), torch.float32)
        loss.backward()
        # A parameter that no row of any rank has used keeps having no gradient.
        is_used = torch.tensor([float(value.grad is not None) for value in learned])
        own = [torch.zeros_like(v) if v.grad is None else v.grad for v in learned]
        *totals, n_using = self.sums(*own, is_used)
        for value, total, n in zip(learned, totals, n_using, strict=True):
            value.grad = total.to(value.dtype) if n > 0 else None

    def check(self) -> None:
        """Raise RuntimeError if a rank failed."""
        status = torch.zeros(1, device=self._device)
        self._all_reduce(status)
        self._raise_if_failed(status)

    def report(self, error: BaseException) -> None:
        """Tell the other ranks of an error in place of what they wait for."""
        if self._over:
            return
        n_numbers, dtype = self._promised or (0, torch.float32)
        sent = torch.zeros(n_numbers + 1, dtype=dtype, device=self._device)
        sent[-1] = 1
        self._all_reduce(sent)
        self._gather(f"rank {self.rank}: {type(error).__name__}: {error}")

    def _keep_promise(self, sent: Tensor) -> None:
        if self._promised is not None and sent.numel() != self._promised[0] + 1:
            raise RuntimeError(f"{sent.numel() - 1} sums, {self._promised[0]} were promised.")
        self._promised = None

    def _all_reduce(self, sent: Tensor, largest: bool = False) -> None:
        with self._lost_group():
            dist.all_reduce(sent, op=dist.ReduceOp.MAX if largest else dist.ReduceOp.SUM)

    def _gather(self, value: T) -> list[T]:
        found: list[Any] = [None] * self.n_ranks
        with self._lost_group():
            dist.all_gather_object(found, value)
        return found

    def _raise_if_failed(self, sent: Tensor) -> None:
        if not float(sent[-1]) > 0:
            return
        failures = [text for text in self._gather("") if text]
        self._over = True
        raise RuntimeError(f"another of {self.n_ranks} ranks failed, {'; '.join(failures)}")

    @contextmanager
    def _lost_group(self) -> Iterator[None]:
        """Say what it means that an operation of the group failed."""
        try:
            yield
        except RuntimeError as error:
            self._over = True
            raise RuntimeError(
                f"rank {self.rank} of {self.n_ranks} lost the others: one of them has ended, or "
                f"took longer than the timeout of the process group ({error})"
            ) from error


@contextmanager
def joined_ranks() -> Iterator[OneProcess]:
    """The ranks of the default process group, if there are several; all fail if one does."""
    if not _in_group():
        yield ALONE
        return
    ranks = Ranks()
    try:
        yield ranks
        ranks.check()
    except BaseException as error:
        with suppress(RuntimeError):  # the error itself says more than that the group is lost
            ranks.report(error)
        raise


def refuse_in_group(what: str) -> None:
    """Raise NotImplementedError inside a process group."""
    if _in_group():
        raise NotImplementedError(f"{what} inside a process group: only fit is possible there.")


def _in_group() -> bool:
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


def _as_tensor(value: Any) -> Tensor:
    return torch.as_tensor(value, dtype=torch.float64 if isinstance(value, float) else None)
