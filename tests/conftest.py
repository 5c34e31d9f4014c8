"""One torch thread per test process: the processes themselves run side by side."""

import pytest
import torch


def pytest_configure():
    torch.set_num_threads(1)


def pytest_collection_modifyitems(items):
    if torch.cuda.is_available():
        return
    without_device = pytest.mark.skip(reason="needs a CUDA device")
    for item in items:
        if item.get_closest_marker("gpu"):  # a folder of that name is among the keywords too
            item.add_marker(without_device)
