"""Learned clustering with the scikit-learn interface."""

from ._metric_clusterer import DeepMetricClusterer
from .networks import ConvEncoder, LinearEncoder, MLPEncoder, ModuleEncoder
from .spectral import spectral_clustering_loss

__version__ = "0.1.0"

__all__ = [
    "ConvEncoder",
    "DeepMetricClusterer",
    "LinearEncoder",
    "MLPEncoder",
    "ModuleEncoder",
    "spectral_clustering_loss",
]
