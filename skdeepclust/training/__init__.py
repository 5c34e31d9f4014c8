"""Engine: from rows and targets to a trained encoder."""

from ._augmentation import AUGMENTATIONS, augmentation
from ._batches import choose_batch_shape
from ._centers import assign, class_sums, place_centers
from ._checkpoint import Store
from ._clustering import cluster_embedding, k_means_from_ward
from ._distributed import ALONE, OneProcess, Ranks, joined_ranks, refuse_in_group
from ._inference import EmbeddedRows, embed_rows, map_batches
from ._learn import Recipe, learn_encoder
from ._moments import Moments
from ._plan import TrainingPlan, TrainingResult
from ._progress import epoch_progress
from ._pseudo_labels import cluster_codes, complete_targets
from ._random import module_draws, seeded_torch
from ._rows import InputScaling, Rows

__all__ = [
    "ALONE",
    "AUGMENTATIONS",
    "EmbeddedRows",
    "InputScaling",
    "Moments",
    "OneProcess",
    "Ranks",
    "Recipe",
    "Rows",
    "Store",
    "TrainingPlan",
    "TrainingResult",
    "assign",
    "augmentation",
    "choose_batch_shape",
    "class_sums",
    "cluster_codes",
    "cluster_embedding",
    "complete_targets",
    "embed_rows",
    "epoch_progress",
    "joined_ranks",
    "k_means_from_ward",
    "learn_encoder",
    "map_batches",
    "module_draws",
    "place_centers",
    "refuse_in_group",
    "seeded_torch",
]
