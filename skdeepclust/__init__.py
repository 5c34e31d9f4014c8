"""Learned clustering with the scikit-learn interface."""

from ._critic import ClusteringCritic
from ._critic_clusterer import CriticClusterer
from ._metric_clusterer import DeepMetricClusterer
from .networks import ConvEncoder, LinearEncoder, MLPEncoder, ModuleEncoder
from .persistence import load, save
from .spectral import spectral_clustering_loss

__version__ = "0.2.0"

__all__ = [
    "ClusteringCritic",
    "ConvEncoder",
    "CriticClusterer",
    "DeepMetricClusterer",
    "LinearEncoder",
    "MLPEncoder",
    "ModuleEncoder",
    "load",
    "save",
    "spectral_clustering_loss",
]
