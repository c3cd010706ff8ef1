"""Weights by name: what a model expects, safetensors files, and seeded random values."""

from mnv2c.weights.files import read, write
from mnv2c.weights.names import check, expected
from mnv2c.weights.random import random_weights

__all__ = ["check", "expected", "random_weights", "read", "write"]
