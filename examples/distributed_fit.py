"""
One clusterer, rows on many machines
====================================

Every process of a group has rows that the others never see. `fit` is called by all of them, each
with its own rows, and all get the same clusterer: the one that a single process would learn from
all rows. Per step the processes exchange sums whose size does not depend on the number of rows::

    torchrun --nproc_per_node=2 examples/distributed_fit.py

On several machines: ``torchrun --nnodes=... --rdzv-endpoint=... examples/distributed_fit.py``.
Without torchrun the script is the single process.
"""

import os

import numpy as np
import torch
import torch.distributed as dist
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from skdeepclust import DeepMetricClusterer

# %%
# The processes find each other through the variables that torchrun sets.

in_group = "RANK" in os.environ
if in_group:
    dist.init_process_group("gloo")
rank = dist.get_rank() if in_group else 0
n_ranks = dist.get_world_size() if in_group else 1

# %%
# Here all processes read the same file and each keeps a part of it; usually the parts lie on
# different disks. Uneven parts, and parts without some of the classes, are all right.

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.2, random_state=0)
shards = np.array_split(np.arange(len(X_train)), n_ranks)
own = shards[rank]

clusterer = DeepMetricClusterer(max_epochs=20, random_state=0).fit(X_train[own], y_train[own])

score = clusterer.score(X_test, y_test)
line = f"rank {rank} of {n_ranks}, {len(own)} rows: adjusted Rand index on new rows {score:.4f}\n"
print(line, end="", flush=True)  # in one piece, as all ranks write

# %%
# One process with all rows, for comparison: the network differs by rounding.

if in_group:
    dist.destroy_process_group()
if rank == 0:
    alone = DeepMetricClusterer(max_epochs=20, random_state=0).fit(X_train, y_train)
    weights, wanted = (
        torch.nn.utils.parameters_to_vector(model.network_.parameters())
        for model in (clusterer, alone)
    )
    difference = float((weights - wanted).norm() / wanted.norm())
    print(f"relative difference of the weights from those of one process: {difference:.1e}")
