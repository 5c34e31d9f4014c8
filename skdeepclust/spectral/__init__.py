"""Mathematics of deep spectral clustering: statistics, objective, closed forms, whitening."""

from ._leave_one_out import leave_one_out_dtype, leave_one_out_loss
from ._linear import dual_linear_solution, linear_solution
from ._objective import spectral_clustering_loss
from ._sharded import sharded_losses, sharded_sums_size
from ._solve import SpectralSolution, normalizer, solve, solve_statistics
from ._statistics import SpectralStatistics, class_codes, gram, spectral_statistics, to_device
from ._whitening import shrinkage_whitening, spectral_normalization, whiten_rows

__all__ = [
    "SpectralSolution",
    "SpectralStatistics",
    "class_codes",
    "dual_linear_solution",
    "gram",
    "leave_one_out_dtype",
    "leave_one_out_loss",
    "linear_solution",
    "normalizer",
    "sharded_losses",
    "sharded_sums_size",
    "shrinkage_whitening",
    "solve",
    "solve_statistics",
    "spectral_clustering_loss",
    "spectral_normalization",
    "spectral_statistics",
    "to_device",
    "whiten_rows",
]
