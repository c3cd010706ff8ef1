"""The architecture as data: Table 2, the zoo, shapes, parameters, MAdds and memory bounds. Knows no tensors."""

from mnv2c.spec.catalogue import Description, available, describe, load
from mnv2c.spec.layer import Layer
from mnv2c.spec.layers import layers
from mnv2c.spec.model import ModelSpec
from mnv2c.spec.toml import from_toml, parse_resolution, to_toml

__all__ = [
    "Description",
    "Layer",
    "ModelSpec",
    "available",
    "describe",
    "from_toml",
    "layers",
    "load",
    "parse_resolution",
    "to_toml",
]
