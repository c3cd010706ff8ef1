"""Targets: the CPUs to compile for, as TOML files that users may add to."""

from mnv2c.targets.registry import available, load, names, preference
from mnv2c.targets.target import Target

__all__ = ["Target", "available", "load", "names", "preference"]
