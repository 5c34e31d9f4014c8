"""Encoders: what turns rows or images into embeddings."""

from ._encoders import (
    BaseEncoder,
    ConvEncoder,
    EncoderNetwork,
    LinearEncoder,
    MLPEncoder,
    ModuleEncoder,
    output_width,
    resolve_encoder,
)

__all__ = [
    "BaseEncoder",
    "ConvEncoder",
    "EncoderNetwork",
    "LinearEncoder",
    "MLPEncoder",
    "ModuleEncoder",
    "output_width",
    "resolve_encoder",
]
