"""Runs compiled libraries from Python; needs only numpy."""

from mnv2c.runtime.description import Description, StepResult
from mnv2c.runtime.library import Library, load

__all__ = ["Description", "Library", "StepResult", "load"]
