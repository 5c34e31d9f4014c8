"""Engine: from rows and targets to a trained encoder."""

from ._centers import assign, class_means, find_centers
from ._inference import embed_rows, map_batches
from ._learn import Recipe, learn_encoder
from ._loop import TrainingPlan, TrainingResult
from ._progress import epoch_progress
from ._pseudo_labels import cluster_codes, spread_codes
from ._rows import InputScaling, Rows

__all__ = [
    "InputScaling",
    "Recipe",
    "Rows",
    "TrainingPlan",
    "TrainingResult",
    "assign",
    "class_means",
    "cluster_codes",
    "embed_rows",
    "epoch_progress",
    "find_centers",
    "learn_encoder",
    "map_batches",
    "spread_codes",
]
