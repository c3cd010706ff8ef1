"""Weights by name: what a model expects, the files of every known source, and seeded random values."""

from mnv2c.weights.card import Card
from mnv2c.weights.checkpoint import SOURCES, Checkpoint, given_or_random, load, read
from mnv2c.weights.files import write
from mnv2c.weights.names import check, expected
from mnv2c.weights.random import random_weights
from mnv2c.weights.source import Source

__all__ = [
    "SOURCES",
    "Card",
    "Checkpoint",
    "Source",
    "check",
    "expected",
    "given_or_random",
    "load",
    "random_weights",
    "read",
    "write",
]
